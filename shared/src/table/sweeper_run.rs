//! The sweeper's last run: one item, so that somebody else can see whether it runs.

use serde::{Deserialize, Serialize};

use super::schema::item_key;
use super::{Item, Table, TableError, keys};
use crate::conversation::ids::EpochMs;

/// What a run of the sweeper has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweeperRun {
    /// When it ended.
    pub at: EpochMs,
    /// Conversations that were owed an answer, that nobody worked on, and that got a trigger.
    pub hits: u64,
    /// Customers who have got neither an answer nor the fallback text in time (I1).
    pub turns_without_outcome: u64,
    /// Conversations that could not be read or triggered.
    pub failed: u64,
    /// How long the customer waits who has waited longest, in milliseconds; 0 when nobody does.
    pub oldest_owed_ms: i64,
    /// Whether every part of the index was looked at.
    pub complete: bool,
}

impl Table {
    /// Keeps what a run has found, in the place of the run before. Key: the sweeper's run. No condition: two runs at once
    /// are of the same minute, and either of them is the last. Costs 1 WCU. Idempotent.
    ///
    /// # Errors
    /// The table cannot be reached: the next run is kept a minute later, and until then this one looks late.
    pub async fn keep_sweep(&self, run: &SweeperRun) -> Result<(), TableError> {
        const OPERATION: &str = "keep_sweep";
        let mut item: Item =
            serde_dynamo::to_item(run).map_err(|_| TableError::malformed(OPERATION, "run"))?;
        item.extend(item_key(keys::SWEEPER, keys::SWEEPER_RUN));
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| TableError::from_sdk(OPERATION, &e))
    }

    /// The last run; none before the first one. One consistent GetItem, 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn last_sweep(&self) -> Result<Option<SweeperRun>, TableError> {
        const OPERATION: &str = "last_sweep";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(keys::SWEEPER, keys::SWEEPER_RUN)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        output
            .item
            .map(serde_dynamo::from_item)
            .transpose()
            .map_err(|_| TableError::malformed(OPERATION, "the run has another shape"))
    }
}
