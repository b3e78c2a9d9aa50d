//! A message that a person of the business wrote on the phone, and a customer's edit.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, Update};

use super::item::key_set;
use super::schema::item_key;
use super::store::{NOT_ERASING, ROOM, update};
use super::{Name, Stored, Table, TableError, Transacted, keys, n, s};
use crate::conversation::head::PausedBy;
use crate::conversation::ids::{ConversationId, EpochMs, MessageId, MessageKey};
use crate::conversation::message::{Author, Message};
use crate::conversation::room;

/// How far back an edit looks for its message. WhatsApp lets people edit for 15 minutes.
const EDIT_REACH_MESSAGES: i32 = 100;

const OPERATION: &str = "store_own";

/// What a person's message does to the pause of its conversation.
#[derive(Clone, Copy)]
pub(super) enum Pause {
    /// Nothing.
    None,
    /// It lasts until then from now on, if it did not last longer.
    Until(EpochMs),
    /// It lasts for longer than this already.
    LastsLonger(EpochMs),
}

impl Pause {
    /// What to try, one after the other. A pause may end, or be ended, between two looks.
    pub(super) fn attempts(until: Option<EpochMs>) -> Vec<Self> {
        match until {
            None => vec![Self::None],
            Some(until) => vec![
                Self::Until(until),
                Self::LastsLonger(until),
                Self::Until(until),
                Self::LastsLonger(until),
            ],
        }
    }
}

/// Where a person has written.
#[derive(Clone, Copy)]
pub(super) enum WrittenOn<'a> {
    /// On the phone: the customer has it.
    Phone,
    /// In the inbox, in a conversation that exists: it is to be sent.
    Inbox(&'a MessageKey),
}

impl Table {
    /// Stores a person's message in the history, and pauses the bot until `pause_until`, or for longer where it is
    /// paused for longer already. It is nobody's turn; whoever answers has read the chat, so nothing is unread afterwards.
    ///
    /// Keys: the message's own, if it does not exist yet; and HEAD. One transaction: who sees the message sees the
    /// pause. Costs 4 WCU, and 2 in the index by activity; the same again when a longer pause is met. A failed turn needs
    /// nobody's attention any more: somebody has answered.
    ///
    /// # Errors
    /// The table cannot be reached, conflicts do not end, or the contact is being erased: the sender must try again.
    pub async fn store_own(
        &self,
        id: &ConversationId,
        message: &Message,
        timed: bool,
        pause_until: Option<EpochMs>,
    ) -> Result<Stored, TableError> {
        for pause in Pause::attempts(pause_until) {
            let mut writes = self.message_writes(id, message, timed)?;
            let head = writes.len();
            writes.push(update(self.said_by_person(
                id,
                message,
                pause,
                WrittenOn::Phone,
            )?));
            let name = Name::EachTime(message.mid.as_str());
            match self.transact(OPERATION, name, writes).await? {
                Transacted::Done => return Ok(Stored::New),
                // Before HEAD is looked at: a message that comes again extends nothing (I13).
                Transacted::Cancelled(cancelled)
                    if (0..head).any(|write| cancelled.condition_failed(write)) =>
                {
                    return Ok(Stored::Duplicate);
                }
                Transacted::Cancelled(cancelled) if cancelled.condition_failed(head) => {}
                Transacted::Cancelled(cancelled) => return Err(cancelled.refused(OPERATION)),
            }
        }
        Err(TableError {
            operation: OPERATION,
            cause: super::Cause::Conflict,
            code: "HeadChanged".to_owned(),
        })
    }

    /// HEAD's part of a person's message.
    pub(super) fn said_by_person(
        &self,
        id: &ConversationId,
        message: &Message,
        pause: Pause,
        on: WrittenOn<'_>,
    ) -> Result<Update, TableError> {
        let (set, condition) = match pause {
            Pause::None => ("", ""),
            Pause::Until(_) => (
                ", paused_by = :by, paused_until = :until",
                " AND (attribute_not_exists(paused_until) OR paused_until <= :until)",
            ),
            Pause::LastsLonger(_) => (", paused_by = :by", " AND paused_until > :until"),
        };
        let until = match pause {
            Pause::None => None,
            Pause::Until(until) | Pause::LastsLonger(until) => Some(until),
        };
        let (add, exists, key) = match on {
            WrittenOn::Phone => ("", "", None),
            WrittenOn::Inbox(key) => (
                " ADD o_mids :keys",
                "attribute_exists(contact) AND ",
                Some(key),
            ),
        };
        let key = key.map(|key| (":keys".to_owned(), key_set(&[key.clone()].into())));
        let values = until.into_iter().flat_map(|until| {
            [
                (":until".to_owned(), n(until.0)),
                (":by".to_owned(), s(PausedBy::Person.as_str())),
            ]
        });
        Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), keys::HEAD)))
            .update_expression(format!(
                "SET {ROOM}, search_text = if_not_exists(search_text, :search), unread = :zero{set} \
                 REMOVE failed_turn, erasing_until{add}"
            ))
            .condition_expression(format!("{exists}{NOT_ERASING}{condition}"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_expression_attribute_values(Some(
                self.room_values(id, message)
                    .chain([
                        (":zero".to_owned(), n(0)),
                        (":search".to_owned(), s(room::searchable(&id.contact, None))),
                    ])
                    .chain(values)
                    .chain(key)
                    .collect(),
            ))
            .build()
            .map_err(|e| TableError::malformed(OPERATION, e.to_string()))
    }

    /// Gives a stored message its edited text; a burst that has not been asked yet is answered on the new
    /// one. An edit of a message that is not among the newest 100 changes nothing, and so does an edit by
    /// the other side: a customer knows the ids of our replies and must not change them.
    ///
    /// Costs one Query and 1 WCU. Idempotent.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn edit(
        &self,
        id: &ConversationId,
        original: &MessageId,
        by_customer: bool,
        text: &str,
        now: EpochMs,
    ) -> Result<(), TableError> {
        let newest = self.newest(id, EDIT_REACH_MESSAGES).await?;
        let Some(stored) = newest.iter().find(|stored| {
            stored.message.mid == *original
                && (stored.message.author == Author::Customer) == by_customer
        }) else {
            return Ok(());
        };
        let edited = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), stored.key.as_str())))
            .update_expression("SET #text = :text, edited_at = :now")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#text", "text")
            .expression_attribute_values(":text", s(text))
            .expression_attribute_values(":now", n(now.0))
            .send()
            .await;
        match edited {
            Ok(_) => Ok(()),
            // Expired in between.
            Err(e)
                if e.as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(e) => Err(TableError::from_sdk("edit", &e)),
        }
    }
}
