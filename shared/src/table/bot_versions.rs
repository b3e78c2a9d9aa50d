//! The versions before the current ones, of a bot's settings and of its documents: items of the partition `V#<bot>`.
//! The current version is the item itself, so every write keeps the state before it, whoever wrote that. They hold no
//! secrets.

use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};

use super::bot::{Condition, json, stamp_of, stamped, to_json};
use super::schema::item_key;
use super::store::put;
use super::{Item, Table, TableError, keys, s};
use crate::conversation::bot::{Bot, Document};
use crate::conversation::ids::BotId;
use crate::conversation::version::{DocumentId, KEPT_VERSIONS, Stamp, Version};

/// What there are versions of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// The bot's settings.
    Settings,
    /// One of its documents.
    Document(&'a DocumentId),
}

impl Kind<'_> {
    fn prefix(self) -> String {
        match self {
            Self::Settings => keys::SETTINGS_VERSION_PREFIX.to_owned(),
            Self::Document(id) => keys::document_versions(id),
        }
    }
}

impl Table {
    /// The versions before the current one, newest first; of a deleted document all that are left. One Query, which reads
    /// the versions whole: up to 5 pages of 1 MB where they are as large as they may be.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn past_versions(
        &self,
        bot_id: &BotId,
        kind: Kind<'_>,
    ) -> Result<Vec<Stamp>, TableError> {
        let most = usize::try_from(KEPT_VERSIONS).unwrap_or(usize::MAX);
        self.newest_versions(bot_id, kind, most).await
    }

    /// The newest of them.
    pub(super) async fn newest_versions(
        &self,
        bot_id: &BotId,
        kind: Kind<'_>,
        most: usize,
    ) -> Result<Vec<Stamp>, TableError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(keys::bot_versions(bot_id)))
            .expression_attribute_values(":prefix", s(kind.prefix()))
            .projection_expression("version, written_at, written_by")
            .scan_index_forward(false)
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while found.len() < most
            && let Some(item) = pages.next().await
        {
            let item = item.map_err(|e| TableError::from_sdk("versions", &e))?;
            found.push(stamp_of(&item));
        }
        Ok(found)
    }

    /// Settings as they were, without secrets. One read.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn past_settings(
        &self,
        bot_id: &BotId,
        version: Version,
    ) -> Result<Option<(Stamp, Bot)>, TableError> {
        let found = self.past(bot_id, Kind::Settings, version).await?;
        found
            .map(|item| Ok((stamp_of(&item), json("past", &item)?)))
            .transpose()
    }

    /// A document as it was. One read.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn past_document(
        &self,
        bot_id: &BotId,
        id: &DocumentId,
        version: Version,
    ) -> Result<Option<(Stamp, Document)>, TableError> {
        let found = self.past(bot_id, Kind::Document(id), version).await?;
        found
            .map(|item| Ok((stamp_of(&item), json("past", &item)?)))
            .transpose()
    }

    async fn past(
        &self,
        bot_id: &BotId,
        kind: Kind<'_>,
        version: Version,
    ) -> Result<Option<Item>, TableError> {
        self.client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(version_key(bot_id, kind, version)))
            .consistent_read(true)
            .send()
            .await
            .map(|output| output.item)
            .map_err(|e| TableError::from_sdk("past", &e))
    }

    /// The part of a transaction that keeps settings which are about to change.
    pub(super) fn keep_settings(
        &self,
        was: &Bot,
        stamp: &Stamp,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let json = to_json("keep_settings", &was.without_secrets())?;
        self.keep(&was.bot_id, Kind::Settings, stamp, json)
    }

    /// The part of a transaction that keeps a document which is about to change, or to go.
    pub(super) fn keep_document(
        &self,
        bot_id: &BotId,
        id: &DocumentId,
        was: &Document,
        stamp: &Stamp,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let json = to_json("keep_document", was)?;
        self.keep(bot_id, Kind::Document(id), stamp, json)
    }

    /// Numbers follow each other without a gap, so the one that falls out is known without reading.
    fn keep(
        &self,
        bot_id: &BotId,
        kind: Kind<'_>,
        stamp: &Stamp,
        json: aws_sdk_dynamodb::types::AttributeValue,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let mut item = version_key(bot_id, kind, stamp.version);
        item.extend(stamped(stamp));
        item.insert("json".to_owned(), json);
        let mut writes = vec![self.put_item(item)?];
        if let Some(too_old) = stamp.version.next().too_old() {
            writes.push(self.delete_item(version_key(bot_id, kind, too_old), None)?);
        }
        Ok(writes)
    }

    /// A put, whatever is there.
    pub(super) fn put_item(&self, item: Item) -> Result<TransactWriteItem, TableError> {
        Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .build()
            .map(put)
            .map_err(|e| TableError::malformed("put_item", e.to_string()))
    }

    /// A put under a condition.
    pub(super) fn put_item_if(
        &self,
        item: Item,
        condition: Condition,
    ) -> Result<TransactWriteItem, TableError> {
        let mut builder = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(condition.expression);
        for (name, value) in condition.values {
            builder = builder.expression_attribute_values(name, value);
        }
        builder
            .build()
            .map(put)
            .map_err(|e| TableError::malformed("put_item", e.to_string()))
    }

    /// A delete, under a condition where there is one.
    pub(super) fn delete_item(
        &self,
        key: Item,
        condition: Option<Condition>,
    ) -> Result<TransactWriteItem, TableError> {
        let mut builder = Delete::builder().table_name(&self.name).set_key(Some(key));
        if let Some(condition) = condition {
            builder = builder.condition_expression(condition.expression);
            for (name, value) in condition.values {
                builder = builder.expression_attribute_values(name, value);
            }
        }
        builder
            .build()
            .map(|delete| TransactWriteItem::builder().delete(delete).build())
            .map_err(|e| TableError::malformed("delete_item", e.to_string()))
    }

    /// A look at an item that the transaction does not write.
    pub(super) fn check_item(
        &self,
        key: Item,
        condition: Condition,
    ) -> Result<TransactWriteItem, TableError> {
        let mut builder = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(key))
            .condition_expression(condition.expression);
        for (name, value) in condition.values {
            builder = builder.expression_attribute_values(name, value);
        }
        builder
            .build()
            .map(|check| TransactWriteItem::builder().condition_check(check).build())
            .map_err(|e| TableError::malformed("check_item", e.to_string()))
    }
}

/// The key of a version that is not the current one.
pub(super) fn version_key(bot_id: &BotId, kind: Kind<'_>, version: Version) -> Item {
    item_key(
        &keys::bot_versions(bot_id),
        &keys::version(&kind.prefix(), version),
    )
}
