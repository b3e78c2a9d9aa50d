//! Which bots an owner has.

use super::schema::item_key;
use super::{Table, TableError, keys, s};
use crate::access::OwnerId;
use crate::conversation::ids::BotId;

/// A bot in its owner's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedBot {
    /// The bot.
    pub bot_id: BotId,
    /// The name people see.
    pub name: String,
    /// Whether it answers.
    pub is_active: bool,
}

impl Table {
    /// Whether a bot is this owner's (I12). Read consistently. Costs 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn is_bot_of(&self, owner: &OwnerId, bot_id: &BotId) -> Result<bool, TableError> {
        self.client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(
                &keys::owner(owner),
                &keys::bot_of_owner(bot_id),
            )))
            .consistent_read(true)
            .send()
            .await
            .map(|output| output.item.is_some())
            .map_err(|e| TableError::from_sdk("is_bot_of", &e))
    }

    /// The bots of an owner, by id. One Query.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn bots_of(&self, owner: &OwnerId) -> Result<Vec<BotId>, TableError> {
        let listed = self.list_bots(owner).await?;
        Ok(listed.into_iter().map(|bot| bot.bot_id).collect())
    }

    /// The same with what the list shows of them.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn list_bots(&self, owner: &OwnerId) -> Result<Vec<ListedBot>, TableError> {
        const OPERATION: &str = "bots_of";
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(keys::owner(owner)))
            .expression_attribute_values(":prefix", s(keys::BOT_OF_OWNER_PREFIX))
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|e| TableError::from_sdk(OPERATION, &e))?;
            let bot_id = item
                .get("sk")
                .and_then(|sk| sk.as_s().ok())
                .and_then(|sk| sk.strip_prefix(keys::BOT_OF_OWNER_PREFIX))
                .and_then(|id| BotId::new(id).ok())
                .ok_or_else(|| TableError::malformed(OPERATION, "sk"))?;
            found.push(ListedBot {
                bot_id,
                name: item
                    .get("bot_name")
                    .and_then(|name| name.as_s().ok())
                    .cloned()
                    .unwrap_or_default(),
                is_active: item
                    .get("active")
                    .and_then(|active| active.as_bool().ok())
                    .copied()
                    .unwrap_or(true),
            });
        }
        Ok(found)
    }
}
