//! The messages a turn is about: the burst, in order, and the history before it.

use std::collections::BTreeSet;

use clivy::conversation::ids::{EpochMs, MessageKey};
use clivy::conversation::message::{Author, Message};
use clivy::table::{StoredMessage, TableError};

use crate::record::{Held, Job};

/// How far the platform's clock may be ahead of ours. A person's message from further in the future must not answer
/// whatever a customer writes until then.
const CLOCK_SLACK_MS: i64 = 60_000;

/// The burst and what was said before, all oldest first.
pub struct Conversation {
    /// The messages to answer.
    pub burst: Vec<Message>,
    /// Messages of the burst that a person has answered: written before that person's last words.
    pub left_to_person: Vec<Message>,
    /// What was said before, those among it.
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
    let conversation = split(all, &held.claim.keys);
    Ok(if job.worker.rules.yields_to_persons {
        conversation.yielding()
    } else {
        conversation
    })
}

impl Conversation {
    /// Everything that the customer wrote in this burst.
    pub fn whole_burst(&self) -> impl Iterator<Item = &Message> {
        self.left_to_person.iter().chain(&self.burst)
    }

    /// Whether a person has answered all of it.
    pub fn is_left_to_person(&self) -> bool {
        self.burst.is_empty() && !self.left_to_person.is_empty()
    }

    /// The same without what a person has answered. In the order in which WhatsApp shows it, because that is what the
    /// person has read.
    fn yielding(mut self) -> Self {
        let spoken_at = |message: &Message| -> (EpochMs, EpochMs) {
            let latest = message.received_at.plus_ms(CLOCK_SLACK_MS);
            (message.platform_at.min(latest), message.received_at)
        };
        let persons = self
            .history
            .iter()
            .filter(|message| message.author == Author::Person);
        let Some(last_words) = persons.map(spoken_at).max() else {
            return self;
        };
        (self.left_to_person, self.burst) = self
            .burst
            .into_iter()
            .partition(|message| spoken_at(message) < last_words);
        self.history.extend(self.left_to_person.iter().cloned());
        self.history.sort_by(|a, b| a.order().cmp(&b.order()));
        self
    }
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
        // A reply that nobody has read must not look like an answer given. What a person has just said in the inbox is
        // one, though it is still on its way.
        .filter(Message::is_said)
        .filter(|message| {
            message.author != Author::Customer || Some(message.received_at) <= last_received
        })
        .collect();
    history.sort_by(|a, b| a.order().cmp(&b.order()));
    Conversation {
        burst,
        left_to_person: Vec::new(),
        history,
    }
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
                delivery: None,
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

    fn yielded(all: Vec<StoredMessage>, burst: &[usize]) -> Conversation {
        let keys = burst.iter().map(|n| all[*n].key.clone()).collect();
        split(all, &keys).yielding()
    }

    #[test]
    fn what_a_persons_words_follow_is_history_and_the_rest_is_asked() {
        let all = vec![
            stored("price?", Author::Customer, 1_000, 1_100),
            stored("10k", Author::Person, 2_000, 2_100),
            stored("size?", Author::Customer, 3_000, 3_100),
        ];
        let conversation = yielded(all.clone(), &[0, 2]);
        assert_eq!(mids(&conversation.burst), ["size?"]);
        assert_eq!(mids(&conversation.left_to_person), ["price?"]);
        assert_eq!(mids(&conversation.history), ["price?", "10k"]);
        assert!(!conversation.is_left_to_person());
        let whole: Vec<_> = conversation.whole_burst().map(|m| m.mid.as_str()).collect();
        assert_eq!(whole, ["price?", "size?"]);
        assert!(yielded(all, &[0]).is_left_to_person());
    }

    #[test]
    fn within_one_second_of_the_platform_the_arrival_decides() {
        let before = stored("before", Author::Customer, 5_000, 5_100);
        let person = stored("person", Author::Person, 5_000, 5_500);
        let after = stored("after", Author::Customer, 5_000, 5_900);
        let conversation = yielded(vec![person, after, before], &[1, 2]);
        assert_eq!(mids(&conversation.burst), ["after"]);
        assert_eq!(mids(&conversation.left_to_person), ["before"]);
    }

    #[test]
    fn a_persons_message_from_the_future_answers_nothing_that_comes_later() {
        let person = stored("person", Author::Person, 9_000_000_000, 5_000);
        let next = stored("next", Author::Customer, 400_000, 400_100);
        let conversation = yielded(vec![person, next], &[1]);
        assert_eq!(mids(&conversation.burst), ["next"]);
    }

    #[test]
    fn a_burst_that_was_erased_is_left_to_nobody() {
        let person = stored("person", Author::Person, 5_000, 5_500);
        assert!(!yielded(vec![person], &[]).is_left_to_person());
    }
}
