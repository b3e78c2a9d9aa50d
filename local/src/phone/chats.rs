//! The bubbles that customers wrote on the page, kept so that a reload shows them again. The bot's bubbles are the
//! gateway's.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::gateway::Sent;

/// Bubbles kept of one conversation.
const BUBBLES: usize = 200;
/// Conversations kept.
const CONVERSATIONS: usize = 200;
/// Changes a slow page may be behind.
const LIVE: usize = 256;

/// A bot, by its place among the gateway's tokens, and a contact, as the gateway writes it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Conversation {
    pub(super) session: usize,
    pub(super) contact: String,
}

/// Who wrote a bubble.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Customer,
    Bot,
}

/// How far a bubble has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BubbleState {
    /// The webhook has not answered yet.
    Sending,
    /// The webhook said 2xx; or the bubble is the bot's.
    Accepted,
    /// The webhook said anything else, or nothing.
    Failed,
    /// The bot's number has marked it as read.
    Read,
}

/// One bubble, as the page gets it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub(super) struct Bubble {
    pub(super) id: String,
    pub(super) from: Side,
    pub(super) text: String,
    pub(super) at_ms: i64,
    pub(super) state: BubbleState,
    /// The webhook's HTTP status.
    pub(super) status: Option<u16>,
    /// The webhook's answer, where it is JSON: `{"status": "queued"}` and its like.
    pub(super) answer: Option<Value>,
}

impl Bubble {
    /// A bubble that a customer has just typed.
    pub(super) fn typed(id: String, text: String, at_ms: i64) -> Self {
        Self {
            id,
            from: Side::Customer,
            text,
            at_ms,
            state: BubbleState::Sending,
            status: None,
            answer: None,
        }
    }

    /// A bubble that the gateway was asked to send.
    pub(super) fn sent(sent: Sent) -> Self {
        let Sent {
            id, body, at_ms, ..
        } = sent;
        Self {
            from: Side::Bot,
            state: BubbleState::Accepted,
            ..Self::typed(id, body, at_ms)
        }
    }
}

pub(super) struct Chats {
    kept: Mutex<Kept>,
    live: broadcast::Sender<(Conversation, Bubble)>,
}

#[derive(Default)]
struct Kept {
    chats: HashMap<Conversation, VecDeque<Bubble>>,
    /// The conversations by age, the oldest first.
    opened: VecDeque<Conversation>,
}

impl Default for Chats {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            live: broadcast::channel(LIVE).0,
        }
    }
}

impl Chats {
    /// What is written from now on, in every conversation.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<(Conversation, Bubble)> {
        self.live.subscribe()
    }

    /// The bubbles of one conversation, oldest first.
    pub(super) fn bubbles(&self, conversation: &Conversation) -> Vec<Bubble> {
        let kept = self.kept();
        kept.chats
            .get(conversation)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Begins to send a bubble. One that failed before is sent again as it was, with its first text and time; none when
    /// it is on its way or has arrived.
    pub(super) fn open(&self, conversation: &Conversation, bubble: Bubble) -> Option<Bubble> {
        let mut kept = self.kept();
        let bubbles = kept.chat(conversation);
        let opened = match bubbles.iter_mut().find(|known| known.id == bubble.id) {
            Some(known) if known.state == BubbleState::Failed => {
                known.state = BubbleState::Sending;
                known.clone()
            }
            Some(_) => return None,
            None => {
                if bubbles.len() == BUBBLES {
                    bubbles.pop_front();
                }
                bubbles.push_back(bubble.clone());
                bubble
            }
        };
        self.tell(conversation, &opened);
        Some(opened)
    }

    /// Notes what the webhook answered.
    pub(super) fn settle(
        &self,
        conversation: &Conversation,
        id: &str,
        state: BubbleState,
        status: Option<u16>,
        answer: &str,
    ) -> Bubble {
        let mut kept = self.kept();
        let known = kept
            .chat(conversation)
            .iter_mut()
            .find(|bubble| bubble.id == id);
        // Gone only when hundreds of bubbles came meanwhile: nobody looks at this one any more.
        let mut forgotten = Bubble::typed(id.to_owned(), String::new(), 0);
        let bubble = known.unwrap_or(&mut forgotten);
        bubble.state = state;
        bubble.status = status;
        bubble.answer = serde_json::from_str(answer).ok();
        let settled = bubble.clone();
        self.tell(conversation, &settled);
        settled
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, conversation: &Conversation, bubble: &Bubble) {
        // An error means: no page is open.
        let _ = self.live.send((conversation.clone(), bubble.clone()));
    }
}

impl Kept {
    fn chat(&mut self, conversation: &Conversation) -> &mut VecDeque<Bubble> {
        if !self.chats.contains_key(conversation) {
            if self.opened.len() == CONVERSATIONS
                && let Some(oldest) = self.opened.pop_front()
            {
                self.chats.remove(&oldest);
            }
            self.opened.push_back(conversation.clone());
        }
        self.chats.entry(conversation.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(contact: usize) -> Conversation {
        Conversation {
            session: 0,
            contact: format!("62811{contact}"),
        }
    }

    fn typed(id: &str) -> Bubble {
        Bubble::typed(id.to_owned(), "Halo".to_owned(), 1)
    }

    #[test]
    fn only_a_bubble_that_failed_is_sent_again_and_as_it_was() {
        let chats = Chats::default();
        assert!(chats.open(&conversation(1), typed("a")).is_some());
        assert!(
            chats.open(&conversation(1), typed("a")).is_none(),
            "on its way"
        );
        chats.settle(
            &conversation(1),
            "a",
            BubbleState::Failed,
            Some(503),
            "not json",
        );
        let other_text = Bubble {
            text: "Lain".to_owned(),
            at_ms: 9,
            ..typed("a")
        };
        let again = chats.open(&conversation(1), other_text).unwrap();
        assert_eq!((again.text.as_str(), again.at_ms), ("Halo", 1));
        let settled = chats.settle(
            &conversation(1),
            "a",
            BubbleState::Accepted,
            Some(200),
            r#"{"status":"queued"}"#,
        );
        assert_eq!(settled.answer.unwrap()["status"], "queued");
        assert!(
            chats.open(&conversation(1), typed("a")).is_none(),
            "arrived"
        );
        assert_eq!(chats.bubbles(&conversation(1)).len(), 1);
    }

    #[test]
    fn what_is_kept_is_bounded_in_both_directions() {
        let chats = Chats::default();
        for n in 0..BUBBLES + 5 {
            chats.open(&conversation(0), typed(&n.to_string()));
        }
        let bubbles = chats.bubbles(&conversation(0));
        assert_eq!(bubbles.len(), BUBBLES);
        assert_eq!(bubbles[0].id, "5");
        for n in 1..=CONVERSATIONS {
            chats.open(&conversation(n), typed("a"));
        }
        assert!(
            chats.bubbles(&conversation(0)).is_empty(),
            "the oldest conversation went"
        );
        assert_eq!(chats.kept().chats.len(), CONVERSATIONS);
    }
}
