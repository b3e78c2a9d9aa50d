//! Bots as they are read. Their settings are the item `CFG` of the partition `B#<bot>`, their documents the items
//! `DOC#<id>`; who may write which of them is in `bot_edit.rs`, `documents.rs`, `bot_delete.rs` and `bot_file.rs`.

use aws_sdk_dynamodb::types::AttributeValue;

use super::schema::item_key;
use super::{Item, Table, TableError, keys, n, s};
use crate::access::OwnerId;
use crate::conversation::bot::{Bot, Document};
use crate::conversation::ids::{BotId, EpochMs};
use crate::conversation::version::{Stamp, Version};

/// A bot's settings as they are stored, without documents.
#[derive(Clone, Debug)]
pub struct StoredBot {
    /// The settings.
    pub bot: Bot,
    /// Their version.
    pub stamp: Stamp,
    /// How often a document was made. Whoever makes one counts it, so that two at once cannot both be the last one that
    /// the bot may have.
    pub documents_made: u64,
    /// What the bots file said that wrote it last; none when none ever did.
    pub(super) file: Option<FileMark>,
    /// Written before there were versions and an owner's attribute.
    pub(super) is_unmarked: bool,
}

/// What a bots file said when it wrote a bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileMark {
    /// A hash of everything but the gateway's address.
    pub hash: String,
    /// The gateway's address, which on one machine may be another at every start.
    pub url: String,
}

/// What is behind a bot's id.
#[derive(Clone, Debug)]
pub enum BotState {
    /// There has never been such a bot.
    Never,
    /// It was deleted. Its id stays its owner's, because its conversations and its usage are still there (I12).
    Deleted(StoredBot),
    /// It is there.
    There(StoredBot),
}

impl BotState {
    /// Whose it is, or was.
    #[must_use]
    pub fn owner(&self) -> Option<&OwnerId> {
        match self {
            Self::Never => None,
            Self::Deleted(stored) | Self::There(stored) => Some(&stored.bot.owner),
        }
    }

    /// The version of the settings; 0 where there are none.
    #[must_use]
    pub fn version(&self) -> Version {
        match self {
            Self::Never => Version::default(),
            Self::Deleted(stored) | Self::There(stored) => stored.stamp.version,
        }
    }
}

/// A condition of a write, and its values.
pub(super) struct Condition {
    pub expression: &'static str,
    pub values: Vec<(&'static str, AttributeValue)>,
}

impl BotState {
    /// That nobody has written the settings since they were read. The owner is a part of it: a bot that was deleted and
    /// made again in between is not the one that was read (I12).
    pub(super) fn is_unchanged(&self) -> Condition {
        match self {
            Self::Never => Condition {
                expression: "attribute_not_exists(pk)",
                values: Vec::new(),
            },
            Self::Deleted(stored) | Self::There(stored) if stored.is_unmarked => Condition {
                expression: "attribute_exists(pk) AND attribute_not_exists(bot_owner)",
                values: Vec::new(),
            },
            Self::Deleted(stored) | Self::There(stored) => Condition {
                expression: "bot_owner = :was_owner AND version = :was_version",
                values: vec![
                    (":was_owner", s(stored.bot.owner.as_str())),
                    (":was_version", n(stored.stamp.version.0)),
                ],
            },
        }
    }
}

impl Table {
    /// A bot with its documents, in the order of their ids. A deleted bot is an inactive one, so that what is pending
    /// in its conversations ends without a reply (I1). One Query.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn bot(&self, bot_id: &BotId) -> Result<Option<Bot>, TableError> {
        const OPERATION: &str = "bot";
        let items = self.bot_items(bot_id).await?;
        let mut bot: Option<Bot> = None;
        let mut documents: Vec<Document> = Vec::new();
        for item in items {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned();
            match sk.as_deref() {
                Some(keys::BOT_SETTINGS) => {
                    bot = Some(self.read_settings(OPERATION, bot_id, &item)?);
                }
                Some(sk) if sk.starts_with(keys::DOCUMENT_PREFIX) => {
                    documents.push(json(OPERATION, &item)?);
                }
                // Something of a newer version.
                _ => {}
            }
        }
        Ok(bot.map(|bot| Bot { documents, ..bot }))
    }

    async fn bot_items(&self, bot_id: &BotId) -> Result<Vec<Item>, TableError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(keys::bot(bot_id)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|e| TableError::from_sdk("bot", &e))?);
        }
        Ok(items)
    }

    /// A bot's settings with what a write has to know of them. One consistent read: 1 RCU per 4 kB.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn bot_state(&self, bot_id: &BotId) -> Result<BotState, TableError> {
        const OPERATION: &str = "bot_state";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::bot(bot_id), keys::BOT_SETTINGS)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let Some(item) = output.item else {
            return Ok(BotState::Never);
        };
        let text = |name: &str| item.get(name).and_then(|text| text.as_s().ok()).cloned();
        let stored = StoredBot {
            bot: self.read_settings(OPERATION, bot_id, &item)?,
            stamp: stamp_of(&item),
            documents_made: number(&item, "documents_made").unwrap_or_default(),
            file: text("file_hash")
                .zip(text("file_url"))
                .map(|(hash, url)| FileMark { hash, url }),
            is_unmarked: !item.contains_key("bot_owner"),
        };
        Ok(if item.contains_key("deleted_at") {
            BotState::Deleted(stored)
        } else {
            BotState::There(stored)
        })
    }

    /// The bot whose gateway presents this token. One read.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn bot_of_token(&self, token: &str) -> Result<Option<BotId>, TableError> {
        const OPERATION: &str = "bot_of_token";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::token(token), keys::TOKEN_BOT)))
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        output
            .item
            .map(|item| {
                item.get("bot_id")
                    .and_then(|id| id.as_s().ok())
                    .and_then(|id| BotId::new(id).ok())
                    .ok_or_else(|| TableError::malformed(OPERATION, "bot_id"))
            })
            .transpose()
    }
}

/// What an item's `json` says.
pub(super) fn json<T: serde::de::DeserializeOwned>(
    operation: &'static str,
    item: &Item,
) -> Result<T, TableError> {
    item.get("json")
        .and_then(|json| json.as_s().ok())
        .and_then(|json| serde_json::from_str(json).ok())
        .ok_or_else(|| TableError::malformed(operation, "json"))
}

/// A value as an item's `json`. What reading would refuse is not written: it would silence the bot.
pub(super) fn to_json<T: serde::Serialize + serde::de::DeserializeOwned>(
    operation: &'static str,
    value: &T,
) -> Result<AttributeValue, TableError> {
    let unusable = |_| TableError::malformed(operation, "what could not be read back");
    let json = serde_json::to_string(value).map_err(unusable)?;
    serde_json::from_str::<T>(&json).map_err(unusable)?;
    Ok(s(json))
}

fn number<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// The version of an item. One that was written before there were versions has number 0.
pub(super) fn stamp_of(item: &Item) -> Stamp {
    Stamp {
        version: Version(number(item, "version").unwrap_or_default()),
        at: number(item, "written_at").map(EpochMs),
        by: item
            .get("written_by")
            .and_then(|by| by.as_s().ok())
            .cloned(),
    }
}

/// The same as attributes of an item.
pub(super) fn stamped(stamp: &Stamp) -> Item {
    let mut item: Item = [("version".to_owned(), n(stamp.version.0))].into();
    if let Some(at) = stamp.at {
        item.insert("written_at".to_owned(), n(at.0));
    }
    if let Some(by) = &stamp.by {
        item.insert("written_by".to_owned(), s(by));
    }
    item
}
