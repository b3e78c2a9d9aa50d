//! A message that a person has written in the inbox: stored, and to be sent by the worker.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};

use super::schema::item_key;
use super::store::{put, update};
use super::store_own::{Pause, WrittenOn};
use super::{Cause, Name, StoredMessage, Table, TableError, Transacted, keys, n, s};
use crate::conversation::ids::{ConversationId, EpochMs, MessageId, MessageKey};
use crate::conversation::message::Message;
use crate::conversation::outcome::TurnStatus;

const OPERATION: &str = "store_outgoing";

/// A message that is to be stored and sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The conversation.
    pub id: &'a ConversationId,
    /// The message: a person's, on its way.
    pub message: &'a Message,
    /// Until when the bot is quiet from now on, if it was not for longer.
    pub pause_until: Option<EpochMs>,
    /// The parked turn that it answers, if it answers one.
    pub instead_of: Option<u64>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredOutgoing {
    /// It is stored, and in the conversation's outbox.
    New,
    /// There is one with this id; nothing changed (I13).
    Duplicate,
    /// The turn is not parked (any more); nothing changed.
    NotParked,
    /// There is no such conversation (any more); nothing changed.
    NoConversation,
}

/// The writes of the transaction, in their order.
const MESSAGE: usize = 0;
const ID: usize = 1;
const HEAD: usize = 2;
const TURN: usize = 3;

impl Table {
    /// Stores a person's message, puts it into the outbox and pauses the bot: who sees the message sees the pause. It is
    /// in the index of what is owed until it is sent. Where it answers a parked turn, that turn is left to the person.
    ///
    /// Keys: the message's own and the one that makes its id unique, if they do not exist; HEAD, if it exists; the turn,
    /// if it is parked. One transaction. Costs 6 WCU, 8 with a turn, 2 in the index by activity (4 with a turn) and 1 in
    /// that of what is owed; the same again when a longer pause is met.
    ///
    /// # Errors
    /// The table cannot be reached, or conflicts do not end. It may be stored all the same: the caller asks again with
    /// the same id.
    pub async fn store_outgoing(
        &self,
        outgoing: Outgoing<'_>,
    ) -> Result<StoredOutgoing, TableError> {
        for pause in Pause::attempts(outgoing.pause_until) {
            let writes = self.outgoing_writes(&outgoing, pause)?;
            let name = Name::EachTime(outgoing.message.mid.as_str());
            let cancelled = match self.transact(OPERATION, name, writes).await? {
                Transacted::Done => return Ok(StoredOutgoing::New),
                Transacted::Cancelled(cancelled) => cancelled,
            };
            // The message before all else: one that comes again has changed the turn and the pause already (I13).
            if cancelled.condition_failed(MESSAGE) || cancelled.condition_failed(ID) {
                return Ok(StoredOutgoing::Duplicate);
            }
            if cancelled.condition_failed(TURN) {
                return Ok(StoredOutgoing::NotParked);
            }
            if !cancelled.condition_failed(HEAD) {
                return Err(cancelled.refused(OPERATION));
            }
            let old = cancelled.old_item(HEAD);
            if !old.is_some_and(|head| head.contains_key("contact")) {
                return Ok(StoredOutgoing::NoConversation);
            }
        }
        Err(TableError {
            operation: OPERATION,
            cause: Cause::Conflict,
            code: "HeadChanged".to_owned(),
        })
    }

    fn outgoing_writes(
        &self,
        outgoing: &Outgoing<'_>,
        pause: Pause,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let malformed = |e: aws_sdk_dynamodb::error::BuildError| {
            TableError::malformed(OPERATION, e.to_string())
        };
        let Outgoing { id, message, .. } = *outgoing;
        let pk = keys::conversation(id);
        let key = keys::message(message.platform_at, &message.mid);
        let mut item = self.message_item(&pk, &key, message)?;
        item.insert("owed_pk".to_owned(), s(keys::owed(id)));
        item.insert("owed_since".to_owned(), n(message.received_at.0));
        let unique = self.untimed_item(&pk, &key, message);
        let head = self.said_by_person(id, message, pause, WrittenOn::Inbox(&key))?;
        let mut writes = vec![
            put(self.put_new(item).build().map_err(malformed)?),
            put(self.put_new(unique).build().map_err(malformed)?),
            update(head),
        ];
        if let Some(burst) = outgoing.instead_of {
            let turn = self.leave_to_person(id, burst, message.received_at);
            writes.push(update(turn.build().map_err(malformed)?));
        }
        Ok(writes)
    }

    /// A parked turn that a person answers: redriving its dead letter finds nothing to do.
    fn leave_to_person(
        &self,
        id: &ConversationId,
        burst: u64,
        now: EpochMs,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        let status = TurnStatus::LeftToPerson;
        Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), &keys::turn(burst))))
            .update_expression(
                "SET #status = :left, list_pk = :list, list_at = if_not_exists(list_at, :now)",
            )
            .condition_expression("#status IN (:failed, :undelivered)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":left", s(status.as_str()))
            .expression_attribute_values(":list", s(keys::turns(&id.bot_id, status)))
            .expression_attribute_values(":now", n(now.0))
            .expression_attribute_values(":failed", s(TurnStatus::Failed.as_str()))
            .expression_attribute_values(":undelivered", s(TurnStatus::Undelivered.as_str()))
    }

    /// The message that was stored under this id, if one was whose time is not the platform's. Costs 1 RCU, and 1 more
    /// when there is one.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn outgoing(
        &self,
        id: &ConversationId,
        mid: &MessageId,
    ) -> Result<Option<StoredMessage>, TableError> {
        match self.untimed_key(id, mid).await? {
            None => Ok(None),
            Some(key) => Ok(self.messages(id, &[key].into()).await?.pop()),
        }
    }

    /// The key of the message that was stored under this id, if one was whose time is not the platform's: then a message
    /// from the business's own number with this id is ours, coming back. Costs 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn untimed_key(
        &self,
        id: &ConversationId,
        mid: &MessageId,
    ) -> Result<Option<MessageKey>, TableError> {
        const OPERATION: &str = "untimed_key";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), &keys::untimed(mid))))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        output
            .item
            .map(|item| {
                item.get("key")
                    .and_then(|key| key.as_s().ok())
                    .map(|key| MessageKey::new(key.clone()))
                    .ok_or_else(|| TableError::malformed(OPERATION, "key"))
            })
            .transpose()
    }
}
