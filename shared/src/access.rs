//! Who may use the inbox: API keys, each of one owner and one role. Pure; the table keeps them.

use std::fmt;

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
    /// From when on it opens nothing; none when it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
}
