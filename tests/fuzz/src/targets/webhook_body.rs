//! The webhook's body: a content type on the first line, then the bytes.

use bytes::Bytes;
use clivy::channel::wuzapi::{self, Event};
use clivy::channel::{Edit, Incoming};

use super::gateway_bodies;
use crate::Target;
use crate::input::{Input, prints_nothing, tells_nothing, wait};

/// The target.
pub const TARGET: Target = Target {
    name: "webhook_body",
    run,
    seeds,
    words: WORDS,
};

/// What WhatsApp's envelopes are made of.
pub const WORDS: &[&str] = &[
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "jsonData=",
    "jsonData",
    "instanceName",
    "token",
    "type",
    "Message",
    "event",
    "data",
    "Info",
    "Chat",
    "Sender",
    "SenderAlt",
    "RecipientAlt",
    "IsFromMe",
    "IsGroup",
    "ID",
    "PushName",
    "Timestamp",
    "2026-01-02T03:04:05Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999+14:00",
    "conversation",
    "extendedTextMessage",
    "text",
    "imageMessage",
    "caption",
    "protocolMessage",
    "editedMessage",
    "key",
    "ephemeralMessage",
    "message",
    "reactionMessage",
    "@s.whatsapp.net",
    "@lid",
    "@g.us",
    "status@broadcast",
    "@newsletter",
    "\u{200b}",
    "\\u0000",
    "\\ud83d\\ude00",
    "{\"",
    "\":",
    "null",
    "true",
    "%00",
    "%F0%9F",
    "--b\r\n",
    "--b--",
    "Content-Disposition: form-data; name=\"jsonData\"\r\n\r\n",
];

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = gateway_bodies()
        .into_iter()
        .map(|(kind, body)| [kind.as_bytes(), b"\n", &body].concat())
        .collect();
    seeds.push(
        "application/json\n{\"instanceName\":\"toko\",\"type\":\"\u{1}\",\"event\":{\"Info\":{\"Chat\":\"\u{1}\"}}}"
            .into(),
    );
    seeds
}

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let kind = input.line();
    let kind = (!kind.is_empty()).then_some(kind);
    let body = Bytes::from(input.rest());
    let read = || wait(wuzapi::read(kind.as_deref(), &body));
    let (once, twice) = (read(), read());
    let (once, twice) = match (once, twice) {
        (Ok(once), Ok(twice)) => (once, twice),
        (Err(once), Err(twice)) => {
            assert_eq!(once, twice, "the same body is refused in two ways");
            return tells_nothing(&once);
        }
        _ => panic!("the same body is read once and refused once"),
    };
    prints_nothing(&once);
    // Whoever it is for is named, or it would have been refused.
    let names = [once.instance_name(), once.token()];
    assert!(
        names.iter().flatten().any(|name| !name.trim().is_empty()),
        "an envelope for nobody"
    );
    let event = once.event();
    assert_eq!(event, twice.event(), "the same body tells two things");
    match event {
        Err(error) => tells_nothing(&error),
        Ok(event) => {
            if !mark_is_an_id(&event) {
                prints_nothing(&event);
            }
            holds(&event);
        }
    }
}

/// The platform's ids of messages are printed; a stranger who makes a secret his message's id has published it.
fn mark_is_an_id(event: &Event) -> bool {
    let id = match event {
        Event::Message(incoming) | Event::Own(incoming) => incoming.mid.as_str(),
        Event::Edit(edit) => edit.original.as_str(),
        Event::Ignored(_) => "",
    };
    id.contains(crate::MARK)
}

/// What every event holds, whoever sent it.
pub fn holds(event: &Event) {
    match event {
        Event::Message(incoming) | Event::Own(incoming) => message(incoming),
        Event::Edit(Edit {
            contact,
            original,
            content,
            ..
        }) => {
            is_id(contact.as_str());
            is_id(original.as_str());
            is_text(&content.text);
        }
        Event::Ignored(_) => {}
    }
    if let Event::Own(incoming) = event {
        assert_eq!(
            incoming.name, None,
            "the business's own name is kept as the customer's"
        );
    }
}

fn message(incoming: &Incoming) {
    let contact = incoming.contact.as_str();
    is_id(contact);
    assert!(
        !contact.contains('#') && contact.is_ascii(),
        "I12: a contact that can be read as another key"
    );
    assert!(
        !contact.ends_with("@g.us")
            && !contact.ends_with("@newsletter")
            && !contact.ends_with("@broadcast"),
        "a crowd is taken for a customer"
    );
    is_id(incoming.mid.as_str());
    is_text(&incoming.content.text);
    if let Some(name) = &incoming.name {
        assert!((1..=100).contains(&name.chars().count()), "a name's length");
    }
    if let Some(at) = incoming.platform_at {
        assert!(
            (1..=9_999_999_999_999).contains(&at.0),
            "the key's time has 13 digits"
        );
    }
}

fn is_id(id: &str) {
    assert!((1..=200).contains(&id.chars().count()), "an id's length");
    assert!(
        !id.chars().any(char::is_control),
        "an id with control characters"
    );
}

fn is_text(text: &str) {
    let visible = |c: char| !c.is_whitespace() && !c.is_control();
    assert!(text.chars().any(visible), "a bubble that nobody can see");
    assert!(
        text.chars().count() <= 65_536,
        "a text beyond WhatsApp's own limit"
    );
}
