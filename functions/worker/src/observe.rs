//! What the worker tells about itself: metrics of calls and turns, and how the last call to each provider went.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clivy::conversation::head::Draft;
use clivy::conversation::ids::EpochMs;
use clivy::conversation::outcome::TurnStatus;
use clivy::llm::{Called, Provider};
use clivy::metrics::{CallMade, PayingKey, TurnEnded};
use clivy::table::{LastOutcome, TableError};

use crate::Worker;
use crate::record::{Held, Job};

/// How often an instance writes down how a provider's last call went.
const KEEP_EVERY_MS: i64 = 60_000;
/// How long that may take, after everything else of a record is done.
const KEEP_PATIENCE: Duration = Duration::from_secs(1);

/// A call to a model has ended. Only the installation's keys tell about a provider's health: a bot's own key may be bad
/// while everybody else's works.
pub fn call(job: &Job<'_>, held: &Held, call: &Called<'_>) {
    let now = job.worker.clock.now();
    let (name, began_at) = (call.rung.provider.as_str(), now.plus_ms(-call.latency_ms));
    job.trace.called(name, began_at, now, call.asked.is_ok());
    let made = CallMade::of(call, &held.bot, &held.log.turn);
    job.worker.metrics.emit(now, &made);
    if made.paid_by == PayingKey::Shared {
        let outcome = LastOutcome {
            at: now,
            model: made.model.to_owned(),
            class: made.status.to_owned(),
        };
        job.worker.outcomes.note(made.provider, outcome);
    }
}

/// A turn was committed at `now`; its reply, if it has one, was out at `sent_at`. Said once a turn, unless the worker dies
/// between the commit and this.
pub fn turn(job: &Job<'_>, held: &Held, draft: &Draft, sent_at: EpochMs, now: EpochMs) {
    let outcome = &draft.outcome;
    let was_asked = outcome.status == TurnStatus::Answered && outcome.tokens_saved.is_none();
    let ended = TurnEnded {
        bot_id: &held.bot.bot_id,
        turn: &held.log.turn,
        status: outcome.status,
        model: outcome.model.as_deref(),
        response_ms: draft.is_said().then(|| sent_at.since_ms(held.claim.since)),
        is_first_of_hour: held.head.ended_at.map(EpochMs::hour) != Some(now.hour()),
        is_free_answer: was_asked.then_some(outcome.is_free),
    };
    job.worker.metrics.emit(now, &ended);
}

/// How the last call to each provider went, as this instance knows it.
#[derive(Debug, Default)]
pub struct Outcomes(Mutex<BTreeMap<&'static str, Noted>>);

#[derive(Debug)]
struct Noted {
    outcome: LastOutcome,
    is_kept: bool,
    kept_at: Option<EpochMs>,
}

impl Outcomes {
    /// Remembers it until it is due to be kept.
    fn note(&self, provider: Provider, outcome: LastOutcome) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept_at = all.get(provider.as_str()).and_then(|noted| noted.kept_at);
        let noted = Noted {
            outcome,
            is_kept: false,
            kept_at,
        };
        all.insert(provider.as_str(), noted);
    }

    /// What is to be kept now: at most one outcome a provider and minute, counted when it is given out, so that records
    /// side by side keep it once.
    fn due(&self, now: EpochMs) -> Vec<(&'static str, LastOutcome)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |noted: &Noted| {
            let is_early = noted
                .kept_at
                .is_some_and(|kept_at| now.since_ms(kept_at) < KEEP_EVERY_MS);
            !noted.is_kept && !is_early
        };
        all.iter_mut()
            .filter(|(_, noted)| is_due(noted))
            .map(|(provider, noted)| {
                noted.is_kept = true;
                noted.kept_at = Some(now);
                (*provider, noted.outcome.clone())
            })
            .collect()
    }
}

/// Keeps what is due. Best effort, when a record has ended: it must not cost a customer anything. Dying here leaves the
/// outcome before, and its time tells how old that is.
pub async fn keep_outcomes(worker: &Worker) {
    let keep = async {
        for (provider, outcome) in worker.outcomes.due(worker.clock.now()) {
            worker.table.keep_outcome(provider, &outcome).await?;
        }
        Ok::<_, TableError>(())
    };
    let trouble = match tokio::time::timeout(KEEP_PATIENCE, keep).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "timed out".to_owned(),
    };
    tracing::warn!(
        step = "outcome_not_kept",
        error = trouble,
        "the health route shows an older outcome"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> LastOutcome {
        LastOutcome {
            at: EpochMs(ms),
            model: "a/b".to_owned(),
            class: "ok".to_owned(),
        }
    }

    #[test]
    fn an_outcome_is_kept_once_and_the_next_one_a_minute_later() {
        let outcomes = Outcomes::default();
        assert_eq!(outcomes.due(EpochMs(0)), vec![]);
        outcomes.note(Provider::OpenRouter, at(1));
        outcomes.note(Provider::OpenRouter, at(2));
        assert_eq!(outcomes.due(EpochMs(5)), vec![("openrouter", at(2))]);
        assert_eq!(outcomes.due(EpochMs(600_000)), vec![], "nothing is new");
        outcomes.note(Provider::OpenRouter, at(600_001));
        assert_eq!(outcomes.due(EpochMs(600_001)).len(), 1);
        outcomes.note(Provider::OpenRouter, at(600_002));
        assert_eq!(outcomes.due(EpochMs(660_000)), vec![], "not a minute later");
        assert_eq!(
            outcomes.due(EpochMs(660_001)),
            vec![("openrouter", at(600_002))]
        );
    }

    #[test]
    fn one_provider_does_not_hold_up_the_other() {
        let outcomes = Outcomes::default();
        outcomes.note(Provider::OpenRouter, at(1));
        assert_eq!(outcomes.due(EpochMs(1)).len(), 1);
        outcomes.note(Provider::Second, at(2));
        assert_eq!(outcomes.due(EpochMs(2)), vec![("second", at(2))]);
    }
}
