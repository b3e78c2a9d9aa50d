//! A failed turn's messages become pending again: what redriving its dead letter does.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::Update;

use super::schema::item_key;
use super::store::{token, update};
use super::{Name, Table, TableError, Transacted, item, keys, n, s};
use crate::conversation::ids::{ConversationId, EpochMs, MessageKey};
use crate::conversation::outcome::TurnStatus;
use crate::conversation::trigger::ModelName;

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
    /// Puts the messages of a parked turn back, once, whatever is redriven how often (I13). With `model` the burst that
    /// they come into is answered with that model or not at all.
    ///
    /// Keys: the turn, if it is parked; and HEAD, which must be a conversation's: one that is being erased gets nothing
    /// back. The list stops showing it as failed. Costs 1 RCU and 4 WCU, and 3 in the index by
    /// activity.
    ///
    /// # Errors
    /// The table cannot be reached: the dead letter comes back.
    pub async fn repend(
        &self,
        id: &ConversationId,
        burst: u64,
        model: Option<&ModelName>,
        now: EpochMs,
    ) -> Result<Repended, TableError> {
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
        let parked = Parked {
            burst,
            status: turn.status,
            newest: &newest,
            model,
            keys: turn.keys.iter().cloned().collect(),
        };
        // HEAD may change between two looks; another round is for another delivery to take.
        for (alone, listed) in [(true, true), (true, false), (false, true), (false, false)] {
            let seen = Seen { alone, listed };
            match self.put_back(id, &parked, seen, now).await? {
                Transacted::Done => return Ok(Repended::Pending(newest)),
                Transacted::Cancelled(cancelled) if cancelled.condition_failed(0) => {
                    // Another delivery of the same dead letter was faster.
                    return Ok(Repended::Pending(newest));
                }
                Transacted::Cancelled(cancelled) if cancelled.condition_failed(1) => {}
                Transacted::Cancelled(cancelled) => return Err(cancelled.refused(OPERATION)),
            }
        }
        Err(TableError {
            operation: OPERATION,
            cause: super::Cause::Conflict,
            code: "HeadChanged".to_owned(),
        })
    }

    async fn put_back(
        &self,
        id: &ConversationId,
        parked: &Parked<'_>,
        seen: Seen,
        now: EpochMs,
    ) -> Result<Transacted, TableError> {
        let malformed = |e: aws_sdk_dynamodb::error::BuildError| {
            TableError::malformed(OPERATION, e.to_string())
        };
        let pk = keys::conversation(id);
        let record = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&pk, &keys::turn(parked.burst))))
            .update_expression(
                "SET #status = :retried, list_pk = :list, list_at = if_not_exists(ended_at, :now)",
            )
            .condition_expression("#status = :seen")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":retried", s(TurnStatus::Retried.as_str()))
            .expression_attribute_values(":list", s(keys::turns(&id.bot_id, TurnStatus::Retried)))
            .expression_attribute_values(":now", n(now.0))
            .expression_attribute_values(":seen", s(parked.status.as_str()));
        let (last, nothing_else) = if seen.alone {
            ("last_mid = :newest, ", "attribute_not_exists(pend)")
        } else {
            ("", "attribute_exists(pend)")
        };
        let wanted = parked
            .model
            .map_or("", |_| "r_model = :model, r_mid = :newest, ");
        let (no_longer_failed, is_listed) = if seen.listed {
            (" REMOVE failed_turn", "failed_turn = :burst")
        } else {
            (
                "",
                "(attribute_not_exists(failed_turn) OR failed_turn <> :burst)",
            )
        };
        let mut head = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&pk, keys::HEAD)))
            .update_expression(format!(
                "SET {last}{wanted}pend_since = if_not_exists(pend_since, :now), owed_pk = :owed, \
                 owed_since = if_not_exists(owed_since, :now) ADD pend :keys{no_longer_failed}"
            ))
            .condition_expression(format!(
                "attribute_exists(contact) AND {nothing_else} AND {is_listed}"
            ))
            .expression_attribute_values(":burst", n(parked.burst))
            .expression_attribute_values(":now", n(now.0))
            .expression_attribute_values(":owed", s(keys::owed(id)))
            .expression_attribute_values(":keys", item::key_set(&parked.keys));
        if let Some(model) = parked.model {
            head = head.expression_attribute_values(":model", s(model.as_str()));
        }
        if seen.alone || parked.model.is_some() {
            head = head.expression_attribute_values(":newest", s(parked.newest.as_str()));
        }
        let writes = vec![
            update(record.build().map_err(malformed)?),
            update(head.build().map_err(malformed)?),
        ];
        let name = token(&[
            OPERATION,
            &pk,
            &parked.burst.to_string(),
            &now.0.to_string(),
            last,
            parked.model.map_or("", ModelName::as_str),
            no_longer_failed,
        ]);
        self.transact(OPERATION, Name::Once(&name), writes).await
    }
}

/// How HEAD may look, each with a write of its own.
#[derive(Clone, Copy)]
struct Seen {
    /// Nothing else is pending, so the newest of the turn's messages becomes the last one and its trigger may claim.
    /// Otherwise the last message stays what it is: its own trigger claims all of them after its silence (I3, I6).
    alone: bool,
    /// It is this turn that the list shows as failed.
    listed: bool,
}

/// A parked turn whose messages go back.
struct Parked<'a> {
    burst: u64,
    status: TurnStatus,
    newest: &'a MessageKey,
    model: Option<&'a ModelName>,
    keys: BTreeSet<MessageKey>,
}

const OPERATION: &str = "repend";
