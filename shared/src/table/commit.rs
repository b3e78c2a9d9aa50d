//! K6: the burst is counted, its reply, its turn and its usage are written, all or nothing.

use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::item::{self, preview};
use super::schema::item_key;
use super::store::{put, token, update};
use super::{Name, Table, TableError, Transacted, keys, n, s};
use crate::conversation::head::{Claim, Draft, Head};
use crate::conversation::ids::{ConversationId, EpochMs, MessageKey};
use crate::conversation::message::{Author, Content, Message, MessageKind};
use crate::conversation::outcome::TurnStatus;

/// What is committed.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The conversation.
    pub id: &'a ConversationId,
    /// The burst's number.
    pub burst: u64,
    /// Tries it took.
    pub tries: u32,
    /// The claim, with the fence that must still hold.
    pub claim: &'a Claim,
    /// The reply that was sent.
    pub draft: &'a Draft,
    /// Not before the newest message of the burst, so that the history reads right.
    pub reply_at: EpochMs,
    /// The time.
    pub now: EpochMs,
    /// The newest pending message for which a trigger was sent just before, if any was (I3).
    pub rearmed: Option<&'a MessageKey>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Committed {
    /// Done.
    Done,
    /// More has come in, and no trigger was sent for it yet: send one for HEAD's newest message, then
    /// commit again (I3). HEAD as it is.
    Uncovered(Head),
    /// The claim is somebody else's by now, or was committed already.
    FencedOut,
}

impl Table {
    /// Commits a burst under its fence. While messages are pending it succeeds only if a trigger for the
    /// newest of them was sent just before (I3). All counters move in this one transaction, so they move
    /// once per reply (I8).
    ///
    /// Keys: HEAD, the reply message, the turn, the bot's usage of this hour. Costs 8 WCU for
    /// small items, 2 in the index by activity and 1 in that of owed answers.
    ///
    /// # Errors
    /// The table cannot be reached, or conflicts do not end: the lease runs out, and the next owner sends the
    /// same id and text again and commits.
    pub async fn commit(&self, commit: Commit<'_>) -> Result<Committed, TableError> {
        const OPERATION: &str = "commit";
        let malformed = |e: aws_sdk_dynamodb::error::BuildError| {
            TableError::malformed(OPERATION, e.to_string())
        };
        let mut writes: Vec<TransactWriteItem> = vec![
            update(self.end_claim(&commit).build().map_err(malformed)?),
            update(self.turn_record(&commit).build().map_err(malformed)?),
            update(self.count_usage(&commit).build().map_err(malformed)?),
        ];
        if !commit.draft.text.is_empty() {
            let reply = reply(&commit);
            let key = keys::message(reply.platform_at, &reply.mid);
            let pk = keys::conversation(commit.id);
            let mut item = self.message_item(&pk, &key, &reply)?;
            item.insert("burst".to_owned(), n(commit.burst));
            writes.push(put(self.put_new(item).build().map_err(malformed)?));
        }
        let token = token(&[
            OPERATION,
            commit.draft.reply_id.as_str(),
            &commit.claim.fence.0.to_string(),
            commit.rearmed.map_or("", MessageKey::as_str),
        ]);
        let cancelled = match self.transact(OPERATION, Name::Once(&token), writes).await? {
            Transacted::Done => return Ok(Committed::Done),
            Transacted::Cancelled(cancelled) => cancelled,
        };
        if !cancelled.condition_failed(0) {
            return Err(cancelled.refused(OPERATION));
        }
        let old = cancelled.old_item(0).cloned().unwrap_or_default();
        let head = item::head(OPERATION, old)?;
        Ok(match &head.claim {
            Some(claim) if claim.fence == commit.claim.fence => Committed::Uncovered(head),
            _ => Committed::FencedOut,
        })
    }

    fn end_claim(&self, commit: &Commit<'_>) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        let text = &commit.draft.text;
        let (said, listed) = if text.is_empty() {
            ("", super::claim::LIST_FROM_ROOM)
        } else {
            (
                ", last_text = :text, last_kind = :kind, last_author = :author",
                "l_text = :text, l_kind = :kind, l_author = :author, l_unread = unread, \
                 l_name = if_not_exists(contact_name, :empty)",
            )
        };
        let (covered, still_owed, no_longer_owed) = match commit.rearmed {
            None => ("attribute_not_exists(pend)", "", ", owed_pk, owed_since"),
            Some(_) => (
                "attribute_exists(pend) AND last_mid = :rearmed",
                ", owed_since = pend_since",
                "",
            ),
        };
        let mut head = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(commit.id), keys::HEAD)))
            .update_expression(format!(
                "SET burst = :burst, active_at = :now, list_at = :now, {listed}{said}{still_owed} \
                 REMOVE c_fence, c_owner, c_until, c_since, c_mids, c_text, c_rid, c_outcome, c_sends, \
                 tries, retry_at{no_longer_owed}"
            ))
            .condition_expression(format!("c_fence = :fence AND {covered}"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":burst", n(commit.burst))
            .expression_attribute_values(":now", n(commit.now.0))
            .expression_attribute_values(":empty", s(""))
            .expression_attribute_values(":fence", n(commit.claim.fence.0));
        if !text.is_empty() {
            head = head
                .expression_attribute_values(":text", s(preview(text)))
                .expression_attribute_values(":kind", s(MessageKind::Text.as_str()))
                .expression_attribute_values(":author", s(Author::Bot.as_str()));
        }
        if let Some(rearmed) = commit.rearmed {
            head = head.expression_attribute_values(":rearmed", s(rearmed.as_str()));
        }
        head
    }

    fn count_usage(&self, commit: &Commit<'_>) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        let outcome = &commit.draft.outcome;
        let (pk, sk) = keys::usage(&commit.id.bot_id, commit.now);
        let counts: [(&str, AttributeValue); 9] = [
            ("turns", n(1)),
            (outcome.status.as_str(), n(1)),
            ("messages", n(commit.claim.keys.len())),
            ("llm_calls", n(u32::from(outcome.attempt.is_some()))),
            ("tokens_in", n(outcome.tokens_in)),
            ("tokens_out", n(outcome.tokens_out)),
            ("tokens_cached", n(outcome.tokens_cached)),
            ("cost_usd", n(usd(outcome.cost_usd))),
            ("llm_latency_ms", n(outcome.llm_latency_ms)),
        ];
        let mut usage = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&pk, &sk)));
        let mut parts = Vec::new();
        for (index, (name, value)) in counts.into_iter().enumerate() {
            parts.push(format!("#{index} :{index}"));
            usage = usage
                .expression_attribute_names(format!("#{index}"), name)
                .expression_attribute_values(format!(":{index}"), value);
        }
        usage.update_expression(format!("ADD {}", parts.join(", ")))
    }
}

/// Money with nine decimals: DynamoDB's numbers are decimal, and a token costs more than a nano-dollar.
pub(super) fn usd(amount: f64) -> String {
    let amount = if amount.is_finite() {
        amount.max(0.0)
    } else {
        0.0
    };
    format!("{amount:.9}")
}

fn reply(commit: &Commit<'_>) -> Message {
    Message {
        mid: commit.draft.reply_id.clone(),
        author: Author::Bot,
        content: Content {
            kind: MessageKind::Text,
            text: commit.draft.text.clone(),
        },
        platform_at: commit.reply_at,
        received_at: commit.now,
        delivered: commit.draft.outcome.status != TurnStatus::Undelivered,
    }
}
