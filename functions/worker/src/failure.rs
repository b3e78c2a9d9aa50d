//! What a failure does: with the claim, with the record, and for the customer.

use clivy::conversation::backoff::{
    MAX_DELAY_SECONDS, delay_seconds, fraction, full_jitter_seconds,
};
use clivy::conversation::ids::EpochMs;
use clivy::error::Class;
use clivy::llm::{self, LlmError};
use clivy::queue::QueueError;
use clivy::step;
use clivy::table::{Release, Released, TableError, Why};

use crate::answer::fallback;
use crate::ask::Tried;
use crate::batch::End;
use crate::record::{Held, Job};

/// How soon a record comes again after trouble with the table or the queue.
const TROUBLE_SECONDS: u32 = 5;
/// How soon a fenced-out trigger looks again.
const LOOK_AGAIN_SECONDS: u32 = 2;

/// Trouble of our own, outside a turn's rules: the record comes again and ends as a dead letter if it
/// does not pass (I10).
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The trigger's bot does not exist.
    #[error("the trigger's bot does not exist")]
    UnknownBot,
}

impl Trouble {
    /// Logs it once, here where it is handled, and lets the record come again.
    pub fn end(&self, job: &Job<'_>) -> End {
        tracing::error!(
            step = "trouble",
            conversation = job.conversation(),
            receives = job.receives,
            error = %self,
            "a record could not be finished"
        );
        End::Again {
            seconds: full_jitter_seconds(TROUBLE_SECONDS, job.receives, &job.owner.0),
        }
    }
}

/// How long the last call before the fallback text may take at least.
pub const LAST_ASK_MS: i64 = 20_000;

/// When the customer gets the fallback text, if there is no answer by then.
pub fn outcome_at(job: &Job<'_>, held: &Held) -> EpochMs {
    let now = job.worker.clock.now();
    held.head
        .waits_since(now)
        .unwrap_or(now)
        .plus_ms(job.worker.rules.outcome_deadline_ms)
}

/// Whether a burst has waited as long as it may.
pub fn is_overdue(job: &Job<'_>, held: &Held) -> bool {
    job.worker.clock.now() >= outcome_at(job, held)
}

/// A try that came to no answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the next step is.
    pub class: Class,
    /// What went wrong, for logs.
    pub why: String,
    /// When the other side says to come again, in seconds.
    pub retry_after_seconds: Option<u32>,
}

impl Failure {
    /// A model gave no answer.
    pub fn of_llm(error: &LlmError, now: EpochMs) -> Self {
        Self {
            class: match error.class {
                llm::Class::Retry => Class::Retry,
                llm::Class::Wait => Class::Wait,
                // Nothing is left that could be reduced.
                llm::Class::Reduce | llm::Class::Permanent => Class::Permanent,
            },
            why: error.kind.as_str().to_owned(),
            retry_after_seconds: error
                .wait(now)
                .map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)),
        }
    }

    /// The table could not be read.
    pub fn of_table(error: &TableError) -> Self {
        Self {
            class: error.class(),
            why: error.to_string(),
            retry_after_seconds: None,
        }
    }

    /// Every model of the ladder is parked for the day.
    pub fn nobody_to_ask() -> Self {
        Self {
            class: Class::Permanent,
            why: "every model of the ladder is parked".to_owned(),
            retry_after_seconds: None,
        }
    }

    /// Whether another try promises more than after the other failure: one that may work soon beats one that has to
    /// wait, and that beats one that is final.
    pub fn is_more_hopeful_than(&self, other: &Self) -> bool {
        let rank = |failure: &Self| match failure.class {
            Class::Permanent => 0,
            Class::Wait => 1,
            Class::Retry => 2,
        };
        rank(self) > rank(other)
    }
}

/// A try came to no answer: another one later, or the fallback text now. Nobody is kept waiting for a try that could only
/// begin when the fallback text is due.
pub async fn failed(
    job: &Job<'_>,
    held: &Held,
    failure: &Failure,
    tried: Tried,
) -> Result<End, Trouble> {
    let rules = &job.worker.rules;
    let wait_seconds = failure
        .retry_after_seconds
        // A reset that has passed and changed nothing says nothing about the next one.
        .filter(|seconds| *seconds > 0)
        .unwrap_or_else(|| match failure.class {
            Class::Wait => rules.ai_retry_seconds,
            Class::Retry | Class::Permanent => backoff_seconds(job, held.head.tries),
        })
        .clamp(1, MAX_DELAY_SECONDS);
    let until = job
        .worker
        .clock
        .now()
        .plus_ms(i64::from(wait_seconds) * 1000);
    let is_in_time = until < outcome_at(job, held);
    match failure.class {
        Class::Wait if is_in_time => wait(job, held, until, &failure.why, tried).await,
        Class::Retry if is_in_time && held.head.tries < rules.ai_max_attempts => {
            retry(job, held, until, wait_seconds, &tried).await
        }
        _ => {
            step!(warn, "gave_up", held.log, { error = failure.why, }, "no further try is made");
            fallback(job, held, tried).await
        }
    }
}

/// The claim is released with its try counted, and the record itself comes again: it is the burst's trigger.
async fn retry(
    job: &Job<'_>,
    held: &Held,
    retry_at: EpochMs,
    seconds: u32,
    tried: &Tried,
) -> Result<End, Trouble> {
    match release(job, held, retry_at, Why::Failed(&tried.attempts), tried).await? {
        Released::Done => again(job, seconds).await,
        Released::FencedOut => fenced_out(job, held, tried).await,
    }
}

/// Something outside must happen first: the trigger is sent again, then the claim is released without having cost a try
/// or a receive. When that can only be too late, the customer gets the fallback text now.
pub async fn wait(
    job: &Job<'_>,
    held: &Held,
    until: EpochMs,
    why: &str,
    tried: Tried,
) -> Result<End, Trouble> {
    if until >= outcome_at(job, held) {
        return fallback(job, held, tried).await;
    }
    come_back(job, held, until, why, Why::Waiting, &tried).await
}

/// The customer is held back, by a limit or by a person: as above, but the time does not count as ours.
pub async fn hold(
    job: &Job<'_>,
    held: &Held,
    until: EpochMs,
    why: &str,
    tried: &Tried,
) -> Result<End, Trouble> {
    come_back(job, held, until, why, Why::Held, tried).await
}

async fn come_back(
    job: &Job<'_>,
    held: &Held,
    until: EpochMs,
    reason: &str,
    why: Why<'_>,
    tried: &Tried,
) -> Result<End, Trouble> {
    let now = job.worker.clock.now();
    let jitter_ms = (fraction(&job.owner.0) * 3_000.0) as i64;
    let delay_ms = until.since_ms(now).saturating_add(jitter_ms);
    // I3: re-arm, then release.
    job.rearm(delay_seconds(delay_ms), reason).await?;
    if release(job, held, until, why, tried).await? == Released::FencedOut {
        count_lost(job, held, tried).await;
    }
    Ok(End::Done)
}

async fn release(
    job: &Job<'_>,
    held: &Held,
    retry_at: EpochMs,
    why: Why<'_>,
    tried: &Tried,
) -> Result<Released, Trouble> {
    let id = &job.trigger.conversation;
    let release = Release {
        retry_at,
        spent: held.head.spent.plus(tried.spent),
        why,
    };
    let now = job.worker.clock.now();
    let released = job
        .worker
        .table
        .release(id, held.head.burst(), &held.claim, &release, now)
        .await?;
    if released == Released::Done {
        step!(info, "released", held.log, {}, "released the claim");
    }
    Ok(released)
}

/// Somebody else has the conversation: look again shortly, because the own message may still be owed an
/// answer (I3). What was spent is counted here: the other one's commit knows nothing of it.
pub async fn fenced_out(job: &Job<'_>, held: &Held, tried: &Tried) -> Result<End, Trouble> {
    step!(
        warn,
        "fenced_out",
        held.log,
        {},
        "the claim is somebody else's by now"
    );
    job.rearm(LOOK_AGAIN_SECONDS, "FencedOut").await?;
    count_lost(job, held, tried).await;
    Ok(End::Done)
}

/// Calls of a claim that is somebody else's by now.
async fn count_lost(job: &Job<'_>, held: &Held, tried: &Tried) {
    if tried.spent.calls == 0 {
        return;
    }
    let id = &job.trigger.conversation;
    let now = job.worker.clock.now();
    let counted = job
        .worker
        .table
        .count_lost(id, held.claim.fence, &tried.spent, now);
    if let Err(error) = counted.await {
        step!(
            error,
            "not_counted",
            held.log,
            { error = %error, cost_usd = tried.spent.cost_usd, },
            "calls are missing from the ledger"
        );
    }
}

/// Keeps a claim with a draft for `seconds` more and no longer: whichever trigger comes then sends it again, and
/// none does before.
pub async fn hand_back(job: &Job<'_>, held: &Held, seconds: u32, sends_given_back: u32) {
    let id = &job.trigger.conversation;
    let until = job
        .worker
        .clock
        .now()
        .plus_ms(i64::from(seconds) * 1000 - 1);
    let fence = held.claim.fence;
    let handed_back = job
        .worker
        .table
        .hand_back(id, fence, until, sends_given_back);
    // If it does not work, the lease runs out by itself.
    if let Err(error) = handed_back.await {
        step!(warn, "not_handed_back", held.log, { error = %error, }, "the lease must run out");
    }
}

/// The record comes again after `seconds`. A record that is close to the dead letters is replaced by a
/// fresh trigger instead: the turn's own rules say when it ends, not the queue's (I3).
pub async fn again(job: &Job<'_>, seconds: u32) -> Result<End, Trouble> {
    if job.receives.saturating_add(1) >= job.worker.rules.queue_max_receive_count {
        job.rearm(seconds, "ReceivesUsedUp").await?;
        return Ok(End::Done);
    }
    Ok(End::Again { seconds })
}

/// How long to wait before the next try.
pub fn backoff_seconds(job: &Job<'_>, tries: u32) -> u32 {
    full_jitter_seconds(job.worker.rules.ai_retry_seconds, tries, &job.owner.0)
}
