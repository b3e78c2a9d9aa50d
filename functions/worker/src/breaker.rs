//! The worker's side of the breaker: whether the model may be asked, and what its answer says about the provider.

use std::sync::{Mutex, PoisonError};

use clivy::breaker::{Breaker, Gate, Limits};
use clivy::conversation::ids::{EpochMs, Owner};
use clivy::table::{Probe, Table, TableError};

/// The provider whose breaker this is.
pub const OPENROUTER: &str = "openrouter";
/// How long an instance uses what it has read.
const KEEP_MS: i64 = 2_000;

/// The breaker as one instance sees it.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Option<(EpochMs, Breaker)>>);

/// Leave to ask the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Ask.
    Given {
        /// The breaker as it was: a success need not mend a healthy one.
        breaker: Breaker,
        /// Whether this call is the probe.
        probe: bool,
    },
    /// Ask for leave again then.
    NotBefore(EpochMs),
}

/// How a call of the provider went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answered: with text, or with a refusal that is not its fault.
    Works,
    /// It failed.
    Fails,
}

impl Seen {
    async fn get(&self, table: &Table, now: EpochMs) -> Result<Breaker, TableError> {
        let kept = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read_at, breaker)) = kept
            && (0..KEEP_MS).contains(&now.since_ms(read_at))
        {
            return Ok(breaker);
        }
        let breaker = table.breaker(OPENROUTER).await?;
        self.keep(breaker, now);
        Ok(breaker)
    }

    fn keep(&self, breaker: Breaker, now: EpochMs) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, breaker));
    }

    /// Asks for leave. A half-open breaker gives it to one caller, until `probe_until` (I7).
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn leave(
        &self,
        table: &Table,
        owner: &Owner,
        probe_until: EpochMs,
        now: EpochMs,
    ) -> Result<Leave, TableError> {
        /// When to look again at a probe that somebody else makes.
        const LOOK_AGAIN_MS: i64 = 5_000;
        let breaker = self.get(table, now).await?;
        Ok(match breaker.gate(now) {
            Gate::Closed => Leave::Given {
                breaker,
                probe: false,
            },
            Gate::Open { until } => Leave::NotBefore(until.min(now.plus_ms(60_000))),
            Gate::HalfOpen => {
                match table
                    .breaker_probe(OPENROUTER, owner, probe_until, now)
                    .await?
                {
                    Probe::Ours => Leave::Given {
                        breaker,
                        probe: true,
                    },
                    Probe::Taken => Leave::NotBefore(now.plus_ms(LOOK_AGAIN_MS)),
                }
            }
        })
    }

    /// Tells the breaker how the call went. A healthy provider costs no write.
    ///
    /// # Errors
    /// The table cannot be reached: the next call tells it.
    pub async fn tell(
        &self,
        table: &Table,
        owner: &Owner,
        leave: (Breaker, bool),
        verdict: Verdict,
        limits: Limits,
        now: EpochMs,
    ) -> Result<(), TableError> {
        let (breaker, probe) = leave;
        match (verdict, probe) {
            (Verdict::Works, _) if breaker.is_healthy() => return Ok(()),
            (Verdict::Works, _) => {
                table.breaker_close(OPENROUTER).await?;
                tracing::info!(
                    step = "breaker_closed",
                    provider = OPENROUTER,
                    "the provider works"
                );
                self.keep(Breaker::default(), now);
            }
            (Verdict::Fails, true) => {
                let open_until = now.plus_ms(limits.cooldown_ms);
                table.breaker_reopen(OPENROUTER, owner, open_until).await?;
                tracing::warn!(
                    step = "breaker_open",
                    provider = OPENROUTER,
                    "the probe failed"
                );
                let breaker = Breaker {
                    open_until: Some(open_until),
                    probe_until: None,
                    ..breaker
                };
                self.keep(breaker, now);
            }
            (Verdict::Fails, false) => {
                let breaker = table.breaker_failure(OPENROUTER, limits, now).await?;
                if breaker.open_until.is_some() {
                    tracing::warn!(
                        step = "breaker_open",
                        provider = OPENROUTER,
                        failures = breaker.failures,
                        "the breaker is open"
                    );
                }
                self.keep(breaker, now);
            }
        }
        Ok(())
    }
}
