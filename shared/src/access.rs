//! Who may use the inbox: API keys, each of one owner and one role. Pure; the table keeps them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::conversation::ids::{EpochMs, hex};

/// What a key begins with, so that people and secret scanners recognise one.
pub const KEY_PREFIX: &str = "clivy_";
/// Random bytes of a key. So many cannot be guessed, so their hash needs no salt and no slow function.
pub const KEY_BYTES: usize = 32;

/// Whose bots a key opens: the `owner` of a bot's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerId(String);

/// The string is not an owner's id: empty, longer than 200 characters, or with control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an owner is 1 to 200 characters without control characters")]
pub struct InvalidOwner;

impl OwnerId {
    /// An owner's id.
    ///
    /// # Errors
    /// Empty, longer than 200 characters, or with control characters.
    pub fn new(value: &str) -> Result<Self, InvalidOwner> {
        let is_one = !value.trim().is_empty()
            && value.chars().count() <= 200
            && !value.chars().any(char::is_control);
        is_one.then(|| Self(value.to_owned())).ok_or(InvalidOwner)
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a key may do. Each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Answers customers: writes, pauses, retries, tries questions.
    Agent,
    /// Changes bots, erases contacts, makes keys.
    Owner,
}

impl Role {
    /// The word the API and the table use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Agent => "agent",
            Self::Owner => "owner",
        }
    }
}

/// The word is no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, agent or owner")]
pub struct InvalidRole;

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(word: &str) -> Result<Self, InvalidRole> {
        [Self::Viewer, Self::Agent, Self::Owner]
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or(InvalidRole)
    }
}

/// A key as it is given to its holder, once. Debug prints it redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The key made of these random bytes.
    #[must_use]
    pub fn of(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(format!("{KEY_PREFIX}{}", hex(bytes)))
    }

    /// A key that somebody presents; none when it cannot be one.
    #[must_use]
    pub fn presented(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(KEY_PREFIX)?;
        let is_key =
            digits.len() == KEY_BYTES * 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_key.then(|| Self(text.to_owned()))
    }

    /// The key itself, for its holder.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash(hex(&Sha256::digest(&self.0)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// The hash a key is stored and found by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyHash(String);

impl KeyHash {
    /// The hash, in hex.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name by which a key is listed and revoked: says nothing about the key.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.chars().take(16).collect()
    }
}

/// What people call a key: 1 to 100 characters, not all of them blank, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName(String);

/// The text is no name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key's name is 1 to {} characters, not all blank, without control characters",
    KeyName::LONGEST
)]
pub struct InvalidKeyName;

impl KeyName {
    /// Characters of a name at most.
    pub const LONGEST: usize = 100;

    /// A name.
    ///
    /// # Errors
    /// Blank, longer than [`KeyName::LONGEST`] characters, or with control characters.
    pub fn new(text: &str) -> Result<Self, InvalidKeyName> {
        let is_one = !text.trim().is_empty()
            && text.chars().count() <= Self::LONGEST
            && !text.chars().any(char::is_control);
        is_one.then(|| Self(text.to_owned())).ok_or(InvalidKeyName)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How long a key opens something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is revoked.
    Unlimited,
    /// So many milliseconds from when it is made.
    Ms(i64),
}

/// The days are not 1 to 3,650.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key lasts 1 to {} days", Lifetime::LONGEST_DAYS)]
pub struct InvalidLifetime;

impl Lifetime {
    /// Days at most: ten years.
    pub const LONGEST_DAYS: u32 = 3_650;

    /// So many days; unlimited when there are none.
    ///
    /// # Errors
    /// 0, or more than [`Lifetime::LONGEST_DAYS`].
    pub fn of_days(days: Option<u32>) -> Result<Self, InvalidLifetime> {
        match days {
            None => Ok(Self::Unlimited),
            Some(days) if (1..=Self::LONGEST_DAYS).contains(&days) => {
                Ok(Self::Ms(i64::from(days) * 86_400_000))
            }
            Some(_) => Err(InvalidLifetime),
        }
    }
}

/// A key that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Whose bots it is to open.
    pub owner: OwnerId,
    /// What it is to be allowed.
    pub role: Role,
    /// What people are to call it.
    pub name: KeyName,
    /// How long it is to last.
    pub lifetime: Lifetime,
}

impl NewKey {
    /// The key of these random bytes, made now: for its holder, and for the table.
    #[must_use]
    pub fn make(self, random: &[u8; KEY_BYTES], now: EpochMs) -> (Secret, ApiKey) {
        let secret = Secret::of(random);
        let key = ApiKey {
            hash: secret.hash(),
            owner: self.owner,
            role: self.role,
            name: self.name.0,
            created_at: now,
            expires_at: match self.lifetime {
                Lifetime::Unlimited => None,
                Lifetime::Ms(ms) => Some(now.plus_ms(ms)),
            },
            revoked_at: None,
        };
        (secret, key)
    }
}

/// A key as the table keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its hash.
    pub hash: KeyHash,
    /// Whose bots it opens.
    pub owner: OwnerId,
    /// What it may do.
    pub role: Role,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: EpochMs,
    /// From when on it opens nothing; none when it does not expire. Stored by another name: `expires_at` is when the table
    /// forgets an item, in seconds.
    #[serde(default, rename = "ends_at", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<EpochMs>,
    /// When it was revoked, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<EpochMs>,
}

impl ApiKey {
    /// Whether it opens anything now.
    #[must_use]
    pub fn is_valid(&self, now: EpochMs) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_recognised_and_never_printed() {
        let secret = Secret::of(&[7; KEY_BYTES]);
        assert_eq!(Secret::presented(secret.expose()), Some(secret.clone()));
        assert!(!format!("{secret:?}").contains("0707"));
        assert_ne!(secret.hash().as_str(), secret.expose());
        for other in ["", "clivy_", "clivy_07", "Bearer x"] {
            assert_eq!(Secret::presented(other), None);
        }
    }

    #[test]
    fn roles_are_ordered_by_what_they_may_do() {
        assert!(Role::Viewer < Role::Agent && Role::Agent < Role::Owner);
    }

    #[test]
    fn a_key_ends_by_expiry_or_revocation() {
        let key = ApiKey {
            hash: Secret::of(&[1; KEY_BYTES]).hash(),
            owner: OwnerId::new("budi").unwrap(),
            role: Role::Agent,
            name: String::new(),
            created_at: EpochMs(0),
            expires_at: Some(EpochMs(100)),
            revoked_at: None,
        };
        assert!(key.is_valid(EpochMs(99)));
        assert!(!key.is_valid(EpochMs(100)));
        let revoked = ApiKey {
            revoked_at: Some(EpochMs(50)),
            ..key
        };
        assert!(!revoked.is_valid(EpochMs(60)));
    }

    #[test]
    fn names_and_lifetimes_have_their_bounds() {
        for good in ["x", "Toko Bu Ani 🏪", &"é".repeat(100)] {
            assert_eq!(KeyName::new(good).map(|name| name.0), Ok(good.to_owned()));
        }
        for bad in [
            "",
            " ",
            "\u{2003}",
            "a\nb",
            "a\0b",
            "\u{85}",
            &"é".repeat(101),
        ] {
            assert_eq!(KeyName::new(bad), Err(InvalidKeyName), "{bad:?}");
        }
        assert_eq!(Lifetime::of_days(None), Ok(Lifetime::Unlimited));
        assert_eq!(Lifetime::of_days(Some(1)), Ok(Lifetime::Ms(86_400_000)));
        assert!(Lifetime::of_days(Some(3_650)).is_ok());
        for bad in [0, 3_651, u32::MAX] {
            assert_eq!(Lifetime::of_days(Some(bad)), Err(InvalidLifetime), "{bad}");
        }
    }

    #[test]
    fn a_new_key_ends_so_long_after_it_was_made() {
        let wanted = |lifetime| NewKey {
            owner: OwnerId::new("budi").unwrap(),
            role: Role::Viewer,
            name: KeyName::new("laptop").unwrap(),
            lifetime,
        };
        let (secret, key) = wanted(Lifetime::Ms(5)).make(&[3; KEY_BYTES], EpochMs(100));
        assert_eq!(key.hash, secret.hash());
        assert_eq!(key.expires_at, Some(EpochMs(105)));
        let (_, key) = wanted(Lifetime::Unlimited).make(&[3; KEY_BYTES], EpochMs(100));
        assert_eq!(key.expires_at, None);
    }
}
