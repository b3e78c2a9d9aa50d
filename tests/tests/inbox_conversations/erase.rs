//! Erasing a contact: nothing is left, nobody brings it back, and who writes again is answered once.

use std::time::Duration;

use clivy::access::Role;
use serde_json::{Value, json};
use tests::bubbles::{bot, from_the_phone};
use tests::faults::{Fault, ROLE, Role as Function, When};
use tests::outside::{Gateway, Model};
use tests::world::TestWorld;

use super::{BUDI, RINA, answer, contacts, list, of, sleep, thread, write, written};

/// The items of the table that a contact is in, wherever.
async fn left_of(world: &TestWorld, contact: &str) -> Vec<Value> {
    let scan = world.dynamodb("Scan", json!({"TableName": "clivy"})).await;
    let items = scan["Items"].as_array().unwrap().clone();
    assert!(scan.get("LastEvaluatedKey").is_none());
    items
        .into_iter()
        .filter(|item| item.to_string().contains(contact))
        .collect()
}

async fn erase(world: &TestWorld) {
    let api = world.api(Role::Owner).await;
    api.delete(&of(RINA, "")).await.expect(204);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_an_erased_contact_is_left_and_all_of_the_others() {
    let world = TestWorld::new(&[bot("demo"), bot("other")]).await;
    world.start();
    let api = world.api(Role::Owner).await;
    for n in 0..30 {
        write(&world, RINA, &format!("A{n}"), "Halo").await;
        answer(&world, RINA, &format!("P{n}")).await;
    }
    // Without a time of its own: an item more.
    let mut untimed = written(&world, RINA, "U", "Halo");
    untimed["event"]["Info"]["Timestamp"] = Value::Null;
    world.post(&untimed).await;
    write(&world, BUDI, "B", "Halo").await;
    let mut same = written(&world, RINA, "S", "Halo");
    same["instanceName"] = json!("other");
    world.post(&same).await;
    sleep(40 * 60).await;
    world.settle().await;
    write(&world, RINA, "C", "masih?").await;
    let of_others = left_of(&world, BUDI).await.len();
    assert!(left_of(&world, RINA).await.len() > 60);
    erase(&world).await;
    let left = left_of(&world, RINA).await;
    assert!(!left.is_empty());
    assert!(
        left.iter()
            .all(|item| item["pk"]["S"] == format!("C#other#{RINA}")),
        "only the other bot's: {left:?}"
    );
    assert_eq!(left_of(&world, BUDI).await.len(), of_others);
    assert_eq!(contacts(&api, "").await, [BUDI]);
    api.get(&of(RINA, "")).await.expect(404);
    assert_eq!(thread(&api, RINA).await, Vec::<Value>::new());
    erase(&world).await;
    world.settle().await;
    assert_eq!(
        left_of(&world, RINA).await.len(),
        left.len(),
        "nobody brings it back"
    );
    world.assert_quiet().await;
}

/// What happens at the worker's effect number `index`: the contact is erased, and writes again afterwards.
async fn erased_before(index: usize, gateway: &[Gateway]) -> Option<()> {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.gateway_does(gateway.to_vec());
    world.outside.model_does([Model::Breaks]);
    let late = Fault::Late(Duration::from_secs(2));
    world.faults.arm(Function::Worker, index, late);
    world.start();
    write(&world, RINA, "A", "ada kopi?").await;
    let mut waited = 0;
    while world.faults.effects(Function::Worker).len() <= index {
        tokio::time::sleep(Duration::from_millis(50)).await;
        waited += 1;
        if waited > 4_000 {
            return None;
        }
    }
    let effect = world.faults.effects(Function::Worker)[index].clone();
    tokio::time::sleep(Duration::from_millis(500)).await;
    println!("erased before effect {index}, {effect}; the gateway: {gateway:?}");
    erase(&world).await;
    assert_eq!(left_of(&world, RINA).await, Vec::<Value>::new());
    // The next message comes while the old worker is still at work, or when it has ended.
    if index.is_multiple_of(2) {
        world.settle().await;
        assert_eq!(left_of(&world, RINA).await, Vec::<Value>::new());
    }
    let before: Vec<_> = world.outside.sends().into_iter().map(|s| s.id).collect();
    write(&world, RINA, "B", "jam buka?").await;
    world.settle().await;
    let mut ids: Vec<_> = world
        .outside
        .delivered()
        .into_iter()
        .map(|s| s.id)
        .collect();
    ids.retain(|id| !before.contains(id));
    // A send of the old worker that had begun may still arrive; it is none of the new conversation.
    let own = world.reply_id("demo", RINA, 1).await;
    assert!(
        ids.contains(&own) && !before.contains(&own),
        "an id never used before"
    );
    let to_new: Vec<_> = world
        .outside
        .delivered()
        .into_iter()
        .filter(|send| send.text == "Jawaban atas: jam buka?")
        .collect();
    assert_eq!(to_new.len(), 1, "exactly one reply");
    assert_eq!(to_new[0].id, own);
    let head = world.head("demo", RINA).await;
    assert_eq!(head.bursts, 1);
    assert_eq!(world.history("demo", RINA).await.len(), 2);
    world.assert_quiet().await;
    Some(())
}

async fn erased_at_every_step(gateway: &[Gateway], steps: usize) {
    let mut index = 0;
    while erased_before(index, gateway).await.is_some() {
        index += 1;
    }
    assert!(index >= steps, "only {index} steps");
}

#[tokio::test(start_paused = true)]
async fn a_contact_may_be_erased_at_every_step_of_a_turn() {
    erased_at_every_step(&[], 10).await;
}

#[tokio::test(start_paused = true)]
async fn a_contact_may_be_erased_at_every_step_of_a_send_that_is_tried_again() {
    erased_at_every_step(&[Gateway::Refuses], 14).await;
}

/// The inbox dies, or loses an answer, at one step of an erasure. None when there is no such step.
async fn erased_with(fault: Fault, index: usize) -> Option<()> {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Owner).await;
    for n in 0..24 {
        write(&world, RINA, &format!("A{n}"), "Halo").await;
    }
    world.settle().await;
    world.faults.arm(Function::Inbox, index, fault);
    ROLE.scope(Function::Inbox, async {
        let path = of(RINA, "");
        tokio::select! {
            reply = api.delete(&path) => assert!([204, 503].contains(&reply.status.as_u16())),
            () = world.faults.death() => {}
        }
    })
    .await;
    if world.faults.is_armed() {
        return None;
    }
    println!("{fault:?} at effect {index}");
    // The customer writes in the middle of it: accepted, now or after a while, and answered.
    let replies = world.outside.delivered().len();
    let body = written(&world, RINA, "B", "masih?");
    assert!(world.post_until_accepted(&body).await, "I1");
    world.settle().await;
    assert_eq!(world.outside.delivered().len(), replies + 1);
    erase(&world).await;
    assert_eq!(left_of(&world, RINA).await, Vec::<Value>::new());
    world.assert_quiet().await;
    Some(())
}

#[tokio::test(start_paused = true)]
async fn the_inbox_may_die_anywhere_in_an_erasure() {
    for fault in [
        Fault::Crash(When::Before),
        Fault::Crash(When::After),
        Fault::Error(When::Before),
        Fault::Error(When::After),
    ] {
        let mut index = 0;
        while erased_with(fault, index).await.is_some() {
            index += 1;
        }
        // Key, ownership, HEAD, query, two batches, the end.
        assert!(index >= 7, "only {index} steps");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_during_an_erasure_is_accepted_afterwards_and_answered() {
    for index in 2..7 {
        let world = TestWorld::new(&[bot("demo")]).await;
        world.start();
        let api = world.api(Role::Owner).await;
        for n in 0..24 {
            write(&world, RINA, &format!("A{n}"), "Halo").await;
        }
        world.settle().await;
        let replies = world.outside.delivered().len();
        let late = Fault::Late(Duration::from_secs(2));
        world.faults.arm(Function::Inbox, index, late);
        let path = of(RINA, "");
        let erased = ROLE.scope(Function::Inbox, api.delete(&path));
        let customer = async {
            sleep(1).await;
            let body = written(&world, RINA, "B", "masih?");
            assert!(world.post_until_accepted(&body).await);
        };
        let (erased, ()) = futures_util::join!(erased, customer);
        erased.expect(204);
        assert!(!world.faults.is_armed());
        world.settle().await;
        let history = world.history("demo", RINA).await;
        let is_new = history.len() == 2;
        // Before HEAD is touched the message is one of those that are erased.
        assert!(is_new || (index == 2 && history.is_empty()), "{index}");
        if is_new {
            assert_eq!(world.outside.delivered().len(), replies + 1);
        }
        world.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_echo_of_what_was_erased_begins_no_conversation() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    write(&world, RINA, "A", "ada kopi?").await;
    world.settle().await;
    let sent = world.outside.sends().pop().unwrap();
    erase(&world).await;
    let now = world.world.clock.now();
    let echo = from_the_phone("demo", RINA, &sent.id.to_uppercase(), now, &sent.text);
    assert_eq!(world.post(&echo).await.1["reason"], "own_message");
    assert_eq!(left_of(&world, RINA).await, Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_what_was_erased_brings_nothing_back() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.outside.model_does((0..3).map(|_| Model::Breaks));
    write(&world, RINA, "A", "ada kopi?").await;
    world.settle().await;
    // It is redriven while the erasure is under way: HEAD is gone, the turn is not.
    let key = json!({"pk": {"S": format!("C#demo#{RINA}")}, "sk": {"S": "HEAD"}});
    let delete = json!({"TableName": "clivy", "Key": key});
    world.dynamodb("DeleteItem", delete).await;
    let id = world.id("demo", RINA);
    let now = world.world.clock.now();
    world
        .world
        .table
        .repend(&id, 1, None, now)
        .await
        .unwrap_err();
    erase(&world).await;
    world.redrive().await;
    world.settle().await;
    assert_eq!(left_of(&world, RINA).await, Vec::<Value>::new());
    assert_eq!(world.outside.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_opt_out_is_erased_with_the_rest() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Owner).await;
    write(&world, RINA, "A", "/stop").await;
    world.settle().await;
    assert!(list(&api, "").await[0]["opted_out_at"].is_string());
    let sends = world.outside.sends().len();
    erase(&world).await;
    write(&world, RINA, "B", "ada kopi?").await;
    world.settle().await;
    assert_eq!(world.outside.sends().len(), sends + 1);
    assert!(list(&api, "").await[0]["opted_out_at"].is_null());
}
