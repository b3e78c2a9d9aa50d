//! The sweeper function: every minute, conversations that have been owed an answer for too long, and that nobody
//! works on, get a trigger. A backstop: their own triggers should have come back by then, so each hit is logged as
//! a warning.

mod report;
pub mod settings;

use std::sync::Arc;
use std::time::Duration;

use clivy::clock::Clock;
use clivy::conversation::head::Head;
use clivy::conversation::ids::{EpochMs, MessageKey};
use clivy::conversation::outgoing::Outbox;
use clivy::conversation::trigger::{Errand, Trigger};
use clivy::metrics::Metrics;
use clivy::pseudonym::{CannotOpen, Pseudonyms};
use clivy::queue::{Queue, QueueError};
use clivy::table::{Owed, OwedTo, Table, TableError, keys};
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use settings::Settings;

/// Begin nothing this long before the deadline; what is left is owed a minute later too.
const MARGIN_MS: i64 = 3_000;
/// What was begun and hangs is left this long before the deadline: the run's report takes up to 2 s.
const REPORT_MS: i64 = 2_500;
/// Conversations that are looked at at the same time.
const AT_ONCE: usize = 8;
/// How long a hold (a claim, a pause, a backoff) counts after its end. Its own trigger comes a little later than that: it was
/// sent with the rest rounded up to whole seconds, and the queue takes its time. One that has not come by then is lost (I3);
/// before, a hit would be a false alarm.
const HOLD_GRACE_MS: i64 = 10_000;

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

impl Swept {
    /// Adds what a look at one conversation has found.
    fn count(&mut self, seen: &Self) {
        self.hits += seen.hits;
        self.turns_without_outcome += seen.turns_without_outcome;
        self.failed += seen.failed;
        self.oldest_owed_ms = self.oldest_owed_ms.max(seen.oldest_owed_ms);
    }
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
    /// A part of the index cannot be read; what the others hold was swept all the same.
    pub async fn sweep(&self, deadline: EpochMs) -> Result<Swept, TableError> {
        let patience_ms = self.patience_ms.min(self.outcome_patience_ms);
        let begun = self.clock.now();
        let before = begun.plus_ms(-patience_ms);
        let left_ms = deadline.since_ms(begun).saturating_sub(REPORT_MS);
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or_default());
        let mut swept = Swept::default();
        let mut trouble = None;
        let looks = self.look_at_all(before, deadline, &mut swept, &mut trouble);
        // One that is ended here is not complete, and its report says so.
        let _ = tokio::time::timeout(left, looks).await;
        self.log(swept);
        match trouble {
            None => Ok(Box::pin(self.report(swept, before)).await),
            Some(error) => {
                self.report_failed(swept);
                Err(error)
            }
        }
    }

    /// Looks at every part of the index. One that cannot be read keeps no other from being swept (I1); `trouble` is the first
    /// that there was.
    async fn look_at_all(
        &self,
        before: EpochMs,
        deadline: EpochMs,
        swept: &mut Swept,
        trouble: &mut Option<TableError>,
    ) {
        let mut is_whole = true;
        for shard in shards(self.clock.now()) {
            match self.look_at_shard(shard, before, deadline, swept).await {
                Ok(is_done) => is_whole &= is_done,
                Err(error) => {
                    is_whole = false;
                    *trouble = trouble.take().or(Some(error));
                }
            }
        }
        swept.complete = is_whole;
    }

    /// Looks at one part of the index, page by page; true when it got to its end.
    async fn look_at_shard(
        &self,
        shard: u32,
        before: EpochMs,
        deadline: EpochMs,
        swept: &mut Swept,
    ) -> Result<bool, TableError> {
        let mut from = None;
        loop {
            if self.is_late(deadline) {
                return Ok(false);
            }
            let page = self.table.owed(shard, before, from).await?;
            swept.failed += page.malformed;
            let looks = page.owed.into_iter();
            let looks = looks.map(|owed| self.look_at(owed, deadline));
            let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
            let mut is_whole = true;
            while let Some(seen) = looks.next().await {
                match seen {
                    Some(seen) => swept.count(&seen),
                    None => is_whole = false,
                }
            }
            from = page.next;
            if !is_whole || from.is_none() {
                return Ok(is_whole);
            }
        }
    }

    /// Whether too little time is left to begin anything.
    fn is_late(&self, deadline: EpochMs) -> bool {
        deadline.since_ms(self.clock.now()) < MARGIN_MS
    }

    /// Looks at one conversation, which must not keep the others from being swept; none when it is too late for that.
    async fn look_at(&self, owed: Owed, deadline: EpochMs) -> Option<Swept> {
        if self.is_late(deadline) {
            return None;
        }
        let mut seen = Swept::default();
        let conversation = self.pseudonyms.conversation(&owed.id);
        match self.look(&owed, &mut seen).await {
            Ok(true) => {
                seen.hits += 1;
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
                seen.failed += 1;
                tracing::error!(step = "not_swept", conversation, %error, "no trigger could be sent");
            }
        }
        Some(seen)
    }

    /// Sends a trigger if nobody else will; true when it did.
    async fn look(&self, owed: &Owed, seen: &mut Swept) -> Result<bool, Trouble> {
        let Some(head) = self.table.head(&owed.id).await? else {
            return Ok(false);
        };
        let now = self.clock.now();
        if let OwedTo::Person(key) = &owed.to {
            return self.send_on(owed, &head, key, now).await;
        }
        let waits_ms = head.waits_since(now).map_or(0, |since| now.since_ms(since));
        seen.oldest_owed_ms = waits_ms;
        if has_no_outcome(&head, now, self.outcome_patience_ms) {
            seen.turns_without_outcome += 1;
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
        if !is_late || !is_left(&head.outbox, key, now) {
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

/// The parts of the index, from another one on each minute: where runs do not get to their end, it is not always the same
/// customers who are not looked at (I1).
fn shards(now: EpochMs) -> impl Iterator<Item = u32> {
    let minute = now.0.div_euclid(60_000);
    let first = minute.rem_euclid(i64::from(keys::OWED_SHARDS));
    let first = u32::try_from(first).unwrap_or_default();
    (0..keys::OWED_SHARDS).map(move |n| (first + n) % keys::OWED_SHARDS)
}

/// Whether something is owed that nobody holds: no live claim, no pause, no backoff, none that has just ended. Those have
/// their triggers, and one more every minute would only pile up.
fn is_stuck(head: &Head, now: EpochMs) -> bool {
    let holds = |until| lasts(until, now.plus_ms(-HOLD_GRACE_MS));
    match &head.claim {
        Some(claim) => !holds(Some(claim.until)),
        None => !head.pend.is_empty() && !holds(head.paused_until) && !holds(head.retry_at),
    }
}

/// Whether a person's message is to be sent and nobody is at it, nor was until just now.
fn is_left(outbox: &Outbox, key: &MessageKey, now: EpochMs) -> bool {
    outbox.is_abandoned(key, now.plus_ms(-HOLD_GRACE_MS))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clivy::conversation::head::Claim;
    use clivy::conversation::ids::{Fence, Owner};

    use super::*;

    const NOW: EpochMs = EpochMs(1_763_604_905_000);

    fn key() -> MessageKey {
        MessageKey::new("M#1".to_owned())
    }

    fn pending() -> Head {
        Head {
            pend: [key()].into(),
            ..Head::default()
        }
    }

    /// Answers that are owed, and held until then.
    fn held(until: EpochMs) -> [Head; 3] {
        let claim = Claim {
            fence: Fence(1),
            owner: Owner("x".to_owned()),
            until,
            since: NOW,
            keys: [key()].into(),
            draft: None,
        };
        [
            Head {
                paused_until: Some(until),
                ..pending()
            },
            Head {
                retry_at: Some(until),
                ..pending()
            },
            Head {
                claim: Some(claim),
                ..Head::default()
            },
        ]
    }

    #[test]
    fn a_hold_counts_until_its_own_trigger_must_have_come() {
        for (ended_ms, is_over) in [(-1, false), (0, false), (10_000, false), (10_001, true)] {
            let until = NOW.plus_ms(-ended_ms);
            for head in held(until) {
                assert_eq!(is_stuck(&head, NOW), is_over, "{ended_ms}: {head:?}");
            }
            let outbox = Outbox {
                keys: [key()].into(),
                until: Some(until),
                ..Outbox::default()
            };
            assert_eq!(is_left(&outbox, &key(), NOW), is_over, "{ended_ms}");
        }
        assert!(is_stuck(&pending(), NOW), "nobody ever held it");
        assert!(!is_stuck(&Head::default(), NOW), "nothing is owed");
    }

    #[test]
    fn each_part_of_the_index_comes_first_in_its_turn() {
        let all: BTreeSet<u32> = (0..keys::OWED_SHARDS).collect();
        let runs = (0..i64::from(keys::OWED_SHARDS)).map(|n| -> Vec<u32> {
            let run: Vec<u32> = shards(NOW.plus_ms(n * 60_000)).collect();
            assert_eq!(run.iter().copied().collect::<BTreeSet<_>>(), all);
            assert_eq!(run.len(), all.len());
            run
        });
        let first: BTreeSet<u32> = runs.map(|run| run[0]).collect();
        assert_eq!(first, all);
        assert_eq!(shards(EpochMs(-1)).next(), Some(keys::OWED_SHARDS - 1));
    }
}
