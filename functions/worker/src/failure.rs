//! What a failure does: with the claim, with the record, and for the customer.

use clivy::conversation::backoff::full_jitter_seconds;
use clivy::conversation::ids::EpochMs;
use clivy::conversation::outcome::Attempt;
use clivy::error::Class;
use clivy::llm::{self, LlmError};
use clivy::queue::QueueError;
use clivy::step;
use clivy::table::{Release, Released, TableError};

use crate::answer::fallback;
use crate::batch::End;
use crate::breaker::Verdict;
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

/// Whether a burst has waited for something outside as long as it may.
pub fn is_overdue(job: &Job<'_>, held: &Held) -> bool {
    let waited_ms = job.worker.clock.now().since_ms(held.claim.since);
    waited_ms >= job.worker.rules.outcome_deadline_ms
}

/// A failed attempt at an answer.
pub struct Failure {
    /// What the next step is.
    pub class: Class,
    /// The record of it.
    pub attempt: Attempt,
    /// When the other side says to come again, in seconds.
    pub retry_after_seconds: Option<u32>,
    /// What it says about the provider.
    pub verdict: Verdict,
}

impl Failure {
    /// The model failed.
    pub fn llm(
        job: &Job<'_>,
        held: &Held,
        started_at: EpochMs,
        model: &str,
        error: &LlmError,
    ) -> Self {
        Self {
            class: match error.class {
                llm::Class::Retry => Class::Retry,
                llm::Class::Wait => Class::Wait,
                // Nothing is left that could be reduced.
                llm::Class::Reduce | llm::Class::Permanent => Class::Permanent,
            },
            verdict: if error.kind.breaker_weight() != llm::Weight::None {
                Verdict::Fails
            } else {
                Verdict::Works
            },
            retry_after_seconds: error
                .wait(job.worker.clock.now())
                .map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)),
            attempt: attempt(
                job,
                held,
                started_at,
                model,
                &format!("{:?}", error.kind),
                &error.to_string(),
            ),
        }
    }

    /// The model answered with nothing that could be sent.
    pub fn empty(job: &Job<'_>, held: &Held, started_at: EpochMs, model: &str) -> Self {
        Self {
            class: Class::Retry,
            verdict: Verdict::Fails,
            retry_after_seconds: None,
            attempt: attempt(
                job,
                held,
                started_at,
                model,
                "Empty",
                "the answer held no text",
            ),
        }
    }

    /// The burst could not be read.
    pub fn table(job: &Job<'_>, held: &Held, error: &TableError) -> Self {
        let now = job.worker.clock.now();
        Self {
            class: error.class(),
            verdict: Verdict::Works,
            retry_after_seconds: None,
            attempt: attempt(job, held, now, "", "Table", &error.to_string()),
        }
    }
}

fn attempt(
    job: &Job<'_>,
    held: &Held,
    started_at: EpochMs,
    model: &str,
    class: &str,
    message: &str,
) -> Attempt {
    Attempt {
        number: held.head.tries,
        started_at,
        ended_at: job.worker.clock.now(),
        model: model.to_owned(),
        class: class.to_owned(),
        message: message.to_owned(),
    }
}

/// An attempt failed: another one later, or the fallback text now.
pub async fn failed(job: &Job<'_>, held: &Held, failure: &Failure) -> Result<End, Trouble> {
    let rules = &job.worker.rules;
    step!(
        warn,
        "llm_failed",
        held.log,
        {
            error_class = failure.attempt.class,
            error = failure.attempt.message,
        },
        "the attempt failed"
    );
    let now = job.worker.clock.now();
    let wait_seconds = failure
        .retry_after_seconds
        .unwrap_or_else(|| backoff_seconds(job, held.head.tries))
        .clamp(1, clivy::conversation::backoff::MAX_DELAY_SECONDS);
    match failure.class {
        Class::Wait if !is_overdue(job, held) => {
            let until = now.plus_ms(i64::from(wait_seconds) * 1000);
            wait(job, held, until, &failure.attempt.class).await
        }
        Class::Retry if held.head.tries < rules.ai_max_attempts => {
            retry(job, held, &failure.attempt, wait_seconds).await
        }
        _ => fallback(job, held, Some(failure.attempt.clone())).await,
    }
}

/// The claim is released with its attempt counted, and the record itself comes again: it is the burst's
/// trigger.
async fn retry(
    job: &Job<'_>,
    held: &Held,
    attempt: &Attempt,
    seconds: u32,
) -> Result<End, Trouble> {
    let retry_at = job.worker.clock.now().plus_ms(i64::from(seconds) * 1000);
    let release = Release::Failed { attempt, retry_at };
    match release_claim(job, held, &release).await? {
        Released::Done => again(job, seconds).await,
        Released::FencedOut => fenced_out(job, held).await,
    }
}

/// Something else must happen first: the trigger is sent again, then the claim is released without having
/// cost a try or a receive.
pub async fn wait(job: &Job<'_>, held: &Held, until: EpochMs, why: &str) -> Result<End, Trouble> {
    let now = job.worker.clock.now();
    let jitter_ms = (clivy::conversation::backoff::fraction(&job.owner.0) * 3_000.0) as i64;
    let delay_ms = until.since_ms(now).saturating_add(jitter_ms);
    // I3: re-arm, then release.
    job.rearm(clivy::conversation::backoff::delay_seconds(delay_ms), why)
        .await?;
    let release = Release::Waiting { retry_at: until };
    release_claim(job, held, &release).await?;
    Ok(End::Done)
}

async fn release_claim(
    job: &Job<'_>,
    held: &Held,
    release: &Release<'_>,
) -> Result<Released, Trouble> {
    let id = &job.trigger.conversation;
    let released = job
        .worker
        .table
        .release(id, held.head.burst(), &held.claim, release)
        .await?;
    if released == Released::Done {
        step!(info, "released", held.log, {}, "released the claim");
    }
    Ok(released)
}

/// Somebody else has the conversation: look again shortly, because the own message may still be owed an
/// answer (I3).
pub async fn fenced_out(job: &Job<'_>, held: &Held) -> Result<End, Trouble> {
    step!(
        warn,
        "fenced_out",
        held.log,
        {},
        "the claim is somebody else's by now"
    );
    job.rearm(LOOK_AGAIN_SECONDS, "FencedOut").await?;
    Ok(End::Done)
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
