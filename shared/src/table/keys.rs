//! The only place where key strings are built.

use sha2::{Digest, Sha256};

use crate::access::{KeyHash, OwnerId};
use crate::conversation::ids::{
    BotId, Contact, ConversationId, EpochMs, MessageId, MessageKey, hex,
};
use crate::conversation::outcome::TurnStatus;
use crate::conversation::version::{DocumentId, Version};

/// The sort key of a conversation's HEAD.
pub const HEAD: &str = "HEAD";
/// What the sort keys of messages begin with.
pub const MESSAGE_PREFIX: &str = "M#";
/// What the sort keys of turns begin with.
pub const TURN_PREFIX: &str = "T#";
/// The sort key of a bot's settings.
pub const BOT_SETTINGS: &str = "CFG";
/// What the sort keys of the versions of a bot's settings begin with.
pub const SETTINGS_VERSION_PREFIX: &str = "CFG#";
/// What the sort keys of a bot's documents begin with, and those of their versions.
pub const DOCUMENT_PREFIX: &str = "DOC#";
/// The sort key of a breaker's state.
pub const BREAKER: &str = "STATE";
/// The sort key of how the last call to a provider went, in the partition of its breaker.
pub const LAST_OUTCOME: &str = "LAST";
/// The partition of the sweeper.
pub const SWEEPER: &str = "X#sweeper";
/// The sort key of its last run.
pub const SWEEPER_RUN: &str = "RUN";
/// The sort key of an answer in the response cache.
pub const CACHED: &str = "V";
/// The partition of the credits: their runs, and what was told about them.
pub const CREDITS: &str = "X#credits";
/// The sort key of the levels that were told last.
pub const CREDITS_LEVEL: &str = "LEVEL";
/// The sort key of a token's bot.
pub const TOKEN_BOT: &str = "BOT";
/// The sort key of an API key where it is found by its hash.
pub const API_KEY: &str = "KEY";
/// What the sort keys of an owner's API keys begin with.
pub const LISTED_KEY_PREFIX: &str = "KEY#";
/// What the sort keys of an owner's bots begin with.
pub const BOT_OF_OWNER_PREFIX: &str = "BOT#";
/// Partitions of the index of owed answers.
pub const OWED_SHARDS: u32 = 8;

/// Messages, HEAD and turns of a conversation. A contact never holds `#`, so whatever a bot is called,
/// two conversations never share a partition (I12).
#[must_use]
pub fn conversation(id: &ConversationId) -> String {
    format!("C#{}#{}", id.bot_id.as_str(), id.contact.as_str())
}

/// The conversation of a partition.
#[must_use]
pub fn parse_conversation(pk: &str) -> Option<ConversationId> {
    let (bot_id, contact) = pk.strip_prefix("C#")?.rsplit_once('#')?;
    Some(ConversationId {
        bot_id: BotId::new(bot_id).ok()?,
        contact: Contact::new(contact).ok()?,
    })
}

/// A message: the platform's time, then its id. The key is what makes a message unique (I13).
#[must_use]
pub fn message(platform_at: EpochMs, mid: &MessageId) -> MessageKey {
    MessageKey::new(format!(
        "{MESSAGE_PREFIX}{:013}#{}",
        platform_at.0.max(0),
        mid.as_str()
    ))
}

/// The platform's time in a message's key.
#[must_use]
pub fn platform_at(key: &MessageKey) -> Option<EpochMs> {
    let (time, _mid) = key.as_str().strip_prefix(MESSAGE_PREFIX)?.split_once('#')?;
    time.parse().ok().map(EpochMs)
}

/// Which key a message without a platform's time was stored under.
#[must_use]
pub fn untimed(mid: &MessageId) -> String {
    format!("ID#{}", mid.as_str())
}

/// A turn.
#[must_use]
pub fn turn(burst: u64) -> String {
    format!("{TURN_PREFIX}{burst:010}")
}

/// In the index by activity: the turns of a bot that stand so. A status holds no `#`, so whatever a bot is called, two
/// bots never share a list (I12).
#[must_use]
pub fn turns(bot_id: &BotId, status: TurnStatus) -> String {
    format!("T#{}#{}", bot_id.as_str(), status.as_str())
}

/// The time of a burst's reply in the history: not before the newest of its messages, so that the history reads right.
pub fn reply_at<'a>(
    burst: impl IntoIterator<Item = &'a MessageKey>,
    committed_at: EpochMs,
) -> EpochMs {
    let newest = burst.into_iter().filter_map(platform_at).max();
    newest.map_or(committed_at, |newest| committed_at.max(newest.plus_ms(1)))
}

/// A bot's settings and documents; in the index by activity, its conversations.
#[must_use]
pub fn bot(bot_id: &BotId) -> String {
    format!("B#{}", bot_id.as_str())
}

/// One document of a bot. An id never holds `#`.
#[must_use]
pub fn document(id: &DocumentId) -> String {
    format!("{DOCUMENT_PREFIX}{}", id.as_str())
}

/// The versions of a bot's settings and documents that are not the current ones.
#[must_use]
pub fn bot_versions(bot_id: &BotId) -> String {
    format!("V#{}", bot_id.as_str())
}

/// What the sort keys of the versions of a document begin with.
#[must_use]
pub fn document_versions(id: &DocumentId) -> String {
    format!("{DOCUMENT_PREFIX}{}#", id.as_str())
}

/// A version: what it is a version of, by its prefix, and its number. Sorts by number.
#[must_use]
pub fn version(prefix: &str, version: Version) -> String {
    format!("{prefix}{:010}", version.0)
}

/// The bot of a gateway token. The token itself is never a key.
#[must_use]
pub fn token(token: &str) -> String {
    format!("G#{}", hex(&Sha256::digest(token)))
}

/// An API key, by its hash: the key itself is nowhere.
#[must_use]
pub fn api_key(hash: &KeyHash) -> String {
    format!("A#{}", hash.as_str())
}

/// An owner's API keys and bots.
#[must_use]
pub fn owner(owner: &OwnerId) -> String {
    format!("O#{}", owner.as_str())
}

/// An API key in its owner's list.
#[must_use]
pub fn listed_key(hash: &KeyHash) -> String {
    format!("{LISTED_KEY_PREFIX}{}", hash.as_str())
}

/// A bot in its owner's list.
#[must_use]
pub fn bot_of_owner(bot_id: &BotId) -> String {
    format!("{BOT_OF_OWNER_PREFIX}{}", bot_id.as_str())
}

/// The breaker of a provider; of `provider#bot` where the bot has a key of its own.
#[must_use]
pub fn breaker(provider: &str) -> String {
    format!("X#{provider}")
}

/// An answer in the response cache; `key` is a [`crate::prompt::cache_key`], and says nothing about the question.
#[must_use]
pub fn cached(key: &str) -> String {
    format!("K#{key}")
}

/// The replies to a contact of the smoke test.
#[must_use]
pub fn smoke_replies(contact: &Contact) -> String {
    format!("X#smoke#{}", contact.as_str())
}

/// One of them: the same id with another text is another one.
#[must_use]
pub fn smoke_reply(reply_id: &MessageId, text: &str) -> String {
    format!("REPLY#{}#{}", reply_id.as_str(), hex(&Sha256::digest(text)))
}

/// The run of the credits in an hour (UTC). Sorts by time.
#[must_use]
pub fn credits_run(at: EpochMs) -> String {
    let at = utc(at);
    format!(
        "RUN#{:04}{:02}{:02}{:02}",
        at.year(),
        at.month(),
        at.day(),
        at.hour()
    )
}

/// The part of the index of owed answers that a conversation is in.
#[must_use]
pub fn owed(id: &ConversationId) -> String {
    let digest = Sha256::digest(conversation(id));
    let first = digest.first().copied().unwrap_or_default();
    owed_shard(u32::from(first) % OWED_SHARDS)
}

/// One part of the index of owed answers.
#[must_use]
pub fn owed_shard(shard: u32) -> String {
    format!("W#{shard}")
}

/// The counters of a bot's rate limit.
#[must_use]
pub fn bot_rate(bot_id: &BotId) -> String {
    format!("R#{}", bot_id.as_str())
}

/// The counter of one window, by its beginning.
#[must_use]
pub fn window(begins: EpochMs) -> String {
    format!("W#{:013}", begins.0.max(0))
}

/// The usage of a bot: partition by month, item by hour, both UTC.
#[must_use]
pub fn usage(bot_id: &BotId, at: EpochMs) -> (String, String) {
    let (pk, day) = usage_day(bot_id, at);
    (pk, format!("{day}{:02}", utc(at).hour()))
}

/// The day of the month and the hour of a usage item's sort key.
#[must_use]
pub fn parse_usage_hour(sk: &str) -> Option<(u8, u8)> {
    let (day, hour) = sk.strip_prefix("D#")?.split_once("#H#")?;
    Some((day.parse().ok()?, hour.parse().ok()?))
}

/// The usage of a bot's day: its partition, and what the sort keys of its hours begin with.
fn usage_day(bot_id: &BotId, at: EpochMs) -> (String, String) {
    let at = utc(at);
    (
        format!("U#{}#{:04}{:02}", bot_id.as_str(), at.year(), at.month()),
        format!("D#{:02}#H#", at.day()),
    )
}

fn utc(at: EpochMs) -> jiff::Zoned {
    jiff::Timestamp::from_millisecond(at.0)
        .unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{KEY_BYTES, Secret};

    fn id(bot: &str, contact: &str) -> ConversationId {
        ConversationId {
            bot_id: BotId::new(bot).unwrap(),
            contact: Contact::new(contact).unwrap(),
        }
    }

    #[test]
    fn keys_are_the_ones_of_the_protocol() {
        let id = id("demo", "6281100020001");
        let mid = MessageId::new("3EB0").unwrap();
        let at = EpochMs(1_763_604_904_000);
        assert_eq!(conversation(&id), "C#demo#6281100020001");
        assert_eq!(message(at, &mid).as_str(), "M#1763604904000#3EB0");
        assert_eq!(platform_at(&message(at, &mid)), Some(at));
        assert_eq!(turn(7), "T#0000000007");
        assert_eq!(turns(&id.bot_id, TurnStatus::Failed), "T#demo#failed");
        assert_eq!(
            usage(&id.bot_id, at),
            ("U#demo#202511".to_owned(), "D#20#H#02".to_owned())
        );
        assert_eq!(parse_usage_hour("D#20#H#02"), Some((20, 2)));
        assert_eq!(credits_run(at), "RUN#2025112002");
        let document_id = DocumentId::in_file(7);
        assert_eq!(document(&document_id), "DOC#0007");
        let of_document = document_versions(&document_id);
        assert_eq!(version(&of_document, Version(3)), "DOC#0007#0000000003");
        assert_eq!(bot_versions(&id.bot_id), "V#demo");
        let hash = Secret::of(&[7; KEY_BYTES]).hash();
        assert_eq!(api_key(&hash), format!("A#{}", hash.as_str()));
        assert_eq!(cached("abc"), "K#abc");
        assert_eq!(bot_rate(&id.bot_id), "R#demo");
        assert!(owed(&id).starts_with("W#"));
        assert!(!token("secret").contains("secret"));
    }

    #[test]
    fn a_bot_named_like_a_key_shares_no_partition_with_another() {
        assert_ne!(conversation(&id("a#1", "2")), conversation(&id("a", "1")));
        assert_ne!(conversation(&id("a#1", "2")), conversation(&id("a", "2")));
    }

    #[test]
    fn a_partition_tells_its_conversation() {
        for id in [id("demo", "6281"), id("a#1", "2@lid")] {
            assert_eq!(parse_conversation(&conversation(&id)), Some(id));
        }
        assert_eq!(parse_conversation("B#demo"), None);
    }

    #[test]
    fn a_reply_comes_after_the_newest_message_of_its_burst() {
        let mid = MessageId::new("x").unwrap();
        let keys = [message(EpochMs(5_000), &mid), message(EpochMs(9_000), &mid)];
        assert_eq!(reply_at(&keys, EpochMs(20_000)), EpochMs(20_000));
        assert_eq!(
            reply_at(&keys, EpochMs(8_000)),
            EpochMs(9_001),
            "their clock is ahead"
        );
        assert_eq!(reply_at(&[], EpochMs(8_000)), EpochMs(8_000));
    }

    #[test]
    fn message_keys_sort_by_time() {
        let mid = MessageId::new("x").unwrap();
        assert!(message(EpochMs(999), &mid) < message(EpochMs(1_000_000_000_000), &mid));
    }
}
