//! What an operator wants to know at a glance. Everything here is of the installation and the same for all owners: no bot,
//! no conversation, no contact (I12). Nothing here is paid for: how the model is, is what the worker has seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use clivy::breaker::Provider as Seen;
use clivy::conversation::ids::EpochMs;
use clivy::credits::{Concern, Told};
use clivy::llm::Provider;
use clivy::queue::Depth;
use clivy::table::{CreditsRun, LastOutcome, SweeperRun};
use serde::Serialize;
use utoipa::ToSchema;

use super::check::{Part, timed};
use super::judge::{self, Reason};
use super::{VERSION, Word};
use crate::Inbox;
use crate::auth::Caller;
use crate::extract::Json;
use crate::problem::Problem;
use crate::time::Time;

/// How far back a run of the credits is looked for, in milliseconds: they are hourly, and one may be missed.
const CREDITS_HISTORY_MS: i64 = 25 * 3_600_000;

/// Everything that is known about how the installation is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Detailed {
    /// `ok` or `degraded`. Whether messages are accepted at all is `/health/ready`'s word.
    pub status: Word,
    /// Why it is degraded.
    pub reasons: Vec<Reason>,
    /// The version of the code.
    pub version: &'static str,
    /// When this was.
    pub at: Time,
    /// The queue of triggers.
    pub queue: Part<QueueDepth>,
    /// Records that were received too often, and parked turns.
    pub dead_letters: Part<QueueDepth>,
    /// Customers who wait for an answer.
    pub owed: Part<Owed>,
    /// The providers of models, as the worker has seen them.
    pub providers: Vec<ProviderHealth>,
    /// The last hourly run of the credits.
    pub credits: Part<Credits>,
    /// The last run of the sweeper; null before the first one.
    pub sweeper: Part<Sweeper>,
}

/// How much is in a queue, about.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct QueueDepth {
    /// Waiting to be received.
    pub visible: u64,
    /// Received, and not yet done.
    pub in_flight: u64,
    /// Sent with a delay that has not passed.
    pub delayed: u64,
}

/// Customers who wait for an answer.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct Owed {
    /// Since how many seconds the oldest unanswered message waits, those of paused conversations included; null when none
    /// does. It stands for the age of the queue, which SQS does not tell: a trigger that is sent again is a new message.
    #[schema(minimum = 0)]
    pub oldest_seconds: Option<i64>,
}

/// A provider of models.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ProviderHealth {
    /// `openrouter`, or `second`, the one below it.
    pub name: &'static str,
    /// Its breaker, under the installation's key.
    pub breaker: Part<Breaker>,
    /// How the last call under the installation's key went, as kept once a minute; null before the first one.
    pub last_outcome: Part<Outcome>,
}

/// A breaker.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Breaker {
    /// `closed`, `half open` or `open`.
    pub state: &'static str,
    /// Failures in a row.
    pub failures: u32,
    /// Until when no call is made.
    pub open_until: Option<Time>,
    /// The class of the error that has opened it.
    pub reason: Option<String>,
}

/// A call to a model.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Outcome {
    /// When it ended.
    pub at: Time,
    /// The model asked, or that answered.
    pub model: String,
    /// `ok`, or the class of the error.
    pub class: String,
}

/// What the account may still spend.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Credits {
    /// When the last run that could read something was done; null when there was none for a day.
    pub read_at: Option<Time>,
    /// What was left, in USD; null when nothing tells.
    pub remaining_usd: Option<f64>,
    /// The level that was told last of each concern: `key`, `balance`, `usage`, `runway`.
    pub levels: BTreeMap<&'static str, String>,
}

/// A run of the sweeper.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct Sweeper {
    /// When it ended.
    pub at: Time,
    /// Conversations that only the sweeper has brought on again.
    pub hits: u64,
    /// Customers who have got neither an answer nor the fallback text in time.
    pub turns_without_outcome: u64,
    /// Conversations that it could not read or trigger.
    pub failed: u64,
    /// How long the customer waited who had waited longest, in seconds, without paused conversations and rate limits.
    #[schema(minimum = 0)]
    pub oldest_owed_seconds: i64,
    /// Whether it got to the end.
    pub complete: bool,
}

/// Everything that is known about how the installation is: parts that cannot be asked say so, each by itself.
#[utoipa::path(get, path = "/health/detailed", tag = "health", responses(
    (status = 200, description = "`ok`, or `degraded` with the reasons.", body = Detailed),
    (status = 401, description = "No key, or none that is valid.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The key cannot be checked: the table does not answer.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn detailed(
    State(inbox): State<Arc<Inbox>>,
    _any_role: Caller,
) -> ([(axum::http::HeaderName, &'static str); 1], Json<Detailed>) {
    let inbox = &*inbox;
    let now = inbox.clock.now();
    let (queue, dead_letters, owed, openrouter, second, credits, sweeper) = futures_util::join!(
        timed(inbox, "queue", inbox.queue.depth()),
        timed(
            inbox,
            "dead_letters",
            inbox.queue.depth_of(&inbox.settings.dlq_url)
        ),
        timed(inbox, "owed", inbox.table.oldest_owed_of_all(EpochMs(0))),
        provider(inbox, Provider::OpenRouter),
        provider(inbox, Provider::Second),
        credits(inbox, now),
        timed(inbox, "sweeper", inbox.table.last_sweep()),
    );
    let mut detailed = Detailed {
        status: Word::Ok,
        reasons: Vec::new(),
        version: VERSION,
        at: Time(now),
        queue: queue.map(QueueDepth::of),
        dead_letters: dead_letters.map(QueueDepth::of),
        owed: owed.map(|since| Owed {
            oldest_seconds: since.map(|since| now.since_ms(since).max(0) / 1000),
        }),
        providers: vec![openrouter, second],
        credits,
        sweeper: sweeper.flattened().map(Sweeper::of),
    };
    detailed.reasons = judge::reasons(&detailed, now);
    if !detailed.reasons.is_empty() {
        detailed.status = Word::Degraded;
    }
    (
        [(axum::http::header::CACHE_CONTROL, "no-store")],
        Json(detailed),
    )
}

async fn provider(inbox: &Inbox, provider: Provider) -> ProviderHealth {
    let name = provider.as_str();
    let (breaker, last_outcome) = futures_util::join!(
        timed(inbox, "breaker", inbox.table.provider(name)),
        timed(inbox, "last_outcome", inbox.table.last_outcome(name)),
    );
    let now = inbox.clock.now();
    ProviderHealth {
        name,
        breaker: breaker.map(|seen| Breaker::of(seen, now)),
        last_outcome: last_outcome.flattened().map(Outcome::of),
    }
}

async fn credits(inbox: &Inbox, now: EpochMs) -> Part<Credits> {
    let from = now.plus_ms(-CREDITS_HISTORY_MS);
    let asked = async {
        futures_util::try_join!(
            inbox.table.credits_runs(from, now),
            inbox.table.credits_told(),
        )
    };
    let asked = timed(inbox, "credits", asked).await;
    asked.map(|(runs, told)| Credits::of(runs, &told))
}

impl QueueDepth {
    fn of(depth: Depth) -> Self {
        Self {
            visible: depth.visible,
            in_flight: depth.in_flight,
            delayed: depth.delayed,
        }
    }
}

impl Breaker {
    fn of(seen: Seen, now: EpochMs) -> Self {
        Self {
            state: seen.breaker.stands(now).as_str(),
            failures: seen.breaker.failures,
            open_until: seen.breaker.open_until.map(Time),
            reason: seen.reason,
        }
    }
}

impl Outcome {
    fn of(outcome: LastOutcome) -> Self {
        Self {
            at: Time(outcome.at),
            model: outcome.model,
            class: outcome.class,
        }
    }
}

impl Credits {
    fn of(runs: Vec<CreditsRun>, told: &Told) -> Self {
        let newest = runs
            .into_iter()
            .rev()
            .find_map(|run| Some((run.done_at?, run.figures?)));
        let word = |concern: &Concern| {
            let state = told.get(concern)?.state?;
            Some((concern.word(), state.word()))
        };
        Self {
            read_at: newest.as_ref().map(|(done_at, _)| Time(*done_at)),
            remaining_usd: newest.and_then(|(_, figures)| figures.remaining_usd()),
            levels: Concern::ALL.iter().filter_map(word).collect(),
        }
    }
}

impl Sweeper {
    fn of(run: SweeperRun) -> Self {
        Self {
            at: Time(run.at),
            hits: run.hits,
            turns_without_outcome: run.turns_without_outcome,
            failed: run.failed,
            oldest_owed_seconds: run.oldest_owed_ms.max(0) / 1000,
            complete: run.complete,
        }
    }
}
