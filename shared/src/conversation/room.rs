//! A conversation as the business sees it in the list: who, the last words, what needs attention. And how it is found.

use std::fmt;

use super::head::PausedBy;
use super::ids::{Contact, EpochMs};
use super::message::{Author, MessageKind};

/// The end of a pause that lasts until somebody ends it: the year 9999, which DynamoDB compares like any other moment.
pub const UNTIL_RESUMED: EpochMs = EpochMs(253_370_764_800_000);

/// A conversation in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    /// The customer.
    pub contact: Contact,
    /// What the customer calls themselves; none when that is not known.
    pub name: Option<Name>,
    /// The last words of it.
    pub last: Option<LastWords>,
    /// Customer's messages that nobody has read.
    pub unread: u64,
    /// Until when it is paused, or was.
    pub paused_until: Option<EpochMs>,
    /// Who paused it last.
    pub paused_by: Option<PausedBy>,
    /// Since when the contact wants no answers.
    pub opted_out_at: Option<EpochMs>,
    /// The last turn that failed, if nobody has dealt with it.
    pub failed_turn: Option<u64>,
    /// When something was said last.
    pub active_at: EpochMs,
}

/// A customer's name. Debug prints it redacted (I11).
#[derive(Clone, PartialEq, Eq)]
pub struct Name(pub String);

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name([redacted])")
    }
}

/// The last words of a conversation.
#[derive(Clone, PartialEq, Eq)]
pub struct LastWords {
    /// Their beginning.
    pub text: String,
    /// What kind of bubble they are.
    pub kind: MessageKind,
    /// Whose they are.
    pub author: Author,
}

/// Without the text: it must not reach a log (I11).
impl fmt::Debug for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastWords")
            .field("text", &"[redacted]")
            .field("kind", &self.kind)
            .field("author", &self.author)
            .finish()
    }
}

/// A pause that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Its end; none when it lasts until somebody ends it.
    pub until: Option<EpochMs>,
    /// Who paused.
    pub by: PausedBy,
}

impl Room {
    /// The pause, if there is one now.
    #[must_use]
    pub fn pause(&self, now: EpochMs) -> Option<Pause> {
        let until = self.paused_until.filter(|until| *until > now)?;
        Some(Pause {
            until: (until < UNTIL_RESUMED).then_some(until),
            by: self.paused_by.unwrap_or(PausedBy::Unknown),
        })
    }
}

/// Characters of a name that a search looks at.
const NAME_CHARACTERS: usize = 200;

/// What a search looks at: the name in small letters, the number, and the number as people in Indonesia dial it.
#[must_use]
pub fn searchable(contact: &Contact, name: Option<&str>) -> String {
    let number = contact.as_str().to_lowercase();
    let name: String = name
        .unwrap_or_default()
        .chars()
        .take(NAME_CHARACTERS)
        .collect();
    let dialled = number
        .strip_prefix("62")
        .map_or_else(String::new, |rest| format!("\n0{rest}"));
    format!("{}\n{number}{dialled}", name.to_lowercase())
}

/// What somebody looks for, as [`searchable`] holds it: small letters; of a number only its digits.
#[must_use]
pub fn needle(query: &str) -> String {
    let query = query.trim();
    let is_number = query.chars().any(|c| c.is_ascii_digit())
        && query
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, ' ' | '+' | '-' | '(' | ')' | '.'));
    if is_number {
        query.chars().filter(char::is_ascii_digit).collect()
    } else {
        query.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query: &str, name: Option<&str>) -> bool {
        let contact = Contact::new("6281234567890").unwrap();
        searchable(&contact, name).contains(&needle(query))
    }

    #[test]
    fn names_and_last_words_are_shown_redacted() {
        let name = Name("Budi".to_owned());
        assert_eq!(format!("{name:?}"), "Name([redacted])", "I11");
        let words = LastWords {
            text: "rahasia".to_owned(),
            kind: MessageKind::Text,
            author: Author::Customer,
        };
        let shown = format!("{words:?}");
        assert!(
            shown.contains("Customer") && !shown.contains("rahasia"),
            "I11"
        );
    }

    #[test]
    fn of_a_number_the_digits_are_looked_for_and_of_anything_else_all() {
        assert_eq!(needle(" +62 (812) 345-678.9 "), "628123456789");
        assert_eq!(needle("Budi 2"), "budi 2");
        assert_eq!(needle("(-)"), "(-)");
    }

    #[test]
    fn a_number_is_found_however_it_is_written() {
        for query in [
            "6281234567890",
            "+62 812-3456-7890",
            "081234567890",
            "(0812) 3456.7890",
            "0812 3456",
            "7890",
        ] {
            assert!(finds(query, Some("Rina")), "{query}");
            assert!(finds(query, None), "{query}");
        }
        assert!(!finds("08124", None));
        assert!(!finds("62 0812", None));
    }

    #[test]
    fn a_name_is_found_by_any_part_of_it_in_any_case() {
        for query in ["rina", "RINA", " Putri ", "na p", "ÉLAN", "toko 7"] {
            assert!(finds(query, Some("Rina Putri Élan, Toko 7")), "{query}");
        }
        assert!(!finds("budi", Some("Rina")));
        assert!(!finds("rina", None));
    }

    #[test]
    fn a_contact_without_a_number_is_found_by_its_id() {
        let contact = Contact::new("84203917755120@lid").unwrap();
        assert!(searchable(&contact, None).contains(&needle("84203917755120@LID")));
    }

    #[test]
    fn a_pause_is_over_when_it_is_and_may_have_no_end() {
        let room = |until| Room {
            contact: Contact::new("62811").unwrap(),
            name: None,
            last: None,
            unread: 0,
            paused_until: until,
            paused_by: Some(PausedBy::Person),
            opted_out_at: None,
            failed_turn: None,
            active_at: EpochMs(0),
        };
        let now = EpochMs(1_000);
        assert_eq!(room(None).pause(now), None);
        assert_eq!(room(Some(now)).pause(now), None);
        let by = PausedBy::Person;
        let until = Some(EpochMs(1_001));
        assert_eq!(room(until).pause(now), Some(Pause { until, by }));
        let forever = room(Some(UNTIL_RESUMED)).pause(now);
        assert_eq!(forever, Some(Pause { until: None, by }));
    }
}
