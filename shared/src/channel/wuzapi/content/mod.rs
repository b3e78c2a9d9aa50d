//! What a WhatsApp `Message` says. `Info.Type` is not asked: a link preview, for one, says "media" there.

mod shapes;

use serde_json::Value;

use super::envelope::BadEnvelope;
use super::fields::{self, Object};
use super::text::{MAX_TEXT_CHARACTERS, cut, non_blank};
use crate::conversation::ids::MessageId;
use crate::conversation::message::{Content, MessageKind};

/// WhatsApp wraps a message at most three or four times (ephemeral, view once, sent from another device).
const MAX_WRAPPERS: usize = 16;

/// What stands for a message that no rule knows.
const UNKNOWN_LABEL: &str = "pesan yang belum didukung";

/// What a `Message` is.
#[derive(Debug)]
pub(super) enum Meaning {
    Content(Content),
    Edit {
        original: MessageId,
        content: Content,
    },
    Reaction,
    Protocol,
    Empty,
}

/// Reads a `Message`. `is_edit` is whatsmeow's remark that it unwrapped an edit.
///
/// # Errors
/// Text or message fields of another JSON type.
pub(super) fn meaning(message: &Object, is_edit: bool) -> Result<Meaning, BadEnvelope> {
    let mut level = message;
    for _ in 0..MAX_WRAPPERS {
        if is_a_part_of_another(level) {
            return Ok(Meaning::Protocol);
        }
        if has(level, "reactionMessage") || has(level, "encReactionMessage") {
            return Ok(Meaning::Reaction);
        }
        if let Some(protocol) = fields::object(level, "Message.protocolMessage")? {
            return protocol_meaning(protocol, is_edit);
        }
        if let Some(content) = known(level)? {
            return Ok(Meaning::Content(content));
        }
        match wrapped(level) {
            Some(inner) => level = inner,
            None => return Ok(unknown(level)),
        }
    }
    Ok(Meaning::Content(placeholder(UNKNOWN_LABEL)))
}

fn has(level: &Object, name: &str) -> bool {
    fields::get(level, name).is_some()
}

/// Messages that WhatsApp sends beside another one, with which they are one bubble: the same photo or video in a better
/// quality, its moving part, the picture of an event or of a poll, an option that is added to a poll. By number and name of
/// `MessageAssociation.AssociationType`. The pictures of an album (1) are bubbles of their own.
const PARTS: [(u64, &str); 7] = [
    (3, "EVENT_COVER_IMAGE"),
    (5, "HD_VIDEO_DUAL_UPLOAD"),
    (7, "MEDIA_POLL"),
    (10, "HD_IMAGE_DUAL_UPLOAD"),
    (12, "MOTION_PHOTO"),
    (19, "HEVC_VIDEO_DUAL_UPLOAD"),
    (20, "POLL_ADD_OPTION"),
];

fn is_a_part_of_another(level: &Object) -> bool {
    let association = fields::dig(level, "messageContextInfo.messageAssociation");
    let Some(association) = association.and_then(Value::as_object) else {
        return false;
    };
    let kind = fields::get(association, "associationType");
    let is = |(number, name): &(u64, &str)| match kind {
        Some(Value::String(kind)) => kind.eq_ignore_ascii_case(name),
        Some(kind) => kind.as_u64() == Some(*number),
        None => false,
    };
    has(association, "parentMessageKey") && PARTS.iter().any(is)
}

fn content(kind: MessageKind, text: &str) -> Content {
    Content {
        kind,
        text: cut(text, MAX_TEXT_CHARACTERS).to_owned(),
    }
}

fn placeholder(label: &str) -> Content {
    content(MessageKind::Other, &format!("[{label}]"))
}

fn known(level: &Object) -> Result<Option<Content>, BadEnvelope> {
    if let Some(text) = fields::text(level, "Message.conversation")?.and_then(non_blank) {
        return Ok(Some(content(MessageKind::Text, text)));
    }
    for shape in shapes::SHAPES {
        if let Some(text) = shape.read(level)? {
            return Ok(Some(content(shape.kind, &text)));
        }
    }
    Ok(None)
}

/// The message inside a wrapper: `ephemeralMessage`, `viewOnceMessageV2`, `documentWithCaptionMessage` and all
/// others have one shape, `{"message": {…}}`, and WhatsApp adds a new one every few months.
fn wrapped(level: &Object) -> Option<&Object> {
    level
        .values()
        .find_map(|value| fields::get(value.as_object()?, "message")?.as_object())
}

/// What apps tell each other without a word from anybody. An album announces pictures that come on their own.
const TECHNICAL: [&str; 22] = [
    "senderKeyDistributionMessage",
    "fastRatchetKeySenderKeyDistributionMessage",
    "pollUpdateMessage",
    "pollResultSnapshotMessage",
    "pollResultSnapshotMessageV3",
    "pollAddOptionMessage",
    "statusNotificationMessage",
    "statusStickerInteractionMessage",
    "scheduledCallEditMessage",
    "splitPaymentUpdateMessage",
    "groupRootKeyShare",
    "rootSecretDistributeMessage",
    "keepInChatMessage",
    "pinInChatMessage",
    "encEventResponseMessage",
    "encCommentMessage",
    "secretEncryptedMessage",
    "stickerSyncRmrMessage",
    "messageHistoryBundle",
    "messageHistoryNotice",
    "placeholderMessage",
    "albumMessage",
];

/// A level with no content that we know: a kind that is newer than this program, a technical message, or nothing.
fn unknown(level: &Object) -> Meaning {
    let is = |key: &str, names: &[&str]| names.iter().any(|name| key.eq_ignore_ascii_case(name));
    let said = |key: &str| {
        // Polls are at their fifth version.
        let prefix = key.get(.."pollCreationMessage".len());
        if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case("pollCreationMessage")) {
            let text = shapes::placeholder("polling", level, &[&format!("{key}.name")]);
            return content(MessageKind::Other, &text);
        }
        placeholder(UNKNOWN_LABEL)
    };
    let mut technical = false;
    for (key, value) in level {
        if is(key, &TECHNICAL) {
            technical |= !value.is_null();
        } else if !is(key, &["messageContextInfo", "extendedTextMessage"]) && value.is_object() {
            return Meaning::Content(said(key));
        }
    }
    if technical {
        Meaning::Protocol
    } else {
        Meaning::Empty
    }
}

/// An edit where it is one; deletions, timers, keys and all else are nobody's turn.
fn protocol_meaning(protocol: &Object, is_edit: bool) -> Result<Meaning, BadEnvelope> {
    let says_edit = match fields::get(protocol, "type") {
        Some(Value::String(name)) => name.eq_ignore_ascii_case("MESSAGE_EDIT"),
        Some(number) => number.as_u64() == Some(14),
        None => false,
    };
    if !says_edit && !is_edit {
        return Ok(Meaning::Protocol);
    }
    let Some(edited) = fields::object(protocol, "protocolMessage.editedMessage")? else {
        return Ok(Meaning::Protocol);
    };
    let original = match fields::object(protocol, "protocolMessage.key")? {
        Some(key) => fields::text(key, "protocolMessage.key.ID")?,
        None => None,
    };
    // Without the id there is nothing to change.
    let Some(original) = original.and_then(|id| MessageId::new(id).ok()) else {
        return Ok(Meaning::Protocol);
    };
    Ok(match meaning(edited, false)? {
        Meaning::Content(content) => Meaning::Edit { original, content },
        Meaning::Empty => Meaning::Empty,
        Meaning::Edit { .. } | Meaning::Reaction | Meaning::Protocol => Meaning::Protocol,
    })
}

#[cfg(test)]
mod tests;
