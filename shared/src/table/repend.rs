//! A failed turn's messages become pending again: what redriving its dead letter does.

use aws_sdk_dynamodb::types::Update;

use super::schema::item_key;
use super::store::{token, update};
use super::{Name, Table, TableError, Transacted, item, keys, n, s};
use crate::conversation::ids::{ConversationId, EpochMs, MessageKey};
use crate::conversation::outcome::TurnStatus;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repended {
    /// The messages are pending, from now or from an earlier delivery of the same dead letter; this is
    /// the one whose trigger must follow.
    Pending(MessageKey),
    /// There is no such turn (any more): nothing to do.
    NoSuchTurn,
    /// The turn is not parked: it was answered, or is still being worked on.
    NotParked,
}

impl Table {
    /// Puts the messages of a parked turn back, once, whatever is redriven how often (I13).
    ///
    /// Keys: the turn, if it is parked; and HEAD. Costs 1 RCU and 4 WCU.
    ///
    /// # Errors
    /// The table cannot be reached: the dead letter comes back.
    pub async fn repend(
        &self,
        id: &ConversationId,
        burst: u64,
        now: EpochMs,
    ) -> Result<Repended, TableError> {
        const OPERATION: &str = "repend";
        let malformed = |e: aws_sdk_dynamodb::error::BuildError| {
            TableError::malformed(OPERATION, e.to_string())
        };
        let Some(turn) = self.turn(id, burst).await? else {
            return Ok(Repended::NoSuchTurn);
        };
        let Some(newest) = turn.keys.iter().max().cloned() else {
            return Ok(Repended::NotParked);
        };
        match turn.status {
            // A delivery before this one did it, and may have died before its trigger was sent.
            TurnStatus::Retried => return Ok(Repended::Pending(newest)),
            status if !status.is_parked() => return Ok(Repended::NotParked),
            _ => {}
        }
        let pk = keys::conversation(id);
        let record = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&pk, &keys::turn(burst))))
            .update_expression("SET #status = :retried")
            .condition_expression("#status = :seen")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":retried", s(TurnStatus::Retried.as_str()))
            .expression_attribute_values(":seen", s(turn.status.as_str()));
        let head = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&pk, keys::HEAD)))
            // The newest of them becomes the last message, so that its trigger may claim.
            .update_expression(
                "SET last_mid = :newest, pend_since = if_not_exists(pend_since, :now), owed_pk = :owed, \
                 owed_since = if_not_exists(owed_since, :now) ADD pend :keys",
            )
            .expression_attribute_values(":newest", s(newest.as_str()))
            .expression_attribute_values(":now", n(now.0))
            .expression_attribute_values(":owed", s(keys::owed(id)))
            .expression_attribute_values(":keys", item::key_set(&turn.keys.into_iter().collect()));
        let writes = vec![
            update(record.build().map_err(malformed)?),
            update(head.build().map_err(malformed)?),
        ];
        let token = token(&[OPERATION, &pk, &burst.to_string(), &now.0.to_string()]);
        match self.transact(OPERATION, Name::Once(&token), writes).await? {
            Transacted::Done => Ok(Repended::Pending(newest)),
            Transacted::Cancelled(cancelled) if cancelled.condition_failed(0) => {
                // Another delivery of the same dead letter was faster.
                Ok(Repended::Pending(newest))
            }
            Transacted::Cancelled(cancelled) => Err(cancelled.refused(OPERATION)),
        }
    }
}
