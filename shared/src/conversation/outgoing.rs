//! What a person writes in the inbox: its id, and what the trigger of such a message may do.
//!
//! The inbox stores the message and the worker sends it, in the order in which persons wrote, each under the id it was
//! stored with. Whoever sends holds the outbox of the conversation, as a claim holds a burst.

use std::collections::BTreeSet;

use super::backoff::delay_seconds;
use super::decide::{Debounce, Done, Later, View, busy_seconds};
use super::ids::{ConversationId, EpochMs, MessageId, MessageKey, Owner, hex};

/// The longest text of a message, in characters. WhatsApp takes far longer ones; people do not read them.
pub const MAX_TEXT_CHARACTERS: usize = 4_096;

/// The messages of a conversation that are being sent, and who sends them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbox {
    /// The messages.
    pub keys: BTreeSet<MessageKey>,
    /// Who sends them; none when nobody does, or until the next try.
    pub owner: Option<Owner>,
    /// Until when nobody else may: the end of the owner's lease, or of the wait for the next try.
    pub until: Option<EpochMs>,
    /// Owners that were to send the first of them, this one included.
    pub sends: u32,
}

impl Outbox {
    /// Whether something is to be sent and nobody is at it: no live lease, no wait for the next try.
    #[must_use]
    pub fn is_abandoned(&self, key: &MessageKey, now: EpochMs) -> bool {
        self.keys.contains(key) && self.until.is_none_or(|until| until < now)
    }
}

/// What makes a person's message the same one when it is asked for again (I13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// The caller's idempotency key.
    Asked(&'a str),
    /// Nothing: random bytes, so that it is like no other.
    Once([u8; 16]),
    /// It is said instead of the answer to this turn: one turn, one such message.
    InsteadOf(u64),
}

impl ConversationId {
    /// The id of a person's message: 20 hex digits, made as those of a reply are, of bot, contact, `person`, origin and
    /// when the conversation began: an erased contact that writes again is another one. The gateway sees it every time,
    /// whoever sends (I5), and an echo of it is known by its last digits.
    #[must_use]
    pub fn outgoing_id(&self, origin: Origin<'_>, born_at: Option<EpochMs>) -> Option<MessageId> {
        let origin = match origin {
            Origin::Asked(key) => format!("asked|{key}"),
            Origin::Once(bytes) => format!("once|{}", hex(&bytes)),
            Origin::InsteadOf(turn) => format!("instead_of|{turn}"),
        };
        let born_at = born_at.unwrap_or_default().0;
        MessageId::new(&self.named(&format!("person|{born_at}|{origin}"))).ok()
    }
}

/// What the trigger of a person's message does when it did not get the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The outbox is ours: the answer to our own write was lost. Go on with it.
    Send,
    /// Nothing to do: delete the trigger.
    Ack(Done),
    /// Send the trigger again with this delay, then delete this one (I3: in that order).
    Rearm {
        /// Whole seconds.
        delay_seconds: u32,
        /// Why.
        why: Later,
    },
}

/// Decides what the trigger of a person's message does after it did not get the outbox.
#[must_use]
pub fn decide(view: &View<'_>, debounce: &Debounce) -> Next {
    let rearm = |ms, why| Next::Rearm {
        delay_seconds: delay_seconds(ms),
        why,
    };
    // The own-message rule: the trigger was sent before its message was stored (I3).
    if !view.own_message_is_stored {
        return match debounce.wait_for_the_write(view.first_at, view.now) {
            None => Next::Ack(Done::NeverStored),
            Some(ms) => rearm(ms, Later::NotYetStored),
        };
    }
    let outbox = view.head.map(|head| &head.outbox);
    let Some(outbox) = outbox.filter(|outbox| outbox.keys.contains(view.key)) else {
        return Next::Ack(Done::NothingPending);
    };
    if outbox.owner.as_ref() == Some(view.owner) {
        return Next::Send;
    }
    // Whoever holds it sends this one too; this trigger is its cover should they die (I3).
    match outbox.until.filter(|until| *until >= view.now) {
        Some(until) => Next::Rearm {
            delay_seconds: busy_seconds(until, view.now),
            why: Later::Busy,
        },
        None => rearm(1000, Later::Changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::head::Head;
    use crate::conversation::ids::{BotId, Contact};

    const BORN: Option<EpochMs> = Some(EpochMs(1_763_604_905_000));

    fn id(bot: &str) -> ConversationId {
        ConversationId {
            bot_id: BotId::new(bot).unwrap(),
            contact: Contact::new("6281100020001").unwrap(),
        }
    }

    #[test]
    fn an_id_is_the_same_for_the_same_origin_and_for_no_other() {
        let origins = [
            Origin::Asked("7"),
            Origin::Asked("instead_of|7"),
            Origin::InsteadOf(7),
            Origin::InsteadOf(8),
            Origin::Once([7; 16]),
        ];
        let ids: BTreeSet<String> = origins
            .iter()
            .map(|origin| {
                id("demo")
                    .outgoing_id(*origin, BORN)
                    .unwrap()
                    .as_str()
                    .to_owned()
            })
            .collect();
        assert_eq!(ids.len(), origins.len());
        for known in &ids {
            assert_eq!(known.len(), 20);
            assert!(known.chars().all(|c| c.is_ascii_hexdigit()));
        }
        assert!(!ids.contains(id("demo").reply_id(7, BORN).as_str()));
        let asked = |bot: &str, born| id(bot).outgoing_id(Origin::Asked("7"), born).unwrap();
        assert_eq!(asked("demo", BORN), asked("demo", BORN));
        assert_ne!(asked("demo", BORN), asked("demo2", BORN));
        assert_ne!(
            asked("demo", BORN),
            asked("demo", None),
            "another life of it"
        );
    }

    #[test]
    fn an_echo_of_a_persons_message_is_known_by_its_id() {
        let mid = id("demo").outgoing_id(Origin::Asked("7"), BORN).unwrap();
        let shouted = MessageId::new(&mid.as_str().to_uppercase()).unwrap();
        assert!(id("demo").is_own_reply(&shouted, 0));
        assert!(!id("demo2").is_own_reply(&mid, 0));
    }

    fn key(name: &str) -> MessageKey {
        MessageKey::new(format!("M#0000000001000#{name}"))
    }

    fn next(stored: bool, outbox: Outbox, first_at: i64) -> Next {
        let debounce = Debounce {
            seconds: 3,
            max_wait_seconds: 15,
            max_messages: 50,
            webhook_timeout_ms: 8_000,
        };
        let head = Head {
            outbox,
            ..Head::default()
        };
        let view = View {
            head: Some(&head),
            own_message_is_stored: stored,
            key: &key("mine"),
            first_at: EpochMs(first_at),
            owner: &Owner("me".to_owned()),
            now: EpochMs(100_000),
        };
        decide(&view, &debounce)
    }

    fn held(by: Option<&str>, until: i64) -> Outbox {
        Outbox {
            keys: [key("mine"), key("other")].into(),
            owner: by.map(|by| Owner(by.to_owned())),
            until: Some(EpochMs(until)),
            sends: 1,
        }
    }

    #[test]
    fn no_state_is_acked_while_the_own_message_waits_to_be_sent() {
        let outboxes = [
            held(Some("other"), 150_000),
            held(Some("other"), 1),
            held(None, 150_000),
            held(None, 1),
            Outbox {
                keys: [key("mine")].into(),
                ..Outbox::default()
            },
        ];
        for outbox in outboxes {
            let next = next(true, outbox.clone(), 0);
            let Next::Rearm { delay_seconds, .. } = next else {
                panic!("{outbox:?}: {next:?}");
            };
            assert!((1..=30).contains(&delay_seconds), "{delay_seconds}");
        }
    }

    #[test]
    fn the_trigger_comes_again_when_the_lease_is_over() {
        for (until, delay_seconds, why) in [
            (150_000, 30, Later::Busy),
            (104_000, 5, Later::Busy),
            (100_000, 1, Later::Busy),
            (99_999, 1, Later::Changed),
        ] {
            let again = Next::Rearm { delay_seconds, why };
            assert_eq!(next(true, held(Some("other"), until), 0), again, "{until}");
        }
    }

    #[test]
    fn a_lost_answer_to_the_own_claim_is_gone_on_with() {
        assert_eq!(next(true, held(Some("me"), 150_000), 0), Next::Send);
    }

    #[test]
    fn what_was_sent_and_what_was_never_stored_ends() {
        assert_eq!(
            next(true, Outbox::default(), 0),
            Next::Ack(Done::NothingPending)
        );
        assert_eq!(
            next(false, Outbox::default(), 0),
            Next::Ack(Done::NeverStored)
        );
        let young = next(false, Outbox::default(), 99_000);
        assert!(matches!(
            young,
            Next::Rearm {
                why: Later::NotYetStored,
                ..
            }
        ));
    }

    #[test]
    fn an_outbox_is_abandoned_when_its_lease_is_over() {
        let now = EpochMs(100_000);
        assert!(held(Some("dead"), 99_999).is_abandoned(&key("mine"), now));
        assert!(!held(Some("alive"), 100_000).is_abandoned(&key("mine"), now));
        assert!(!held(None, 1).is_abandoned(&key("gone"), now));
        let fresh = Outbox {
            keys: [key("mine")].into(),
            ..Outbox::default()
        };
        assert!(fresh.is_abandoned(&key("mine"), now));
    }
}
