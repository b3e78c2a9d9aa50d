//! What the phone page shows of the inside besides the steps: the queues, and whose steps are whose.

use clivy::conversation::ids::{BotId, Contact, ConversationId};
use clivy::pseudonym::Pseudonyms;
use serde_json::{Value, json};

use crate::sqs::{PeekState, Sqs};
use crate::world::{DLQ, QUEUE};

/// Triggers that are shown one by one.
const SHOWN_TRIGGERS: usize = 20;

/// How full the queues are, and when the next triggers are due.
pub fn status(sqs: &Sqs) -> Value {
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
    json!({"queue": queue, "dlq": count(DLQ)})
}

/// The keyed hash that the steps of a conversation carry; empty where these are no ids.
pub fn conversation_of(pseudonyms: &Pseudonyms, bot: &str, contact: &str) -> String {
    match (BotId::new(bot), Contact::new(contact)) {
        (Ok(bot_id), Ok(contact)) => pseudonyms.conversation(&ConversationId { bot_id, contact }),
        _ => String::new(),
    }
}
