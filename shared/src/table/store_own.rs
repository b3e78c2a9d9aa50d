//! A message that a person of the business wrote on the phone, and a customer's edit.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::Update;

use super::schema::item_key;
use super::store::update;
use super::{Stored, Table, TableError, keys, n, s};
use crate::conversation::ids::{ConversationId, EpochMs, MessageId};
use crate::conversation::message::{Author, Message};

/// How far back an edit looks for its message. WhatsApp lets people edit for 15 minutes.
const EDIT_REACH_MESSAGES: i32 = 100;

impl Table {
    /// Stores a person's message in the history. It is nobody's turn; whoever answers has read the chat,
    /// so nothing is unread afterwards.
    ///
    /// Key: the message's own, if it does not exist yet; and HEAD. Costs 4 WCU, and 2 in the index by activity.
    ///
    /// # Errors
    /// The table cannot be reached, or conflicts do not end: the sender must try again.
    pub async fn store_own(
        &self,
        id: &ConversationId,
        message: &Message,
        timed: bool,
    ) -> Result<Stored, TableError> {
        const OPERATION: &str = "store_own";
        let malformed = |e: aws_sdk_dynamodb::error::BuildError| {
            TableError::malformed(OPERATION, e.to_string())
        };
        let pk = keys::conversation(id);
        let room = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&pk, keys::HEAD)))
            .update_expression(
                "SET bot_id = :bot, contact = :contact, active_at = :now, list_pk = :list, \
                 list_at = :now, last_text = :text, last_kind = :kind, last_author = :author, \
                 l_text = :text, l_kind = :kind, l_author = :author, unread = :zero, l_unread = :zero",
            )
            .set_expression_attribute_values(Some(
                self.room_values(id, message)
                    .chain([(":zero".to_owned(), n(0))])
                    .collect(),
            ));
        let mut writes = self.message_writes(id, message, timed)?;
        writes.push(update(room.build().map_err(malformed)?));
        self.store_once(OPERATION, &message.mid, writes).await
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
