//! One record: K1. The trigger claims its burst, or finds out what to do instead.

use std::sync::Arc;

use clivy::conversation::bot::Bot;
use clivy::conversation::decide::{Decision, View, busy_seconds, decide};
use clivy::conversation::head::{Claim, Head};
use clivy::conversation::ids::{EpochMs, Owner};
use clivy::conversation::trigger::{Errand, ModelName, Trigger};
use clivy::step;
use clivy::table::{ClaimRequest, Claimed, Repended, StoredMessage, TableError, TakenOver};
use clivy::telemetry::TurnFields;
use clivy::trace::Record;

use crate::Worker;
use crate::answer;
use crate::batch::End;
use crate::deliver;
use crate::failure::Trouble;
use crate::outgoing;

/// The newest messages that a claim reads along with it: the history and, nearly always, the burst.
const NEWEST_MESSAGES: i32 = 30;
/// How long a claim outlives the invocation that holds it.
const LEASE_SLACK_MS: i64 = 2_000;
/// How long a record outlives the invocation that holds it, invisible to others.
const VISIBILITY_SLACK_MS: i64 = 5_000;
/// Takeovers lost in a row after which a record comes again later.
const TAKEOVER_TRIES: u32 = 3;

/// One trigger on its way.
pub struct Job<'a> {
    /// The worker.
    pub worker: &'a Worker,
    /// The trigger.
    pub trigger: Trigger,
    /// Who we are in HEAD.
    pub owner: Owner,
    /// When the invocation ends.
    pub deadline: EpochMs,
    /// The record's receipt.
    pub receipt: String,
    /// How often the record has been received.
    pub receives: u32,
    /// Its place in a trace.
    pub trace: &'a Record,
}

/// A claim that is ours.
pub struct Held {
    /// Its bot.
    pub bot: Arc<Bot>,
    /// HEAD as it was when the claim was won.
    pub head: Head,
    /// The claim in it.
    pub claim: Claim,
    /// The newest messages of the conversation.
    pub newest: Result<Vec<StoredMessage>, TableError>,
    /// What every log line says.
    pub log: TurnFields,
}

impl Held {
    /// In `head`, which was read later, the claim is still this one.
    pub fn is_still_ours(&self, head: &Head) -> bool {
        head.claim
            .as_ref()
            .is_some_and(|now| now.fence == self.claim.fence)
    }

    /// The only model to ask, where a person has chosen one for this burst.
    pub fn wanted_model(&self) -> Option<&ModelName> {
        self.head.wanted_model(&self.claim.keys)
    }
}

/// Runs one trigger to its end.
pub async fn run(mut job: Job<'_>) -> End {
    let worked = match job.trigger.errand {
        Errand::Send => outgoing::work(&job).await,
        Errand::Answer | Errand::Retry { .. } => work(&mut job).await,
    };
    match worked {
        Ok(end) => end,
        Err(trouble) => trouble.end(&job),
    }
}

async fn work(job: &mut Job<'_>) -> Result<End, Trouble> {
    if let Errand::Retry { turn, model } = job.trigger.errand.clone()
        && !put_back(job, turn, model.as_ref()).await?
    {
        return Ok(End::Done);
    }
    let id = &job.trigger.conversation;
    let bot = job.bot().await?;
    // One round trip for both: nearly always the claim succeeds.
    let (claimed, newest) = futures_util::join!(
        job.worker
            .table
            .claim(request(job), &job.worker.rules.debounce),
        job.worker.table.newest(id, NEWEST_MESSAGES)
    );
    let head = match claimed? {
        Claimed::Won(head) => Some(head),
        Claimed::Lost(head) => settle(job, head, &newest).await?,
    };
    // Without a claim everything has been settled: acked, or re-armed and then acked (I3).
    let Some(head) = head else {
        return Ok(End::Done);
    };
    let Some(claim) = head.claim.clone() else {
        return Ok(End::Done);
    };
    let held = Held {
        log: job.log(&head, &claim),
        bot,
        head,
        claim,
        newest,
    };
    match &held.claim.draft {
        Some(draft) => deliver::resume(job, &held, draft).await,
        // Boxed: it holds a whole conversation, and most records never get here.
        None => Box::pin(answer::answer(job, &held)).await,
    }
}

/// A parked turn is tried again, because its dead letter is redriven or a person wants it: its turn's messages become pending again, and the record goes on as
/// their trigger. False when there is nothing to do.
async fn put_back(
    job: &mut Job<'_>,
    burst: u64,
    model: Option<&ModelName>,
) -> Result<bool, Trouble> {
    let id = &job.trigger.conversation;
    let now = job.worker.clock.now();
    let repended = job.worker.table.repend(id, burst, model, now).await?;
    let log = job.log_burst(burst);
    match repended {
        Repended::Pending(key) => {
            step!(info, "repended", log, {}, "a failed turn is tried again");
            job.trigger.key = key;
            job.trigger.first_at = now;
            Ok(true)
        }
        Repended::NoSuchTurn | Repended::NotParked => {
            let head = job.worker.table.head(id).await?;
            let in_flight = head.filter(|head| head.burst() == burst);
            if let Some(claim) = in_flight.and_then(|head| head.claim) {
                // Its dead letter goes out before the turn is parked. Whoever redrives it in between must find it (I1).
                let delay_seconds = busy_seconds(claim.until, now);
                job.send(&job.trigger, delay_seconds, "NotYetParked")
                    .await?;
                return Ok(false);
            }
            step!(info, "nothing_pending", log, { outcome = ?repended, }, "there is nothing to retry");
            Ok(false)
        }
    }
}

/// A claim of ours, until a little after the invocation ends.
pub fn request<'a>(job: &'a Job<'_>) -> ClaimRequest<'a> {
    ClaimRequest {
        id: &job.trigger.conversation,
        key: &job.trigger.key,
        owner: &job.owner,
        until: job.deadline.plus_ms(LEASE_SLACK_MS),
        now: job.worker.clock.now(),
    }
}

/// The fast claim failed: decide, and do what was decided. Gives the HEAD with our claim, or nothing when
/// the trigger is done.
async fn settle(
    job: &Job<'_>,
    mut seen: Option<Head>,
    newest: &Result<Vec<StoredMessage>, TableError>,
) -> Result<Option<Head>, Trouble> {
    let key = &job.trigger.key;
    let is_pending = |head: &Head| head.shows(key);
    let is_among_newest = newest
        .as_ref()
        .is_ok_and(|newest| newest.iter().any(|stored| stored.key == *key));
    for _ in 0..TAKEOVER_TRIES {
        let own_message_is_stored;
        (seen, own_message_is_stored) = look(job, seen, is_pending, is_among_newest).await?;
        let decision = decide(
            &View {
                head: seen.as_ref(),
                own_message_is_stored,
                key,
                first_at: job.trigger.first_at,
                owner: &job.owner,
                now: job.worker.clock.now(),
            },
            &job.worker.rules.debounce,
        );
        match decision {
            Decision::GoOn => return Ok(seen),
            Decision::Ack(done) => {
                let step = match done {
                    clivy::conversation::decide::Done::Superseded => "superseded",
                    _ => "nothing_pending",
                };
                tracing::info!(
                    step,
                    conversation = job.conversation(),
                    trace_id = job.trace.trace_id(),
                    reason = ?done,
                    "nothing to do for this trigger"
                );
                return Ok(None);
            }
            Decision::Rearm { delay_seconds, why } => {
                // I3: re-arm before ack.
                job.rearm(delay_seconds, &format!("{why:?}")).await?;
                return Ok(None);
            }
            Decision::TakeOver { .. } => match take_over(job, seen).await? {
                TakenOver::Won(head) => return Ok(Some(head)),
                TakenOver::Lost(head) => seen = head,
            },
        }
    }
    job.rearm(1, "TakeoverLost").await?;
    Ok(None)
}

async fn take_over(job: &Job<'_>, seen: Option<Head>) -> Result<TakenOver, Trouble> {
    let Some(head) = seen else {
        return Ok(TakenOver::Lost(None));
    };
    let Some(claim) = head.claim.clone() else {
        return Ok(TakenOver::Lost(Some(head)));
    };
    let taken = job
        .worker
        .table
        .take_over(request(job), &head, &claim)
        .await?;
    if let TakenOver::Won(head) = &taken {
        let log = head
            .claim
            .as_ref()
            .map(|claim| job.log(head, claim))
            .unwrap_or_default();
        step!(warn, "taken_over", log, {}, "took an expired claim over");
    }
    Ok(taken)
}

/// Whether the own message is stored, and HEAD as it was then or later. The HEAD that made the claim fail is older than
/// the look at the messages: a message that was written in between is stored, but `seen` does not show it. Taken together
/// they would read "dealt with long ago", and the message would lose its trigger (I3). `is_stored` is true when that is
/// known already.
pub async fn look(
    job: &Job<'_>,
    seen: Option<Head>,
    shows: impl Fn(&Head) -> bool,
    is_stored: bool,
) -> Result<(Option<Head>, bool), Trouble> {
    if seen.as_ref().is_some_and(shows) {
        return Ok((seen, true));
    }
    let (id, table) = (&job.trigger.conversation, &job.worker.table);
    if !is_stored && !table.is_stored(id, &job.trigger.key).await? {
        return Ok((seen, false));
    }
    Ok((table.head(id).await?, true))
}

impl Job<'_> {
    /// The conversation's bot.
    pub async fn bot(&self) -> Result<Arc<Bot>, Trouble> {
        let bot_id = &self.trigger.conversation.bot_id;
        let bot = self.worker.bots.get(bot_id).await?;
        bot.ok_or(Trouble::UnknownBot)
    }

    /// The conversation's name in logs.
    pub fn conversation(&self) -> String {
        self.worker
            .pseudonyms
            .conversation(&self.trigger.conversation)
    }

    fn log_burst(&self, burst: u64) -> TurnFields {
        let conversation = self.conversation();
        TurnFields {
            turn: format!("{conversation}/{burst}"),
            conversation,
            trace_id: self.trace.trace_id().map(str::to_owned),
            ..TurnFields::default()
        }
    }

    /// What every log line of a turn says.
    pub fn log(&self, head: &Head, claim: &Claim) -> TurnFields {
        TurnFields {
            fence: claim.fence.0,
            attempt: head.tries,
            burst_size: claim.keys.len(),
            ..self.log_burst(head.burst())
        }
    }

    /// Sends the trigger again. The caller acks only after that has worked (I3).
    pub async fn rearm(&self, delay_seconds: u32, why: &str) -> Result<(), Trouble> {
        self.send(&self.trigger.rearmed(), delay_seconds, why).await
    }

    /// Sends a trigger of this conversation, and says why.
    pub async fn send(
        &self,
        trigger: &Trigger,
        delay_seconds: u32,
        why: &str,
    ) -> Result<(), Trouble> {
        let trace = self.trace.header();
        self.worker
            .queue
            .send(trigger, delay_seconds, trace)
            .await?;
        tracing::info!(
            step = "rearmed",
            conversation = self.conversation(),
            trace_id = self.trace.trace_id(),
            delay_seconds,
            reason = why,
            "sent a trigger again"
        );
        Ok(())
    }

    /// Milliseconds until the invocation ends.
    pub fn left_ms(&self) -> i64 {
        self.deadline.since_ms(self.worker.clock.now())
    }

    /// Once the claim is won, a crash should be retried when its lease is over and not much later.
    pub async fn shorten_visibility(&self) {
        let seconds = self.left_ms().saturating_add(VISIBILITY_SLACK_MS + 999) / 1000;
        let seconds = u32::try_from(seconds).unwrap_or_default();
        // Without it the record comes back later, which is slower but loses nothing.
        let _ = self
            .worker
            .queue
            .set_visibility(&self.receipt, seconds)
            .await;
    }
}
