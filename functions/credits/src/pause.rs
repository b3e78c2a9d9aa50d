//! An empty account pauses the calls of its key.

use clivy::conversation::ids::EpochMs;
use clivy::credits::{Assessment, BalanceLevel};
use clivy::llm::{ErrorKind, Provider};
use clivy::table::{Closed, Opened, TableError};

use crate::Credits;

/// The provider whose breaker is meant, as the worker calls it.
pub const OPENROUTER: &str = Provider::OpenRouter.as_str();
/// Why the breaker is open: what the worker says too when a call is refused for it.
pub const NO_CREDITS: &str = ErrorKind::NoCredits.as_str();

impl Credits {
    /// Opens the breaker of a key that has nothing left, and closes it again when there is something. What lies between
    /// two runs heals by the breaker's own probes (I7). A table that fails is logged, not an error: the worker finds out
    /// by itself, one refused call after the other.
    pub(crate) async fn pause(&self, assessment: &Assessment, now: EpochMs) {
        let done = match assessment.balance() {
            Some(BalanceLevel::Empty) => self.open(now).await,
            Some(BalanceLevel::Ok | BalanceLevel::Warning | BalanceLevel::Critical) => {
                self.close().await
            }
            // Nothing is known about it.
            Some(BalanceLevel::Unknown) | None => Ok(()),
        };
        if let Err(error) = done {
            tracing::error!(step = "credits_not_paused", %error, "the breaker could not be told");
        }
    }

    async fn open(&self, now: EpochMs) -> Result<(), TableError> {
        let until = now.plus_ms(self.cooldown_ms);
        let opened = self
            .table
            .breaker_open(OPENROUTER, NO_CREDITS, until, now)
            .await?;
        if opened == Opened::Now {
            tracing::warn!(
                step = "breaker_open",
                provider = OPENROUTER,
                reason = NO_CREDITS,
                "nothing is left to spend; the calls are paused"
            );
        }
        Ok(())
    }

    async fn close(&self) -> Result<(), TableError> {
        let closed = self.table.breaker_close_if(OPENROUTER, NO_CREDITS).await?;
        if closed == Closed::Now {
            tracing::info!(
                step = "breaker_closed",
                provider = OPENROUTER,
                reason = NO_CREDITS,
                "there is something to spend again"
            );
        }
        Ok(())
    }
}
