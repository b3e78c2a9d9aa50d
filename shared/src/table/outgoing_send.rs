//! The outbox of a conversation: who sends the persons' messages in it, and what became of each.

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure, Update};

use super::claim::lost_race;
use super::item::{self, key_set};
use super::schema::item_key;
use super::store::{token, update};
use super::{ClaimRequest, Claimed, Name, Released, Table, TableError, Transacted, keys, n, s};
use crate::conversation::ids::{ConversationId, EpochMs, MessageKey, Owner};
use crate::conversation::message::Delivery;
use crate::conversation::outgoing::Outbox;

/// What came of writing down what became of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum OutgoingCommitted {
    /// Nothing is left to send, and nobody has the outbox any more.
    Emptied,
    /// More is to be sent, and the outbox is still ours.
    More(Outbox),
    /// The outbox is somebody else's by now.
    FencedOut,
}

impl Table {
    /// Takes the outbox, if the trigger's own message is in it and nobody sends (I4). The owner is the fence: no two are
    /// the same.
    ///
    /// Key: HEAD. Costs the WCU of HEAD's size.
    ///
    /// # Errors
    /// The table cannot be reached. The write may have happened all the same; the next try recognises itself by its
    /// owner.
    pub async fn claim_outgoing(&self, request: ClaimRequest<'_>) -> Result<Claimed, TableError> {
        const OPERATION: &str = "claim_outgoing";
        let answer = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(request.id), keys::HEAD)))
            .update_expression(
                "SET o_owner = :owner, o_until = :until, o_sends = if_not_exists(o_sends, :zero) + :one",
            )
            .condition_expression(
                "contains(o_mids, :key) AND (attribute_not_exists(o_until) OR o_until < :now)",
            )
            .expression_attribute_values(":owner", s(&request.owner.0))
            .expression_attribute_values(":until", n(request.until.0))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":key", s(request.key.as_str()))
            .expression_attribute_values(":now", n(request.now.0))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(output) => Ok(Claimed::Won(item::head(
                OPERATION,
                output.attributes.unwrap_or_default(),
            )?)),
            Err(error) => match lost_race(&error) {
                Some(old) => Ok(Claimed::Lost(
                    old.map(|old| item::head(OPERATION, old)).transpose()?,
                )),
                None => Err(TableError::from_sdk(OPERATION, &error)),
            },
        }
    }

    /// Takes a message out of the outbox under its owner, and writes down what became of it. With the last one the outbox
    /// is given up in the same write: what comes in before that is the owner's to send; what comes in after it finds
    /// nobody, and its trigger takes the outbox (I3). The next one's first send counts from here. A message that was
    /// erased meanwhile only leaves the outbox.
    ///
    /// Keys: HEAD and the message. One transaction. Costs 4 WCU, and 1 in the index of what is owed; the same again when
    /// it is not the last one.
    ///
    /// # Errors
    /// The table cannot be reached, or conflicts do not end: the lease runs out, and the next owner sends the same id and
    /// text again and commits.
    pub async fn commit_outgoing(
        &self,
        id: &ConversationId,
        key: &MessageKey,
        owner: &Owner,
        delivery: Delivery,
    ) -> Result<OutgoingCommitted, TableError> {
        let pk = keys::conversation(id);
        let (mut more, mut is_erased) = (None::<Outbox>, false);
        loop {
            let head = self.out_of_the_box(&pk, key, owner, more.is_none());
            let mut writes = vec![update(head.build().map_err(malformed)?)];
            if !is_erased {
                let message = self.delivered(&pk, key, delivery);
                writes.push(update(message.build().map_err(malformed)?));
            }
            let how = format!("{}{is_erased}", more.is_none());
            let name = token(&[COMMIT, &pk, key.as_str(), &owner.0, delivery.as_str(), &how]);
            let cancelled = match self.transact(COMMIT, Name::Once(&name), writes).await? {
                Transacted::Done => {
                    return Ok(more.map_or(OutgoingCommitted::Emptied, OutgoingCommitted::More));
                }
                Transacted::Cancelled(cancelled) => cancelled,
            };
            if cancelled.condition_failed(0) {
                let old = cancelled.old_item(0).cloned().unwrap_or_default();
                let mut outbox = item::head(COMMIT, old)?.outbox;
                let is_ours = outbox.owner.as_ref() == Some(owner) && outbox.keys.remove(key);
                if !is_ours || more.is_some() {
                    return Ok(OutgoingCommitted::FencedOut);
                }
                outbox.sends = 1;
                more = Some(outbox);
            } else if cancelled.condition_failed(1) && !is_erased {
                is_erased = true;
            } else {
                return Err(cancelled.refused(COMMIT));
            }
        }
    }

    /// HEAD's part: as the last message of the outbox, or as one of several.
    fn out_of_the_box(
        &self,
        pk: &str,
        key: &MessageKey,
        owner: &Owner,
        is_last: bool,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        let head = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(pk, keys::HEAD)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":owner", s(&owner.0))
            .expression_attribute_values(":key", s(key.as_str()))
            .expression_attribute_values(":one", n(1));
        if is_last {
            return head
                .update_expression("REMOVE o_mids, o_owner, o_until, o_sends")
                .condition_expression(
                    "o_owner = :owner AND contains(o_mids, :key) AND size(o_mids) = :one",
                );
        }
        head.update_expression("SET o_sends = :one DELETE o_mids :keys")
            .condition_expression(
                "o_owner = :owner AND contains(o_mids, :key) AND size(o_mids) > :one",
            )
            .expression_attribute_values(":keys", key_set(&[key.clone()].into()))
    }

    fn delivered(
        &self,
        pk: &str,
        key: &MessageKey,
        delivery: Delivery,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        let set = "SET delivery = :delivery, delivered = :delivered REMOVE owed_pk, owed_since";
        let delivered = aws_sdk_dynamodb::types::AttributeValue::Bool(delivery == Delivery::Sent);
        Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(pk, key.as_str())))
            .update_expression(set)
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":delivery", s(delivery.as_str()))
            .expression_attribute_values(":delivered", delivered)
    }

    /// Gives the outbox up until `until`: nobody sends before. `sends_given_back` is taken off the sends of its first
    /// message.
    ///
    /// Key: HEAD. Costs the WCU of HEAD's size.
    ///
    /// # Errors
    /// The table cannot be reached: the lease runs out by itself.
    pub async fn hand_back_outgoing(
        &self,
        id: &ConversationId,
        owner: &Owner,
        until: EpochMs,
        sends_given_back: u32,
    ) -> Result<Released, TableError> {
        const OPERATION: &str = "hand_back_outgoing";
        let answer = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), keys::HEAD)))
            .update_expression(
                "SET o_until = :until, o_sends = o_sends - :given_back REMOVE o_owner",
            )
            .condition_expression("o_owner = :owner")
            .expression_attribute_values(":until", n(until.0))
            .expression_attribute_values(":given_back", n(sends_given_back))
            .expression_attribute_values(":owner", s(&owner.0))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Released::Done),
            Err(error) if lost_race(&error).is_some() => Ok(Released::FencedOut),
            Err(error) => Err(TableError::from_sdk(OPERATION, &error)),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn malformed(error: aws_sdk_dynamodb::error::BuildError) -> TableError {
    TableError::malformed(COMMIT, error.to_string())
}

const COMMIT: &str = "commit_outgoing";
