//! Versions of what an owner edits: a bot's settings, and each of its documents.

use serde::{Deserialize, Serialize};

use super::ids::EpochMs;

/// Versions of one thing that are kept, the current one among them.
pub const KEPT_VERSIONS: u64 = 20;

/// The number of a version. It grows by one with every write; 0 was written before there were numbers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The one that is kept no more once this one is written; none while all of them are.
    #[must_use]
    pub fn too_old(self) -> Option<Self> {
        self.0.checked_sub(KEPT_VERSIONS).map(Self)
    }
}

/// A version, who wrote it and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Which version.
    pub version: Version,
    /// When it was written; none for what is older than versions are.
    pub at: Option<EpochMs>,
    /// Who wrote it: an API key's id, or [`BY_FILE`].
    pub by: Option<String>,
}

/// Who wrote what a bots file says.
pub const BY_FILE: &str = "bots file";

impl Stamp {
    /// The next version, written by somebody now.
    #[must_use]
    pub fn next(&self, by: &str, now: EpochMs) -> Self {
        Self {
            version: self.version.next(),
            at: Some(now),
            by: Some(by.to_owned()),
        }
    }
}

/// The name of a document within its bot; its place in the prompt is by this name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(String);

/// The string is not a document's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a document's id is 1 to 64 letters, digits, - and _")]
pub struct InvalidDocumentId;

impl DocumentId {
    /// The longest one, in characters.
    pub const MAX_CHARACTERS: usize = 64;

    /// A document's id.
    ///
    /// # Errors
    /// Empty, longer than 64 characters, or with other characters than ASCII letters, digits, `-` and `_`.
    pub fn new(value: &str) -> Result<Self, InvalidDocumentId> {
        // ASCII only, so bytes are characters.
        let is_one = (1..=Self::MAX_CHARACTERS).contains(&value.len())
            && value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        is_one
            .then(|| Self(value.to_owned()))
            .ok_or(InvalidDocumentId)
    }

    /// The id of the n-th document of a bots file, from 0.
    #[must_use]
    pub fn in_file(index: usize) -> Self {
        Self(format!("{index:04}"))
    }

    /// Whether documents of bots files have such ids.
    #[must_use]
    pub fn is_from_file(&self) -> bool {
        self.0.len() == 4 && self.0.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_version_says_who_wrote_it_and_when() {
        let next = Stamp {
            version: Version(8),
            at: Some(EpochMs(7)),
            by: Some("k1".to_owned()),
        };
        let before = Stamp {
            version: Version(7),
            ..Stamp::default()
        };
        assert_eq!(before.next("k1", EpochMs(7)), next);
    }

    #[test]
    fn of_twenty_one_versions_the_first_is_too_old() {
        assert_eq!(Version(19).too_old(), None);
        assert_eq!(Version(21).too_old(), Some(Version(1)));
        assert_eq!(Version(u64::MAX).next(), Version(u64::MAX));
    }

    #[test]
    fn a_documents_id_is_fit_for_paths_and_keys() {
        let longest = "a".repeat(64);
        for good in ["0000", "promo-2025_b", "Z", longest.as_str()] {
            assert_eq!(DocumentId::new(good).unwrap().as_str(), good);
        }
        let too_long = "a".repeat(65);
        for bad in [
            "",
            "a b",
            "a#1",
            "a/b",
            "é",
            "a\0",
            ".",
            "%2F",
            too_long.as_str(),
        ] {
            assert!(DocumentId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ids_of_a_bots_file_are_told_from_others() {
        assert!(DocumentId::in_file(89).is_from_file());
        assert_eq!(DocumentId::in_file(7).as_str(), "0007");
        for other in ["promo", "00007", "7"] {
            assert!(!DocumentId::new(other).unwrap().is_from_file());
        }
    }
}
