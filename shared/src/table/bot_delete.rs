//! A bot is deleted. It has more items than one transaction holds, so it happens in steps, each of which may be the last
//! one that runs: the same call again goes on. First the settings become a mark that the bot is no more, and with that it
//! answers nobody; last it leaves its owner's list.

use aws_sdk_dynamodb::types::TransactWriteItem;

use super::bot::{BotState, Condition, stamped, to_json};
use super::schema::item_key;
use super::{Item, Name, Table, TableError, Transacted, keys, n, s};
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
            if before.owner().is_some_and(|other| other != owner) {
                // The bots file has given it to somebody else; only our list still says otherwise.
                let key = item_key(&keys::owner(owner), &keys::bot_of_owner(bot_id));
                return self
                    .transact_all(OPERATION, vec![self.delete_item(key, None)?])
                    .await;
            }
            let gone = match before {
                BotState::There(_) => self.mark_deleted(&before, now).await?,
                BotState::Never | BotState::Deleted(_) => Some(before.version()),
            };
            if let Some(version) = gone {
                self.erase_leftovers(bot_id, version).await?;
                return self.unlist(owner, bot_id, version).await;
            }
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
        match self
            .transact(OPERATION, Name::EachTime(&name), writes)
            .await?
        {
            Transacted::Done => Ok(Some(stamp.version)),
            Transacted::Cancelled(cancelled) if cancelled.any_condition_failed() => Ok(None),
            Transacted::Cancelled(cancelled) => Err(cancelled.refused(OPERATION)),
        }
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
        let name = keys::bot(bot_id);
        let documents = (keys::bot(bot_id), keys::DOCUMENT_PREFIX);
        let settings = (keys::bot_versions(bot_id), keys::SETTINGS_VERSION_PREFIX);
        let past_documents = (keys::bot_versions(bot_id), keys::DOCUMENT_PREFIX);
        for (pk, prefix) in [documents, settings, past_documents] {
            let found = self.keys_of(&pk, prefix).await?;
            for some in found.chunks(AT_ONCE) {
                let mut writes = vec![self.is_still_gone(bot_id, gone)?];
                for key in some {
                    writes.push(self.delete_item(key.clone(), None)?);
                }
                match self
                    .transact(OPERATION, Name::EachTime(&name), writes)
                    .await?
                {
                    Transacted::Done => {}
                    Transacted::Cancelled(cancelled) if cancelled.any_condition_failed() => {
                        return Ok(());
                    }
                    Transacted::Cancelled(cancelled) => return Err(cancelled.refused(OPERATION)),
                }
            }
        }
        Ok(())
    }

    /// The part of a transaction by which nothing is done once the bot has been made again.
    fn is_still_gone(
        &self,
        bot_id: &BotId,
        gone: Version,
    ) -> Result<TransactWriteItem, TableError> {
        let settings = item_key(&keys::bot(bot_id), keys::BOT_SETTINGS);
        self.check_item(
            settings,
            Condition {
                expression: "attribute_not_exists(pk) OR (attribute_exists(deleted_at) AND version = :version)",
                values: vec![(":version", n(gone.0))],
            },
        )
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

    /// The bot leaves its owner's list, unless it has been made again meanwhile.
    async fn unlist(
        &self,
        owner: &OwnerId,
        bot_id: &BotId,
        version: Version,
    ) -> Result<(), TableError> {
        const OPERATION: &str = "unlist_bot";
        let listed = item_key(&keys::owner(owner), &keys::bot_of_owner(bot_id));
        let writes = vec![
            self.is_still_gone(bot_id, version)?,
            self.delete_item(listed, None)?,
        ];
        let name = keys::bot(bot_id);
        match self
            .transact(OPERATION, Name::EachTime(&name), writes)
            .await?
        {
            Transacted::Done => Ok(()),
            Transacted::Cancelled(cancelled) if cancelled.any_condition_failed() => Ok(()),
            Transacted::Cancelled(cancelled) => Err(cancelled.refused(OPERATION)),
        }
    }

    /// A transaction without conditions.
    pub(super) async fn transact_all(
        &self,
        operation: &'static str,
        writes: Vec<TransactWriteItem>,
    ) -> Result<(), TableError> {
        match self
            .transact(operation, Name::EachTime(operation), writes)
            .await?
        {
            Transacted::Done => Ok(()),
            Transacted::Cancelled(cancelled) => Err(cancelled.refused(operation)),
        }
    }
}
