//! A person writes at every step of a running turn, and the functions die around it: once the webhook has acknowledged
//! the person's message, no send of the bot's answer begins.

use std::time::Duration;

use clivy::conversation::ids::EpochMs;
use clivy::conversation::outcome::TurnStatus;
use tests::bubbles::{bot, bubble, from_the_phone, written_at};
use tests::faults::{Fault, Role, When};
use tests::outside::{Gateway, Model, last_user};
use tests::world::{START, TestWorld};

const RINA: &str = "6281100090002";
const SEND: &str = "/chat/send/text";

/// Short pauses: a dead worker's record comes back during one, or long after it.
async fn world() -> TestWorld {
    let settings = [("TAKEOVER_PAUSE_MINUTES", "2")];
    TestWorld::with(&[bot("demo")], &settings).await
}

fn customer(world: &TestWorld, mid: &str, text: &str) -> serde_json::Value {
    let now = world.world.clock.now();
    written_at(bubble("demo", RINA, mid, 0, text), now)
}

fn person(world: &TestWorld) -> serde_json::Value {
    from_the_phone(
        "demo",
        RINA,
        "P",
        world.world.clock.now(),
        "Ada kak (admin)",
    )
}

/// What happens before the worker's effect number `index`: a person writes. None when there is no such effect.
async fn a_person_writes_before(index: usize, gateway: &[Gateway]) -> Option<()> {
    let world = world().await;
    world.outside.gateway_does(gateway.to_vec());
    world
        .faults
        .arm(Role::Worker, index, Fault::Late(Duration::from_secs(2)));
    world.start();
    world.post(&customer(&world, "A", "ada kopi?")).await;
    let mut waited = 0;
    while world.faults.effects(Role::Worker).len() <= index {
        tokio::time::sleep(Duration::from_millis(50)).await;
        waited += 1;
        if waited > 4_000 {
            return None;
        }
    }
    let effect = world.faults.effects(Role::Worker)[index].clone();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = world.outside.sends().len();
    assert_eq!(world.post(&person(&world)).await.0, 200);
    let at_ack = world.outside.sends().len();
    assert_eq!(at_ack, began);
    world.settle().await;
    println!("a person writes before effect {index}, {effect}; the gateway: {gateway:?}");
    let sends = world.outside.sends();
    let turn = world.turn("demo", RINA, 1).await;
    // The draft is the leave for the first send, the takeover for a later one: only a send that had begun may go on.
    if !effect.ends_with(SEND) {
        assert_eq!(
            sends.len(),
            at_ack,
            "a send began after the person was heard"
        );
    }
    assert!(world.outside.delivered().len() <= 1);
    if sends.is_empty() {
        assert_eq!(turn.status, TurnStatus::LeftToPerson);
        assert_eq!(
            turn.wasted as usize,
            world.outside.asked().len(),
            "what was asked was for nothing"
        );
    }
    assert_eq!(turn.keys.len(), 1);
    assert_eq!(world.head("demo", RINA).await.bursts, 1);
    world.assert_quiet().await;
    Some(())
}

async fn a_person_writes_at_every_step(gateway: &[Gateway], steps: usize) {
    let mut index = 0;
    while a_person_writes_before(index, gateway).await.is_some() {
        index += 1;
    }
    assert!(index >= steps, "only {index} steps");
}

#[tokio::test(start_paused = true)]
async fn a_person_may_write_at_every_step_of_a_turn() {
    // Claim, query, visibility, model, draft, send, commit.
    a_person_writes_at_every_step(&[], 7).await;
}

#[tokio::test(start_paused = true)]
async fn a_person_may_write_at_every_step_of_a_send_that_is_tried_again_later() {
    a_person_writes_at_every_step(&[Gateway::Refuses], 12).await;
}

#[tokio::test(start_paused = true)]
async fn a_person_may_write_at_every_step_of_a_send_whose_answer_is_lost() {
    // The two looks at HEAD and the second call come on top.
    a_person_writes_at_every_step(&[Gateway::SendsAndBreaks], 9).await;
    a_person_writes_at_every_step(&[Gateway::SendsAndBreaks, Gateway::SendsAndBreaks], 12).await;
}

/// A bubble, a person's answer while the model thinks, and another bubble after it.
async fn run(fault: Option<(Role, usize, Fault)>) -> TestWorld {
    let world = world().await;
    world.outside.model_follows(|asked| {
        let is_early = last_user(&asked.body).contains("ada kopi?");
        let slow = || Box::new(Model::Says("Terlambat".to_owned()));
        is_early.then(|| Model::Slow(Duration::from_secs(8), slow()))
    });
    if let Some((role, index, fault)) = fault {
        world.faults.arm(role, index, fault);
    }
    world.start();
    world.start_sweeper();
    assert!(
        world
            .post_until_accepted(&customer(&world, "A", "ada kopi?"))
            .await
    );
    tokio::time::sleep(Duration::from_secs(5)).await;
    let written = world.world.clock.now();
    assert!(world.post_until_accepted(&person(&world)).await);
    let heard = world.world.clock.now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(
        world
            .post_until_accepted(&customer(&world, "B", "ongkirnya?"))
            .await
    );
    world.settle().await;
    check(&world, written, heard).await;
    world
}

async fn check(world: &TestWorld, written: EpochMs, heard: EpochMs) {
    world.assert_quiet().await;
    let head = world.head("demo", RINA).await;
    let mut keys = Vec::new();
    let mut statuses = Vec::new();
    for burst in 1..=head.bursts {
        let turn = world.turn("demo", RINA, burst).await;
        keys.extend(turn.keys);
        statuses.push(turn.status);
    }
    assert_eq!(keys.len(), 2, "I1, I2: every message in one turn");
    let until = written.plus_ms(2 * 60_000 - 1_000);
    for send in world.outside.sends() {
        let at = START.plus_ms(i64::try_from(send.at.as_millis()).unwrap());
        assert!(
            at <= heard || at >= until,
            "sent at {:?} in spite of the person",
            send.at
        );
    }
    // What came after the person's words is answered, alone, when the pause is over.
    let last = world.outside.delivered().pop().unwrap().text;
    if statuses.last() == Some(&TurnStatus::Failed) {
        // Its worker died so that the record came back after the outcome deadline.
        assert_eq!(last, "Maaf Kak, tim kami akan membalas.");
    } else {
        assert_eq!(statuses.last(), Some(&TurnStatus::Answered));
        assert_eq!(last, "Jawaban atas: ongkirnya?");
    }
    let persons = world.history("demo", RINA).await;
    assert_eq!(persons.iter().filter(|m| m.mid.as_str() == "P").count(), 1);
}

async fn every_fault_at_every_effect(role: Role) {
    let effects = run(None).await.faults.effects(role);
    assert!(effects.len() >= 6, "{effects:?}");
    for (index, effect) in effects.iter().enumerate() {
        for fault in [
            Fault::Crash(When::Before),
            Fault::Crash(When::After),
            Fault::Error(When::Before),
            Fault::Error(When::After),
        ] {
            println!("{fault:?} at effect {index} of the {role:?}: {effect}");
            let world = run(Some((role, index, fault))).await;
            assert!(!world.faults.is_armed(), "the fault happened");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_worker_may_die_anywhere_around_a_person() {
    every_fault_at_every_effect(Role::Worker).await;
}

#[tokio::test(start_paused = true)]
async fn the_webhook_may_die_anywhere_around_a_person() {
    every_fault_at_every_effect(Role::Webhook).await;
}
