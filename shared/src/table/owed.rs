//! The sweeper's query: conversations that have been owed an answer for too long, and persons' messages that have been
//! on their way for too long.

use super::schema::OWED;
use super::{Item, Table, TableError, keys, n, s};
use crate::conversation::ids::{ConversationId, EpochMs, MessageKey};

/// A conversation that is owed something.
#[derive(Clone, Debug, PartialEq)]
pub struct Owed {
    /// Which.
    pub id: ConversationId,
    /// Since when.
    pub since: EpochMs,
    /// What.
    pub to: OwedTo,
}

/// Who is owed what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwedTo {
    /// The customer, an answer.
    Customer,
    /// A person of the business, that this message of theirs is sent.
    Person(MessageKey),
}

/// One page of them.
pub struct OwedPage {
    /// The conversations, longest owed first.
    pub owed: Vec<Owed>,
    /// Items that could not be read as conversations.
    pub malformed: usize,
    /// Where the next page begins.
    pub next: Option<Item>,
}

impl Table {
    /// What has been owed to one shard's conversations since before `before`. One Query of the
    /// sparse index, eventually consistent; at most 100 a page.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn owed(
        &self,
        shard: u32,
        before: EpochMs,
        from: Option<Item>,
    ) -> Result<OwedPage, TableError> {
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(OWED)
            .key_condition_expression("owed_pk = :shard AND owed_since < :before")
            .expression_attribute_values(":shard", s(keys::owed_shard(shard)))
            .expression_attribute_values(":before", n(before.0))
            .limit(100)
            .set_exclusive_start_key(from)
            .send()
            .await
            .map_err(|e| TableError::from_sdk("owed", &e))?;
        let items = output.items.unwrap_or_default();
        let owed: Vec<Owed> = items.iter().filter_map(owed).collect();
        Ok(OwedPage {
            malformed: items.len() - owed.len(),
            owed,
            next: output.last_evaluated_key,
        })
    }

    /// Since when the conversation of a shard is owed an answer that has been owed longest, of those not owed before
    /// `from`; none when there is none. Conversations that a person has paused are owed too. One Query of the sparse
    /// index for one item, eventually consistent; 0.5 RCU.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn oldest_owed(
        &self,
        shard: u32,
        from: EpochMs,
    ) -> Result<Option<EpochMs>, TableError> {
        const OPERATION: &str = "oldest_owed";
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(OWED)
            .key_condition_expression("owed_pk = :shard AND owed_since >= :from")
            .expression_attribute_values(":shard", s(keys::owed_shard(shard)))
            .expression_attribute_values(":from", n(from.0))
            .limit(1)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        output
            .items()
            .first()
            .map(|item| owed(item).map(|owed| owed.since))
            .map(|since| since.ok_or_else(|| TableError::malformed(OPERATION, "owed_since")))
            .transpose()
    }

    /// The same over all shards, which are asked at the same time.
    ///
    /// # Errors
    /// As above, of any shard.
    pub async fn oldest_owed_of_all(&self, from: EpochMs) -> Result<Option<EpochMs>, TableError> {
        let shards = (0..keys::OWED_SHARDS).map(|shard| self.oldest_owed(shard, from));
        let oldest = futures_util::future::try_join_all(shards).await?;
        Ok(oldest.into_iter().flatten().min())
    }
}

fn owed(item: &Item) -> Option<Owed> {
    let sk = item.get("sk")?.as_s().ok()?;
    Some(Owed {
        to: if sk.starts_with(keys::MESSAGE_PREFIX) {
            OwedTo::Person(MessageKey::new(sk.clone()))
        } else {
            OwedTo::Customer
        },
        id: keys::parse_conversation(item.get("pk")?.as_s().ok()?)?,
        since: EpochMs(item.get("owed_since")?.as_n().ok()?.parse().ok()?),
    })
}
