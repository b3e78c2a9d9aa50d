//! Bots as a bots file has them: whole, with all of their documents.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::TransactWriteItem;
use sha2::{Digest, Sha256};

use super::bot::{BotState, FileMark, stamped, to_json};
use super::bot_edit::{listed, next_stamp, token_item};
use super::schema::item_key;
use super::{BotEdit, Item, Kind, Name, StoredBot, StoredDocument, Table, TableError, keys, s};
use crate::conversation::bot::{Bot, Document, Gateway};
use crate::conversation::bot_limits::MAX_DOCUMENTS;
use crate::conversation::ids::{BotId, EpochMs, hex};
use crate::conversation::version::{BY_FILE, DocumentId, Stamp};

/// Writes of others that a file's bot gives way to.
const TRIES: u32 = 5;
/// Writes of documents in one transaction, which takes 4 MB.
const AT_ONCE: usize = 24;

impl FileMark {
    /// What a file says. The gateway's address is apart: on one machine the demo gateway's is another at every start.
    fn of(bot: &Bot) -> Result<Self, TableError> {
        let elsewhere = Bot {
            gateway: Gateway {
                url: String::new(),
                ..bot.gateway.clone()
            },
            ..bot.clone()
        };
        let json = serde_json::to_vec(&elsewhere)
            .map_err(|_| TableError::malformed("put_bot", "settings"))?;
        Ok(Self {
            hash: hex(&Sha256::digest(json)),
            url: bot.gateway.url.clone(),
        })
    }
}

impl Table {
    /// Writes a bot of a bots file unless it did so before: what was edited since then stays until the file says
    /// something else, and one that was deleted stays away. One read when there is nothing to do.
    ///
    /// # Errors
    /// As [`Table::put_bot`].
    pub async fn sync_bot(&self, bot: &Bot, now: EpochMs) -> Result<(), TableError> {
        let mark = FileMark::of(bot)?;
        let before = self.bot_state(&bot.bot_id).await?;
        let says_the_same = |was: &StoredBot| {
            let last = was.file.as_ref();
            // Not the address: on one machine the demo gateway's is another at every start.
            last.is_some_and(|last| last.hash == mark.hash)
        };
        let stored = match &before {
            BotState::There(stored) => stored,
            BotState::Deleted(was) if says_the_same(was) => return Ok(()),
            BotState::Never | BotState::Deleted(_) => return self.put_bot(bot, now).await,
        };
        match &stored.file {
            Some(last) if last.hash == mark.hash && last.url == mark.url => Ok(()),
            Some(last) if last.hash == mark.hash => {
                self.move_gateway(&before, stored.bot.clone(), last, &mark)
                    .await
            }
            _ => self.put_bot(bot, now).await,
        }
    }

    /// The file's gateway is at another address now. One that was edited stays. No new version: nobody has edited
    /// anything.
    async fn move_gateway(
        &self,
        before: &BotState,
        bot: Bot,
        last: &FileMark,
        mark: &FileMark,
    ) -> Result<(), TableError> {
        const OPERATION: &str = "move_gateway";
        let bot_id = bot.bot_id.clone();
        let url = match bot.gateway.url == last.url {
            true => mark.url.clone(),
            false => bot.gateway.url.clone(),
        };
        let moved = Bot {
            gateway: Gateway { url, ..bot.gateway },
            ..bot
        };
        let mut set: Item = [("file_url".to_owned(), s(&mark.url))].into();
        let remove = self.put_settings(OPERATION, &moved, &mut set)?;
        let remove = format!("deleted_at{remove}");
        let write = self.update_settings(&bot_id, set, &remove, before)?;
        self.transact_all(OPERATION, Name::EachTime(OPERATION), vec![write])
            .await
    }

    /// Writes a whole bot, as its operator wants it: settings, documents, the way from its token to it. The documents of
    /// an earlier file that this one has no more are removed; those that were made under names of their own stay. What was
    /// there before is kept as versions. The operator's word is the last one: a token that is another bot's becomes this
    /// one's, and the bot may become another owner's.
    ///
    /// The documents first, then one transaction with the settings. Keys: `B#<bot>` / `DOC#<id>`, `CFG`. Condition of the
    /// last one: nobody has written the settings since they were read, otherwise all of it once more. A crash in between
    /// leaves settings that do not say that the file was written, so the next start writes it. Costs 4 WCU per kB of what
    /// differs.
    ///
    /// # Errors
    /// More than [`MAX_DOCUMENTS`] documents, settings that could not be read back, or the table cannot be reached.
    pub async fn put_bot(&self, bot: &Bot, now: EpochMs) -> Result<(), TableError> {
        const OPERATION: &str = "put_bot";
        if bot.documents.len() > MAX_DOCUMENTS {
            return Err(TableError::malformed(OPERATION, "too many documents"));
        }
        let mark = FileMark::of(bot)?;
        for _ in 0..TRIES {
            let before = self.bot_state(&bot.bot_id).await?;
            if let BotState::Deleted(was) = &before {
                self.erase_leftovers(&bot.bot_id, was.stamp.version).await?;
            }
            self.put_documents(bot, now).await?;
            let edit = BotEdit {
                before: &before,
                bot,
                by: BY_FILE,
                now,
            };
            let mut writes = vec![self.write_settings(&edit, &next_stamp(&edit), Some(&mark))?];
            writes.push(self.put_item(token_item(bot))?);
            writes.push(self.put_item(listed(bot))?);
            writes.extend(self.keep_before(&before)?);
            writes.extend(self.give_up(&before, bot).await?);
            let name = keys::bot(&bot.bot_id);
            let ended = self
                .transact(OPERATION, Name::EachTime(&name), writes)
                .await?;
            if ended.is_done(OPERATION)? {
                return Ok(());
            }
        }
        Err(TableError {
            operation: OPERATION,
            cause: super::Cause::Conflict,
            code: "changed again and again".to_owned(),
        })
    }

    /// The token and the owner that a bot has no more. A deleted one gave up its token with its mark; where its deletion was cut
    /// short it is still in its owner's list, who would have access to the next owner's bot (I12).
    async fn give_up(
        &self,
        before: &BotState,
        after: &Bot,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let mut writes = Vec::new();
        if let Some(owner) = before.owner().filter(|owner| **owner != after.owner) {
            let key = item_key(&keys::owner(owner), &keys::bot_of_owner(&after.bot_id));
            writes.push(self.delete_item(key, None)?);
        }
        if let BotState::There(was) = before
            && was.bot.gateway.token != after.gateway.token
        {
            let given_up = self.give_up_token(&after.bot_id, &was.bot.gateway.token);
            writes.extend(given_up.await?);
        }
        Ok(writes)
    }

    /// Writes the documents that differ, and removes those that the file has no more.
    async fn put_documents(&self, bot: &Bot, now: EpochMs) -> Result<(), TableError> {
        let bot_id = &bot.bot_id;
        const OPERATION: &str = "put_documents";
        let mut before: BTreeMap<DocumentId, StoredDocument> = self
            .documents(bot_id)
            .await?
            .into_iter()
            .map(|stored| (stored.id.clone(), stored))
            .collect();
        let mut writes = Vec::new();
        for (index, document) in bot.documents.iter().enumerate() {
            let id = DocumentId::in_file(index);
            let was = before.remove(&id);
            if was.as_ref().is_some_and(|was| was.document == *document) {
                continue;
            }
            writes.push(self.put_document(bot_id, &id, document, was, now).await?);
        }
        for was in before.into_values().filter(|was| was.id.is_from_file()) {
            let mut gone = self.keep_document(bot_id, &was.id, &was.document, &was.stamp)?;
            let key = item_key(&keys::bot(bot_id), &keys::document(&was.id));
            gone.push(self.delete_item(key, None)?);
            writes.push(gone);
        }
        let name = Name::EachTime(OPERATION);
        // A document and its version stay together.
        let mut some = Vec::new();
        for document in writes {
            if some.len() + document.len() > AT_ONCE {
                self.transact_all(OPERATION, name, std::mem::take(&mut some))
                    .await?;
            }
            some.extend(document);
        }
        if some.is_empty() {
            return Ok(());
        }
        self.transact_all(OPERATION, name, some).await
    }

    async fn put_document(
        &self,
        bot_id: &BotId,
        id: &DocumentId,
        document: &Document,
        was: Option<StoredDocument>,
        now: EpochMs,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let last = match &was {
            Some(was) => was.stamp.clone(),
            // One that was deleted goes on counting where it ended.
            None => self
                .newest_versions(bot_id, Kind::Document(id), 1)
                .await?
                .pop()
                .unwrap_or_else(Stamp::default),
        };
        let mut item = item_key(&keys::bot(bot_id), &keys::document(id));
        item.extend(stamped(&last.next(BY_FILE, now)));
        item.insert("json".to_owned(), to_json("put_documents", document)?);
        let mut writes = vec![self.put_item(item)?];
        if let Some(was) = was {
            writes.extend(self.keep_document(bot_id, id, &was.document, &was.stamp)?);
        }
        Ok(writes)
    }
}
