//! Newtypes for the ids and times of the protocol, so that one cannot be passed for another.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A bot: the settings of one WhatsApp number, named by the gateway's instance name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BotId(String);

/// A customer: the digits of a phone number, or a full JID (`…@lid`) where no phone number is known.
/// Never holds `#`, so that keys built from it stay unambiguous. Debug prints it redacted (I11).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contact(String);

/// The platform's id of one message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(String);

/// The place of a message in its conversation's part of the table. Opaque here; only the table builds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageKey(String);

impl MessageKey {
    /// Wraps a sort key that the table built, or that a trigger carried.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The sort key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The number of a claim: whoever holds the highest one is the owner, all others are fenced out.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Fence(pub u64);

/// Who holds a claim: one SQS record of one invocation. Never the same twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(pub String);

/// Why a string is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing in it.
    #[error("is empty")]
    Empty,
    /// Longer than the keys of the table can carry.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// Control characters, or `#` in a contact.
    #[error("holds a character that is not allowed")]
    Character,
}

const MAX_ID_CHARACTERS: usize = 200;

fn checked(value: &str, allowed: impl Fn(char) -> bool) -> Result<String, InvalidId> {
    if value.is_empty() {
        return Err(InvalidId::Empty);
    }
    if value.chars().count() > MAX_ID_CHARACTERS {
        return Err(InvalidId::TooLong(MAX_ID_CHARACTERS));
    }
    if !value.chars().all(allowed) {
        return Err(InvalidId::Character);
    }
    Ok(value.to_owned())
}

impl BotId {
    /// Any name without control characters: gateways let people type it.
    ///
    /// # Errors
    /// Empty, longer than 200 characters, or with control characters.
    pub fn new(value: &str) -> Result<Self, InvalidId> {
        checked(value, |c| !c.is_control()).map(Self)
    }

    /// The name as the gateway knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Contact {
    /// Letters, digits and `@ . _ + -`, as phone numbers and JIDs have them.
    ///
    /// # Errors
    /// Empty, longer than 200 characters, or with any other character.
    pub fn new(value: &str) -> Result<Self, InvalidId> {
        checked(value, |c| {
            c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '_' | '+' | '-')
        })
        .map(Self)
    }

    /// The number or JID in full. Not for logs (I11).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact([redacted])")
    }
}

impl MessageId {
    /// Any id without control characters.
    ///
    /// # Errors
    /// Empty, longer than 200 characters, or with control characters.
    pub fn new(value: &str) -> Result<Self, InvalidId> {
        checked(value, |c| !c.is_control()).map(Self)
    }

    /// The id as the platform gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A moment, in milliseconds since 1970 (UTC).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct EpochMs(pub i64);

impl EpochMs {
    /// This moment plus `ms` milliseconds.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The clock hour (UTC) that it is in, counted from 1970.
    #[must_use]
    pub fn hour(self) -> i64 {
        self.0.div_euclid(3_600_000)
    }

    /// The next midnight, UTC.
    #[must_use]
    pub fn next_utc_midnight(self) -> Self {
        const DAY_MS: i64 = 86_400_000;
        Self(
            self.0
                .div_euclid(DAY_MS)
                .saturating_add(1)
                .saturating_mul(DAY_MS),
        )
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later.
    #[must_use]
    pub fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// One conversation: bot x contact.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConversationId {
    /// The bot that answers.
    pub bot_id: BotId,
    /// The customer who writes.
    pub contact: Contact,
}

impl ConversationId {
    /// The reply id of a burst: the first 20 hex digits of `sha256(bot|contact|burst)`. Whoever drafts
    /// the burst's reply gives it the same id (I5).
    #[must_use]
    pub fn reply_id(&self, burst: u64) -> MessageId {
        let digest = Sha256::digest(format!(
            "{}|{}|{burst}",
            self.bot_id.as_str(),
            self.contact.as_str()
        ));
        MessageId(hex(&digest).chars().take(20).collect())
    }

    /// Whether a message that came from the business's own number is one of our replies coming back.
    /// `bursts` is the number of bursts committed so far; the one in flight counts too.
    #[must_use]
    pub fn is_own_reply(&self, mid: &MessageId, bursts: u64) -> bool {
        (1..=bursts.saturating_add(1))
            .rev()
            .any(|burst| self.reply_id(burst).0.eq_ignore_ascii_case(&mid.0))
    }
}

/// Lowercase hex of some bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The bytes of some hex, in any case; none when it is not hex.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> ConversationId {
        ConversationId {
            bot_id: BotId::new("demo").unwrap(),
            contact: Contact::new("6281100020001").unwrap(),
        }
    }

    #[test]
    fn a_reply_id_is_twenty_hex_digits_and_differs_by_burst_contact_and_bot() {
        let c = conversation();
        let id = c.reply_id(1);
        assert_eq!(id.as_str().len(), 20);
        assert!(id.as_str().chars().all(|c| c.is_ascii_hexdigit()));
        assert_eq!(id, conversation().reply_id(1));
        assert_ne!(id, c.reply_id(2));
        let other = ConversationId {
            bot_id: BotId::new("demo2").unwrap(),
            ..conversation()
        };
        assert_ne!(id, other.reply_id(1));
    }

    #[test]
    fn our_own_replies_are_known_by_their_id_whatever_its_case() {
        let c = conversation();
        let shouted = MessageId::new(&c.reply_id(3).as_str().to_uppercase()).unwrap();
        assert!(c.is_own_reply(&shouted, 2), "the burst in flight");
        assert!(c.is_own_reply(&shouted, 9), "an older burst");
        assert!(!c.is_own_reply(&shouted, 1));
        assert!(!c.is_own_reply(&MessageId::new("3AB1C2D3E4F5061728AA").unwrap(), 9));
    }

    #[test]
    fn a_contact_never_holds_a_key_separator_and_never_prints() {
        assert_eq!(Contact::new("62#1"), Err(InvalidId::Character));
        assert_eq!(Contact::new(""), Err(InvalidId::Empty));
        assert_eq!(
            format!("{:?}", conversation().contact),
            "Contact([redacted])"
        );
    }
}
