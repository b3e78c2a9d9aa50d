//! What persons do: the list, the thread, pauses, their own messages on the phone, erasing.

use clivy::conversation::head::PausedBy;
use clivy::conversation::ids::{EpochMs, MessageId};
use clivy::conversation::message::{Author, Message};
use clivy::conversation::outcome::TurnStatus;
use clivy::table::{Filter, Listing, Paused, Read, Released, Resumed, Stored, keys};

use crate::endpoint::{Endpoint, NOW, after, message, soon};

fn of_person(mid: &str, at: i64) -> Message {
    Message {
        author: Author::Person,
        ..message(mid, at)
    }
}

async fn contacts(e: &Endpoint, filter: Option<Filter>, search: Option<&str>) -> Vec<String> {
    let page = e
        .table
        .conversations(&Listing {
            bot_id: &e.bot,
            filter,
            search,
            limit: 50,
            from: None,
            now: after(100_000),
        })
        .await
        .unwrap();
    page.items
        .iter()
        .map(|room| room.contact.as_str().to_owned())
        .collect()
}

pub async fn conversations_are_listed_by_activity_and_found(e: &Endpoint) {
    for n in 0..5_i64 {
        e.say(&e.id(&format!("6281{n}")), &format!("A{n}"), n * 1000)
            .await;
    }
    soon("five conversations", || async {
        contacts(e, None, None).await.len() == 5
    })
    .await;
    assert_eq!(
        contacts(e, None, None).await,
        ["62814", "62813", "62812", "62811", "62810"]
    );
    e.say(&e.id("62811"), "B", 9_000).await;
    e.table.pause(&e.id("62812"), after(200_000)).await.unwrap();
    e.table.read(&e.id("62813")).await.unwrap();
    e.burst(&e.id("62815"), "F", 10_000, TurnStatus::Failed)
        .await;
    soon("the index follows", || async {
        contacts(e, None, None).await.first().map(String::as_str) == Some("62815")
            && contacts(e, Some(Filter::Paused), None).await == ["62812"]
            && contacts(e, Some(Filter::Failed), None).await == ["62815"]
            && contacts(e, Some(Filter::Unread), None).await.len() == 5
    })
    .await;
    assert_eq!(contacts(e, None, Some("08 14")).await, ["62814"]);
    assert_eq!(contacts(e, None, Some("DEWI")).await.len(), 6);
    assert!(contacts(e, None, Some("nobody")).await.is_empty());
}

pub async fn the_list_goes_on_where_a_page_ended(e: &Endpoint) {
    let bot = e.bot.clone();
    for n in 0..7_i64 {
        e.say(&e.id(&format!("6281{n}")), &format!("A{n}"), n * 1000)
            .await;
    }
    soon("seven conversations", || async {
        contacts(e, None, None).await.len() == 7
    })
    .await;
    for search in [None, Some("dewi")] {
        let (mut seen, mut from) = (Vec::new(), None);
        loop {
            let listing = Listing {
                bot_id: &bot,
                filter: None,
                search,
                limit: 3,
                from: from.as_ref(),
                now: NOW,
            };
            let page = e.table.conversations(&listing).await.unwrap();
            assert!(page.items.len() <= 3);
            seen.extend(page.items.into_iter().map(|room| room.active_at));
            from = page.next;
            if from.is_none() {
                break;
            }
            assert!(from.as_ref().unwrap().is_in_list_of(&bot));
        }
        let all: Vec<EpochMs> = (0..7).rev().map(|n| after(n * 1000)).collect();
        assert_eq!(seen, all, "{search:?}");
    }
    let whole = Listing {
        bot_id: &bot,
        filter: None,
        search: Some("dewi"),
        limit: 7,
        from: None,
        now: NOW,
    };
    let page = e.table.conversations(&whole).await.unwrap();
    assert_eq!((page.items.len(), page.next), (7, None), "nothing is left");
    let named = page.items.iter().all(|room| room.name.is_some());
    assert!(named, "each has the customer's name");
}

pub async fn a_thread_goes_on_where_a_page_ended(e: &Endpoint) {
    let id = e.id("62811");
    for n in 0..7 {
        e.say(&id, &format!("M{n}"), n * 1000).await;
    }
    let (mut seen, mut from) = (Vec::new(), None);
    loop {
        let page = e.table.thread(&id, 3, from.as_ref()).await.unwrap();
        seen.extend(
            page.items
                .into_iter()
                .map(|message| message.stored.message.mid),
        );
        from = page.next;
        if from.is_none() {
            break;
        }
        assert!(from.as_ref().unwrap().is_in_thread());
    }
    let mids: Vec<&str> = seen.iter().map(MessageId::as_str).collect();
    assert_eq!(mids, ["M6", "M5", "M4", "M3", "M2", "M1", "M0"]);
    let nobodys = e.table.thread(&e.id("62899"), 3, None).await.unwrap();
    assert!(nobodys.items.is_empty() && nobodys.next.is_none());
}

pub async fn a_conversation_is_read_paused_and_resumed_only_if_it_is_there(e: &Endpoint) {
    let (here, nowhere) = (e.id("62811"), e.id("62899"));
    assert_eq!(
        e.table.read(&nowhere).await.unwrap(),
        Read::NoSuchConversation
    );
    assert_eq!(
        e.table.pause(&nowhere, after(1)).await.unwrap(),
        Paused::NoSuchConversation
    );
    assert_eq!(
        e.table.resume(&nowhere, NOW).await.unwrap(),
        Resumed::NoSuchConversation
    );
    assert_eq!(
        e.table.head(&nowhere).await.unwrap(),
        None,
        "a refused write has left something"
    );
    assert_eq!(e.table.conversation(&nowhere).await.unwrap(), None);
    e.say(&here, "A", 0).await;
    let (room, _) = e.table.conversation(&here).await.unwrap().unwrap();
    assert_eq!((room.unread, room.paused_until), (1, None));
    assert_eq!(e.table.read(&here).await.unwrap(), Read::Done);
    let Paused::Done(room, before) = e.table.pause(&here, after(5_000)).await.unwrap() else {
        panic!("it is there")
    };
    assert_eq!((room.unread, room.paused_until), (0, Some(after(5_000))));
    assert_eq!(room.paused_by, Some(PausedBy::Person));
    assert_eq!(before.paused_until, None);
    let Resumed::Done(room, head) = e.table.resume(&here, after(1_000)).await.unwrap() else {
        panic!("it is there")
    };
    assert_eq!(
        (room.paused_until, head.held_until),
        (None, Some(after(1_000)))
    );
    // Where there is no pause nothing changes.
    let Resumed::Done(_, head) = e.table.resume(&here, after(2_000)).await.unwrap() else {
        panic!("it is there")
    };
    assert_eq!(head.held_until, Some(after(1_000)));
}

pub async fn a_persons_message_pauses_and_shortens_no_pause(e: &Endpoint) {
    let id = e.id("62811");
    e.say(&id, "A", 0).await;
    let own = |mid: &str, at, until| {
        let message = of_person(mid, at);
        let (table, id) = (e.table.clone(), id.clone());
        async move {
            table
                .store_own(&id, &message, true, Some(after(until)))
                .await
                .unwrap()
        }
    };
    assert_eq!(own("P1", 1, 60_000).await, Stored::New);
    assert_eq!(own("P1", 1, 90_000).await, Stored::Duplicate);
    assert_eq!(e.head(&id).await.paused_until, Some(after(60_000)), "I13");
    assert_eq!(own("P2", 2, 30_000).await, Stored::New);
    let head = e.head(&id).await;
    assert_eq!(
        (head.paused_until, head.paused_by),
        (Some(after(60_000)), Some(PausedBy::Person))
    );
    assert_eq!(
        e.number(&keys::conversation(&id), keys::HEAD, "unread")
            .await,
        Some(0)
    );
    assert_eq!(head.pend.len(), 1, "it is nobody's turn");
    let silent = of_person("P3", 3);
    assert_eq!(
        e.table.store_own(&id, &silent, false, None).await.unwrap(),
        Stored::New
    );
}

pub async fn an_edit_changes_its_authors_message_only(e: &Endpoint) {
    let id = e.id("62811");
    let key = e.say(&id, "A", 0).await;
    let mid = message("A", 0).mid;
    let text = || async {
        let stored = e.table.messages(&id, &[key.clone()].into()).await.unwrap();
        stored[0].message.content.text.clone()
    };
    e.table
        .edit(&id, &mid, false, "forged", after(1))
        .await
        .unwrap();
    assert_eq!(text().await, "text of A");
    e.table
        .edit(&id, &mid, true, "better", after(2))
        .await
        .unwrap();
    assert_eq!(text().await, "better");
    e.table
        .edit(&id, &message("NONE", 0).mid, true, "x", after(3))
        .await
        .unwrap();
    let thread = e.table.thread(&id, 10, None).await.unwrap().items;
    assert_eq!((thread.len(), thread[0].edited_at), (1, Some(after(2))));
}

pub async fn erasing_leaves_nothing_and_keeps_messages_out_meanwhile(e: &Endpoint) {
    let (gone, other) = (e.id("62811"), e.id("62812"));
    for n in 0..60 {
        e.say(&gone, &format!("M{n}"), n).await;
    }
    e.say(&other, "X", 0).await;
    // A claim of before is fenced out of what comes after.
    let key = keys::message(NOW, &message("M0", 0).mid);
    let (_, claim) = e.won(&gone, &key, "w", 60_000).await;
    e.table.erase(&gone, after(70_000)).await.unwrap();
    assert_eq!(e.table.head(&gone).await.unwrap(), None);
    assert!(e.table.newest(&gone, 10).await.unwrap().is_empty());
    let back = e
        .table
        .hand_back(&gone, claim.fence, after(70_001), 0)
        .await;
    assert_eq!(back.unwrap(), Released::FencedOut);
    soon("the index forgets it", || async {
        contacts(e, None, None).await == ["62812"]
    })
    .await;
    e.table.erase(&gone, after(71_000)).await.unwrap();
    // As while an erasure is under way.
    let marker = [
        ("pk", keys::conversation(&gone)),
        ("sk", keys::HEAD.to_owned()),
    ];
    let mut put = e.client.put_item().table_name(&e.name);
    for (name, text) in marker {
        put = put.item(name, aws_sdk_dynamodb::types::AttributeValue::S(text));
    }
    let until = aws_sdk_dynamodb::types::AttributeValue::N(after(80_000).0.to_string());
    put.item("erasing_until", until).send().await.unwrap();
    let refused = e
        .table
        .store(&gone, &message("N", 75_000), None, true)
        .await
        .unwrap_err();
    assert_eq!(refused.code, "Erasing");
    let own = e
        .table
        .store_own(&gone, &of_person("P", 75_000), true, None)
        .await
        .unwrap_err();
    assert_eq!(own.code, "HeadChanged");
    assert_eq!(e.table.conversation(&gone).await.unwrap(), None);
    let after_it = e
        .table
        .store(&gone, &message("N", 80_000), None, true)
        .await;
    assert_eq!(after_it.unwrap(), Stored::New);
    assert_eq!(e.head(&gone).await.born_at, Some(after(80_000)));
}
