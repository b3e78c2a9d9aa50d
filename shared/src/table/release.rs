//! A claim is given up: its messages become pending again, or its draft waits for another sender.

use aws_sdk_dynamodb::types::{AttributeValue, Update};

use super::claim::lost_race;
use super::schema::item_key;
use super::store::{token, update};
use super::turn::attempt_value;
use super::{Name, Table, TableError, Transacted, item, keys, n, s};
use crate::conversation::head::Claim;
use crate::conversation::ids::{ConversationId, EpochMs, Fence};
use crate::conversation::outcome::{Attempt, Spent, TurnStatus};

/// How a claim is released.
#[derive(Clone, Debug, PartialEq)]
pub struct Release<'a> {
    /// When the next try may begin.
    pub retry_at: EpochMs,
    /// What all tries of the burst have used up.
    pub spent: Spent,
    /// Why, and what that costs.
    pub why: Why<'a>,
}

/// Why a claim is released, and what that costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why<'a> {
    /// The try failed: its attempts are recorded in the turn, and it stays counted.
    Failed(&'a [Attempt]),
    /// Something outside must happen first: the try is given back.
    Waiting,
    /// The customer is held back by a limit: the try is given back, and the wait is not ours.
    Held,
    /// A person has the conversation: the try is given back. `retry_at` is not kept: the pause itself holds the messages
    /// back, and whoever ends or shortens it must not find another moment that still does (I1).
    Paused,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// The messages are pending again.
    Done,
    /// The claim was not ours any more, or has a draft.
    FencedOut,
}

impl Table {
    /// Puts a claim's messages back, under its fence and only without a draft (I2). Failed attempts are
    /// recorded in the same transaction.
    ///
    /// Keys: HEAD and, for a failure, the turn. Costs 2 WCU, or 4 with the record.
    ///
    /// # Errors
    /// The table cannot be reached: the lease runs out and the next trigger takes over.
    pub async fn release(
        &self,
        id: &ConversationId,
        burst: u64,
        claim: &Claim,
        release: &Release<'_>,
        now: EpochMs,
    ) -> Result<Released, TableError> {
        const OPERATION: &str = "release";
        let malformed = |e: aws_sdk_dynamodb::error::BuildError| {
            TableError::malformed(OPERATION, e.to_string())
        };
        let (given_back, not_before) = match release.why {
            Why::Failed(_) => (0, ", retry_at = :retry_at"),
            Why::Waiting => (1, ", retry_at = :retry_at"),
            Why::Held => (1, ", retry_at = :retry_at, held_until = :retry_at"),
            Why::Paused => (1, ""),
        };
        let spent = serde_json::to_string(&release.spent)
            .map_err(|_| TableError::malformed(OPERATION, "spent"))?;
        let mut head = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), keys::HEAD)))
            .update_expression(format!(
                "SET pend_since = :since, spent = :spent, tries = tries - :given_back{not_before} \
                 ADD pend :keys REMOVE c_fence, c_owner, c_until, c_since, c_mids"
            ))
            .condition_expression("c_fence = :fence AND attribute_not_exists(c_text)")
            .expression_attribute_values(":since", n(claim.since.0))
            .expression_attribute_values(":spent", s(spent))
            .expression_attribute_values(":given_back", n(given_back))
            .expression_attribute_values(":keys", item::key_set(&claim.keys))
            .expression_attribute_values(":fence", n(claim.fence.0));
        if !not_before.is_empty() {
            head = head.expression_attribute_values(":retry_at", n(release.retry_at.0));
        }
        let mut writes = vec![update(head.build().map_err(malformed)?)];
        if let Why::Failed(attempts) = release.why {
            let turn = self
                .record_attempts(id, burst, attempts, now)
                .build()
                .map_err(malformed)?;
            writes.push(update(turn));
        }
        let pk = keys::conversation(id);
        let token = token(&[OPERATION, &pk, &claim.fence.0.to_string()]);
        match self.transact(OPERATION, Name::Once(&token), writes).await? {
            Transacted::Done => Ok(Released::Done),
            Transacted::Cancelled(cancelled) if cancelled.condition_failed(0) => {
                Ok(Released::FencedOut)
            }
            Transacted::Cancelled(cancelled) => Err(cancelled.refused(OPERATION)),
        }
    }

    fn record_attempts(
        &self,
        id: &ConversationId,
        burst: u64,
        attempts: &[Attempt],
        now: EpochMs,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), &keys::turn(burst))))
            .update_expression(
                "SET #status = :status, burst = :burst, expires_at = :expires, \
                 attempts = list_append(if_not_exists(attempts, :none), :attempts)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", s(TurnStatus::Retrying.as_str()))
            .expression_attribute_values(":burst", n(burst))
            .expression_attribute_values(":expires", self.expires_at(now))
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(
                ":attempts",
                AttributeValue::L(attempts.iter().map(attempt_value).collect()),
            )
    }

    /// Ends the lease of a claim at `until` instead, so that the next owner need not wait for its end. `sends` is how often
    /// its draft was sent that counts: the number itself, because the SDK repeats a call whose answer was lost, and what is
    /// taken off twice is missing in the end (I13).
    ///
    /// Key: HEAD. Costs the WCU of HEAD's size.
    ///
    /// # Errors
    /// The table cannot be reached: the lease runs out by itself.
    pub async fn hand_back(
        &self,
        id: &ConversationId,
        fence: Fence,
        until: EpochMs,
        sends: u32,
    ) -> Result<Released, TableError> {
        const OPERATION: &str = "hand_back";
        let answer = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), keys::HEAD)))
            .update_expression("SET c_until = :until, c_sends = :sends")
            .condition_expression("c_fence = :fence")
            .expression_attribute_values(":until", n(until.0))
            .expression_attribute_values(":sends", n(sends))
            .expression_attribute_values(":fence", n(fence.0))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Released::Done),
            Err(error) if lost_race(&error).is_some() => Ok(Released::FencedOut),
            Err(error) => Err(TableError::from_sdk(OPERATION, &error)),
        }
    }
}
