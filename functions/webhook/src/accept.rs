//! What an admitted event does: a customer's message is triggered, then stored; a person's message and an
//! edit go into the history; the rest is ignored with its reason.

use std::sync::Arc;

use clivy::channel::wuzapi::{Edit, Event};
use clivy::channel::{Ignored, Incoming};
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::{ConversationId, EpochMs};
use clivy::conversation::message::{Author, Message};
use clivy::conversation::trigger::Trigger;
use clivy::table::{Stored, TableError, keys};
use clivy::trace::TraceHeader;

use crate::admit::{Admitted, unavailable};
use crate::{Answer, Webhook};

/// Does what the event asks for.
pub async fn accept(webhook: &Webhook, admitted: Admitted, received_at: EpochMs) -> Answer {
    let Admitted { bot, event, trace } = admitted;
    match event {
        Event::Ignored(reason) => ignored(webhook, &bot, None, reason),
        _ if !bot.active => ignored(webhook, &bot, None, Ignored::BotInactive),
        Event::Message(incoming) => {
            customer(webhook, &bot, incoming, received_at, trace.as_ref()).await
        }
        Event::Own(incoming) => person(webhook, &bot, incoming, received_at).await,
        Event::Edit(edit) => edited(webhook, &bot, edit, received_at).await,
    }
}

fn ignored(
    webhook: &Webhook,
    bot: &Arc<Bot>,
    id: Option<&ConversationId>,
    reason: Ignored,
) -> Answer {
    tracing::info!(
        step = "ignored",
        bot = bot.bot_id.as_str(),
        conversation = id.map(|id| webhook.pseudonyms.conversation(id)),
        reason = reason.as_str(),
        "ignored an event"
    );
    Answer::Ignored(reason)
}

/// A customer's message. The trigger goes first, so that no message is ever stored without one (I3); a
/// trigger whose message is never stored finds nothing to do.
async fn customer(
    webhook: &Webhook,
    bot: &Bot,
    incoming: Incoming,
    received_at: EpochMs,
    trace: Option<&TraceHeader>,
) -> Answer {
    let id = conversation(bot, &incoming);
    let trace_id = trace.map(TraceHeader::trace_id);
    let conversation = webhook.pseudonyms.conversation(&id);
    let timed = incoming.platform_at.is_some();
    let name = incoming.name.clone();
    let message = message(incoming, Author::Customer, received_at);
    let key = keys::message(message.platform_at, &message.mid);
    let trigger = Trigger::answer(id, key, webhook.clock.now());
    let delay_seconds = webhook.debounce_seconds;
    if let Err(error) = webhook.queue.send(&trigger, delay_seconds, trace).await {
        tracing::error!(step = "not_stored", conversation, trace_id, %error, "no trigger could be sent");
        return Answer::Unavailable;
    }
    tracing::info!(
        step = "trigger_sent",
        conversation,
        trace_id,
        delay_seconds,
        "sent a trigger"
    );
    let stored = webhook
        .table
        .store(&trigger.conversation, &message, name.as_deref(), timed)
        .await;
    match stored {
        Ok(Stored::New) => {
            tracing::info!(
                step = "stored",
                conversation,
                trace_id,
                kind = message.content.kind.as_str(),
                "stored a message"
            );
            Answer::Queued(message.mid)
        }
        Ok(Stored::Duplicate) => {
            tracing::info!(
                step = "duplicate",
                conversation,
                trace_id,
                "a message came again"
            );
            Answer::Duplicate
        }
        Err(error) => unavailable(&error),
    }
}

/// A message from the business's own number: one of our replies coming back, or a person on the phone,
/// whose words belong into the history and keep the bot quiet.
async fn person(
    webhook: &Webhook,
    bot: &Arc<Bot>,
    incoming: Incoming,
    received_at: EpochMs,
) -> Answer {
    let id = conversation(bot, &incoming);
    match store_person(webhook, &id, incoming, received_at).await {
        Ok(()) => ignored(webhook, bot, Some(&id), Ignored::OwnMessage),
        Err(error) => unavailable(&error),
    }
}

async fn store_person(
    webhook: &Webhook,
    id: &ConversationId,
    incoming: Incoming,
    received_at: EpochMs,
) -> Result<(), TableError> {
    let bursts = webhook.table.head(id).await?.map_or(0, |head| head.bursts);
    if id.is_own_reply(&incoming.mid, bursts) {
        return Ok(());
    }
    let timed = incoming.platform_at.is_some();
    let message = message(incoming, Author::Person, received_at);
    let pause_until = pause_until(&message, webhook.takeover_pause_ms);
    let stored = webhook
        .table
        .store_own(id, &message, timed, pause_until)
        .await?;
    if let (Stored::New, Some(until)) = (stored, pause_until) {
        tracing::info!(
            step = "paused",
            conversation = webhook.pseudonyms.conversation(id),
            pause_seconds = until.since_ms(received_at) / 1000,
            "a person has the conversation"
        );
    }
    Ok(())
}

/// Until when a person's message keeps the bot quiet: counted from when it was written, so that one that comes late
/// pauses no longer than the others, or not at all. A platform's clock that is ahead of ours lengthens nothing.
fn pause_until(message: &Message, pause_ms: i64) -> Option<EpochMs> {
    let until = message
        .platform_at
        .min(message.received_at)
        .plus_ms(pause_ms);
    (until > message.received_at).then_some(until)
}

/// An edit changes the message it is about; it is nobody's turn.
async fn edited(webhook: &Webhook, bot: &Arc<Bot>, edit: Edit, received_at: EpochMs) -> Answer {
    let id = ConversationId {
        bot_id: bot.bot_id.clone(),
        contact: edit.contact,
    };
    let done = webhook
        .table
        .edit(
            &id,
            &edit.original,
            !edit.own,
            &edit.content.text,
            received_at,
        )
        .await;
    match done {
        Ok(()) => ignored(webhook, bot, Some(&id), Ignored::Protocol),
        Err(error) => unavailable(&error),
    }
}

fn conversation(bot: &Bot, incoming: &Incoming) -> ConversationId {
    ConversationId {
        bot_id: bot.bot_id.clone(),
        contact: incoming.contact.clone(),
    }
}

fn message(incoming: Incoming, author: Author, received_at: EpochMs) -> Message {
    Message {
        mid: incoming.mid,
        author,
        content: incoming.content,
        platform_at: incoming.platform_at.unwrap_or(received_at),
        received_at,
        delivered: true,
        delivery: None,
    }
}
