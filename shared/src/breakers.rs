//! The breakers as one instance sees them, one per provider and key: whether a provider may be asked, and what its answer
//! says about it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::breaker::{Breaker, Gate, Limits, Provider};
use crate::conversation::ids::{EpochMs, Owner};
use crate::llm::{ErrorKind, Weight};
use crate::table::{Failure, Probe, Table, TableError};

/// How long an instance uses what it has read.
const KEEP_MS: i64 = 2_000;
/// When to look again at a probe that somebody else makes.
const LOOK_AGAIN_MS: i64 = 5_000;
/// The longest anybody waits before looking again: the account may have been filled in the meantime.
const LONGEST_WAIT_MS: i64 = 60_000;

/// When to ask again, at the latest; none when it may be asked, or probed, now.
fn look_again(gate: Gate, now: EpochMs) -> Option<EpochMs> {
    let (until, longest_ms) = match gate {
        Gate::Closed | Gate::HalfOpen => return None,
        Gate::Open { until } => (until, LONGEST_WAIT_MS),
        // Most probes end long before their invocation would.
        Gate::Probed { until } => (until, LOOK_AGAIN_MS),
    };
    Some(until.min(now.plus_ms(longest_ms)))
}

/// The providers as one instance sees them, by the name of their item.
#[derive(Debug, Default)]
pub struct Breakers(Mutex<BTreeMap<String, (EpochMs, Provider)>>);

/// Leave to ask a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Ask, then [`Breakers::tell`] how it went.
    Given(Given),
    /// Ask for leave again then.
    NotBefore(EpochMs),
}

/// Leave that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    name: String,
    owner: Owner,
    /// The breaker as it was: a success need not mend a healthy one.
    breaker: Breaker,
    /// Whether this call is the probe.
    is_probe: bool,
}

impl Breakers {
    /// What is known of a provider, at most [`KEEP_MS`] old.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn get(
        &self,
        table: &Table,
        name: &str,
        now: EpochMs,
    ) -> Result<Provider, TableError> {
        let kept = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        if let Some((read_at, provider)) = kept
            && (0..KEEP_MS).contains(&now.since_ms(read_at))
        {
            return Ok(provider);
        }
        let provider = table.provider(name).await?;
        self.keep(name, provider.clone(), now);
        Ok(provider)
    }

    fn keep(&self, name: &str, provider: Provider, now: EpochMs) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), (now, provider));
    }

    fn forget(&self, name: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
    }

    /// Until when a provider is certainly not to be asked; none when it is worth asking for leave.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn shut_until(
        &self,
        table: &Table,
        name: &str,
        now: EpochMs,
    ) -> Result<Option<EpochMs>, TableError> {
        let breaker = self.get(table, name, now).await?.breaker;
        Ok(look_again(breaker.gate(now), now))
    }

    /// Asks for leave. A half-open breaker gives it to one caller, until `probe_until` (I7).
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn leave(
        &self,
        table: &Table,
        name: &str,
        owner: &Owner,
        probe_until: EpochMs,
        now: EpochMs,
    ) -> Result<Leave, TableError> {
        let breaker = self.get(table, name, now).await?.breaker;
        let given = |is_probe| {
            Leave::Given(Given {
                name: name.to_owned(),
                owner: owner.clone(),
                breaker,
                is_probe,
            })
        };
        let gate = breaker.gate(now);
        if let Some(until) = look_again(gate, now) {
            return Ok(Leave::NotBefore(until));
        }
        if gate == Gate::Closed {
            return Ok(given(false));
        }
        Ok(
            match table.breaker_probe(name, owner, probe_until, now).await? {
                Probe::Ours => given(true),
                Probe::Taken => Leave::NotBefore(now.plus_ms(LOOK_AGAIN_MS)),
            },
        )
    }

    /// Tells the breaker how the call went: `failed` is none when the provider answered. A healthy provider costs no
    /// write. What weighs nothing says nothing about the provider, for good or ill: the failures in a row before it stay
    /// counted (I7). Only for a probe it is an answer: somebody is there. True when this has opened it.
    ///
    /// # Errors
    /// The table cannot be reached: the next call tells it.
    pub async fn tell(
        &self,
        table: &Table,
        given: &Given,
        failed: Option<ErrorKind>,
        limits: Limits,
        now: EpochMs,
    ) -> Result<bool, TableError> {
        let name = given.name.as_str();
        let weighing = failed.and_then(|kind| match kind.breaker_weight() {
            Weight::None => None,
            Weight::One => Some((kind, 1)),
            Weight::All => Some((kind, limits.max_failures)),
        });
        let Some((kind, weight)) = weighing else {
            if given.breaker.is_healthy() || (failed.is_some() && !given.is_probe) {
                return Ok(false);
            }
            table.breaker_close(name).await?;
            self.forget(name);
            tracing::info!(
                step = "breaker_closed",
                provider = name,
                "the provider works"
            );
            return Ok(false);
        };
        if given.is_probe {
            let open_until = now.plus_ms(limits.cooldown_ms);
            table
                .breaker_reopen(name, &given.owner, open_until, kind.as_str())
                .await?;
            self.forget(name);
            tracing::warn!(
                step = "breaker_open",
                provider = name,
                reason = kind.as_str(),
                "the probe failed"
            );
            return Ok(false);
        }
        let failure = Failure {
            weight,
            reason: kind.as_str(),
        };
        let (provider, opened) = table.breaker_failure(name, failure, limits, now).await?;
        if opened {
            tracing::warn!(
                step = "breaker_open",
                provider = name,
                reason = kind.as_str(),
                failures = provider.breaker.failures,
                "the breaker is open"
            );
        }
        self.keep(name, provider, now);
        Ok(opened)
    }

    /// Tells the breaker how a call went that a person has made to try a bot, and no customer waits for. An answer mends it
    /// as any other does. A failure counts only where it was the probe: somebody who tries a slow or broken model five
    /// times must not silence the bot, and customers' calls find out by themselves.
    ///
    /// # Errors
    /// The table cannot be reached: a probe is over by itself.
    pub async fn tell_of_trial(
        &self,
        table: &Table,
        given: &Given,
        failed: Option<ErrorKind>,
        cooldown_ms: i64,
        now: EpochMs,
    ) -> Result<(), TableError> {
        let speaks_against = failed.is_some_and(|kind| kind.breaker_weight() != Weight::None);
        if speaks_against && !given.is_probe {
            return Ok(());
        }
        // How many failures open it does not matter to a probe.
        let limits = Limits {
            max_failures: 1,
            cooldown_ms,
        };
        self.tell(table, given, failed, limits, now)
            .await
            .map(|_| ())
    }

    /// Parks a model until then, for all instances.
    ///
    /// # Errors
    /// The table cannot be reached: the next refusal parks it.
    pub async fn park(
        &self,
        table: &Table,
        name: &str,
        model: &str,
        until: EpochMs,
    ) -> Result<(), TableError> {
        table.park_model(name, model, until).await?;
        self.forget(name);
        tracing::warn!(
            step = "model_parked",
            provider = name,
            model,
            until_ms = until.0,
            "the model is of no use for the day"
        );
        Ok(())
    }
}
