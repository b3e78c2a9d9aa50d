//! From a stored message to a claim, and to its takeover.

use clivy::conversation::head::PausedBy;
use clivy::conversation::ids::{Fence, Owner};
use clivy::conversation::outcome::Spent;
use clivy::table::{Claimed, Release, Released, Stored, TakenOver, Why, keys};
use futures_util::future::join_all;

use crate::endpoint::{Endpoint, InFlight, NOW, after, forgotten, message, request};

pub async fn a_message_is_stored_once_and_is_pending(e: &Endpoint) {
    let id = e.id("62811");
    let key = e.say(&id, "A", 0).await;
    let again = e.table.store(&id, &message("A", 0), None, true).await;
    assert_eq!(again.unwrap(), Stored::Duplicate);
    let head = e.head(&id).await;
    assert_eq!(head.pend, [key.clone()].into());
    assert_eq!((head.pend_since, head.born_at), (Some(NOW), Some(NOW)));
    assert!(e.table.is_stored(&id, &key).await.unwrap());
    let never = message("B", 0);
    let never = keys::message(never.platform_at, &never.mid);
    assert!(!e.table.is_stored(&id, &never).await.unwrap());
    let pk = keys::conversation(&id);
    assert_eq!(
        e.number(&pk, key.as_str(), "expires_at").await,
        forgotten(0)
    );
    assert_eq!(
        e.number(&pk, keys::HEAD, "unread").await,
        Some(1),
        "a duplicate counts nothing"
    );
    assert_eq!(
        e.number(&pk, keys::HEAD, "expires_at").await,
        None,
        "HEAD stays"
    );
}

pub async fn a_message_without_a_time_is_unique_by_its_id(e: &Endpoint) {
    let id = e.id("62811");
    let mut first = message("A", 0);
    assert_eq!(
        e.table.store(&id, &first, None, false).await.unwrap(),
        Stored::New
    );
    first.platform_at = after(5_000);
    assert_eq!(
        e.table.store(&id, &first, None, false).await.unwrap(),
        Stored::Duplicate
    );
    let found = e.table.untimed_key(&id, &first.mid).await.unwrap();
    assert_eq!(found, Some(keys::message(NOW, &first.mid)));
    let sk = keys::untimed(&first.mid);
    assert_eq!(
        e.number(&keys::conversation(&id), &sk, "expires_at").await,
        forgotten(0)
    );
    assert_eq!(e.table.newest(&id, 10).await.unwrap().len(), 1);
}

pub async fn of_webhooks_that_store_one_message_at_once_one_finds_it_new(e: &Endpoint) {
    let (id, message) = (e.id("62811"), message("A", 0));
    let stores = (0..6).map(|_| e.table.store(&id, &message, None, true));
    let stored = join_all(stores).await;
    let new = stored
        .iter()
        .filter(|stored| **stored == Ok(Stored::New))
        .count();
    let twins = stored
        .iter()
        .filter(|stored| **stored == Ok(Stored::Duplicate))
        .count();
    assert_eq!((new, twins), (1, 5), "{stored:?}");
    assert_eq!(
        e.number(&keys::conversation(&id), keys::HEAD, "unread")
            .await,
        Some(1)
    );
}

pub async fn messages_that_are_stored_at_once_are_all_pending(e: &Endpoint) {
    let id = e.id("62811");
    let messages: Vec<_> = (0..6).map(|n| message(&format!("M{n}"), n)).collect();
    let stored = join_all(messages.iter().map(|m| e.table.store(&id, m, None, true))).await;
    assert!(
        stored.iter().all(|stored| *stored == Ok(Stored::New)),
        "{stored:?}"
    );
    assert_eq!(e.head(&id).await.pend.len(), 6);
}

pub async fn messages_are_read_newest_first_or_by_their_keys(e: &Endpoint) {
    let id = e.id("62811");
    let mut wanted = std::collections::BTreeSet::new();
    for n in 0..5 {
        wanted.insert(e.say(&id, &format!("M{n}"), n * 1000).await);
    }
    e.say(&e.id("62812"), "OTHER", 0).await;
    let newest = e.table.newest(&id, 3).await.unwrap();
    let mids: Vec<_> = newest
        .iter()
        .map(|stored| stored.message.mid.as_str())
        .collect();
    assert_eq!(mids, ["M4", "M3", "M2"]);
    wanted.insert(keys::message(after(9), &message("NONE", 0).mid));
    assert_eq!(e.table.messages(&id, &wanted).await.unwrap().len(), 5);
    // More than one request holds.
    let many = (0..130).map(|n| keys::message(after(n), &message("NONE", 0).mid));
    assert_eq!(
        e.table
            .messages(&id, &many.chain(wanted).collect())
            .await
            .unwrap()
            .len(),
        5
    );
    assert_eq!(e.table.head(&e.id("62899")).await.unwrap(), None);
}

pub async fn a_claim_needs_its_own_message_and_a_burst_that_is_due(e: &Endpoint) {
    let id = e.id("62811");
    let nobodys = keys::message(NOW, &message("A", 0).mid);
    assert_eq!(
        e.claim(&id, &nobodys, "w", 0).await,
        Claimed::Lost(None),
        "no HEAD"
    );
    let first = e.say(&id, "A", 0).await;
    let last = e.say(&id, "B", 1_000).await;
    let lost = e.claim(&id, &first, "w", 2_000).await;
    assert!(
        matches!(lost, Claimed::Lost(Some(head)) if head.pend.len() == 2),
        "a newer message"
    );
    let strange = keys::message(NOW, &message("X", 0).mid);
    assert!(matches!(
        e.claim(&id, &strange, "w", 2_000).await,
        Claimed::Lost(Some(_))
    ));
    // An older one wins when the customer has waited long enough.
    let (head, claim) = e.won(&id, &first, "w", 30_000).await;
    assert_eq!(claim.keys, [first, last.clone()].into());
    assert!(head.pend.is_empty() && head.tries == 1 && claim.since == NOW);
    assert_eq!(
        claim.fence,
        Fence(u64::try_from(after(30_000).0).unwrap() + 1)
    );
    let busy = e.claim(&id, &last, "other", 31_000).await;
    assert!(
        matches!(busy, Claimed::Lost(Some(head)) if head.claim.is_some()),
        "taken"
    );
}

pub async fn many_messages_are_claimed_without_waiting(e: &Endpoint) {
    let id = e.id("62811");
    let first = e.say(&id, "M0", 0).await;
    for n in 1..5 {
        e.say(&id, &format!("M{n}"), n).await;
    }
    assert_eq!(e.won(&id, &first, "w", 10).await.1.keys.len(), 5);
}

pub async fn of_workers_that_claim_at_once_one_wins(e: &Endpoint) {
    let id = e.id("62811");
    let key = e.say(&id, "A", 0).await;
    let owners: Vec<String> = (0..6).map(|n| format!("w{n}")).collect();
    let claims = join_all(owners.iter().map(|owner| e.claim(&id, &key, owner, 1))).await;
    let won = claims
        .iter()
        .filter(|claimed| matches!(claimed, Claimed::Won(_)))
        .count();
    assert_eq!(won, 1, "I4");
    assert_eq!(e.head(&id).await.tries, 1);
}

pub async fn a_pause_and_a_backoff_hold_a_claim_back(e: &Endpoint) {
    let id = e.id("62811");
    let key = e.say(&id, "A", 0).await;
    e.table.pause(&id, after(5_000)).await.unwrap();
    assert!(matches!(
        e.claim(&id, &key, "w", 4_999).await,
        Claimed::Lost(Some(_))
    ));
    let (head, claim) = e.won(&id, &key, "w", 5_000).await;
    assert_eq!(head.paused_by, Some(PausedBy::Person));
    let release = Release {
        retry_at: after(9_000),
        spent: Spent::default(),
        why: Why::Waiting,
    };
    let released = e
        .table
        .release(&id, 1, &claim, &release, after(6_000))
        .await;
    assert_eq!(released.unwrap(), Released::Done);
    assert!(matches!(
        e.claim(&id, &key, "w2", 8_999).await,
        Claimed::Lost(Some(_))
    ));
    e.won(&id, &key, "w2", 9_000).await;
}

pub async fn an_expired_claim_is_taken_over_once_with_what_came_in(e: &Endpoint) {
    let id = e.id("62811");
    let first = e.say(&id, "A", 0).await;
    let (_, claim) = e.won(&id, &first, "w", 1).await;
    let second = e.say(&id, "B", 2).await;
    let head = e.head(&id).await;
    let owners = ["x", "y"].map(|owner| Owner(owner.to_owned()));
    let early = request(&id, &second, &owners[0], 60_001);
    let early = e.table.take_over(early, &head, &claim).await.unwrap();
    assert!(
        matches!(early, TakenOver::Lost(Some(_))),
        "it has not expired"
    );
    let both = owners.each_ref().map(|owner| {
        e.table
            .take_over(request(&id, &second, owner, 60_002), &head, &claim)
    });
    let both = join_all(both).await;
    let won: Vec<_> = both
        .into_iter()
        .filter_map(|over| match over.unwrap() {
            TakenOver::Won(head) => head.claim,
            TakenOver::Lost(_) => None,
        })
        .collect();
    assert_eq!(won.len(), 1, "I4");
    assert_eq!(won[0].keys, [first, second].into());
    assert_eq!(won[0].fence.0, claim.fence.0 + 1);
}

pub async fn a_claim_with_a_draft_is_taken_over_as_it_is(e: &Endpoint) {
    let id = e.id("62811");
    let InFlight { key, claim, .. } = e.answer(&id).await;
    e.say(&id, "B", 3).await;
    let seen = e.head(&id).await;
    let owner = Owner("x".to_owned());
    // As somebody would who has not seen the draft.
    let blind = e
        .table
        .take_over(request(&id, &key, &owner, 70_000), &seen, &claim)
        .await;
    assert!(
        matches!(blind.unwrap(), TakenOver::Lost(Some(_))),
        "I2: a draft is not asked for again"
    );
    let with_draft = seen.claim.clone().unwrap();
    let over = e
        .table
        .take_over(request(&id, &key, &owner, 70_000), &seen, &with_draft)
        .await;
    let TakenOver::Won(now) = over.unwrap() else {
        panic!("it has expired")
    };
    let taken = now.claim.unwrap();
    assert_eq!(
        (taken.keys.len(), taken.draft.unwrap().sends, now.pend.len()),
        (1, 2, 1)
    );
    assert_eq!(now.tries, 1, "sending again is no new try");
}
