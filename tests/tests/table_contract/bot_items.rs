//! The items of a bot: those of other versions, and what a file changes in them.

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
