//! The documents of a bot, one by one.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};

use super::bot::{BotState, Condition, json, stamp_of, stamped, to_json};
use super::bot_versions::version_key;
use super::schema::item_key;
use super::store::update;
use super::{Edited, Item, Kind, Name, Table, TableError, Transacted, keys, n, s};
use crate::access::OwnerId;
use crate::conversation::bot::Document;
use crate::conversation::bot_limits::MAX_DOCUMENTS;
use crate::conversation::ids::{BotId, EpochMs};
use crate::conversation::version::{DocumentId, Stamp, Version};

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument {
    /// Its name within the bot.
    pub id: DocumentId,
    /// Its version.
    pub stamp: Stamp,
    /// The document.
    pub document: Document,
}

/// What is behind a document's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentState {
    /// It is there.
    There(StoredDocument),
    /// It is not. The number of its newest version that is kept; 0 where there are none.
    Gone(Version),
}

/// Which document is to be written, over what.
#[derive(Clone, Copy, Debug)]
pub struct DocumentEdit<'a> {
    /// Whose bot it is (I12).
    pub owner: &'a OwnerId,
    /// The bot.
    pub bot_id: &'a BotId,
    /// The document.
    pub id: &'a DocumentId,
    /// What was read before.
    pub before: &'a DocumentState,
    /// Who writes.
    pub by: &'a str,
    /// When.
    pub now: EpochMs,
}

impl Table {
    /// The documents of a bot, in the order of their ids. One Query.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn documents(&self, bot_id: &BotId) -> Result<Vec<StoredDocument>, TableError> {
        const OPERATION: &str = "documents";
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(keys::bot(bot_id)))
            .expression_attribute_values(":prefix", s(keys::DOCUMENT_PREFIX))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|e| TableError::from_sdk(OPERATION, &e))?;
            found.push(stored(OPERATION, &item)?);
        }
        Ok(found)
    }

    /// One document, or the newest version there is of it. One consistent read, and a Query when it is not there.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn document(
        &self,
        bot_id: &BotId,
        id: &DocumentId,
    ) -> Result<DocumentState, TableError> {
        const OPERATION: &str = "document";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::bot(bot_id), &keys::document(id))))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        if let Some(item) = output.item {
            return stored(OPERATION, &item).map(DocumentState::There);
        }
        let newest = self
            .newest_versions(bot_id, Kind::Document(id), 1)
            .await?
            .pop();
        Ok(DocumentState::Gone(
            newest.map(|stamp| stamp.version).unwrap_or_default(),
        ))
    }

    /// Writes a document; the state before is kept as a version.
    ///
    /// One transaction. Key: `B#<bot>` / `DOC#<id>`. Conditions: nobody has written the document since `before` was read,
    /// and the bot is still there and this owner's, so that nothing is left in the partition of a bot that is being
    /// deleted (I12). A document that is new also counts in the bot's `documents_made`, under the condition that nobody
    /// else has made one since they were counted. Costs about 6 WCU, and 4 per kB; a new one 2 per kB of settings too.
    ///
    /// # Errors
    /// The table cannot be reached: nothing was written, or all of it.
    pub async fn edit_document(
        &self,
        edit: &DocumentEdit<'_>,
        document: &Document,
    ) -> Result<Edited, TableError> {
        const OPERATION: &str = "edit_document";
        let (pk, sk) = (keys::bot(edit.bot_id), keys::document(edit.id));
        let stamp = next_stamp(edit);
        let mut item = item_key(&pk, &sk);
        item.extend(stamped(&stamp));
        item.insert("json".to_owned(), to_json(OPERATION, document)?);
        let mut writes = match edit.before {
            DocumentState::There(_) => vec![self.bot_is_there(edit)?],
            DocumentState::Gone(_) => match self.room_for_one(edit).await? {
                Ok(counted) => vec![counted],
                Err(refused) => return Ok(refused),
            },
        };
        writes.push(self.put_item_if(item, is_unchanged(edit.before))?);
        writes.extend(self.keep_before_document(edit, &stamp)?);
        self.write_document(OPERATION, edit, stamp, writes).await
    }

    /// Deletes a document, which is kept as a version.
    ///
    /// One transaction with the keys and conditions of [`Table::edit_document`]. Costs about 6 WCU, and 4 per kB.
    ///
    /// # Errors
    /// The table cannot be reached: nothing was written, or all of it.
    pub async fn delete_document(&self, edit: &DocumentEdit<'_>) -> Result<Edited, TableError> {
        const OPERATION: &str = "delete_document";
        let key = item_key(&keys::bot(edit.bot_id), &keys::document(edit.id));
        let stamp = next_stamp(edit);
        let mut writes = vec![
            self.bot_is_there(edit)?,
            self.delete_item(key, Some(is_unchanged(edit.before)))?,
        ];
        writes.extend(self.keep_before_document(edit, &stamp)?);
        self.write_document(OPERATION, edit, stamp, writes).await
    }

    /// The first of `writes` is about the bot.
    async fn write_document(
        &self,
        operation: &'static str,
        edit: &DocumentEdit<'_>,
        stamp: Stamp,
        writes: Vec<TransactWriteItem>,
    ) -> Result<Edited, TableError> {
        let is_new = matches!(edit.before, DocumentState::Gone(_));
        let name = keys::bot(edit.bot_id);
        match self
            .transact(operation, Name::EachTime(&name), writes)
            .await?
        {
            Transacted::Done => Ok(Edited::Done(stamp)),
            Transacted::Cancelled(cancelled) if cancelled.condition_failed(0) && !is_new => {
                Ok(Edited::NoBot)
            }
            Transacted::Cancelled(cancelled) if cancelled.any_condition_failed() => {
                Ok(Edited::Changed)
            }
            Transacted::Cancelled(cancelled) => Err(cancelled.refused(operation)),
        }
    }

    fn bot_is_there(&self, edit: &DocumentEdit<'_>) -> Result<TransactWriteItem, TableError> {
        let settings = item_key(&keys::bot(edit.bot_id), keys::BOT_SETTINGS);
        self.check_item(
            settings,
            Condition {
                expression: IS_THERE,
                values: vec![(":owner", s(edit.owner.as_str()))],
            },
        )
    }

    /// The part of a transaction that counts a new document; or why there can be none.
    async fn room_for_one(
        &self,
        edit: &DocumentEdit<'_>,
    ) -> Result<Result<TransactWriteItem, Edited>, TableError> {
        let bot = match self.bot_state(edit.bot_id).await? {
            BotState::There(bot) if bot.bot.owner == *edit.owner => bot,
            _ => return Ok(Err(Edited::NoBot)),
        };
        let pk = keys::bot(edit.bot_id);
        if self.keys_of(&pk, keys::DOCUMENT_PREFIX).await?.len() >= MAX_DOCUMENTS {
            return Ok(Err(Edited::Full));
        }
        let is_first = bot.documents_made == 0;
        let unchanged = if is_first {
            "attribute_not_exists(documents_made)"
        } else {
            "documents_made = :made"
        };
        let mut builder = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&pk, keys::BOT_SETTINGS)))
            .update_expression("ADD documents_made :one")
            .condition_expression(format!("{IS_THERE} AND {unchanged}"))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":owner", s(edit.owner.as_str()));
        if !is_first {
            builder = builder.expression_attribute_values(":made", n(bot.documents_made));
        }
        builder
            .build()
            .map(|counted| Ok(update(counted)))
            .map_err(|e| TableError::malformed("room_for_one", e.to_string()))
    }

    fn keep_before_document(
        &self,
        edit: &DocumentEdit<'_>,
        stamp: &Stamp,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        match edit.before {
            DocumentState::There(was) => {
                self.keep_document(edit.bot_id, edit.id, &was.document, &was.stamp)
            }
            DocumentState::Gone(_) => {
                let kind = Kind::Document(edit.id);
                // It may have been made and deleted again since it was looked for: then this number is taken.
                let is_free = Condition {
                    expression: "attribute_not_exists(pk)",
                    values: Vec::new(),
                };
                let key = version_key(edit.bot_id, kind, stamp.version);
                let mut writes = vec![self.check_item(key, is_free)?];
                if let Some(too_old) = stamp.version.too_old() {
                    let key = version_key(edit.bot_id, kind, too_old);
                    writes.push(self.delete_item(key, None)?);
                }
                Ok(writes)
            }
        }
    }
}

/// That a bot is there and this owner's. Items that are older than the attribute are their only owner's.
const IS_THERE: &str = "attribute_exists(pk) AND attribute_not_exists(deleted_at) AND \
                        (bot_owner = :owner OR attribute_not_exists(bot_owner))";

fn is_unchanged(before: &DocumentState) -> Condition {
    match before {
        DocumentState::Gone(_) => Condition {
            expression: "attribute_not_exists(pk)",
            values: Vec::new(),
        },
        DocumentState::There(was) if was.stamp.version == Version::default() => Condition {
            expression: "attribute_exists(pk) AND attribute_not_exists(version)",
            values: Vec::new(),
        },
        DocumentState::There(was) => Condition {
            expression: "version = :was_version",
            values: vec![(":was_version", n(was.stamp.version.0))],
        },
    }
}

fn next_stamp(edit: &DocumentEdit<'_>) -> Stamp {
    let version = match edit.before {
        DocumentState::There(was) => was.stamp.version,
        DocumentState::Gone(newest) => *newest,
    };
    Stamp {
        version,
        ..Stamp::default()
    }
    .next(edit.by, edit.now)
}

fn stored(operation: &'static str, item: &Item) -> Result<StoredDocument, TableError> {
    let id = item
        .get("sk")
        .and_then(|sk| sk.as_s().ok())
        .and_then(|sk| sk.strip_prefix(keys::DOCUMENT_PREFIX))
        .and_then(|id| DocumentId::new(id).ok())
        .ok_or_else(|| TableError::malformed(operation, "sk"))?;
    Ok(StoredDocument {
        id,
        stamp: stamp_of(item),
        document: json(operation, item)?,
    })
}
