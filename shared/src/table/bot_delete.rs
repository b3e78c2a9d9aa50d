//! A bot is deleted. It has more items than one transaction holds, so it happens in steps, each of which may be the last
//! one that runs: the same call again goes on. First the settings become a mark that the bot is no more, and with that it
//! answers nobody; last it leaves its owner's list.

use super::bot::{BotState, Condition, stamped, to_json};
use super::schema::item_key;
use super::{Item, Name, Table, TableError, keys, n, s};
use crate::access::OwnerId;
use crate::conversation::ids::{BotId, EpochMs};
use crate::conversation::version::Version;

/// Writes of others that a deletion gives way to.
const TRIES: u32 = 5;
/// Items that one transaction deletes, beside the look at the mark. It takes 100, and 4 MB: that is 80 kB for each of these.
const AT_ONCE: usize = 49;

impl Table {
    /// Deletes a bot of `owner`: settings, documents, versions, token, place in the list. What stays is the mark whose it
    /// was: its conversations stay until they expire, and must not become those of whoever takes the id next (I12). The mark
    /// also keeps what the bots file said, which does not make the bot again by saying the same. Idempotent (I13).
    ///
    /// Key: `B#<bot>`, `V#<bot>`, the token's and the owner's items. Condition of the first write: nobody has written the
    /// settings since they were read, otherwise once more; of the others: they are still the mark. Costs 2 WCU per kB of
    /// everything that the bot had.
    ///
    /// # Errors
    /// The table cannot be reached, or others write the settings again and again: some of it may be done, and the same
    /// call again does the rest.
    pub async fn delete_bot(
        &self,
        owner: &OwnerId,
        bot_id: &BotId,
        now: EpochMs,
    ) -> Result<(), TableError> {
        const OPERATION: &str = "delete_bot";
        for _ in 0..TRIES {
            let before = self.bot_state(bot_id).await?;
            let listed = item_key(&keys::owner(owner), &keys::bot_of_owner(bot_id));
            if before.owner().is_some_and(|other| other != owner) {
                // The bots file has given it to somebody else; only our list still says otherwise.
                let delete = vec![self.delete_item(listed, None)?];
                return self
                    .transact_all(OPERATION, Name::EachTime(OPERATION), delete)
                    .await;
            }
            let gone = match before {
                BotState::There(_) => self.mark_deleted(&before, now).await?,
                BotState::Never | BotState::Deleted(_) => Some(before.version()),
            };
            let Some(version) = gone else {
                continue;
            };
            self.erase_leftovers(bot_id, version).await?;
            // It leaves the list, unless it has been made again meanwhile.
            self.delete_while_gone("unlist_bot", bot_id, version, &[listed])
                .await?;
            return Ok(());
        }
        Err(TableError {
            operation: OPERATION,
            cause: super::Cause::Conflict,
            code: "changed again and again".to_owned(),
        })
    }

    /// The settings become a mark. Gives its version; none when somebody else has written meanwhile.
    async fn mark_deleted(
        &self,
        before: &BotState,
        now: EpochMs,
    ) -> Result<Option<Version>, TableError> {
        const OPERATION: &str = "mark_deleted";
        let BotState::There(was) = before else {
            return Ok(None);
        };
        let bot_id = &was.bot.bot_id;
        // The number goes on: whoever has read an earlier version does not take the next bot of this id for that one.
        let mut stamp = was.stamp.clone();
        stamp.version = stamp.version.next();
        let mut set = stamped(&stamp);
        set.insert("json".to_owned(), to_json(OPERATION, &was.bot.deleted())?);
        set.insert("bot_owner".to_owned(), s(was.bot.owner.as_str()));
        set.insert("deleted_at".to_owned(), n(now.0));
        let mut writes = vec![self.update_settings(bot_id, set, "sealed", before)?];
        writes.extend(self.give_up_token(bot_id, &was.bot.gateway.token).await?);
        let name = keys::bot(bot_id);
        let is_marked = self
            .transact(OPERATION, Name::EachTime(&name), writes)
            .await?
            .is_done(OPERATION)?;
        Ok(is_marked.then_some(stamp.version))
    }

    /// Deletes the documents and versions of a bot that is no more, and whose mark is of the version `gone`. Whoever makes the
    /// next bot of this id does so too: an earlier deletion may have ended half way. Once the bot has been made again, what is
    /// there is the next one's and acknowledged: a deletion that was late deletes nothing of it.
    ///
    /// Three Queries, and a transaction for 49 items. Keys: `DOC#` in `B#<bot>`, everything in `V#<bot>`. Condition of each
    /// transaction: `CFG` is still that mark, or not there. Costs 2 WCU per kB of what is deleted, and 2 per kB of the mark.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn erase_leftovers(&self, bot_id: &BotId, gone: Version) -> Result<(), TableError> {
        const OPERATION: &str = "erase_leftovers";
        let documents = (keys::bot(bot_id), keys::DOCUMENT_PREFIX);
        let settings = (keys::bot_versions(bot_id), keys::SETTINGS_VERSION_PREFIX);
        let past_documents = (keys::bot_versions(bot_id), keys::DOCUMENT_PREFIX);
        for (pk, prefix) in [documents, settings, past_documents] {
            let found = self.keys_of(&pk, prefix).await?;
            for some in found.chunks(AT_ONCE) {
                if !self
                    .delete_while_gone(OPERATION, bot_id, gone, some)
                    .await?
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Deletes these items in one transaction. False, and nothing is deleted, once the bot has been made again.
    async fn delete_while_gone(
        &self,
        operation: &'static str,
        bot_id: &BotId,
        gone: Version,
        items: &[Item],
    ) -> Result<bool, TableError> {
        let name = keys::bot(bot_id);
        let is_still_gone = self.check_item(
            item_key(&name, keys::BOT_SETTINGS),
            Condition {
                expression: "attribute_not_exists(pk) OR (attribute_exists(deleted_at) AND version = :version)",
                values: vec![(":version", n(gone.0))],
            },
        )?;
        let mut writes = vec![is_still_gone];
        for key in items {
            writes.push(self.delete_item(key.clone(), None)?);
        }
        self.transact(operation, Name::EachTime(&name), writes)
            .await?
            .is_done(operation)
    }

    /// The keys of a partition's items whose sort keys begin so. One Query, page by page.
    pub(super) async fn keys_of(&self, pk: &str, prefix: &str) -> Result<Vec<Item>, TableError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(pk))
            .expression_attribute_values(":prefix", s(prefix))
            .projection_expression("pk, sk")
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while let Some(item) = pages.next().await {
            found.push(item.map_err(|e| TableError::from_sdk("keys_of", &e))?);
        }
        Ok(found)
    }
}
