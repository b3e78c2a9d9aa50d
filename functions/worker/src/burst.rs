//! The messages a turn is about: the burst, in order, and the history before it.

use std::collections::BTreeSet;

use clivy::conversation::ids::MessageKey;
use clivy::conversation::message::{Author, Message};
use clivy::table::{StoredMessage, TableError};

use crate::record::{Held, Job};

/// The burst and what was said before, both oldest first.
pub struct Conversation {
    /// The messages to answer.
    pub burst: Vec<Message>,
    /// What was said before.
    pub history: Vec<Message>,
}

/// Gathers a turn's messages: from the newest ones, and by key where the burst reaches further back.
pub async fn gather(job: &Job<'_>, held: &Held) -> Result<Conversation, TableError> {
    let newest = held.newest.clone()?;
    let known: BTreeSet<&MessageKey> = newest.iter().map(|stored| &stored.key).collect();
    let missing: BTreeSet<MessageKey> = held
        .claim
        .keys
        .iter()
        .filter(|key| !known.contains(key))
        .cloned()
        .collect();
    let mut all = if missing.is_empty() {
        Vec::new()
    } else {
        let id = &job.trigger.conversation;
        job.worker.table.messages(id, &missing).await?
    };
    all.extend(newest);
    Ok(split(all, &held.claim.keys))
}

fn split(all: Vec<StoredMessage>, keys: &BTreeSet<MessageKey>) -> Conversation {
    let (burst, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|stored| keys.contains(&stored.key));
    let mut burst: Vec<Message> = burst.into_iter().map(|stored| stored.message).collect();
    burst.sort_by(|a, b| a.order().cmp(&b.order()));
    // What the customer wrote after the claim is pending: the next burst answers it, not this prompt.
    let last_received = burst.iter().map(|message| message.received_at).max();
    let mut history: Vec<Message> = others
        .into_iter()
        .map(|stored| stored.message)
        // A reply that nobody has read must not look like an answer given.
        .filter(|message| message.delivered)
        .filter(|message| {
            message.author != Author::Customer || Some(message.received_at) <= last_received
        })
        .collect();
    history.sort_by(|a, b| a.order().cmp(&b.order()));
    Conversation { burst, history }
}

#[cfg(test)]
mod tests {
    use clivy::conversation::ids::{EpochMs, MessageId};
    use clivy::conversation::message::{Content, MessageKind};

    use super::*;

    fn stored(mid: &str, author: Author, platform_ms: i64, received_ms: i64) -> StoredMessage {
        StoredMessage {
            key: MessageKey::new(format!("M#{platform_ms:013}#{mid}")),
            message: Message {
                mid: MessageId::new(mid).unwrap(),
                author,
                content: Content {
                    kind: MessageKind::Text,
                    text: mid.to_owned(),
                },
                platform_at: EpochMs(platform_ms),
                received_at: EpochMs(received_ms),
                delivered: true,
            },
        }
    }

    fn mids(messages: &[Message]) -> Vec<&str> {
        messages
            .iter()
            .map(|message| message.mid.as_str())
            .collect()
    }

    #[test]
    fn bubbles_of_one_second_keep_the_order_in_which_they_reached_us() {
        let all = vec![
            stored("zz", Author::Customer, 5_000, 5_100),
            stored("aa", Author::Customer, 5_000, 5_900),
            stored("mm", Author::Customer, 5_000, 5_500),
        ];
        let keys = all.iter().map(|stored| stored.key.clone()).collect();
        assert_eq!(mids(&split(all, &keys).burst), ["zz", "mm", "aa"]);
    }

    #[test]
    fn what_is_pending_for_the_next_burst_is_not_history() {
        let all = vec![
            stored("old", Author::Customer, 1_000, 1_100),
            stored("reply", Author::Bot, 2_000, 2_000),
            stored("mine", Author::Customer, 5_000, 5_100),
            stored("later", Author::Customer, 6_000, 6_100),
            stored("admin", Author::Person, 7_000, 7_100),
        ];
        let keys = [all[2].key.clone()].into();
        let conversation = split(all, &keys);
        assert_eq!(mids(&conversation.burst), ["mine"]);
        assert_eq!(mids(&conversation.history), ["old", "reply", "admin"]);
    }
}
