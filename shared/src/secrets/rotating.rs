//! A secret that changes without a moment at which it is nobody's.

use std::fmt;

/// One or more versions of a secret, one a line: the first one is used, all of them are accepted. One value holds them all, so
/// that no reader ever sees a half of a change. Debug prints none (I11).
#[derive(Clone, PartialEq, Eq)]
pub struct Rotating {
    current: String,
    others: Vec<String>,
}

impl fmt::Debug for Rotating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rotating([redacted])")
    }
}

impl Rotating {
    /// The versions in a setting's text; none when it is blank. Blank lines and the spaces around a version do not count.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut versions = text.lines().map(str::trim).filter(|line| !line.is_empty());
        Some(Self {
            current: versions.next()?.to_owned(),
            others: versions.map(str::to_owned).collect(),
        })
    }

    /// A secret that is missing, in settings whose faults have been noted: nothing is ever made of it.
    pub(crate) fn missing() -> Self {
        Self {
            current: String::new(),
            others: Vec::new(),
        }
    }

    /// The version to use.
    #[must_use]
    pub fn current(&self) -> &str {
        &self.current
    }

    /// The other versions that are accepted.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(String::as_str)
    }

    /// Every version, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.current()).chain(self.others())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_used_and_all_lines_are_accepted() {
        let secret = Rotating::new("\n new \r\n\nold\n").unwrap();
        assert_eq!(secret.current(), "new");
        assert_eq!(secret.all().collect::<Vec<_>>(), ["new", "old"]);
        let one = Rotating::new("with spaces inside").unwrap();
        assert_eq!(one.all().collect::<Vec<_>>(), ["with spaces inside"]);
        for blank in ["", " ", "\n\n"] {
            assert_eq!(Rotating::new(blank), None);
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Rotating::new("hunter2\nhunter3").unwrap();
        assert!(!format!("{secret:?}").contains("hunter"));
    }
}
