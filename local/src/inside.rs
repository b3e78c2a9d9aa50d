//! What the phone page shows of the inside besides the steps: the queues, and whose steps are whose.

use clivy::breaker::Breaker;
use clivy::conversation::ids::{BotId, Contact, ConversationId, EpochMs};
use clivy::pseudonym::Pseudonyms;
use clivy::table::keys;
use serde_json::{Value, json};
use worker::breaker::OPENROUTER;

use crate::engines::Engines;
use crate::sqs::PeekState;
use crate::world::{DLQ, QUEUE, TABLE, World};

/// Triggers that are shown one by one.
const SHOWN_TRIGGERS: usize = 20;

/// How full the queues are, and when the next triggers are due.
pub fn status(world: &World) -> Value {
    let sqs = &world.engines.sqs;
    let count = |name: &str| {
        sqs.stats(name).map(|stats| {
            json!({
                "visible": stats.visible,
                "in_flight": stats.in_flight,
                "delayed": stats.delayed,
            })
        })
    };
    let triggers: Vec<_> = sqs
        .peek(QUEUE)
        .into_iter()
        .take(SHOWN_TRIGGERS)
        .map(|trigger| {
            let (state, due_in_ms) = match trigger.state {
                PeekState::Delayed { due_in } => ("delayed", due_in.as_millis()),
                PeekState::Visible => ("visible", 0),
                PeekState::InFlight => ("in_flight", 0),
            };
            json!({"state": state, "due_in_ms": due_in_ms, "receive_count": trigger.receive_count})
        })
        .collect();
    let mut queue = count(QUEUE).unwrap_or_default();
    if let Some(queue) = queue.as_object_mut() {
        queue.insert("triggers".to_owned(), triggers.into());
    }
    let breaker = breaker(&world.engines).unwrap_or_default();
    let breaker = json!({
        "state": breaker.state(world.clock.now()),
        "failures": breaker.failures,
    });
    json!({"queue": queue, "dlq": count(DLQ), "breaker": breaker})
}

/// The breaker as its item says, whoever wrote it: the functions may be other processes.
fn breaker(engines: &Engines) -> Option<Breaker> {
    let key = json!({
        "TableName": TABLE,
        "Key": {"pk": {"S": keys::breaker(OPENROUTER)}, "sk": {"S": keys::BREAKER}},
    });
    let item = engines.read_item(&key)?;
    let number = |name: &str| item.get(name)?.get("N")?.as_str()?.parse::<i64>().ok();
    Some(Breaker {
        failures: number("failures")
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0),
        open_until: number("open_until").map(EpochMs),
        probe_until: number("probe_until").map(EpochMs),
    })
}

/// The keyed hash that the steps of a conversation carry; empty where these are no ids.
pub fn conversation_of(pseudonyms: &Pseudonyms, bot: &str, contact: &str) -> String {
    match (BotId::new(bot), Contact::new(contact)) {
        (Ok(bot_id), Ok(contact)) => pseudonyms.conversation(&ConversationId { bot_id, contact }),
        _ => String::new(),
    }
}
