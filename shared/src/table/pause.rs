//! A person pauses the bot in a conversation, or ends a pause.

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::claim::lost_race;
use super::conversations::seen;
use super::schema::item_key;
use super::{Table, TableError, in_spite_of_conflicts, keys, n, s};
use crate::conversation::head::{Head, PausedBy};
use crate::conversation::ids::{ConversationId, EpochMs};
use crate::conversation::room::Room;

/// What came of a pause.
#[derive(Clone, Debug, PartialEq)]
pub enum Paused {
    /// It lasts. The conversation as it is now, and HEAD as it was before.
    Done(Room, Head),
    /// There is no such conversation.
    NoSuchConversation,
}

/// What came of ending a pause.
#[derive(Clone, Debug, PartialEq)]
pub enum Resumed {
    /// There is no pause, from now or from before. The conversation and its HEAD as they are.
    Done(Room, Head),
    /// There is no such conversation.
    NoSuchConversation,
}

impl Table {
    /// Pauses the bot until `until`, whatever pause there was: somebody says so. A running turn hears it at its next
    /// write to HEAD (decision 0010). What held the pending messages back before ends, so that `until` is the only
    /// moment they wait for; limits are looked at again then.
    ///
    /// Key: HEAD, if it is a conversation's. Costs the WCU of HEAD's size, and 1 in the index by activity. Idempotent.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn pause(&self, id: &ConversationId, until: EpochMs) -> Result<Paused, TableError> {
        const OPERATION: &str = "pause";
        let pk = keys::conversation(id);
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&pk, keys::HEAD)))
            .update_expression(
                "SET paused_until = :until, paused_by = :by REMOVE retry_at, held_until",
            )
            .condition_expression("attribute_exists(contact)")
            .expression_attribute_values(":until", n(until.0))
            .expression_attribute_values(":by", s(PausedBy::Person.as_str()))
            .return_values(ReturnValue::AllOld);
        match in_spite_of_conflicts(&pk, || update.clone().send()).await {
            Ok(output) => {
                let (room, before) = seen(OPERATION, output.attributes.unwrap_or_default())?;
                let room = Room {
                    paused_until: Some(until),
                    paused_by: Some(PausedBy::Person),
                    ..room
                };
                Ok(Paused::Done(room, before))
            }
            Err(error) if lost_race(&error).is_some() => Ok(Paused::NoSuchConversation),
            Err(error) => Err(TableError::from_sdk(OPERATION, &error)),
        }
    }

    /// Ends a pause, and with it whatever else holds the pending messages back; limits are looked at again. The customer
    /// has waited for us since now: the time before does not count (`held_until`). Where there is no pause nothing
    /// changes.
    ///
    /// The caller sends a trigger afterwards, also when there was no pause: an earlier call may have died in between (I3).
    ///
    /// Key: HEAD, if it is a conversation's and paused. Costs the WCU of HEAD's size, and 1 in the index by activity.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn resume(&self, id: &ConversationId, now: EpochMs) -> Result<Resumed, TableError> {
        const OPERATION: &str = "resume";
        let pk = keys::conversation(id);
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&pk, keys::HEAD)))
            .update_expression("SET held_until = :now REMOVE paused_until, paused_by, retry_at")
            .condition_expression("attribute_exists(contact) AND paused_until > :now")
            .expression_attribute_values(":now", n(now.0))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let item = match in_spite_of_conflicts(&pk, || update.clone().send()).await {
            Ok(output) => output.attributes,
            Err(error) => match lost_race(&error) {
                Some(old) => old.filter(|old| old.contains_key("contact")),
                None => return Err(TableError::from_sdk(OPERATION, &error)),
            },
        };
        Ok(match item {
            Some(item) => {
                let (room, head) = seen(OPERATION, item)?;
                Resumed::Done(room, head)
            }
            None => Resumed::NoSuchConversation,
        })
    }
}
