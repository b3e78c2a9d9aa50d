//! Bots, kept for a while per instance.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::conversation::bot::Bot;
use crate::conversation::ids::{BotId, EpochMs};
use crate::table::{Table, TableError};

/// Bots that one instance keeps at most.
const CAPACITY: usize = 1_000;

/// Reads bots from the table and keeps what it has read for a while. Bots that do not exist are asked for
/// every time: the next one may just have been made.
#[derive(Debug)]
pub struct Bots {
    table: Table,
    clock: Arc<dyn Clock>,
    keep_for: Duration,
    kept: Mutex<HashMap<BotId, (EpochMs, Arc<Bot>)>>,
}

impl Bots {
    /// Keeps bots for `keep_for`.
    #[must_use]
    pub fn new(table: Table, clock: Arc<dyn Clock>, keep_for: Duration) -> Self {
        Self {
            table,
            clock,
            keep_for,
            kept: Mutex::default(),
        }
    }

    /// The bot with this id.
    ///
    /// # Errors
    /// The table cannot be reached, or the bot's item is malformed.
    pub async fn get(&self, bot_id: &BotId) -> Result<Option<Arc<Bot>>, TableError> {
        if let Some(bot) = self.fresh(bot_id) {
            return Ok(Some(bot));
        }
        let Some(bot) = self.table.bot(bot_id).await?.map(Arc::new) else {
            return Ok(None);
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= CAPACITY {
            kept.clear();
        }
        kept.insert(bot_id.clone(), (self.clock.now(), Arc::clone(&bot)));
        Ok(Some(bot))
    }

    fn fresh(&self, bot_id: &BotId) -> Option<Arc<Bot>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, bot) = kept.get(bot_id)?;
        let age_ms = u128::try_from(self.clock.now().since_ms(*read_at)).ok()?;
        (age_ms < self.keep_for.as_millis()).then(|| Arc::clone(bot))
    }

    /// The bot whose gateway presents this token.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn of_token(&self, token: &str) -> Result<Option<Arc<Bot>>, TableError> {
        match self.table.bot_of_token(token).await? {
            Some(bot_id) => self.get(&bot_id).await,
            None => Ok(None),
        }
    }
}
