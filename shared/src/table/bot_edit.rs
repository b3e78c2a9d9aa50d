//! A bot's settings are written.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};

use super::bot::{BotState, Condition, FileMark, stamped};
use super::schema::item_key;
use super::store::update;
use super::{Item, Name, Table, TableError, Transacted, keys, s};
use crate::conversation::bot::Bot;
use crate::conversation::ids::{BotId, EpochMs};
use crate::conversation::version::Stamp;

/// What is to be written, over what.
#[derive(Clone, Copy, Debug)]
pub struct BotEdit<'a> {
    /// What was read before.
    pub before: &'a BotState,
    /// The settings; documents are not looked at.
    pub bot: &'a Bot,
    /// Who writes.
    pub by: &'a str,
    /// When.
    pub now: EpochMs,
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edited {
    /// It is done.
    Done(Stamp),
    /// Somebody else has written since it was read: nothing was done.
    Changed,
    /// The gateway's token belongs to another bot: nothing was done.
    TokenTaken,
    /// The bot has as many documents as it may have: nothing was done.
    Full,
    /// There is no such bot any more: nothing was done.
    NoBot,
}

impl Table {
    /// Writes a bot's settings, the way from its token to it and its place in its owner's list; the state before is kept
    /// as a version.
    ///
    /// One transaction. Key: `B#<bot>` / `CFG`. Condition: nobody has written it since `before` was read, so of two that
    /// make the same bot one wins; and a token that is new to this bot is nobody else's, so nobody's webhooks are led
    /// to another bot (I12). Costs about 12 WCU, and 4 more per kB of settings.
    ///
    /// # Errors
    /// The table cannot be reached: nothing was written, or all of it. Settings that could not be read back.
    pub async fn edit_bot(&self, edit: &BotEdit<'_>) -> Result<Edited, TableError> {
        const OPERATION: &str = "edit_bot";
        let bot = edit.bot;
        let stamp = next_stamp(edit);
        let mut writes = vec![self.write_settings(edit, &stamp, None)?];
        let old_token = match edit.before {
            BotState::There(was) => Some(was.bot.gateway.token.as_str()),
            BotState::Never | BotState::Deleted(_) => None,
        };
        let is_new_token = old_token != Some(bot.gateway.token.as_str());
        if is_new_token {
            writes.push(self.put_item_if(
                token_item(bot),
                Condition {
                    expression: "attribute_not_exists(pk) OR bot_id = :bot",
                    values: vec![(":bot", s(bot.bot_id.as_str()))],
                },
            )?);
        }
        if let Some(old) = old_token.filter(|_| is_new_token) {
            writes.extend(self.give_up_token(&bot.bot_id, old).await?);
        }
        writes.push(self.put_item(listed(bot))?);
        writes.extend(self.keep_before(edit.before)?);
        let name = keys::bot(&bot.bot_id);
        match self
            .transact(OPERATION, Name::EachTime(&name), writes)
            .await?
        {
            Transacted::Done => Ok(Edited::Done(stamp)),
            Transacted::Cancelled(cancelled) if cancelled.condition_failed(0) => {
                Ok(Edited::Changed)
            }
            Transacted::Cancelled(cancelled) if is_new_token && cancelled.condition_failed(1) => {
                Ok(Edited::TokenTaken)
            }
            // The token that was to be given up has just become another bot's.
            Transacted::Cancelled(cancelled) if cancelled.any_condition_failed() => {
                Ok(Edited::Changed)
            }
            Transacted::Cancelled(cancelled) => Err(cancelled.refused(OPERATION)),
        }
    }

    /// The settings' own part of a transaction. An update, so that what this version does not know stays.
    pub(super) fn write_settings(
        &self,
        edit: &BotEdit<'_>,
        stamp: &Stamp,
        file: Option<&FileMark>,
    ) -> Result<TransactWriteItem, TableError> {
        let settings = Bot {
            documents: Vec::new(),
            ..edit.bot.clone()
        };
        let mut set = stamped(stamp);
        let remove = self.put_settings("write_settings", &settings, &mut set)?;
        set.insert("bot_owner".to_owned(), s(settings.owner.as_str()));
        if let Some(file) = file {
            set.insert("file_hash".to_owned(), s(&file.hash));
            set.insert("file_url".to_owned(), s(&file.url));
        }
        let remove = format!("deleted_at{remove}");
        self.update_settings(&settings.bot_id, set, &remove, edit.before)
    }

    /// An update of `CFG` under the condition that nobody has written it since: sets what is in `set`, removes `remove`.
    pub(super) fn update_settings(
        &self,
        bot_id: &BotId,
        set: Item,
        remove: &str,
        before: &BotState,
    ) -> Result<TransactWriteItem, TableError> {
        let condition = before.is_unchanged();
        let mut parts = Vec::new();
        let mut builder: UpdateBuilder = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::bot(bot_id), keys::BOT_SETTINGS)))
            .condition_expression(condition.expression);
        for (name, value) in condition.values {
            builder = builder.expression_attribute_values(name, value);
        }
        for (index, (name, value)) in set.into_iter().enumerate() {
            parts.push(format!("#{index} = :{index}"));
            builder = builder
                .expression_attribute_names(format!("#{index}"), name)
                .expression_attribute_values(format!(":{index}"), value);
        }
        builder
            .update_expression(format!("SET {} REMOVE {remove}", parts.join(", ")))
            .build()
            .map(update)
            .map_err(|e| TableError::malformed("update_settings", e.to_string()))
    }

    /// The part of a transaction that keeps what was there before.
    pub(super) fn keep_before(
        &self,
        before: &BotState,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        match before {
            BotState::There(was) => self.keep_settings(&was.bot, &was.stamp),
            // A deleted bot has no versions, and its next one begins with none.
            BotState::Never | BotState::Deleted(_) => Ok(Vec::new()),
        }
    }

    /// The part of a transaction by which a bot gives up a token that is still its own: a bots file may have given it to
    /// another one.
    pub(super) async fn give_up_token(
        &self,
        bot_id: &BotId,
        token: &str,
    ) -> Result<Option<TransactWriteItem>, TableError> {
        if self.bot_of_token(token).await?.as_ref() != Some(bot_id) {
            return Ok(None);
        }
        let condition = Condition {
            expression: "bot_id = :bot",
            values: vec![(":bot", s(bot_id.as_str()))],
        };
        let key = item_key(&keys::token(token), keys::TOKEN_BOT);
        self.delete_item(key, Some(condition)).map(Some)
    }
}

/// The stamp of a write.
pub(super) fn next_stamp(edit: &BotEdit<'_>) -> Stamp {
    Stamp {
        version: edit.before.version(),
        ..Stamp::default()
    }
    .next(edit.by, edit.now)
}

/// The way from a token to its bot.
pub(super) fn token_item(bot: &Bot) -> Item {
    let mut item = item_key(&keys::token(&bot.gateway.token), keys::TOKEN_BOT);
    item.insert("bot_id".to_owned(), s(bot.bot_id.as_str()));
    item
}

/// A bot in its owner's list, with what the list shows.
pub(super) fn listed(bot: &Bot) -> Item {
    let mut item = item_key(&keys::owner(&bot.owner), &keys::bot_of_owner(&bot.bot_id));
    item.insert("bot_name".to_owned(), s(&bot.name));
    item.insert(
        "active".to_owned(),
        aws_sdk_dynamodb::types::AttributeValue::Bool(bot.active),
    );
    item
}
