//! Bots and their documents.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};

use super::schema::item_key;
use super::store::{put, token};
use super::{Item, Name, Table, TableError, Transacted, keys, s};
use crate::conversation::bot::{Bot, Document};
use crate::conversation::ids::{BotId, EpochMs};

/// Documents that one bot may have: with its settings, its token and its owner's list they fit one transaction.
pub const MAX_DOCUMENTS: usize = 90;

impl Table {
    /// A bot with its documents, in the owner's order. One Query.
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
            let json = item
                .get("json")
                .and_then(|json| json.as_s().ok())
                .ok_or_else(|| TableError::malformed(OPERATION, "json"))?;
            let malformed = |_| TableError::malformed(OPERATION, "json");
            match sk.as_deref() {
                Some(keys::BOT_SETTINGS) => {
                    bot = Some(serde_json::from_str(json).map_err(malformed)?);
                }
                Some(sk) if sk.starts_with(keys::DOCUMENT_PREFIX) => {
                    documents.push(serde_json::from_str(json).map_err(malformed)?);
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

    /// Writes a bot, its documents and the way from its token to it; documents and the token it no longer
    /// has are removed.
    ///
    /// # Errors
    /// More than [`MAX_DOCUMENTS`] documents, settings that could not be read back, or the table cannot be reached.
    pub async fn put_bot(&self, bot: &Bot, now: EpochMs) -> Result<(), TableError> {
        const OPERATION: &str = "put_bot";
        if bot.documents.len() > MAX_DOCUMENTS {
            return Err(TableError::malformed(OPERATION, "too many documents"));
        }
        let before = self.bot(&bot.bot_id).await?;
        let pk = keys::bot(&bot.bot_id);
        let mut documents = Vec::new();
        let settings = Bot {
            documents: Vec::new(),
            ..bot.clone()
        };
        let mut items = vec![settings_item(&pk, &settings)?];
        for (index, document) in bot.documents.iter().enumerate() {
            documents.push(json_item(&pk, &keys::document(index), document)?);
        }
        items.append(&mut documents);
        let mut by_token = item_key(&keys::token(&bot.gateway.token), keys::TOKEN_BOT);
        by_token.insert("bot_id".to_owned(), s(bot.bot_id.as_str()));
        items.push(by_token);
        items.push(item_key(
            &keys::owner(&bot.owner),
            &keys::bot_of_owner(&bot.bot_id),
        ));
        let mut writes = Vec::new();
        for item in items {
            writes.push(put(Put::builder()
                .table_name(&self.name)
                .set_item(Some(item))
                .build()
                .map_err(|e| TableError::malformed(OPERATION, e.to_string()))?));
        }
        for key in before.iter().flat_map(|before| gone(before, bot)) {
            writes.push(self.delete(key)?);
        }
        let token = token(&[OPERATION, &pk, &now.0.to_string()]);
        // A large edit can exceed what one transaction holds; what is written twice stays the same.
        for (index, writes) in writes.chunks(100).enumerate() {
            let token = format!("{}{index:04}", token.chars().take(32).collect::<String>());
            match self
                .transact(OPERATION, Name::Once(&token), writes.to_vec())
                .await?
            {
                Transacted::Done => {}
                Transacted::Cancelled(cancelled) => return Err(cancelled.refused(OPERATION)),
            }
        }
        Ok(())
    }

    fn delete(&self, key: Item) -> Result<TransactWriteItem, TableError> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key))
            .build()
            .map_err(|e| TableError::malformed("put_bot", e.to_string()))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

fn gone(before: &Bot, after: &Bot) -> Vec<Item> {
    let pk = keys::bot(&before.bot_id);
    let mut gone: Vec<Item> = (after.documents.len()..before.documents.len())
        .map(|index| item_key(&pk, &keys::document(index)))
        .collect();
    if before.owner != after.owner {
        gone.push(item_key(
            &keys::owner(&before.owner),
            &keys::bot_of_owner(&before.bot_id),
        ));
    }
    if before.gateway.token != after.gateway.token {
        gone.push(item_key(
            &keys::token(&before.gateway.token),
            keys::TOKEN_BOT,
        ));
    }
    gone
}

/// The item of a bot's settings. What reading would refuse is not written: it would silence the bot.
fn settings_item(pk: &str, settings: &Bot) -> Result<Item, TableError> {
    let unusable = |_| TableError::malformed("put_bot", "settings");
    let json = serde_json::to_string(settings).map_err(unusable)?;
    serde_json::from_str::<Bot>(&json).map_err(unusable)?;
    json_item(pk, keys::BOT_SETTINGS, settings)
}

fn json_item(pk: &str, sk: &str, value: &impl serde::Serialize) -> Result<Item, TableError> {
    let json =
        serde_json::to_string(value).map_err(|_| TableError::malformed("put_bot", "not JSON"))?;
    let mut item = item_key(pk, sk);
    item.insert("json".to_owned(), s(json));
    Ok(item)
}
