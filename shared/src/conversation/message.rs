//! Messages: one bubble each, in or out.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{EpochMs, MessageId};

/// What kind of bubble a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Plain or extended text.
    Text,
    /// A picture.
    Image,
    /// A film, round video notes included.
    Video,
    /// A voice note or audio file.
    Audio,
    /// A file.
    Document,
    /// A sticker.
    Sticker,
    /// A place, live or not.
    Location,
    /// One or more contact cards.
    Contact,
    /// A cart or product of the catalogue.
    Order,
    /// Anything else a customer can send.
    Other,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The contact.
    Customer,
    /// This system.
    Bot,
    /// A person of the business, from the phone or the inbox.
    Person,
}

/// The content of a message: its kind and the text that stands for it. Media without a caption carry a short
/// Indonesian placeholder, for the prompt and the history.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The kind of bubble.
    pub kind: MessageKind,
    /// What the customer wrote: the text or the caption, or the placeholder where there is neither.
    pub text: String,
}

/// Without the text: it must not reach a log (I11).
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("kind", &self.kind)
            .field("text", &"[redacted]")
            .finish()
    }
}

/// A message as the table keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The platform's id.
    pub mid: MessageId,
    /// Who wrote it.
    pub author: Author,
    /// Kind and text.
    #[serde(flatten)]
    pub content: Content,
    /// When the platform says it was written, whole seconds on WhatsApp.
    pub platform_at: EpochMs,
    /// When we got it, or made it.
    pub received_at: EpochMs,
    /// False for a reply that the gateway would not take: the customer has not read it, as far as we know.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub delivered: bool,
    /// How far a message has come that a person wrote in the inbox; none for all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
}

/// How far a message has come that a person wrote in the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It is stored, and will be sent.
    Sending,
    /// The gateway took it.
    Sent,
    /// The gateway would not take it. It is not tried again.
    Undelivered,
    /// Something that only a newer version knows.
    #[serde(other)]
    Unknown,
}

fn yes() -> bool {
    true
}

impl Message {
    /// The order of a conversation. WhatsApp's time is whole seconds, so bubbles of one second tie and
    /// the moment they reached us decides.
    #[must_use]
    pub fn order(&self) -> (EpochMs, EpochMs, &MessageId) {
        (self.platform_at, self.received_at, &self.mid)
    }

    /// Whether it counts as said: the customer has read it as far as we know, or will in a moment.
    #[must_use]
    pub fn is_said(&self) -> bool {
        self.delivered || self.delivery == Some(Delivery::Sending)
    }
}

impl Delivery {
    /// The word the table and the API use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Undelivered => "undelivered",
            Self::Unknown => "unknown",
        }
    }
}

impl MessageKind {
    /// The word the table and the API use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Sticker => "sticker",
            Self::Location => "location",
            Self::Contact => "contact",
            Self::Order => "order",
            Self::Other => "other",
        }
    }
}

impl Author {
    /// The word the table and the API use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Bot => "bot",
            Self::Person => "person",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message() -> Message {
        let written = json!({"mid": "A", "author": "customer", "kind": "text", "text": "Halo", "platform_at": 1,
            "received_at": 2});
        serde_json::from_value(written).unwrap()
    }

    #[test]
    fn a_message_is_said_when_it_has_arrived_or_will_in_a_moment() {
        assert!(message().is_said(), "what says nothing of it has arrived");
        for (delivered, delivery, is_said) in [
            (true, None, true),
            (false, None, false),
            (false, Some(Delivery::Sending), true),
            (false, Some(Delivery::Undelivered), false),
            (false, Some(Delivery::Sent), false),
            (true, Some(Delivery::Sent), true),
        ] {
            let message = Message {
                delivered,
                delivery,
                ..message()
            };
            assert_eq!(message.is_said(), is_said, "{delivered} {delivery:?}");
        }
    }

    #[test]
    fn the_words_are_those_that_the_table_has() {
        for kind in [
            MessageKind::Text,
            MessageKind::Image,
            MessageKind::Video,
            MessageKind::Audio,
            MessageKind::Document,
            MessageKind::Sticker,
            MessageKind::Location,
            MessageKind::Contact,
            MessageKind::Order,
            MessageKind::Other,
        ] {
            assert_eq!(json!(kind), kind.as_str());
        }
        for author in [Author::Customer, Author::Bot, Author::Person] {
            assert_eq!(json!(author), author.as_str());
        }
        for delivery in [Delivery::Sending, Delivery::Sent, Delivery::Undelivered] {
            assert_eq!(json!(delivery), delivery.as_str());
        }
        let unknown: Delivery = serde_json::from_value(json!("somebody new")).unwrap();
        assert_eq!(unknown.as_str(), "unknown");
    }

    #[test]
    fn a_message_shows_no_text() {
        let shown = format!("{:?}", message());
        assert!(
            shown.contains("Content") && !shown.contains("Halo"),
            "I11: {shown}"
        );
    }
}
