//! Turns: one burst's way to one reply, with its attempts.

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use serde::Deserialize;

use super::schema::item_key;
use super::usage::usd;
use super::{Commit, Table, TableError, keys, n, s};
use crate::conversation::ids::{ConversationId, EpochMs, MessageId, MessageKey};
use crate::conversation::outcome::{Attempt, TurnStatus};

/// A turn as the table keeps it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Turn {
    /// The burst's number.
    pub burst: u64,
    /// How it stands.
    pub status: TurnStatus,
    /// Its messages; empty until the turn is committed.
    #[serde(default)]
    pub keys: Vec<MessageKey>,
    /// The attempts made, in order.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// Tries, interrupted ones included.
    #[serde(default)]
    pub tries: u32,
    /// The id the reply was sent with.
    pub reply_id: Option<MessageId>,
    /// The model that answered.
    pub model: Option<String>,
    /// Tokens of the prompts.
    #[serde(default)]
    pub tokens_in: u64,
    /// Tokens of the answers.
    #[serde(default)]
    pub tokens_out: u64,
    /// Tokens of the prompts that the provider had cached.
    #[serde(default)]
    pub tokens_cached: u64,
    /// What the provider charged for all calls, in USD.
    #[serde(default)]
    pub cost_usd: f64,
    /// How long all calls took, in milliseconds.
    #[serde(default)]
    pub llm_latency_ms: i64,
    /// Calls to the model, in all tries that left a trace.
    #[serde(default)]
    pub llm_calls: u32,
    /// Generations that were billed and never sent.
    #[serde(default)]
    pub wasted: u32,
    /// Tokens that a kept answer has saved; none when the model was asked.
    pub tokens_saved: Option<u64>,
    /// When the oldest message became pending.
    pub began_at: Option<EpochMs>,
    /// When it was committed.
    pub ended_at: Option<EpochMs>,
}

impl Turn {
    /// Where its reply is in the history, if it had one.
    #[must_use]
    pub fn reply_key(&self) -> Option<MessageKey> {
        let at = keys::reply_at(&self.keys, self.ended_at?);
        Some(keys::message(at, self.reply_id.as_ref()?))
    }

    /// What went wrong last, if anything did: the class of the last attempt that failed.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        let mut failed = self.attempts.iter().filter(|attempt| attempt.class != "ok");
        Some(failed.next_back()?.class.as_str())
    }
}

impl Table {
    /// Reads a turn. Costs 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn turn(&self, id: &ConversationId, burst: u64) -> Result<Option<Turn>, TableError> {
        const OPERATION: &str = "turn";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), &keys::turn(burst))))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        output
            .item
            .map(|item| {
                serde_dynamo::from_item(item).map_err(|_| TableError::malformed(OPERATION, "turn"))
            })
            .transpose()
    }

    /// The turn's part of a commit. Attempts that failed before stay in it.
    pub(super) fn turn_record(
        &self,
        commit: &Commit<'_>,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        let outcome = &commit.draft.outcome;
        let spent = &outcome.spent;
        let attempts = outcome.attempts.iter().map(attempt_value).collect();
        let keys = commit
            .claim
            .keys
            .iter()
            .map(|key| s(key.as_str()))
            .collect();
        let mut turn = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(
                &keys::conversation(commit.id),
                &keys::turn(commit.burst),
            )))
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#keys", "keys")
            .expression_attribute_names("#model", "model")
            .expression_attribute_values(":status", s(outcome.status.as_str()))
            .expression_attribute_values(":burst", n(commit.burst))
            .expression_attribute_values(":keys", AttributeValue::L(keys))
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":attempts", AttributeValue::L(attempts))
            .expression_attribute_values(":tries", n(commit.tries))
            .expression_attribute_values(":rid", s(commit.draft.reply_id.as_str()))
            .expression_attribute_values(":in", n(spent.tokens_in))
            .expression_attribute_values(":out", n(spent.tokens_out))
            .expression_attribute_values(":cached", n(spent.tokens_cached))
            .expression_attribute_values(":cost", n(usd(spent.cost_usd)))
            .expression_attribute_values(":latency", n(spent.llm_latency_ms))
            .expression_attribute_values(":calls", n(spent.calls))
            .expression_attribute_values(":wasted", n(spent.wasted))
            .expression_attribute_values(":began", n(commit.claim.since.0))
            .expression_attribute_values(":ended", n(commit.now.0))
            .expression_attribute_values(":expires", self.expires_at(commit.now))
            .expression_attribute_values(
                ":list",
                s(keys::turns(&commit.id.bot_id, outcome.status)),
            );
        let null = AttributeValue::Null(true);
        let model = outcome.model.as_ref().map_or(null.clone(), s);
        let saved = outcome.tokens_saved.map_or(null, n);
        turn = turn
            .expression_attribute_values(":model", model)
            .expression_attribute_values(":saved", saved);
        turn.update_expression(
            "SET #status = :status, burst = :burst, #keys = :keys, tries = :tries, reply_id = :rid, \
             attempts = list_append(if_not_exists(attempts, :none), :attempts), #model = :model, \
             tokens_in = :in, tokens_out = :out, tokens_cached = :cached, cost_usd = :cost, \
             llm_latency_ms = :latency, llm_calls = :calls, wasted = :wasted, tokens_saved = :saved, \
             began_at = :began, ended_at = :ended, expires_at = :expires, list_pk = :list, list_at = :ended",
        )
    }
}

/// An attempt as a value of a turn's list.
pub(super) fn attempt_value(attempt: &Attempt) -> AttributeValue {
    AttributeValue::M(
        [
            ("number".to_owned(), n(attempt.number)),
            ("started_at".to_owned(), n(attempt.started_at.0)),
            ("ended_at".to_owned(), n(attempt.ended_at.0)),
            ("model".to_owned(), s(&attempt.model)),
            ("class".to_owned(), s(&attempt.class)),
            ("message".to_owned(), s(&attempt.message)),
        ]
        .into(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_error_of_a_turn_is_that_of_the_last_attempt_that_failed() {
        let attempt = |class| {
            json!({"number": 1, "started_at": 1, "ended_at": 2, "model": "a/b", "class": class,
                "message": ""})
        };
        for (classes, error) in [
            (&["timed_out", "http_5xx", "ok"][..], Some("http_5xx")),
            (&["ok"], None),
            (&[], None),
        ] {
            let attempts: Vec<_> = classes.iter().map(attempt).collect();
            let turn = json!({"burst": 1, "status": "answered", "attempts": attempts});
            let turn: Turn = serde_json::from_value(turn).unwrap();
            assert_eq!(turn.last_error(), error);
            assert_eq!(turn.reply_key(), None, "it has no reply");
        }
    }
}
