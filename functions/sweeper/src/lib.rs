//! The sweeper function: every minute, conversations that have been owed an answer for too long, and that nobody
//! works on, get a trigger. A backstop: their own triggers should have come back by then, so each hit is logged as
//! a warning.

mod report;
pub mod settings;

use std::sync::Arc;

use clivy::clock::Clock;
use clivy::conversation::head::Head;
use clivy::conversation::ids::{EpochMs, MessageKey};
use clivy::conversation::trigger::{Errand, Trigger};
use clivy::metrics::Metrics;
use clivy::pseudonym::{CannotOpen, Pseudonyms};
use clivy::queue::{Queue, QueueError};
use clivy::table::{Owed, OwedTo, Table, TableError, keys};
use serde::Serialize;
use settings::Settings;

/// Stop this long before the deadline; what is left is owed a minute later too.
const MARGIN_MS: i64 = 3_000;

/// Everything the sweeper needs.
#[derive(Debug)]
pub struct Sweeper {
    /// The table.
    pub table: Table,
    /// The queue of triggers.
    pub queue: Queue,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where metrics go.
    pub metrics: Metrics,
    /// Names for logs.
    pub pseudonyms: Pseudonyms,
    /// How long an answer may be owed before it is swept, in milliseconds.
    pub patience_ms: i64,
    /// How long a customer may wait for an outcome before that is an alarm, in milliseconds.
    pub outcome_patience_ms: i64,
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Conversations that got a trigger.
    pub hits: usize,
    /// Conversations whose customer has got neither an answer nor the fallback text in time: an alarm (I1).
    pub turns_without_outcome: usize,
    /// Conversations that are owed an answer but could not be read or triggered.
    pub failed: usize,
    /// How long the customer waits who has waited longest, in milliseconds, of those that were looked at.
    pub oldest_owed_ms: i64,
    /// Whether every part of the index was looked at.
    pub complete: bool,
}

/// Trouble with one conversation.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// The function's own timeout, for runtimes that give no real deadline.
const TIMEOUT_MS: i64 = 50_000;

impl Sweeper {
    /// The sweeper over the clients given.
    ///
    /// # Errors
    /// The pseudonyms' key is not usable.
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        sqs: aws_sdk_sqs::Client,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        settings: Settings,
    ) -> Result<Self, CannotOpen> {
        let Settings { stores, .. } = settings;
        let pseudonyms = Pseudonyms::new(&settings.pseudonym_key)?;
        Ok(Self {
            // It writes nothing that expires.
            table: Table::new(dynamodb, stores.table_name, 0),
            queue: Queue::new(sqs, stores.queue_url, pseudonyms.clone()),
            clock,
            metrics,
            pseudonyms,
            patience_ms: settings.patience_ms,
            outcome_patience_ms: settings.outcome_patience_ms,
        })
    }

    /// Opens the connection to the table, during init. SQS is needed only when there is something to sweep.
    pub async fn warm_up(&self) {
        if let Err(error) = self.table.warm_up().await {
            tracing::warn!(%error, "the table could not be reached during init");
        }
    }

    /// The deadline, or the function's timeout from now where the runtime gives none.
    #[must_use]
    pub fn trusted(&self, deadline: EpochMs) -> EpochMs {
        let now = self.clock.now();
        if deadline > now {
            deadline
        } else {
            now.plus_ms(TIMEOUT_MS)
        }
    }

    /// One run, until everything has been looked at or the deadline is near.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn sweep(&self, deadline: EpochMs) -> Result<Swept, TableError> {
        let patience_ms = self.patience_ms.min(self.outcome_patience_ms);
        let before = self.clock.now().plus_ms(-patience_ms);
        let mut swept = Swept::default();
        let looked = self.look_at_all(before, deadline, &mut swept).await;
        self.log(swept);
        match looked {
            Ok(()) => Ok(Box::pin(self.report(swept, before)).await),
            Err(error) => {
                self.report_failed(swept);
                Err(error)
            }
        }
    }

    async fn look_at_all(
        &self,
        before: EpochMs,
        deadline: EpochMs,
        swept: &mut Swept,
    ) -> Result<(), TableError> {
        for shard in 0..keys::OWED_SHARDS {
            let mut from = None;
            loop {
                if deadline.since_ms(self.clock.now()) < MARGIN_MS {
                    return Ok(());
                }
                let page = self.table.owed(shard, before, from).await?;
                swept.failed += page.malformed;
                for owed in &page.owed {
                    self.trigger(owed, swept).await;
                }
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        swept.complete = true;
        Ok(())
    }

    /// One conversation must not keep the others from being swept.
    async fn trigger(&self, owed: &Owed, swept: &mut Swept) {
        let conversation = self.pseudonyms.conversation(&owed.id);
        match self.look(owed, swept).await {
            Ok(true) => {
                swept.hits += 1;
                let owed_ms = self.clock.now().since_ms(owed.since);
                tracing::warn!(
                    step = "swept",
                    conversation,
                    owed_ms,
                    "an answer was owed for too long"
                );
            }
            // Answered since the index was written.
            Ok(false) => {}
            Err(error) => {
                swept.failed += 1;
                tracing::error!(step = "not_swept", conversation, %error, "no trigger could be sent");
            }
        }
    }

    /// Sends a trigger if nobody else will; true when it did.
    async fn look(&self, owed: &Owed, swept: &mut Swept) -> Result<bool, Trouble> {
        let Some(head) = self.table.head(&owed.id).await? else {
            return Ok(false);
        };
        let now = self.clock.now();
        if let OwedTo::Person(key) = &owed.to {
            return self.send_on(owed, &head, key, now).await;
        }
        let waits_ms = head.waits_since(now).map_or(0, |since| now.since_ms(since));
        swept.oldest_owed_ms = swept.oldest_owed_ms.max(waits_ms);
        if has_no_outcome(&head, now, self.outcome_patience_ms) {
            swept.turns_without_outcome += 1;
            tracing::error!(
                step = "turn_without_outcome",
                conversation = self.pseudonyms.conversation(&owed.id),
                owed_ms = now.since_ms(owed.since),
                "a customer has got neither an answer nor the fallback text"
            );
        }
        if now.since_ms(owed.since) < self.patience_ms {
            return Ok(false);
        }
        let Some(key) = head.last_key.clone().filter(|_| is_stuck(&head, now)) else {
            return Ok(false);
        };
        let trigger = Trigger::answer(owed.id.clone(), key, now);
        self.queue.send(&trigger, 0, None).await?;
        Ok(true)
    }

    /// A person's message that has been on its way for too long gets a trigger if nobody sends it; true when it did.
    async fn send_on(
        &self,
        owed: &Owed,
        head: &Head,
        key: &MessageKey,
        now: EpochMs,
    ) -> Result<bool, Trouble> {
        let is_late = now.since_ms(owed.since) >= self.patience_ms;
        if !is_late || !head.outbox.is_abandoned(key, now) {
            return Ok(false);
        }
        let trigger = Trigger {
            errand: Errand::Send,
            ..Trigger::answer(owed.id.clone(), key.clone(), now)
        };
        self.queue.send(&trigger, 0, None).await?;
        Ok(true)
    }

    fn log(&self, swept: Swept) {
        tracing::info!(
            step = "sweep",
            sweeper_hits = swept.hits,
            turns_without_outcome = swept.turns_without_outcome,
            failed = swept.failed,
            complete = swept.complete,
            "swept"
        );
    }
}

/// Whether something is owed that nobody holds: no live claim, no pause, no backoff. Those have their triggers, and
/// one more every minute would only pile up.
fn is_stuck(head: &Head, now: EpochMs) -> bool {
    match &head.claim {
        Some(claim) => !lasts(Some(claim.until), now),
        None => {
            !head.pend.is_empty() && !lasts(head.paused_until, now) && !lasts(head.retry_at, now)
        }
    }
}

/// Whether the customer has waited too long for us. A person's pause and a rate limit are no wait of ours.
fn has_no_outcome(head: &Head, now: EpochMs, patience_ms: i64) -> bool {
    let waits_too_long = head
        .waits_since(now)
        .is_some_and(|since| now.since_ms(since) >= patience_ms);
    waits_too_long && !lasts(head.paused_until, now) && !lasts(head.held_until, now)
}

fn lasts(until: Option<EpochMs>, now: EpochMs) -> bool {
    until.is_some_and(|until| until >= now)
}
