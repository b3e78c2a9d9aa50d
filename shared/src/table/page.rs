//! Pages of a list.

use serde::{Deserialize, Serialize};

use super::schema::item_key;
use super::{Item, keys, n, s};
use crate::conversation::ids::BotId;

/// Where a page ends and the next one begins. Never names the partition it is in: whoever goes on says that (I12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The item's sort key.
    sk: String,
    /// In an index: the item's partition in the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pk: Option<String>,
    /// In the index the index by activity: its `list_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
}

/// A page, and where the next one begins. It may hold fewer items than asked for, even none, and still not be the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins; none after the last.
    pub next: Option<Place>,
}

/// The longest sort key of DynamoDB.
const SORT_KEY_BYTES: usize = 1_024;

impl Place {
    /// The place that DynamoDB says it stopped at, in the table or in the index by activity.
    pub(super) fn of(last: &Item) -> Option<Self> {
        let text = |name: &str| last.get(name).and_then(|value| value.as_s().ok()).cloned();
        let at = last
            .get("list_at")
            .and_then(|at| at.as_n().ok())
            .and_then(|at| at.parse().ok());
        Some(Self {
            sk: text("sk")?,
            pk: if at.is_some() {
                Some(text("pk")?)
            } else {
                None
            },
            at,
        })
    }

    /// Whether it can be a place in the list of this bot's conversations. Whoever forges one gets no further than here.
    #[must_use]
    pub fn is_in_list_of(&self, bot_id: &BotId) -> bool {
        let conversation = self.pk.as_deref().and_then(keys::parse_conversation);
        self.sk == keys::HEAD
            && self.at.is_some()
            && conversation.is_some_and(|id| id.bot_id == *bot_id)
    }

    /// Whether it can be a place in a list of this bot's turns.
    #[must_use]
    pub fn is_in_turns_of(&self, bot_id: &BotId) -> bool {
        let conversation = self.pk.as_deref().and_then(keys::parse_conversation);
        self.sk.starts_with(keys::TURN_PREFIX)
            && self.sk.len() <= SORT_KEY_BYTES
            && self.at.is_some()
            && conversation.is_some_and(|id| id.bot_id == *bot_id)
    }

    /// Whether it can be a place among the messages of a conversation.
    #[must_use]
    pub fn is_in_thread(&self) -> bool {
        self.sk.starts_with(keys::MESSAGE_PREFIX) && self.sk.len() <= SORT_KEY_BYTES
    }

    /// The key to go on from in a partition of the table.
    pub(super) fn in_table(&self, pk: &str) -> Item {
        item_key(pk, &self.sk)
    }

    /// The key to go on from in a partition of the index by activity; none when it is no place of an index.
    pub(super) fn in_list(&self, list_pk: &str) -> Option<Item> {
        let mut key = item_key(self.pk.as_deref()?, &self.sk);
        key.insert("list_pk".to_owned(), s(list_pk));
        key.insert("list_at".to_owned(), n(self.at?));
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_good_for_the_list_it_came_from() {
        let mut last = item_key("C#a#1", "HEAD");
        let bot = |id| BotId::new(id).unwrap();
        assert!(!Place::of(&last).unwrap().is_in_list_of(&bot("a")));
        last.insert("list_at".to_owned(), n(7));
        let place = Place::of(&last).unwrap();
        assert!(place.is_in_list_of(&bot("a")) && !place.is_in_list_of(&bot("b")));
        assert!(!place.is_in_thread());
        let of = |sk: &str| Place::of(&item_key("C#a#1", sk)).unwrap();
        assert!(of("M#0000000000007#A").is_in_thread());
        for sk in ["", "T#0000000001", &format!("M#{}", "0".repeat(2_000))] {
            assert!(!of(sk).is_in_thread());
        }
    }

    #[test]
    fn a_place_in_an_index_is_one_of_this_bots_and_of_this_list() {
        let bot = BotId::new("a").unwrap();
        let too_long = format!("T#{}", "0".repeat(2_000));
        for (pk, sk, at, is_in_list, is_in_turns) in [
            ("C#a#1", "HEAD", Some(7), true, false),
            ("C#a#1", "T#0000000001", Some(7), false, true),
            ("C#a#1", "M#7#A", Some(7), false, false),
            ("C#a#1", too_long.as_str(), Some(7), false, false),
            ("C#a#1", "HEAD", None, false, false),
            ("C#a#1", "T#0000000001", None, false, false),
            ("C#b#1", "HEAD", Some(7), false, false),
            ("C#b#1", "T#0000000001", Some(7), false, false),
            ("B#a", "HEAD", Some(7), false, false),
            ("B#a", "T#0000000001", Some(7), false, false),
        ] {
            let place = Place {
                sk: sk.to_owned(),
                pk: Some(pk.to_owned()),
                at,
            };
            assert_eq!(place.is_in_list_of(&bot), is_in_list, "I12: {place:?}");
            assert_eq!(place.is_in_turns_of(&bot), is_in_turns, "I12: {place:?}");
        }
    }

    #[test]
    fn a_place_goes_on_in_the_partition_that_is_asked_for_and_in_no_other() {
        let mut last = item_key("C#a#1", "HEAD");
        assert_eq!(
            Place::of(&last).unwrap().in_table("C#b#2")["pk"],
            s("C#b#2")
        );
        assert_eq!(Place::of(&last).unwrap().in_list("B#a"), None);
        last.insert("list_pk".to_owned(), s("B#a"));
        last.insert("list_at".to_owned(), n(7));
        let place = Place::of(&last).unwrap();
        let json = serde_json::to_string(&place).unwrap();
        let read: Place = serde_json::from_str(&json).unwrap();
        let key = read.in_list("B#b").unwrap();
        assert_eq!(
            (&key["list_pk"], &key["pk"], &key["list_at"]),
            (&s("B#b"), &s("C#a#1"), &n(7))
        );
    }
}
