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

/// The id of the bot by which a deployment tests itself, and of its owner. Nobody else may make this bot: whoever had its id
/// would stop every deployment.
pub const SMOKE_TEST: &str = "smoke-test";

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

/// Digits of a reply id that tell it from the conversation's others.
const NAME_DIGITS: usize = 12;
/// Digits of a reply id that follow from the ones before and the conversation.
const CHECK_DIGITS: usize = 8;

/// One conversation: bot x contact.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConversationId {
    /// The bot that answers.
    pub bot_id: BotId,
    /// The customer who writes.
    pub contact: Contact,
}

impl ConversationId {
    /// The reply id of a burst: 20 hex digits. Whoever drafts the burst's reply gives it the same id (I5).
    ///
    /// `born_at` is when the conversation began. An erased contact that writes again begins with burst 1 again, and the
    /// gateway must not see an id of before with another text. The first 12 digits name the reply, `sha256` of bot,
    /// contact, burst and `born_at`; the last 8 say that it is one of this conversation's, so that an echo is known when
    /// all else has been erased. A conversation that began before there was a `born_at` has the first 20 digits of
    /// `sha256(bot|contact|burst)`.
    #[must_use]
    pub fn reply_id(&self, burst: u64, born_at: Option<EpochMs>) -> MessageId {
        MessageId(match born_at {
            None => self.digits(&burst.to_string(), 20),
            Some(EpochMs(born_at)) => self.named(&format!("{burst}|{born_at}")),
        })
    }

    /// The id of something that we send: its name, and the digits that say that it is one of this conversation's.
    pub(super) fn named(&self, what: &str) -> String {
        let name = self.digits(what, NAME_DIGITS);
        let check = self.check_digits(&name);
        name + &check
    }

    /// Whether a message that came from the business's own number is one of our replies coming back, or what a
    /// person has written in the inbox. `bursts` is the
    /// number of bursts committed so far; the one in flight counts too. A person's message is mistaken for one once in
    /// 16^8 times.
    #[must_use]
    pub fn is_own_reply(&self, mid: &MessageId, bursts: u64) -> bool {
        let mid = mid.0.to_ascii_lowercase();
        let name: String = mid.chars().take(NAME_DIGITS).collect();
        let check: String = mid.chars().skip(NAME_DIGITS).collect();
        check == self.check_digits(&name)
            || (1..=bursts.saturating_add(1))
                .rev()
                .any(|burst| self.reply_id(burst, None).0 == mid)
    }

    fn check_digits(&self, name: &str) -> String {
        self.digits(&format!("reply|{name}"), CHECK_DIGITS)
    }

    /// The first hex digits of a hash of this conversation and `what`.
    fn digits(&self, what: &str, count: usize) -> String {
        let (bot, contact) = (self.bot_id.as_str(), self.contact.as_str());
        let digest = Sha256::digest(format!("{bot}|{contact}|{what}"));
        hex(&digest).chars().take(count).collect()
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
        for born_at in [None, Some(EpochMs(1_763_604_905_000))] {
            let id = c.reply_id(1, born_at);
            assert_eq!(id.as_str().len(), 20);
            assert!(id.as_str().chars().all(|c| c.is_ascii_hexdigit()));
            assert_eq!(id, conversation().reply_id(1, born_at));
            assert_ne!(id, c.reply_id(2, born_at));
            let other = ConversationId {
                bot_id: BotId::new("demo2").unwrap(),
                ..conversation()
            };
            assert_ne!(id, other.reply_id(1, born_at));
        }
    }

    #[test]
    fn a_conversation_that_begins_again_has_other_reply_ids() {
        let c = conversation();
        let first = c.reply_id(1, Some(EpochMs(1)));
        assert_ne!(first, c.reply_id(1, Some(EpochMs(2))));
        assert_ne!(first, c.reply_id(1, None));
    }

    #[test]
    fn the_reply_ids_of_conversations_of_before_stay_what_they_were() {
        let id = conversation().reply_id(7, None);
        let digest = hex(&Sha256::digest("demo|6281100020001|7"));
        assert!(digest.starts_with(id.as_str()));
    }

    #[test]
    fn our_own_replies_are_known_by_their_id_whatever_its_case() {
        let c = conversation();
        let shouted = MessageId::new(&c.reply_id(3, None).as_str().to_uppercase()).unwrap();
        assert!(c.is_own_reply(&shouted, 2), "the burst in flight");
        assert!(c.is_own_reply(&shouted, 9), "an older burst");
        assert!(!c.is_own_reply(&shouted, 1));
        assert!(!c.is_own_reply(&MessageId::new("3AB1C2D3E4F5061728AA").unwrap(), 9));
    }

    #[test]
    fn our_own_reply_is_known_when_the_conversation_is_erased_and_in_no_other_one() {
        let c = conversation();
        let reply = c.reply_id(3, Some(EpochMs(1_763_604_905_000)));
        let shouted = MessageId::new(&reply.as_str().to_uppercase()).unwrap();
        assert!(c.is_own_reply(&reply, 0) && c.is_own_reply(&shouted, 0));
        let other = ConversationId {
            contact: Contact::new("6281100020002").unwrap(),
            ..conversation()
        };
        assert!(!other.is_own_reply(&reply, 9));
        for mid in [
            "3EB0C431C26A1916E07A",
            "3EB0",
            &format!("{}0", reply.as_str()),
        ] {
            assert!(!c.is_own_reply(&MessageId::new(mid).unwrap(), 9), "{mid}");
        }
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

    #[test]
    fn an_id_has_as_many_characters_as_it_may() {
        let long = |count: usize| "é".repeat(count);
        assert!(BotId::new(&long(MAX_ID_CHARACTERS)).is_ok());
        let refused = BotId::new(&long(MAX_ID_CHARACTERS + 1));
        assert_eq!(refused, Err(InvalidId::TooLong(MAX_ID_CHARACTERS)));
        assert_eq!(BotId::new(""), Err(InvalidId::Empty));
        assert_eq!(BotId::new("a\n"), Err(InvalidId::Character));
    }

    #[test]
    fn a_moment_knows_its_hour_and_the_next_midnight_of_utc() {
        const HOUR: i64 = 3_600_000;
        assert_eq!(EpochMs(7 * HOUR).hour(), 7);
        assert_eq!(EpochMs(8 * HOUR - 1).hour(), 7);
        for now in [24 * HOUR, 30 * HOUR, 48 * HOUR - 1] {
            assert_eq!(EpochMs(now).next_utc_midnight(), EpochMs(48 * HOUR));
        }
        assert_eq!(MessageKey::new("M#1".to_owned()).as_str(), "M#1");
    }
}
