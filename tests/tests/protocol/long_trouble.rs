//! Trouble of the table that lasts longer than the SDK's patience, and calls that are never answered.

use std::time::Duration;

use clivy::conversation::outcome::TurnStatus;
use tests::bubbles::{bot, bubble};
use tests::faults::{Fault, Role, When};
use tests::outside::Model;
use tests::refusal::Refusal;
use tests::world::TestWorld;

const RINA: &str = "6281100020001";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The model answers 4 s after the silence of 3 s; writes of this kind are throttled from 5 s to 30 s.
async fn world_in_trouble(writes: &str, model: Model) -> TestWorld {
    let world = TestWorld::new(&[bot("demo")]).await;
    let slow = Model::Slow(seconds(4), Box::new(model));
    world.outside.model_does([slow]);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    tokio::time::sleep(seconds(5)).await;
    world
        .faults
        .always(writes, Fault::Refused(Refusal::Throttled));
    tokio::time::sleep(seconds(25)).await;
    world.faults.well();
    world
}

async fn calls_in_the_ledger(world: &TestWorld) -> u64 {
    let now = world.world.clock.now();
    world.usage("demo", now).await.llm_calls
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_paid_for_is_not_asked_for_twice() {
    let world = world_in_trouble("UpdateItem", Model::Says("Halo kak".to_owned())).await;
    world.settle().await;
    assert_eq!(world.outside.asked().len(), 1);
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 1);
    assert!(sends[0].at < seconds(45), "{:?}", sends[0].at);
    assert_eq!(calls_in_the_ledger(&world).await, 1, "I8");
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_could_not_be_committed_keeps_nobody_waiting() {
    let answer = Model::Says("Halo kak".to_owned());
    let world = world_in_trouble("TransactWriteItems", answer).await;
    tokio::time::sleep(seconds(10)).await;
    world.post(&bubble("demo", RINA, "B", 40, "Ada?")).await;
    world.settle().await;
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 2);
    assert!(sends[1].at < seconds(60), "{:?}", sends[1].at);
    assert_eq!(calls_in_the_ledger(&world).await, 2, "I8");
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_try_that_could_not_be_released_is_counted_and_followed_by_another() {
    let world = world_in_trouble("TransactWriteItems", Model::Breaks).await;
    world.settle().await;
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 1);
    assert!(sends[0].at < seconds(90), "{:?}", sends[0].at);
    assert_eq!(world.outside.asked().len(), 2);
    assert_eq!(calls_in_the_ledger(&world).await, 2, "I8");
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_redriven_before_its_turn_is_parked_waits_for_it() {
    let world = TestWorld::with(&[bot("demo")], &[("AI_MAX_ATTEMPTS", "1")]).await;
    let slow = Model::Slow(seconds(4), Box::new(Model::Breaks));
    world.outside.model_does([slow]);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    tokio::time::sleep(seconds(5)).await;
    let refused = Fault::Refused(Refusal::Throttled);
    world.faults.always("TransactWriteItems", refused);
    tokio::time::sleep(seconds(15)).await;
    assert_eq!(world.dead_letters().len(), 1);
    world.redrive().await;
    tokio::time::sleep(seconds(5)).await;
    assert_eq!(world.dead_letters().len(), 0);
    world.faults.well();
    world.settle().await;
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(turn.status, TurnStatus::Retried, "I1");
    let texts: Vec<String> = world
        .outside
        .sends()
        .iter()
        .map(|send| send.text.clone())
        .collect();
    assert_eq!(
        texts,
        ["Maaf Kak, tim kami akan membalas.", "Jawaban atas: Halo"]
    );
    world.assert_quiet().await;
}

/// Each call of a burst to an AWS service, one at a time.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_answered_costs_seconds() {
    for when in [When::Before, When::After] {
        for index in 0.. {
            let world = TestWorld::new(&[bot("demo")]).await;
            world.faults.arm(Role::Worker, index, Fault::Silence(when));
            world.start();
            world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
            world.settle().await;
            if world.faults.is_armed() {
                assert!(index > 5, "only {index} effects");
                break;
            }
            let sends = world.outside.sends();
            assert!(!sends.is_empty(), "{when:?} {index}");
            let name = world.faults.effects(Role::Worker)[index].clone();
            // The model and the gateway have patiences of their own.
            if name.starts_with("DynamoDB") || name.starts_with("AmazonSQS") {
                assert!(sends[0].at < seconds(20), "{name}: {:?}", sends[0].at);
            }
            world.assert_quiet().await;
        }
    }
}
