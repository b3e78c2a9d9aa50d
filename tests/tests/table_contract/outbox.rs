//! Persons' messages on their way, and what is owed to whom.

use clivy::conversation::ids::{ConversationId, EpochMs, MessageKey, Owner};
use clivy::conversation::message::{Author, Delivery as Way, Message};
use clivy::conversation::outcome::TurnStatus;
use clivy::table::{
    Claimed, Committed, Outgoing, OutgoingCommitted, OwedTo, Released, StoredOutgoing, keys,
};
use futures_util::future::join_all;

use crate::endpoint::{Endpoint, NOW, after, message, request, soon};

fn outgoing(mid: &str, at: i64) -> Message {
    Message {
        delivered: false,
        delivery: Some(Way::Sending),
        author: Author::Person,
        ..message(mid, at)
    }
}

pub async fn put_out(e: &Endpoint, id: &ConversationId, mid: &str, at: i64) -> MessageKey {
    let message = outgoing(mid, at);
    let stored = e
        .table
        .store_outgoing(Outgoing {
            id,
            message: &message,
            pause_until: Some(after(60_000)),
            instead_of: None,
        })
        .await;
    assert_eq!(stored.unwrap(), StoredOutgoing::New);
    keys::message(message.platform_at, &message.mid)
}

pub async fn an_outgoing_message_is_stored_once_in_a_conversation_that_is_there(e: &Endpoint) {
    let (here, nowhere) = (e.id("62811"), e.id("62899"));
    let message = outgoing("P1", 5);
    let out = |id, instead_of| Outgoing {
        id,
        message: &message,
        pause_until: Some(after(60_000)),
        instead_of,
    };
    let stored = e.table.store_outgoing(out(&nowhere, None)).await.unwrap();
    assert_eq!(stored, StoredOutgoing::NoConversation);
    assert_eq!(
        e.table.outgoing(&nowhere, &message.mid).await.unwrap(),
        None
    );
    let answered = e.burst(&here, "A", 0, TurnStatus::Answered).await;
    for turn in [answered, 77] {
        let stored = e
            .table
            .store_outgoing(out(&here, Some(turn)))
            .await
            .unwrap();
        assert_eq!(stored, StoredOutgoing::NotParked);
    }
    assert!(e.head(&here).await.outbox.keys.is_empty(), "all or nothing");
    let failed = e.burst(&here, "B", 10, TurnStatus::Failed).await;
    let both = [0, 1].map(|_| e.table.store_outgoing(out(&here, Some(failed))));
    let mut both: Vec<_> = join_all(both)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    both.sort_by_key(|stored| *stored != StoredOutgoing::New);
    assert_eq!(both, [StoredOutgoing::New, StoredOutgoing::Duplicate]);
    let turn = e.table.turn(&here, failed).await.unwrap().unwrap();
    assert_eq!(turn.status, TurnStatus::LeftToPerson);
    let later = outgoing("P1", 6);
    let again = Outgoing {
        message: &later,
        ..out(&here, None)
    };
    let again = e.table.store_outgoing(again).await.unwrap();
    assert_eq!(again, StoredOutgoing::Duplicate, "one id, whenever (I13)");
    let key = keys::message(message.platform_at, &message.mid);
    let stored = e
        .table
        .outgoing(&here, &message.mid)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.key, key);
    let head = e.head(&here).await;
    assert_eq!(
        (head.outbox.keys, head.paused_until),
        ([key].into(), Some(after(60_000)))
    );
}

pub async fn the_outbox_is_claimed_once_and_emptied_by_its_owner(e: &Endpoint) {
    let id = e.id("62811");
    e.say(&id, "A", 0).await;
    let first = put_out(e, &id, "P1", 1).await;
    let second = put_out(e, &id, "P2", 2).await;
    let owners = ["x", "y"].map(|owner| Owner(owner.to_owned()));
    let both = owners
        .each_ref()
        .map(|owner| e.table.claim_outgoing(request(&id, &first, owner, 3)));
    let both: Vec<Claimed> = join_all(both)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let winner = both
        .iter()
        .position(|claimed| matches!(claimed, Claimed::Won(_)))
        .unwrap();
    assert!(matches!(&both[1 - winner], Claimed::Lost(Some(_))), "I4");
    let (owner, other) = (&owners[winner], &owners[1 - winner]);
    let done = |key, owner| e.table.commit_outgoing(&id, key, owner, Way::Sent);
    assert_eq!(
        done(&first, other).await.unwrap(),
        OutgoingCommitted::FencedOut
    );
    let more = done(&first, owner).await.unwrap();
    assert!(matches!(&more, OutgoingCommitted::More(left) if left.keys == [second.clone()].into()));
    let pk = keys::conversation(&id);
    assert_eq!(
        e.text(&pk, first.as_str(), "delivery").await.as_deref(),
        Some("sent")
    );
    assert_eq!(e.text(&pk, first.as_str(), "owed_pk").await, None);
    let back = |owner| e.table.hand_back_outgoing(&id, owner, after(4), 1);
    assert_eq!(back(other).await.unwrap(), Released::FencedOut);
    assert_eq!(back(owner).await.unwrap(), Released::Done);
    let early = e
        .table
        .claim_outgoing(request(&id, &second, other, 4))
        .await
        .unwrap();
    assert!(
        matches!(early, Claimed::Lost(Some(_))),
        "nobody sends before"
    );
    let late = e
        .table
        .claim_outgoing(request(&id, &second, other, 5))
        .await
        .unwrap();
    assert!(matches!(late, Claimed::Won(_)));
    assert_eq!(
        done(&second, other).await.unwrap(),
        OutgoingCommitted::Emptied
    );
    assert_eq!(
        e.head(&id).await.outbox,
        clivy::conversation::outgoing::Outbox::default()
    );
    let nothing = e
        .table
        .claim_outgoing(request(&id, &second, other, 9))
        .await
        .unwrap();
    assert!(matches!(nothing, Claimed::Lost(Some(_))));
}

pub async fn an_erased_message_only_leaves_the_outbox(e: &Endpoint) {
    let id = e.id("62811");
    e.say(&id, "A", 0).await;
    let keys = [
        put_out(e, &id, "P1", 1).await,
        put_out(e, &id, "P2", 2).await,
    ];
    let owner = Owner("x".to_owned());
    let claimed = e.table.claim_outgoing(request(&id, &keys[0], &owner, 3));
    assert!(matches!(claimed.await.unwrap(), Claimed::Won(_)));
    for key in &keys {
        e.delete(&keys::conversation(&id), key.as_str()).await;
    }
    let done = |key| e.table.commit_outgoing(&id, key, &owner, Way::Sent);
    let first = done(&keys[0]).await.unwrap();
    assert!(matches!(first, OutgoingCommitted::More(_)), "{first:?}");
    let last = done(&keys[1]).await.unwrap();
    assert_eq!(last, OutgoingCommitted::Emptied);
    for key in &keys {
        assert!(!e.table.is_stored(&id, key).await.unwrap(), "it stays away");
    }
}

pub async fn what_is_owed_is_found_until_it_is_not_any_more(e: &Endpoint) {
    let (customer, person) = (e.id("62811"), e.id("62812"));
    let key = e.say(&customer, "A", 0).await;
    e.burst(&person, "B", 1, TurnStatus::Answered).await;
    let out = put_out(e, &person, "P", 10).await;
    let shard = |id: &ConversationId| {
        keys::owed(id)
            .trim_start_matches("W#")
            .parse::<u32>()
            .unwrap()
    };
    let owed = |id: &ConversationId, before: i64| {
        let (table, shard, id) = (e.table.clone(), shard(id), id.clone());
        async move {
            let page = table.owed(shard, after(before), None).await.unwrap();
            assert_eq!(page.malformed, 0);
            page.owed.into_iter().find(|owed| owed.id == id)
        }
    };
    soon("a customer is owed an answer", || async {
        owed(&customer, 1)
            .await
            .is_some_and(|owed| owed.to == OwedTo::Customer && owed.since == NOW)
    })
    .await;
    assert!(owed(&customer, 0).await.is_none(), "not yet");
    soon("a person is owed a send", || async {
        owed(&person, 11)
            .await
            .is_some_and(|owed| owed.to == OwedTo::Person(out.clone()))
    })
    .await;
    assert_eq!(
        e.table
            .oldest_owed(shard(&customer), EpochMs(0))
            .await
            .unwrap(),
        Some(NOW)
    );
    assert_eq!(
        e.table.oldest_owed_of_all(EpochMs(0)).await.unwrap(),
        Some(NOW)
    );
    assert_eq!(e.table.oldest_owed_of_all(after(11)).await.unwrap(), None);
    let burst = e.drafted(&customer, key, 20, TurnStatus::Answered).await;
    let committed = e.table.commit(burst.commit(&customer, 22)).await;
    assert_eq!(committed.unwrap(), Committed::Done);
    soon("nothing is owed", || async {
        owed(&customer, 1_000).await.is_none()
    })
    .await;
}

pub async fn owed_conversations_come_in_pages(e: &Endpoint) {
    let mut of_shard = std::collections::BTreeMap::<String, usize>::new();
    // One shard gets more than a page holds, as items that nobody has stored one by one.
    let probe = e.id("62811");
    for n in 0..130 {
        let number = |n: i64| aws_sdk_dynamodb::types::AttributeValue::N(n.to_string());
        let text = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
        let put = e.client.put_item().table_name(&e.name);
        put.item("pk", text(keys::conversation(&e.id(&format!("62{n}")))))
            .item("sk", text(keys::HEAD.to_owned()))
            .item("owed_pk", text(keys::owed(&probe)))
            .item("owed_since", number(after(n).0))
            .send()
            .await
            .unwrap();
        *of_shard.entry(keys::owed(&probe)).or_default() += 1;
    }
    let shard = keys::owed(&probe)
        .trim_start_matches("W#")
        .parse::<u32>()
        .unwrap();
    soon("all are indexed", || async {
        let (mut since, mut from) = (Vec::new(), None);
        loop {
            let page = e.table.owed(shard, after(1_000), from).await.unwrap();
            assert!(page.owed.len() <= 100);
            since.extend(page.owed.iter().map(|owed| owed.since));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        since.len() == 130 && since.is_sorted()
    })
    .await;
}
