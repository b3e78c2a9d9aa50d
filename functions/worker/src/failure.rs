//! What a failure means: another try, a wait, or the fallback text.

use std::cmp::Reverse;

use clivy::conversation::backoff::{MAX_DELAY_SECONDS, full_jitter_seconds};
use clivy::conversation::ids::EpochMs;
use clivy::error::Class;
use clivy::llm::{self, LlmError};
use clivy::queue::QueueError;
use clivy::step;
use clivy::table::TableError;

use crate::answer::fallback;
use crate::ask::Tried;
use crate::batch::End;
use crate::record::{Held, Job};
use crate::release::{retry, wait};

/// How soon a record comes again after trouble with the table or the queue.
const TROUBLE_SECONDS: u32 = 5;

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
    /// wait, and that beats one that is final. Of equals the one that may be tried sooner.
    pub fn is_more_hopeful_than(&self, other: &Self) -> bool {
        let rank = |failure: &Self| match failure.class {
            Class::Permanent => 0,
            Class::Wait => 1,
            Class::Retry => 2,
        };
        let soon = |failure: &Self| Reverse(failure.retry_after_seconds.unwrap_or_default());
        (rank(self), soon(self)) > (rank(other), soon(other))
    }
}

/// The table could not be read before anybody was asked.
pub async fn unreadable(job: &Job<'_>, held: &Held, error: &TableError) -> Result<End, Trouble> {
    failed(job, held, &Failure::of_table(error), Tried::default()).await
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

/// How long to wait before the next try.
pub fn backoff_seconds(job: &Job<'_>, tries: u32) -> u32 {
    full_jitter_seconds(job.worker.rules.ai_retry_seconds, tries, &job.owner.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_hopeful_failure_says_when_the_next_try_begins() {
        let failure = |class, retry_after_seconds| Failure {
            class,
            why: String::new(),
            retry_after_seconds,
        };
        let in_order = [
            failure(Class::Retry, None),
            failure(Class::Retry, Some(5)),
            failure(Class::Retry, Some(200)),
            failure(Class::Wait, None),
            failure(Class::Wait, Some(20)),
            failure(Class::Permanent, None),
        ];
        for (n, one) in in_order.iter().enumerate() {
            for (m, other) in in_order.iter().enumerate() {
                assert_eq!(one.is_more_hopeful_than(other), n < m, "{n} and {m}");
            }
        }
    }
}
