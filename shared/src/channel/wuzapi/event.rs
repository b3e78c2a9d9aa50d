//! From an envelope to what it tells.

use serde_json::Value;

use super::content::{self, Meaning};
use super::envelope::{BadEnvelope, Envelope};
use super::fields::{self, Object};
use super::jid::{self, Jid, Server};
use super::text::{cut, non_blank};
use crate::channel::{Edit, Event, Ignored, Incoming};
use crate::conversation::ids::{Contact, EpochMs, MessageId};

/// The longest name that is kept, in characters.
const MAX_NAME_CHARACTERS: usize = 100;

/// Later moments (the year 2286) would need a 14th digit, and the keys of the table sort 13 of them.
const MAX_EPOCH_MS: i64 = 9_999_999_999_999;

impl Envelope {
    /// What the envelope tells. Reads identity, kind and text strictly; everything else that is missing or odd is
    /// left out, because a customer's message must not be lost for it.
    ///
    /// # Errors
    /// Neither type nor event; a message without its id or its chat, or with fields of another JSON type.
    pub fn event(&self) -> Result<Event, BadEnvelope> {
        match self.kind()? {
            Kind::Message(payload) => message(payload),
            Kind::Other(why) => Ok(Event::Ignored(why)),
        }
    }

    fn kind(&self) -> Result<Kind<'_>, BadEnvelope> {
        let event = self.get("event");
        let declared = match self.get("type") {
            None => None,
            Some(value) => value.as_str().map(Some).ok_or(BadEnvelope::WrongType {
                field: "type",
                expected: "a string",
            })?,
        };
        let declared = declared
            .and_then(non_blank)
            .or(event.and_then(Value::as_str));
        let Some(declared) = declared.and_then(non_blank) else {
            return match (self.payload(), event) {
                // A bare `{Info, Message}` is a message, whatever else was left out.
                (Some(payload), _) => Ok(Kind::Message(payload)),
                (None, Some(Value::Object(_))) => Ok(Kind::Other(Ignored::NotAMessage)),
                (None, Some(Value::String(_)) | None) => Err(BadEnvelope::Missing {
                    field: "type or event",
                }),
                (None, Some(_)) => Err(BadEnvelope::WrongType {
                    field: "event",
                    expected: "an object or a string",
                }),
            };
        };
        let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(declared));
        if is(&["Message"]) {
            let payload = self.payload();
            return payload
                .map(Kind::Message)
                .ok_or(BadEnvelope::Missing { field: "Info" });
        }
        Ok(Kind::Other(if is(&["ReadReceipt", "Receipt"]) {
            Ignored::Receipt
        } else if is(&["ChatPresence", "Presence"]) {
            Ignored::Presence
        } else {
            Ignored::NotAMessage
        }))
    }

    /// The object with `Info` in it: `event`, `data`, or what stands around them.
    fn payload(&self) -> Option<&Object> {
        let nested = ["event", "data"].into_iter();
        nested
            .filter_map(|name| self.get(name)?.as_object())
            .chain(self.objects())
            .find(|object| fields::get(object, "Info").is_some())
    }
}

enum Kind<'a> {
    Message(&'a Object),
    Other(Ignored),
}

fn message(payload: &Object) -> Result<Event, BadEnvelope> {
    let info = Info::read(payload)?;
    if let Some(why) = info.not_a_customers_chat()? {
        return Ok(Event::Ignored(why));
    }
    let meaning = match fields::object(payload, "Message")? {
        Some(message) => content::meaning(message, is_edit(payload))?,
        None => Meaning::Empty,
    };
    match meaning {
        Meaning::Reaction => Ok(Event::Ignored(Ignored::Reaction)),
        Meaning::Protocol => Ok(Event::Ignored(Ignored::Protocol)),
        // The phone answered our request for a message that could not be decrypted, with nothing.
        Meaning::Empty if asked_for(payload) => Ok(Event::Ignored(Ignored::NotAMessage)),
        Meaning::Empty => Ok(Event::Ignored(Ignored::Empty)),
        Meaning::Edit { original, content } => Ok(match info.person()? {
            Some(contact) => Event::Edit(Edit {
                contact,
                own: info.from_me,
                original,
                content,
            }),
            None => Event::Ignored(Ignored::OwnMessage),
        }),
        Meaning::Content(content) => {
            let Some(contact) = info.person()? else {
                return Ok(Event::Ignored(Ignored::OwnMessage));
            };
            let incoming = Incoming {
                mid: info.mid()?,
                contact,
                name: info.name(),
                platform_at: info.platform_at(),
                content,
            };
            Ok(if info.from_me {
                Event::Own(incoming)
            } else {
                Event::Message(incoming)
            })
        }
    }
}

fn is_edit(payload: &Object) -> bool {
    fields::get(payload, "IsEdit").and_then(Value::as_bool) == Some(true)
}

fn asked_for(payload: &Object) -> bool {
    let request = fields::get(payload, "UnavailableRequestID").and_then(Value::as_str);
    request.and_then(non_blank).is_some()
}

/// whatsmeow's `MessageInfo`, the parts that say who, where and when.
struct Info<'a> {
    object: &'a Object,
    chat: Option<Jid<'a>>,
    sender: Option<Jid<'a>>,
    sender_alt: Option<Jid<'a>>,
    recipient_alt: Option<Jid<'a>>,
    destination: Option<Jid<'a>>,
    from_me: bool,
    is_group: bool,
}

impl<'a> Info<'a> {
    fn read(payload: &'a Object) -> Result<Self, BadEnvelope> {
        let object =
            fields::object(payload, "Info")?.ok_or(BadEnvelope::Missing { field: "Info" })?;
        let address = |path| Ok(fields::text(object, path)?.and_then(Jid::parse));
        let sent = fields::dig(object, "DeviceSentMeta.DestinationJID").and_then(Value::as_str);
        Ok(Self {
            object,
            chat: address("Info.Chat")?,
            sender: address("Info.Sender")?,
            sender_alt: address("Info.SenderAlt")?,
            recipient_alt: address("Info.RecipientAlt")?,
            destination: sent.and_then(Jid::parse),
            from_me: fields::flag(object, "Info.IsFromMe")?,
            is_group: fields::flag(object, "Info.IsGroup")?,
        })
    }

    /// Why nobody waits for an answer in this chat. Asked before everything else: a status post by a
    /// customer, or our own word in a group, is no conversation of ours.
    fn not_a_customers_chat(&self) -> Result<Option<Ignored>, BadEnvelope> {
        let chat = self.chat.or(self.sender).or(self.sender_alt);
        let chat = chat.ok_or(BadEnvelope::NoContact { field: "Info.Chat" })?;
        let from_bot = self
            .sender
            .is_some_and(|sender| sender.server == Server::Bot);
        Ok(match chat.server {
            Server::Broadcast => Some(Ignored::StatusBroadcast),
            Server::Newsletter => Some(Ignored::Newsletter),
            Server::Group => Some(Ignored::Group),
            _ if self.is_group => Some(Ignored::Group),
            Server::Bot => Some(Ignored::NotAMessage),
            _ if from_bot || chat.is_whatsapp() => Some(Ignored::NotAMessage),
            Server::Phone | Server::Lid | Server::Other => None,
        })
    }

    /// The customer. `None` for our own message of which nothing says to whom it went.
    fn person(&self) -> Result<Option<Contact>, BadEnvelope> {
        let (field, addresses) = if self.from_me {
            // Never the sender: that is the business itself.
            (
                "Info.Chat",
                [self.chat, self.recipient_alt, self.destination],
            )
        } else {
            ("Info.Sender", [self.sender, self.sender_alt, self.chat])
        };
        match jid::person(addresses.into_iter().flatten()) {
            Some(jid) => jid
                .contact()
                .map(Some)
                .map_err(|fault| BadEnvelope::InvalidId { field, fault }),
            None if self.from_me => Ok(None),
            None => Err(BadEnvelope::NoContact { field }),
        }
    }

    fn mid(&self) -> Result<MessageId, BadEnvelope> {
        let field = "Info.ID";
        let id = fields::text(self.object, field)?.and_then(non_blank);
        MessageId::new(id.ok_or(BadEnvelope::Missing { field })?)
            .map_err(|fault| BadEnvelope::InvalidId { field, fault })
    }

    /// The name the customer gave themselves, or the verified name of a business that writes to us.
    fn name(&self) -> Option<String> {
        if self.from_me {
            return None;
        }
        ["PushName", "VerifiedName.Details.verifiedName"]
            .into_iter()
            .filter_map(|path| fields::dig(self.object, path)?.as_str())
            .find_map(non_blank)
            .map(|name| cut(name.trim(), MAX_NAME_CHARACTERS).to_owned())
    }

    fn platform_at(&self) -> Option<EpochMs> {
        let text = fields::get(self.object, "Timestamp")?.as_str()?;
        let moment: jiff::Timestamp = text.trim().parse().ok()?;
        let ms = moment.as_millisecond();
        // Go's zero time is the year 1, and zero seconds is what an absent attribute becomes.
        (1..=MAX_EPOCH_MS).contains(&ms).then_some(EpochMs(ms))
    }
}

#[cfg(test)]
mod tests;
