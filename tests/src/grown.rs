//! Conversations that have been going on for long, written past the functions.

use clivy::conversation::ids::{Contact, EpochMs, MessageId};
use clivy::conversation::room;
use clivy::table::keys;
use dynoxide::{ImportOptions, Item};
use local::world::TABLE;
use serde_json::{Value, json};

use crate::world::TestWorld;

/// The `n`th customer.
#[must_use]
pub fn contact(n: i64) -> String {
    format!("62811{n:07}")
}

/// A customer's message, the `number`th of its conversation.
pub fn message(bot: &str, contact: &str, number: i64, at: EpochMs) -> Value {
    let mid = MessageId::new(&format!("M{contact}-{number}")).unwrap();
    json!({"pk": {"S": format!("C#{bot}#{contact}")}, "sk": {"S": keys::message(at, &mid).as_str()},
        "mid": {"S": mid.as_str()}, "author": {"S": "customer"}, "kind": {"S": "text"},
        "text": {"S": format!("pesan {number}")}, "platform_at": {"N": at.0.to_string()},
        "received_at": {"N": at.0.to_string()}})
}

/// The HEAD of a conversation that was last written in at `at`, and has been answered.
pub fn head(bot: &str, contact: &str, name: &str, at: EpochMs) -> Value {
    let search = room::searchable(&Contact::new(contact).unwrap(), Some(name));
    json!({"pk": {"S": format!("C#{bot}#{contact}")}, "sk": {"S": "HEAD"}, "bot_id": {"S": bot},
        "contact": {"S": contact}, "contact_name": {"S": name}, "list_pk": {"S": format!("B#{bot}")},
        "list_at": {"N": at.0.to_string()}, "last_text": {"S": "pesan"}, "last_kind": {"S": "text"},
        "last_author": {"S": "customer"}, "unread": {"N": "0"}, "burst": {"N": "3"}, "search_text": {"S": search}})
}

/// Writes items into the table; how many.
pub fn import(world: &TestWorld, items: impl Iterator<Item = Value>) -> usize {
    let items: Vec<Item> = items
        .map(|item| serde_json::from_value(item).unwrap())
        .collect();
    let engine = &world.world.engines.dynamodb;
    let written = engine.import_items(TABLE, items, ImportOptions::default());
    written.unwrap().items_imported
}
