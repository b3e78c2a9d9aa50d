//! What makes the installation degraded.

use clivy::conversation::ids::EpochMs;
use serde::Serialize;
use utoipa::ToSchema;

use super::detailed::Detailed;

/// The sweeper runs every minute; after so long it does not, or its runs fail.
const SWEEPER_LATE_MS: i64 = 5 * 60_000;
/// Levels of a concern of the credits with which answers stop, or will soon.
const BAD_CREDITS: [(&str, &str); 3] = [
    ("balance", "critical"),
    ("balance", "empty"),
    ("key", "refused"),
];

/// Why it is degraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// A part could not be asked; its own error says why.
    PartFailed,
    /// Dead letters wait for somebody to look at them.
    DeadLetters,
    /// No call is made to a provider.
    BreakerOpen,
    /// The account is nearly or quite empty, or its key is refused.
    CreditsCritical,
    /// The sweeper has not ended a run for five minutes.
    SweeperLate,
    /// Customers have got neither an answer nor the fallback text before the outcome deadline, and nobody has paused them.
    AnswersOverdue,
}

/// All reasons that there are, each once.
pub(super) fn reasons(detailed: &Detailed, now: EpochMs) -> Vec<Reason> {
    let depth = |depth: &super::detailed::QueueDepth| depth.visible + depth.in_flight;
    let has_dead_letters = detailed
        .dead_letters
        .value
        .as_ref()
        .is_some_and(|d| depth(d) > 0);
    let is_breaker_open = detailed
        .providers
        .iter()
        .filter_map(|provider| provider.breaker.value.as_ref())
        .any(|breaker| breaker.state == clivy::breaker::State::Open.as_str());
    let is_bad = |(concern, level): &(&str, &str)| {
        let credits = detailed.credits.value.as_ref();
        credits
            .and_then(|credits| credits.levels.get(concern))
            .is_some_and(|told| told == level)
    };
    let run = detailed.sweeper.value.as_ref();
    let is_late = detailed.sweeper.error.is_none()
        && run.is_none_or(|run| now.since_ms(run.at.0) > SWEEPER_LATE_MS);
    let is_overdue = run.is_some_and(|run| run.turns_without_outcome > 0);
    [
        (has_failed(detailed), Reason::PartFailed),
        (has_dead_letters, Reason::DeadLetters),
        (is_breaker_open, Reason::BreakerOpen),
        (BAD_CREDITS.iter().any(is_bad), Reason::CreditsCritical),
        (is_late, Reason::SweeperLate),
        (is_overdue, Reason::AnswersOverdue),
    ]
    .into_iter()
    .filter_map(|(is_so, reason)| is_so.then_some(reason))
    .collect()
}

fn has_failed(detailed: &Detailed) -> bool {
    let providers = detailed
        .providers
        .iter()
        .flat_map(|provider| [provider.breaker.error, provider.last_outcome.error]);
    [
        detailed.queue.error,
        detailed.dead_letters.error,
        detailed.owed.error,
        detailed.credits.error,
        detailed.sweeper.error,
    ]
    .into_iter()
    .chain(providers)
    .any(|error| error.is_some())
}
