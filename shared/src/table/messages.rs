//! Reading messages and HEAD.

use std::collections::BTreeSet;

use super::schema::item_key;
use super::{Item, Table, TableError, item, keys, s};
use crate::conversation::head::Head;
use crate::conversation::ids::{ConversationId, MessageKey};
use crate::conversation::message::Message;

/// A message and its key.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMessage {
    /// Its key in the conversation.
    pub key: MessageKey,
    /// The message.
    pub message: Message,
}

impl Table {
    /// The newest messages of a conversation, newest first. One consistent Query of this contact's
    /// partition and no other (I12).
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn newest(
        &self,
        id: &ConversationId,
        limit: i32,
    ) -> Result<Vec<StoredMessage>, TableError> {
        const OPERATION: &str = "newest";
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(keys::conversation(id)))
            .expression_attribute_values(":prefix", s(keys::MESSAGE_PREFIX))
            .scan_index_forward(false)
            .limit(limit)
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        output
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|item| stored(OPERATION, item))
            .collect()
    }

    /// The messages with these keys, in no order. Keys without a message are left out.
    ///
    /// # Errors
    /// The table cannot be reached, or leaves keys unprocessed again and again.
    pub async fn messages(
        &self,
        id: &ConversationId,
        wanted: &BTreeSet<MessageKey>,
    ) -> Result<Vec<StoredMessage>, TableError> {
        const OPERATION: &str = "messages";
        let pk = keys::conversation(id);
        let wanted = wanted
            .iter()
            .map(|key| item_key(&pk, key.as_str()))
            .collect();
        let items = self.batch(OPERATION, wanted).await?;
        items
            .into_iter()
            .map(|item| stored(OPERATION, item))
            .collect()
    }

    /// Whether a message is stored. Costs 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn is_stored(
        &self,
        id: &ConversationId,
        key: &MessageKey,
    ) -> Result<bool, TableError> {
        self.client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), key.as_str())))
            .consistent_read(true)
            .projection_expression("pk")
            .send()
            .await
            .map(|output| output.item.is_some())
            .map_err(|e| TableError::from_sdk("is_stored", &e))
    }

    /// The HEAD of a conversation. Costs 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn head(&self, id: &ConversationId) -> Result<Option<Head>, TableError> {
        const OPERATION: &str = "head";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), keys::HEAD)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        output
            .item
            .map(|item| item::head(OPERATION, item))
            .transpose()
    }
}

pub(super) fn stored(operation: &'static str, item: Item) -> Result<StoredMessage, TableError> {
    let key = item
        .get("sk")
        .and_then(|sk| sk.as_s().ok())
        .cloned()
        .ok_or_else(|| TableError::malformed(operation, "sk"))?;
    let message =
        serde_dynamo::from_item(item).map_err(|_| TableError::malformed(operation, "message"))?;
    Ok(StoredMessage {
        key: MessageKey::new(key),
        message,
    })
}
