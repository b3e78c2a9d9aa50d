//! What persons write in the inbox: taken out of the conversation's outbox one after another, sent, committed.
//!
//! The bot has no part in it: a pause, an opt-out and a bot that is switched off keep the bot quiet, not a person.

use std::sync::Arc;

use clivy::channel::wuzapi::SendError;
use clivy::conversation::bot::Bot;
use clivy::conversation::decide::View;
use clivy::conversation::head::Head;
use clivy::conversation::ids::MessageKey;
use clivy::conversation::message::{Delivery, Message};
use clivy::conversation::outgoing::{Next, Outbox, decide};
use clivy::error::Class;
use clivy::table::{Claimed, OutgoingCommitted, Released, StoredMessage};

use crate::answer::alongside;
use crate::batch::End;
use crate::failure::{self, Trouble};
use crate::record::{Job, look, request};
use crate::release;
use crate::send::{self, Repeat, Sent};

/// A message is begun only while this much of the invocation is left: less would not do for a slow gateway.
const BEGIN_MARGIN_MS: i64 = 15_000;
/// When the outbox may be taken again whose owner ran into trouble or out of time.
const SOON_SECONDS: u32 = 2;

/// Runs the trigger of a person's message to its end.
pub async fn work(job: &Job<'_>) -> Result<End, Trouble> {
    let id = &job.trigger.conversation;
    let bot = job.bot().await?;
    let head = match job.worker.table.claim_outgoing(request(job)).await? {
        Claimed::Won(head) => head,
        Claimed::Lost(seen) => match settle(job, seen).await? {
            Some(head) => head,
            None => return Ok(End::Done),
        },
    };
    // Boxed: it holds all the messages that are sent.
    let sending = Box::pin(empty(job, &bot, head.outbox));
    let ended = alongside(sending, job.shorten_visibility()).await;
    if ended.is_err() {
        // The record comes again in a moment, and should not find the rest of a lease. Best effort: it ends by itself.
        let until = job
            .worker
            .clock
            .now()
            .plus_ms(i64::from(SOON_SECONDS) * 1000 - 1);
        let table = &job.worker.table;
        // Our trouble is none of the gateway's: the send is given back.
        let _ = table.hand_back_outgoing(id, &job.owner, until, 1).await;
    }
    ended
}

/// The outbox was not ours at once: decide, and do what was decided. Gives HEAD with our claim, or nothing when the
/// trigger is done.
async fn settle(job: &Job<'_>, seen: Option<Head>) -> Result<Option<Head>, Trouble> {
    let is_in_the_box = |head: &Head| head.outbox.keys.contains(&job.trigger.key);
    let (seen, own_message_is_stored) = look(job, seen, is_in_the_box, false).await?;
    let view = View {
        head: seen.as_ref(),
        own_message_is_stored,
        key: &job.trigger.key,
        first_at: job.trigger.first_at,
        owner: &job.owner,
        now: job.worker.clock.now(),
    };
    match decide(&view, &job.worker.rules.debounce) {
        Next::Send => Ok(seen),
        Next::Ack(done) => {
            tracing::info!(
                step = "nothing_to_send",
                conversation = job.conversation(),
                reason = ?done,
                "nothing to do for this trigger"
            );
            Ok(None)
        }
        Next::Rearm { delay_seconds, why } => {
            // I3: re-arm before ack.
            job.rearm(delay_seconds, &format!("{why:?}")).await?;
            Ok(None)
        }
    }
}

/// Sends what is in the outbox, and what comes into it meanwhile.
async fn empty(job: &Job<'_>, bot: &Arc<Bot>, mut outbox: Outbox) -> Result<End, Trouble> {
    let id = &job.trigger.conversation;
    loop {
        let stored = job.worker.table.messages(id, &outbox.keys).await?;
        // I4: in the order in which persons wrote them.
        let first = stored
            .iter()
            .min_by(|a, b| a.message.order().cmp(&b.message.order()));
        let went = match (first, outbox.keys.first()) {
            (Some(StoredMessage { key, message }), _) => {
                deliver(job, bot, key, message, outbox.sends).await?
            }
            (None, Some(erased)) => commit(job, erased, Delivery::Undelivered).await?,
            (None, None) => return Ok(End::Done),
        };
        match went {
            Went::On(more) => outbox = more,
            Went::Off(end) => return Ok(end),
        }
    }
}

/// What comes after a message.
enum Went {
    /// The next one.
    On(Outbox),
    /// The record ends.
    Off(End),
}

async fn deliver(
    job: &Job<'_>,
    bot: &Bot,
    key: &MessageKey,
    message: &Message,
    sends: u32,
) -> Result<Went, Trouble> {
    if job.left_ms() < BEGIN_MARGIN_MS {
        return not_now(job, SOON_SECONDS, 1).await;
    }
    let text = &message.content.text;
    // Nobody takes a person's message back.
    let always = || std::future::ready(Repeat::<std::convert::Infallible>::Yes);
    let delivery = match send::send(job, &bot.gateway, &message.mid, text, always).await {
        Ok(Sent::Out) => {
            tracing::info!(
                step = "person_sent",
                conversation = job.conversation(),
                "sent a person's message"
            );
            Delivery::Sent
        }
        Ok(Sent::Withdrawn(never)) => match never {},
        Err(error) => {
            tracing::warn!(
                step = "person_send_failed",
                conversation = job.conversation(),
                %error,
                sends,
                "the gateway did not take a person's message"
            );
            if let Some(given_back) = try_again(job, message, sends, error) {
                return not_now(job, failure::backoff_seconds(job, sends), given_back).await;
            }
            tracing::warn!(
                step = "person_undelivered",
                conversation = job.conversation(),
                sends,
                "a person's message is not tried again"
            );
            Delivery::Undelivered
        }
    };
    commit(job, key, delivery).await
}

/// Whether a message that was not sent is tried again, and how many sends that gives back; none when it is given up.
fn try_again(job: &Job<'_>, message: &Message, sends: u32, error: SendError) -> Option<u32> {
    let rules = &job.worker.rules;
    let waited_ms = job.worker.clock.now().since_ms(message.received_at);
    match error.class() {
        // Too many at once says nothing about this one.
        Class::Wait if waited_ms < rules.outcome_deadline_ms => Some(1),
        Class::Retry if sends < rules.gateway_max_attempts => Some(0),
        Class::Wait | Class::Retry | Class::Permanent => None,
    }
}

/// Nobody sends before `seconds` have passed, then this record comes again.
async fn not_now(job: &Job<'_>, seconds: u32, sends_given_back: u32) -> Result<Went, Trouble> {
    let until = job
        .worker
        .clock
        .now()
        .plus_ms(i64::from(seconds) * 1000 - 1);
    let id = &job.trigger.conversation;
    let table = &job.worker.table;
    let handed_back = table.hand_back_outgoing(id, &job.owner, until, sends_given_back);
    if handed_back.await? == Released::FencedOut {
        return fenced_out(job).await.map(Went::Off);
    }
    release::again(job, seconds).await.map(Went::Off)
}

/// What became of a message is written down.
async fn commit(job: &Job<'_>, key: &MessageKey, delivery: Delivery) -> Result<Went, Trouble> {
    let id = &job.trigger.conversation;
    let table = &job.worker.table;
    let committed = table.commit_outgoing(id, key, &job.owner, delivery);
    match committed.await? {
        OutgoingCommitted::Emptied => Ok(Went::Off(End::Done)),
        OutgoingCommitted::More(outbox) => Ok(Went::On(outbox)),
        OutgoingCommitted::FencedOut => fenced_out(job).await.map(Went::Off),
    }
}

/// Somebody else has the outbox: look again shortly, because the own message may still be in it (I3).
async fn fenced_out(job: &Job<'_>) -> Result<End, Trouble> {
    tracing::warn!(
        step = "fenced_out",
        conversation = job.conversation(),
        "the outbox is somebody else's by now"
    );
    job.rearm(SOON_SECONDS, "FencedOut").await?;
    Ok(End::Done)
}
