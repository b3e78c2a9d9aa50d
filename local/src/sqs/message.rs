//! A message: what a sender gives, what a receiver is shown, and the checksums of both.

use std::collections::BTreeMap;

use clivy::conversation::ids::hex;
use md5::{Digest, Md5};

use super::error::{Refusal, SqsError};
use super::settings;
use super::time::At;

/// Counts the messages of one engine; unique in it for ever, so that a receipt handle cannot name another message.
pub(crate) type Key = u64;

/// A typed value beside the body.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct MessageAttribute {
    /// `String`, `Number` or `Binary`, possibly with a label after a dot.
    pub(crate) data_type: String,
    pub(crate) value: AttributeValue,
}

#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum AttributeValue {
    Text(String),
    Binary(Vec<u8>),
}

impl AttributeValue {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

pub(crate) type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// What a sender gives, checked.
pub(crate) struct Outgoing {
    pub(crate) body: String,
    pub(crate) delay_seconds: Option<u32>,
    pub(crate) attributes: MessageAttributes,
    pub(crate) trace_header: Option<MessageAttribute>,
    pub(crate) group_id: Option<String>,
}

/// Where a message is in its life. A deleted one is nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Delayed { due: At },
    Visible,
    InFlight { due: At, received: At },
}

/// A message in a queue. No `Debug`: the body must not reach a log (I11).
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) key: Key,
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) attributes: MessageAttributes,
    pub(crate) trace_header: Option<MessageAttribute>,
    pub(crate) group_id: Option<String>,
    /// Retention counts from here, also after a move to a dead-letter queue (as AWS does for standard queues).
    pub(crate) sent: At,
    pub(crate) sent_ms: i64,
    /// Receives over all queues.
    pub(crate) receive_count: u32,
    pub(crate) first_received_ms: Option<i64>,
    /// The newest receive; only its handle deletes the message. 0 before the first.
    pub(crate) newest_receive: u64,
    /// The name of the queue that gave it up.
    pub(crate) dead_letter_source: Option<String>,
    pub(crate) state: State,
}

impl Message {
    /// The system attributes that a receiver may ask for, by name.
    pub(crate) fn system_attributes(&self) -> BTreeMap<&'static str, String> {
        let mut shown = BTreeMap::from([
            ("SenderId", super::ACCOUNT_ID.to_owned()),
            ("SentTimestamp", self.sent_ms.to_string()),
            ("ApproximateReceiveCount", self.receive_count.to_string()),
        ]);
        if let Some(first) = self.first_received_ms {
            shown.insert("ApproximateFirstReceiveTimestamp", first.to_string());
        }
        if let Some(group) = &self.group_id {
            shown.insert("MessageGroupId", group.clone());
        }
        if let Some(MessageAttribute {
            value: AttributeValue::Text(trace),
            ..
        }) = &self.trace_header
        {
            shown.insert("AWSTraceHeader", trace.clone());
        }
        if let Some(source) = &self.dead_letter_source {
            shown.insert("DeadLetterQueueSourceArn", settings::arn(source));
        }
        shown
    }
}

/// Bytes that count towards the size limit: the body, and name, type and value of each attribute.
pub(crate) fn size(body: &str, attributes: &MessageAttributes) -> usize {
    let attributes = attributes.iter().map(|(name, attribute)| {
        name.len() + attribute.data_type.len() + attribute.value.bytes().len()
    });
    body.len() + attributes.sum::<usize>()
}

/// Hex MD5 of a body.
pub(crate) fn md5_of_body(body: &str) -> String {
    hex(&Md5::digest(body.as_bytes()))
}

/// Hex MD5 of attributes in SQS's own encoding (developer guide, "Calculating the MD5 message digest for message
/// attributes"): sorted by name; each part with its length as four bytes; 1 before text, 2 before binary. `None` without attributes.
pub(crate) fn md5_of_attributes<'a>(
    sorted: impl IntoIterator<Item = (&'a String, &'a MessageAttribute)>,
) -> Option<String> {
    let mut hash = Md5::new();
    let mut any = false;
    for (name, attribute) in sorted {
        any = true;
        part(&mut hash, name.as_bytes());
        part(&mut hash, attribute.data_type.as_bytes());
        hash.update([match attribute.value {
            AttributeValue::Text(_) => 1,
            AttributeValue::Binary(_) => 2,
        }]);
        part(&mut hash, attribute.value.bytes());
    }
    any.then(|| hex(&hash.finalize()))
}

fn part(hash: &mut Md5, bytes: &[u8]) {
    hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    hash.update(bytes);
}

/// Checks that SQS carries every character: tab, line feed, carriage return, and XML 1.0's others.
///
/// # Errors
/// `InvalidMessageContents`; the text names the character, never the rest.
pub(crate) fn check_characters(text: &str) -> Result<(), SqsError> {
    let bad = |c: &char| !matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    match text.chars().find(bad) {
        None => Ok(()),
        Some(c) => Err(SqsError::new(
            Refusal::InvalidMessageContents,
            format!(
                "Invalid characters found: 0x{:x} is not allowed in a message.",
                u32::from(c)
            ),
        )),
    }
}

/// Checks a message attribute's name: 256 letters, digits, `_`, `-`, `.` at most; dots inside only and single; not Amazon's own.
///
/// # Errors
/// `InvalidParameterValue`.
pub(crate) fn check_attribute_name(name: &str) -> Result<(), SqsError> {
    let lower = name.to_ascii_lowercase();
    let fits = (1..=256).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.");
    if fits {
        return Ok(());
    }
    Err(SqsError::new(
        Refusal::InvalidParameterValue,
        "The message attribute name can contain up to 256 letters, digits, hyphens, underscores and periods; \
         it cannot start or end with a period, hold two in a row, or start with AWS. or Amazon.",
    ))
}

/// Checks a message group id: 1-128 printable ASCII characters without the space.
///
/// # Errors
/// `InvalidParameterValue`.
pub(crate) fn check_group_id(group: &str) -> Result<(), SqsError> {
    if (1..=128).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(SqsError::new(
        Refusal::InvalidParameterValue,
        "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data_type: &str, value: &str) -> MessageAttribute {
        MessageAttribute {
            data_type: data_type.to_owned(),
            value: AttributeValue::Text(value.to_owned()),
        }
    }

    #[test]
    fn the_body_checksum_is_plain_md5() {
        assert_eq!(md5_of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
    }

    /// The expected digests were computed with an implementation apart from this one (see the contract suite, which
    /// compares the same attributes over the wire, and ministack, which has its own).
    #[test]
    fn the_attribute_checksum_follows_the_guide_and_ignores_the_order_of_sending() {
        let mut attributes = MessageAttributes::new();
        attributes.insert("timestamp".to_owned(), text("Number", "1493147359900"));
        assert_eq!(
            md5_of_attributes(&attributes).as_deref(),
            Some("235c5c510d26fb653d073faed50ae77c")
        );
        assert_eq!(md5_of_attributes(&MessageAttributes::new()), None);
    }

    #[test]
    fn characters_that_xml_cannot_carry_are_refused() {
        for good in [
            "\t\n\r",
            "Halo, masih ada?",
            "😀",
            "\u{D7FF}\u{E000}\u{FFFD}\u{10000}\u{10FFFF}",
        ] {
            assert_eq!(check_characters(good), Ok(()));
        }
        for bad in ["\0", "a\u{8}", "\u{1F}", "\u{FFFE}", "\u{FFFF}"] {
            assert_eq!(
                check_characters(bad).unwrap_err().refusal,
                Refusal::InvalidMessageContents
            );
        }
    }

    #[test]
    fn attribute_names_follow_the_rules_of_the_guide() {
        for good in ["a", "a.b-c_d", "x".repeat(256).as_str()] {
            assert_eq!(check_attribute_name(good), Ok(()));
        }
        for bad in [
            "",
            ".a",
            "a.",
            "a..b",
            "a b",
            "ä",
            "AWS.x",
            "amazon.x",
            "x".repeat(257).as_str(),
        ] {
            assert!(check_attribute_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_size_counts_names_types_and_values_of_attributes() {
        let mut attributes = MessageAttributes::new();
        attributes.insert("abc".to_owned(), text("String", "de"));
        assert_eq!(size("é", &attributes), 2 + 3 + 6 + 2);
    }
}
