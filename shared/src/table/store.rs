//! Webhook, step 3: a customer's message becomes stored and pending, in one transaction.

use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::item::{key_set, preview};
use super::schema::item_key;
use super::{Item, Name, Table, TableError, Transacted, keys, n, s};
use sha2::{Digest, Sha256};

use crate::conversation::ids::{ConversationId, MessageKey, hex};
use crate::conversation::message::Message;
use crate::conversation::room;

/// What became of a message that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is stored and pending.
    New,
    /// It was stored before; nothing changed (I13).
    Duplicate,
}

/// What every stored message of a customer or a person changes in HEAD: the conversation moves to the top of the list.
pub(super) const ROOM: &str = "bot_id = :bot, contact = :contact, born_at = if_not_exists(born_at, :now), \
     list_pk = :list, list_at = :now, last_text = :text, last_kind = :kind, last_author = :author";

/// Whoever stores a message while its contact is being erased must come again, or the message would go with the others.
pub(super) const NOT_ERASING: &str =
    "(attribute_not_exists(erasing_until) OR erasing_until <= :now)";

impl Table {
    /// Stores a customer's message and makes it pending.
    ///
    /// Key: the message's own, if it does not exist yet; and HEAD. A message to which the platform gave no
    /// time (`timed` is false) is made unique by an item of its own, because its key holds the time at
    /// which it reached us. Costs 4 WCU (6 without a time) for texts below 1 kB, and 2 in the index by activity,
    /// whose key moves with every message.
    ///
    /// # Errors
    /// The table cannot be reached, conflicts do not end, or the contact is being erased: the sender must try again.
    pub async fn store(
        &self,
        id: &ConversationId,
        message: &Message,
        name: Option<&str>,
        timed: bool,
    ) -> Result<Stored, TableError> {
        const OPERATION: &str = "store";
        let key = keys::message(message.platform_at, &message.mid);
        let pk = keys::conversation(id);
        let malformed = |e: aws_sdk_dynamodb::error::BuildError| {
            TableError::malformed(OPERATION, e.to_string())
        };
        let mut writes = self.message_writes(id, message, timed)?;
        let head = writes.len();
        writes.push(update(
            self.make_pending(id, &pk, &key, message, name)
                .build()
                .map_err(malformed)?,
        ));
        // Twins of one webhook are two calls: only one of them finds the message new.
        let call = Name::EachTime(message.mid.as_str());
        match self.transact(OPERATION, call, writes).await? {
            Transacted::Done => Ok(Stored::New),
            Transacted::Cancelled(cancelled)
                if (0..head).any(|write| cancelled.condition_failed(write)) =>
            {
                Ok(Stored::Duplicate)
            }
            Transacted::Cancelled(cancelled) if cancelled.condition_failed(head) => {
                Err(TableError {
                    operation: OPERATION,
                    cause: super::Cause::Conflict,
                    code: "Erasing".to_owned(),
                })
            }
            Transacted::Cancelled(cancelled) => Err(cancelled.refused(OPERATION)),
        }
    }

    /// The writes that make a message exist once.
    pub(super) fn message_writes(
        &self,
        id: &ConversationId,
        message: &Message,
        timed: bool,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let key = keys::message(message.platform_at, &message.mid);
        let pk = keys::conversation(id);
        let mut items = vec![self.message_item(&pk, &key, message)?];
        if !timed {
            items.push(self.untimed_item(&pk, &key, message));
        }
        items
            .into_iter()
            .map(|item| {
                self.put_new(item)
                    .build()
                    .map(put)
                    .map_err(|e| TableError::malformed("message", e.to_string()))
            })
            .collect()
    }

    /// What makes a message unique whose key holds the time at which it reached us.
    pub(super) fn untimed_item(&self, pk: &str, key: &MessageKey, message: &Message) -> Item {
        let mut item = item_key(pk, &keys::untimed(&message.mid));
        item.insert("key".to_owned(), s(key.as_str()));
        item.insert(
            "expires_at".to_owned(),
            self.expires_at(message.received_at),
        );
        item
    }

    /// A put that happens only if there is no such item.
    pub(super) fn put_new(&self, item: Item) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None)
    }

    /// A message's item.
    pub(super) fn message_item(
        &self,
        pk: &str,
        key: &MessageKey,
        message: &Message,
    ) -> Result<Item, TableError> {
        let mut item: Item = serde_dynamo::to_item(message)
            .map_err(|_| TableError::malformed("message_item", "message"))?;
        item.extend(item_key(pk, key.as_str()));
        item.insert(
            "expires_at".to_owned(),
            self.expires_at(message.received_at),
        );
        Ok(item)
    }

    fn make_pending(
        &self,
        id: &ConversationId,
        pk: &str,
        key: &MessageKey,
        message: &Message,
        name: Option<&str>,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        let set_name = if name.is_some() {
            ", contact_name = :name, search_text = :search"
        } else {
            ", search_text = if_not_exists(search_text, :search)"
        };
        Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(pk, keys::HEAD)))
            .update_expression(format!(
                "SET {ROOM}, last_mid = :key, last_at = :now, pend_since = if_not_exists(pend_since, :now), \
                 owed_pk = :owed, owed_since = if_not_exists(owed_since, :now){set_name} \
                 ADD pend :keys, unread :one REMOVE erasing_until"
            ))
            .condition_expression(NOT_ERASING)
            .set_expression_attribute_values(Some(
                self.room_values(id, message)
                    .chain(name.map(|name| (":name".to_owned(), s(name))))
                    .chain([
                        (
                            ":search".to_owned(),
                            s(room::searchable(&id.contact, name)),
                        ),
                        (":key".to_owned(), s(key.as_str())),
                        (":keys".to_owned(), key_set(&[key.clone()].into())),
                        (":owed".to_owned(), s(keys::owed(id))),
                        (":one".to_owned(), n(1)),
                    ])
                    .collect(),
            ))
    }

    /// The values of [`ROOM`] and [`NOT_ERASING`].
    pub(super) fn room_values(
        &self,
        id: &ConversationId,
        message: &Message,
    ) -> impl Iterator<Item = (String, AttributeValue)> + use<> {
        [
            (":bot".to_owned(), s(id.bot_id.as_str())),
            (":contact".to_owned(), s(id.contact.as_str())),
            (":list".to_owned(), s(keys::bot(&id.bot_id))),
            (":now".to_owned(), n(message.received_at.0)),
            (":text".to_owned(), s(preview(&message.content.text))),
            (":kind".to_owned(), s(message.content.kind.as_str())),
            (":author".to_owned(), s(message.author.as_str())),
        ]
        .into_iter()
    }
}

pub(super) fn put(put: Put) -> TransactWriteItem {
    TransactWriteItem::builder().put(put).build()
}

pub(super) fn update(update: Update) -> TransactWriteItem {
    TransactWriteItem::builder().update(update).build()
}

/// A ClientRequestToken: the same for the same parts.
pub(super) fn token(parts: &[&str]) -> String {
    hex(&Sha256::digest(parts.join("|")))
        .chars()
        .take(36)
        .collect()
}
