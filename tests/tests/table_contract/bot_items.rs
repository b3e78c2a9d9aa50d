//! The items of a bot: those of other versions, and what a file changes in them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use clivy::conversation::bot::{Bot, Document, Gateway};
use clivy::conversation::bot_limits::MAX_DOCUMENTS;
use clivy::conversation::ids::BotId;
use clivy::conversation::version::{DocumentId, Version};
use clivy::table::{BotState, DocumentEdit, DocumentState, Edited, keys};

use crate::bots::{bot, document, edit, owner};
use crate::endpoint::{Endpoint, NOW, after};

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Removes attributes, past the operations.
async fn remove(e: &Endpoint, bot: &Bot, sk: &str, attributes: &str) {
    let update = e.client.update_item().table_name(&e.name);
    let at = update
        .key("pk", text(&keys::bot(&bot.bot_id)))
        .key("sk", text(sk));
    let removed = at.update_expression(format!("REMOVE {attributes}"));
    removed.send().await.unwrap();
}

/// Takes a copy of an item, which [`put_back`] puts where it was.
async fn copy(e: &Endpoint, pk: &str, sk: &str) -> HashMap<String, AttributeValue> {
    let item = e.raw(pk, sk).await;
    item.expect("no item").into_iter().collect()
}

/// As if the operation that deleted it had been cut short.
async fn put_back(e: &Endpoint, item: HashMap<String, AttributeValue>) {
    let put = e.client.put_item().table_name(&e.name);
    put.set_item(Some(item)).send().await.unwrap();
}

async fn delete(e: &Endpoint, bot: &Bot, at: i64) {
    let deleted = e.table.delete_bot(&bot.owner, &bot.bot_id, after(at));
    deleted.await.unwrap();
}

async fn state(e: &Endpoint, bot: &Bot) -> BotState {
    e.table.bot_state(&bot.bot_id).await.unwrap()
}

/// The versions of a bot's documents, in the order of their ids.
async fn versions(e: &Endpoint, bot: &Bot) -> Vec<Version> {
    let documents = e.table.documents(&bot.bot_id).await.unwrap();
    documents
        .iter()
        .map(|stored| stored.stamp.version)
        .collect()
}

pub async fn items_that_are_older_than_versions_can_be_edited(e: &Endpoint) {
    let toko = Bot {
        documents: vec![document("A")],
        ..bot("toko", "t1")
    };
    e.table.put_bot(&toko, NOW).await.unwrap();
    let id = DocumentId::in_file(0);
    remove(e, &toko, keys::BOT_SETTINGS, "version, bot_owner").await;
    remove(e, &toko, &keys::document(&id), "version").await;

    let old = e.table.document(&toko.bot_id, &id).await.unwrap();
    let DocumentState::There(was) = &old else {
        panic!("{old:?}")
    };
    assert_eq!(was.stamp.version, Version::default());
    let over = DocumentEdit {
        owner: &toko.owner,
        bot_id: &toko.bot_id,
        id: &id,
        before: &old,
        by: "k1",
        now: NOW,
    };
    let edited = e.table.edit_document(&over, &document("B")).await.unwrap();
    assert!(matches!(edited, Edited::Done(_)), "{edited:?}");
    let again = e.table.edit_document(&over, &document("C")).await.unwrap();
    assert_eq!(again, Edited::Changed, "it has a version now");

    let old = state(e, &toko).await;
    let edited = edit(e, &old, &toko).await;
    assert!(matches!(edited, Edited::Done(_)), "{edited:?}");
    assert_eq!(edit(e, &old, &toko).await, Edited::Changed);
}

pub async fn items_of_newer_versions_are_left_alone(e: &Endpoint) {
    let toko = Bot {
        documents: vec![document("A")],
        ..bot("toko", "t1")
    };
    e.table.put_bot(&toko, NOW).await.unwrap();
    let put = e.client.put_item().table_name(&e.name);
    let put = put.item("pk", text(&keys::bot(&toko.bot_id)));
    put.item("sk", text("VOICE#1")).send().await.unwrap();
    assert_eq!(e.table.bot(&toko.bot_id).await.unwrap(), Some(toko));
}

pub async fn settings_hold_no_documents(e: &Endpoint) {
    let toko = Bot {
        documents: vec![document("a title of its own")],
        ..bot("toko", "t1")
    };
    edit(e, &state(e, &toko).await, &toko).await;
    e.table.put_bot(&toko, after(1)).await.unwrap();
    let settings = e.raw(&keys::bot(&toko.bot_id), keys::BOT_SETTINGS).await;
    let settings = format!("{:?}", settings.unwrap());
    assert!(!settings.contains("a title of its own"), "{settings}");
}

pub async fn a_file_takes_back_the_token_and_the_owner_that_it_names_no_more(e: &Endpoint) {
    let toko = bot("toko", "t1");
    e.table.put_bot(&toko, NOW).await.unwrap();
    let other = Bot {
        owner: owner("sari"),
        gateway: Gateway {
            token: "t2".to_owned(),
            ..toko.gateway.clone()
        },
        ..toko.clone()
    };
    e.table.put_bot(&other, after(1)).await.unwrap();
    let of_token = |token| e.table.bot_of_token(token);
    assert_eq!(of_token("t1").await.unwrap(), None);
    assert_eq!(of_token("t2").await.unwrap().as_ref(), Some(&toko.bot_id));
    let none: Vec<BotId> = Vec::new();
    assert_eq!(e.table.bots_of(&toko.owner).await.unwrap(), none);
    let theirs = e.table.bots_of(&other.owner).await.unwrap();
    assert_eq!(theirs, std::slice::from_ref(&toko.bot_id));
}

pub async fn a_file_writes_the_documents_that_differ(e: &Endpoint) {
    let documents = |titles: [&str; 3]| titles.map(document).to_vec();
    let file = |titles| Bot {
        documents: documents(titles),
        ..bot("toko", "t1")
    };
    let first = file(["A", "B", "C"]);
    e.table.put_bot(&first, NOW).await.unwrap();
    assert_eq!(versions(e, &first).await, [1, 1, 1].map(Version));
    e.table.put_bot(&first, after(1)).await.unwrap();
    assert_eq!(versions(e, &first).await, [1, 1, 1].map(Version));
    let second = file(["A", "Z", "C"]);
    e.table.put_bot(&second, after(2)).await.unwrap();
    assert_eq!(versions(e, &second).await, [1, 2, 1].map(Version));
}

pub async fn a_file_may_have_as_many_documents_as_a_bot(e: &Endpoint) {
    let file = |word: &str, count| -> Bot {
        let document = |n| -> Document { document(&format!("{word} {n}")) };
        Bot {
            documents: (0..count).map(document).collect(),
            ..bot("toko", "t1")
        }
    };
    // New ones, and old ones that are kept as versions too: both in transactions of any mixture.
    for (word, count) in [("A", 31), ("B", MAX_DOCUMENTS), ("C", 2)] {
        let file = file(word, count);
        e.table.put_bot(&file, NOW).await.unwrap();
        assert_eq!(e.table.bot(&file.bot_id).await.unwrap(), Some(file));
    }
    let too_many = file("D", MAX_DOCUMENTS + 1);
    assert!(e.table.put_bot(&too_many, NOW).await.is_err());
}

pub async fn a_file_takes_a_bot_from_an_owner_whose_deletion_was_cut_short(e: &Endpoint) {
    let toko = bot("toko", "t1");
    e.table.put_bot(&toko, NOW).await.unwrap();
    let (pk, sk) = (keys::owner(&toko.owner), keys::bot_of_owner(&toko.bot_id));
    let listed = copy(e, &pk, &sk).await;
    delete(e, &toko, 1).await;
    put_back(e, listed).await;
    let of_sari = Bot {
        owner: owner("sari"),
        ..toko.clone()
    };
    e.table.put_bot(&of_sari, after(2)).await.unwrap();
    assert_eq!(
        e.table.bot(&toko.bot_id).await.unwrap().as_ref(),
        Some(&of_sari)
    );
    let none: Vec<BotId> = Vec::new();
    assert_eq!(e.table.bots_of(&toko.owner).await.unwrap(), none, "I12");
    let theirs = e.table.bots_of(&of_sari.owner).await.unwrap();
    assert_eq!(theirs, std::slice::from_ref(&toko.bot_id));
}

pub async fn a_deleted_bot_stays_away_until_its_file_says_something_else(e: &Endpoint) {
    let file = bot("toko", "t1");
    e.table.sync_bot(&file, NOW).await.unwrap();
    delete(e, &file, 1).await;
    let gateway = Gateway {
        url: "http://g".to_owned(),
        ..file.gateway.clone()
    };
    let moved = Bot {
        gateway,
        ..file.clone()
    };
    for same in [&file, &moved] {
        e.table.sync_bot(same, after(2)).await.unwrap();
        let state = state(e, same).await;
        assert!(matches!(state, BotState::Deleted(_)), "{state:?}");
    }
    let renamed = Bot {
        name: "Baru".to_owned(),
        ..file.clone()
    };
    e.table.sync_bot(&renamed, after(3)).await.unwrap();
    let there = e.table.bot(&file.bot_id).await.unwrap();
    assert_eq!(there.as_ref(), Some(&renamed));
    // Made again by an edit, it is what that said.
    delete(e, &file, 4).await;
    let gone = state(e, &file).await;
    assert!(matches!(edit(e, &gone, &file).await, Edited::Done(_)));
    e.table.sync_bot(&renamed, after(5)).await.unwrap();
    let there = e.table.bot(&file.bot_id).await.unwrap();
    assert_eq!(there.as_ref(), Some(&file));
}

pub async fn a_deletion_that_is_late_leaves_the_next_bot_alone(e: &Endpoint) {
    let with = |title: &str| Bot {
        documents: vec![document(title)],
        ..bot("toko", "t1")
    };
    let (first, next) = (with("A"), with("B"));
    e.table.put_bot(&first, NOW).await.unwrap();
    delete(e, &first, 1).await;
    let gone = state(e, &first).await.version();
    e.table.put_bot(&next, after(2)).await.unwrap();
    let erase = |gone| e.table.erase_leftovers(&next.bot_id, gone);
    assert_eq!(erase(gone).await, Ok(()));
    let there = e.table.bot(&next.bot_id).await.unwrap();
    assert_eq!(there.as_ref(), Some(&next), "it is there again");
    // That one is deleted too, as far as its document.
    let (pk, sk) = (
        keys::bot(&next.bot_id),
        keys::document(&DocumentId::in_file(0)),
    );
    let left = copy(e, &pk, &sk).await;
    delete(e, &next, 3).await;
    put_back(e, left).await;
    let newer = state(e, &next).await.version();
    for (mark, is_left) in [(gone, true), (newer, false)] {
        assert_eq!(erase(mark).await, Ok(()));
        let left = e.table.documents(&next.bot_id).await.unwrap();
        assert_eq!(!left.is_empty(), is_left, "{mark:?}");
    }
}
