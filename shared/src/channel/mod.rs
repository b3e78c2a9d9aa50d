//! The gateways: read an envelope, verify it, send a reply.
//!
//! What a gateway's webhook means is said in the words of this module, whichever gateway it came from. One kind
//! of gateway exists today, [`wuzapi`]; the next one brings its own module and the same [`Event`].

use std::fmt;

use crate::conversation::ids::{Contact, EpochMs, MessageId};
use crate::conversation::message::Content;

pub mod wuzapi;

/// What a webhook tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A customer wrote.
    Message(Incoming),
    /// The business's own number wrote: our reply coming back, or a person at the phone. The contact is the
    /// customer it went to.
    Own(Incoming),
    /// An earlier message was rewritten.
    Edit(Edit),
    /// Nothing that anybody waits for an answer to.
    Ignored(Ignored),
}

/// One message, as the gateway tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The platform's id.
    pub mid: MessageId,
    /// The customer's side of the chat.
    pub contact: Contact,
    /// The name the customer chose; never known from the business's own messages.
    pub name: Option<String>,
    /// When it was written; `None` when the gateway does not say it, or says what cannot be.
    pub platform_at: Option<EpochMs>,
    /// Kind and text.
    pub content: Content,
}

/// A new text for an earlier message.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// The customer's side of the chat.
    pub contact: Contact,
    /// Whether the business's own number made the edit. An edit may only change a message of the same author:
    /// customers know the ids of the replies they got.
    pub own: bool,
    /// The id of the message that it changes.
    pub original: MessageId,
    /// Kind and text from now on.
    pub content: Content,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // I11: neither name nor text.
        f.debug_struct("Incoming")
            .field("mid", &self.mid)
            .field("contact", &self.contact)
            .field("name", &self.name.as_ref().map(|_| "[redacted]"))
            .field("platform_at", &self.platform_at)
            .field("kind", &self.content.kind)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edit")
            .field("contact", &self.contact)
            .field("own", &self.own)
            .field("original", &self.original)
            .field("kind", &self.content.kind)
            .finish_non_exhaustive()
    }
}

/// Why a webhook is acknowledged and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Written in a group.
    Group,
    /// A status post or a broadcast list.
    StatusBroadcast,
    /// A channel's post.
    Newsletter,
    /// Written by the business's own number, with nothing to keep.
    OwnMessage,
    /// Delivered, read, played.
    Receipt,
    /// Online, typing.
    Presence,
    /// An emoji on an earlier message.
    Reaction,
    /// A vote, a pin, a deletion, a key: what apps tell each other.
    Protocol,
    /// No content, or only blanks.
    Empty,
    /// The bot is switched off.
    BotInactive,
    /// Connection, QR code, history, and whatever else is not a message.
    NotAMessage,
}

impl Ignored {
    /// The word for it in our answers: `{"status":"ignored","reason":…}`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::StatusBroadcast => "status_broadcast",
            Self::Newsletter => "newsletter",
            Self::OwnMessage => "own_message",
            Self::Receipt => "receipt",
            Self::Presence => "presence",
            Self::Reaction => "reaction",
            Self::Protocol => "protocol",
            Self::Empty => "empty",
            Self::BotInactive => "bot_inactive",
            Self::NotAMessage => "not_a_message",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::message::MessageKind;

    #[test]
    fn neither_name_number_nor_text_is_ever_printed() {
        let incoming = Incoming {
            mid: MessageId::new("3EB0A1").unwrap(),
            contact: Contact::new("6281300045678").unwrap(),
            name: Some("Sari Melati".to_owned()),
            platform_at: None,
            content: Content {
                kind: MessageKind::Text,
                text: "nomor rekening saya".to_owned(),
            },
        };
        let edit = Edit {
            contact: incoming.contact.clone(),
            own: false,
            original: incoming.mid.clone(),
            content: incoming.content.clone(),
        };
        let printed = format!("{:?} {:?}", Event::Message(incoming), Event::Edit(edit));
        for secret in ["6281300045678", "Sari", "rekening"] {
            assert!(!printed.contains(secret), "{printed}");
        }
        assert!(printed.contains("3EB0A1"));
    }
}
