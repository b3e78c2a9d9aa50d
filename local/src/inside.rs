//! What the phone page shows of the inside besides the steps: the queues, the breaker, the wait for the next attempt, and
//! whose steps are whose.

use clivy::breaker::Breaker;
use clivy::conversation::ids::{BotId, Contact, ConversationId, EpochMs};
use clivy::llm::Provider;
use clivy::pseudonym::Pseudonyms;
use clivy::table::keys;
use serde_json::{Value, json};

use crate::engines::Engines;
use crate::faults::Faults;
use crate::model::{RETRY_AFTER_SECONDS, SMALL_CONTEXT_TOKENS};
use crate::sqs::PeekState;
use crate::world::{DLQ, QUEUE, TABLE, World};

/// Triggers that are shown one by one.
const SHOWN_TRIGGERS: usize = 20;

/// How full the queues are and when the next triggers are due, the breaker, the armed faults, and when the conversation
/// of `bot` and `contact` is tried again, if it waits for that.
pub fn status(world: &World, faults: &Faults, bot: &str, contact: &str) -> Value {
    json!({
        "queue": queue(world),
        "dlq": count(world, DLQ),
        "breaker": breaker_status(world),
        "retry_at_ms": retry_at(world, bot, contact),
        "faults": faults.state(),
    })
}

fn count(world: &World, name: &str) -> Option<Value> {
    let stats = world.engines.sqs.stats(name)?;
    Some(json!({
        "visible": stats.visible,
        "in_flight": stats.in_flight,
        "delayed": stats.delayed,
    }))
}

fn queue(world: &World) -> Value {
    let peeked = world.engines.sqs.peek(QUEUE).into_iter();
    let triggers = peeked.take(SHOWN_TRIGGERS).map(|trigger| {
        let (state, due_in_ms) = match trigger.state {
            PeekState::Delayed { due_in } => ("delayed", due_in.as_millis()),
            PeekState::Visible => ("visible", 0),
            PeekState::InFlight => ("in_flight", 0),
        };
        json!({"state": state, "due_in_ms": due_in_ms, "receive_count": trigger.receive_count})
    });
    let triggers = triggers.collect::<Vec<_>>();
    let mut queue = count(world, QUEUE).unwrap_or_default();
    if let Some(queue) = queue.as_object_mut() {
        queue.insert("triggers".to_owned(), triggers.into());
    }
    queue
}

fn breaker_status(world: &World) -> Value {
    let breaker = breaker(&world.engines).unwrap_or_default();
    let limits = world.worker.rules.breaker;
    let now = world.clock.now();
    json!({
        "state": breaker.state(now),
        "failures": breaker.failures,
        "max_failures": limits.max_failures,
        "open_until_ms": breaker.open_until.map(|until| until.0),
        "cooldown_ms": limits.cooldown_ms,
        // A dead probe is none.
        "probing": breaker.probe_until.is_some_and(|until| now < until),
    })
}

/// How long things take by this run's settings, for the fault panel's hints: seconds, failures and attempts.
pub fn pace(world: &World) -> Value {
    let rules = &world.worker.rules;
    json!({
        "attempts": rules.ai_max_attempts,
        "retry_seconds": rules.ai_retry_seconds,
        "retry_after_seconds": RETRY_AFTER_SECONDS,
        "timeout_seconds": rules.ai_timeout.as_secs(),
        "small_context_tokens": SMALL_CONTEXT_TOKENS,
        "breaker_failures": rules.breaker.max_failures,
        "breaker_seconds": rules.breaker.cooldown_ms / 1_000,
        "gateway_attempts": rules.gateway_max_attempts,
    })
}

/// When a burst that failed is tried again, in milliseconds since 1970; none while somebody works on it.
fn retry_at(world: &World, bot: &str, contact: &str) -> Option<i64> {
    let id = conversation_id(bot, contact)?;
    let head = json!({
        "TableName": TABLE,
        "Key": {"pk": {"S": keys::conversation(&id)}, "sk": {"S": keys::HEAD}},
    });
    let head = world.engines.read_item(&head)?;
    let at = number(&head, "retry_at")?;
    head.get("c_fence").is_none().then_some(at)
}

fn number(item: &Value, name: &str) -> Option<i64> {
    item.get(name)?.get("N")?.as_str()?.parse().ok()
}

/// The breaker as its item says, whoever wrote it: the functions may be other processes.
fn breaker(engines: &Engines) -> Option<Breaker> {
    let key = json!({
        "TableName": TABLE,
        "Key": {"pk": {"S": keys::breaker(Provider::OpenRouter.as_str())}, "sk": {"S": keys::BREAKER}},
    });
    let item = engines.read_item(&key)?;
    Some(Breaker {
        failures: number(&item, "failures")
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0),
        open_until: number(&item, "open_until").map(EpochMs),
        probe_until: number(&item, "probe_until").map(EpochMs),
    })
}

/// The keyed hash that the steps of a conversation carry; empty where these are no ids.
pub fn conversation_of(pseudonyms: &Pseudonyms, bot: &str, contact: &str) -> String {
    conversation_id(bot, contact).map_or_else(String::new, |id| pseudonyms.conversation(&id))
}

fn conversation_id(bot: &str, contact: &str) -> Option<ConversationId> {
    Some(ConversationId {
        bot_id: BotId::new(bot).ok()?,
        contact: Contact::new(contact).ok()?,
    })
}
