//! Answers that may be given again.

use std::fmt;

use serde::Deserialize;

use super::claim::lost_race;
use super::schema::item_key;
use super::{Table, TableError, keys, n, s};
use crate::conversation::ids::EpochMs;

/// How long an answer may be given again: a day. What it says of stock and dates is not true for longer.
pub const CACHED_FOR_MS: i64 = 24 * 3_600_000;

/// An answer in the response cache. Debug prints no text (I11).
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Cached {
    /// The reply.
    pub text: String,
    /// The model that wrote it.
    pub model: String,
    /// What it took, in tokens in and out: what every hit saves.
    pub tokens: u64,
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("characters", &self.text.chars().count())
            .field("model", &self.model)
            .field("tokens", &self.tokens)
            .finish()
    }
}

impl Table {
    /// The answer that was kept under `key`, a [`crate::prompt::cache_key`]. One that is over is a miss, whether or
    /// not the table has deleted it yet. Costs 0.5 RCU for every 4 kB.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn cached(&self, key: &str, now: EpochMs) -> Result<Option<Cached>, TableError> {
        const OPERATION: &str = "cached";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::cached(key), keys::CACHED)))
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let Some(item) = output.item else {
            return Ok(None);
        };
        let malformed = |what: &str| TableError::malformed(OPERATION, what);
        let expires_at: i64 = item
            .get("expires_at")
            .and_then(|seconds| seconds.as_n().ok()?.parse().ok())
            .ok_or_else(|| malformed("expires_at"))?;
        if expires_at.saturating_mul(1000) <= now.0 {
            return Ok(None);
        }
        serde_dynamo::from_item(item)
            .map(Some)
            .map_err(|_| malformed("the answer has another shape"))
    }

    /// Counts that the answer was given again: `ADD hits 1`, if it is still there. A count of hits and no part of a
    /// turn, so a repeated call counts again. Costs 1 WCU for every kB.
    ///
    /// # Errors
    /// The table cannot be reached; nobody need mind.
    pub async fn cache_hit(&self, key: &str) -> Result<(), TableError> {
        let counted = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::cached(key), keys::CACHED)))
            .update_expression("ADD hits :one")
            // Else a hit on what was just deleted would leave an item that never goes.
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":one", n(1))
            .send()
            .await;
        match counted {
            Ok(_) => Ok(()),
            Err(error) if lost_race(&error).is_some() => Ok(()),
            Err(error) => Err(TableError::from_sdk("cache_hit", &error)),
        }
    }

    /// Keeps an answer for [`CACHED_FOR_MS`], in place of an older one. Two that write at once leave either.
    /// Costs 1 WCU for every kB.
    ///
    /// # Errors
    /// The table cannot be reached: the next one who asks writes it.
    pub async fn put_cached(
        &self,
        key: &str,
        answer: &Cached,
        now: EpochMs,
    ) -> Result<(), TableError> {
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item_key(&keys::cached(key), keys::CACHED)))
            .item("text", s(&answer.text))
            .item("model", s(&answer.model))
            .item("tokens", n(answer.tokens))
            .item("hits", n(0))
            .item("expires_at", n(now.plus_ms(CACHED_FOR_MS).0 / 1000))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| TableError::from_sdk("put_cached", &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_again_for_a_day_and_shown_by_its_length() {
        assert_eq!(CACHED_FOR_MS, 86_400_000);
        let cached = Cached {
            text: "rahasia".to_owned(),
            model: "a/b".to_owned(),
            tokens: 70,
        };
        let shown = format!("{cached:?}");
        assert!(
            shown.contains("characters: 7") && !shown.contains("rahasia"),
            "I11"
        );
    }
}
