//! Somebody pauses, or resumes, at every step of a running turn: once a pause is acknowledged no send of the bot's answer
//! begins, and once it is ended the customer is answered soon, and once.

use std::time::Duration;

use clivy::access::Role;
use serde_json::json;
use tests::bubbles::bot;
use tests::faults::{Fault, Role as Function};
use tests::outside::{Gateway, Model};
use tests::world::TestWorld;

use super::{RINA, of, sleep, write};

const SEND: &str = "/chat/send/text";

/// Waits until the worker has begun its effect number `index`; none when it never does.
async fn reached(world: &TestWorld, index: usize) -> Option<String> {
    for _ in 0..4_000 {
        if let Some(effect) = world.faults.effects(Function::Worker).get(index) {
            return Some(effect.clone());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

/// What happens before the worker's effect number `index`: somebody pauses. None when there is no such effect.
async fn paused_before(index: usize, gateway: &[Gateway]) -> Option<()> {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.gateway_does(gateway.to_vec());
    let late = Fault::Late(Duration::from_secs(2));
    world.faults.arm(Function::Worker, index, late);
    world.start();
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "ada kopi?").await;
    let effect = reached(&world, index).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let pause = api.post(&of(RINA, "/pause"), json!({"minutes": 2})).await;
    pause.expect(200);
    let at_ack = world.outside.sends().len();
    sleep(119).await;
    println!("paused before effect {index}, {effect}; the gateway: {gateway:?}");
    // The draft is the leave for the first send, the takeover for a later one: only a send that had begun may go on.
    if !effect.ends_with(SEND) {
        let sends = world.outside.sends().len();
        assert_eq!(sends, at_ack, "a send began after the pause was heard");
    }
    world.settle().await;
    let delivered = world.outside.delivered().len();
    assert!(delivered <= 1);
    let head = world.head("demo", RINA).await;
    assert_eq!(head.bursts, 1, "one turn for it");
    if !effect.ends_with(SEND) && at_ack == 0 && world.outside.sends().is_empty() {
        // A draft that was stored and not yet sent is withheld: nobody makes another text of it.
        let status = world.turn("demo", RINA, 1).await.status.as_str();
        assert_eq!(status, "left_to_person");
    }
    world.assert_quiet().await;
    Some(())
}

async fn paused_at_every_step(gateway: &[Gateway], steps: usize) {
    let mut index = 0;
    while paused_before(index, gateway).await.is_some() {
        index += 1;
    }
    assert!(index >= steps, "only {index} steps");
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_heard_at_every_step_of_a_turn() {
    // Claim, query, visibility, model, draft, send, commit.
    paused_at_every_step(&[], 7).await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_heard_at_every_step_of_a_send_that_is_tried_again_later() {
    paused_at_every_step(&[Gateway::Refuses], 12).await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_heard_at_every_step_of_a_send_whose_answer_is_lost() {
    paused_at_every_step(&[Gateway::SendsAndBreaks], 9).await;
    paused_at_every_step(&[Gateway::SendsAndBreaks, Gateway::SendsAndBreaks], 12).await;
}

/// Somebody pauses without an end while the model thinks, and resumes before the worker's effect number `index`.
async fn resumed_before(index: usize) -> Option<()> {
    let world = TestWorld::new(&[bot("demo")]).await;
    let slow = Model::Slow(
        Duration::from_secs(5),
        Box::new(Model::Says("x".to_owned())),
    );
    world.outside.model_does([slow]);
    let late = Fault::Late(Duration::from_secs(2));
    world.faults.arm(Function::Worker, index, late);
    world.start();
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "ada kopi?").await;
    while world.outside.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let pause = api
        .post(&of(RINA, "/pause"), json!({"minutes": null}))
        .await;
    pause.expect(200);
    let effect = reached(&world, index).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let resume = api.send("POST", &of(RINA, "/resume"), None, &[]).await;
    resume.expect(200);
    println!("resumed before effect {index}, {effect}");
    // The claim that is given up because of the pause is looked at again after 30 s at most.
    sleep(60).await;
    assert_eq!(world.outside.delivered().len(), 1, "answered soon");
    world.settle().await;
    assert_eq!(world.outside.delivered().len(), 1);
    world.assert_quiet().await;
    Some(())
}

#[tokio::test(start_paused = true)]
async fn a_resume_is_heard_at_every_step_of_a_turn_that_a_pause_has_stopped() {
    let mut index = 0;
    while resumed_before(index).await.is_some() {
        index += 1;
    }
    assert!(index >= 7, "only {index} steps");
}
