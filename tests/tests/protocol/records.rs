//! Records, deadlines, pauses and what repairs them.

use std::time::Duration;

use clivy::conversation::ids::EpochMs;
use clivy::conversation::outcome::TurnStatus;
use local::world::{QUEUE, Workers};
use tests::bubbles::{bot, bubble};
use tests::outside::Model;
use tests::world::TestWorld;

const RINA: &str = "6281100020001";

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_record_fails_alone_and_ends_as_a_dead_letter() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let bad = [
        "no trigger",
        "{\"v\":99}",
        "{\"v\":1,\"bot_id\":\"demo\",\"contact\":\"00\",\"mid\":\"M#1#A\",\"first_ms\":1}",
    ];
    for body in bad {
        world.put(QUEUE, body).await;
    }
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.start();
    sleep(6).await;
    assert_eq!(world.outside.sends().len(), 1, "the batch was not held up");
    world.settle().await;
    let mut dead = world.dead_letters();
    dead.sort();
    let mut expected = bad.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(dead, expected);
    assert_eq!(world.outside.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_record_is_started_when_the_deadline_is_near() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    let event = world.first_trigger();
    let now = world.world.clock.now();
    let near = now.plus_ms(10_000);
    let response = world.world.worker.handle(event.clone(), "r1", near).await;
    assert_eq!(response.batch_item_failures.len(), 1);
    assert_eq!(response.batch_item_failures[0].item_identifier, "id-1");
    assert!(world.head("demo", RINA).await.claim.is_none());
    // A runtime that gives a deadline in 1970 gives none.
    let response = world
        .world
        .worker
        .handle(event, "r2", EpochMs(600_000))
        .await;
    assert!(response.batch_item_failures.is_empty());
    assert_eq!(world.outside.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_is_switched_off_meanwhile_says_nothing_more() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    let mut off = bot("demo");
    off.active = false;
    sleep(60).await;
    world.world.put_bots(&[off]).await.unwrap();
    world.start();
    world.settle().await;
    assert!(world.outside.asked().is_empty() && world.outside.sends().is_empty());
    assert_eq!(
        world.turn("demo", RINA, 1).await.status,
        TurnStatus::Skipped
    );
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_conversation_waits_and_a_pause_during_the_answer_throws_it_away() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    // 3.4 s: the model is thinking.
    tokio::time::sleep(Duration::from_millis(3_400)).await;
    let until = world.world.clock.now().plus_ms(120_000);
    world.pause("demo", RINA, until).await;
    sleep(100).await;
    assert_eq!(world.outside.asked().len(), 1);
    assert!(
        world.outside.sends().is_empty(),
        "the answer was thrown away"
    );
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 1);
    assert!(world.outside.sends()[0].at >= Duration::from_secs(123));
    assert_eq!(
        world.turn("demo", RINA, 1).await.tries,
        1,
        "waiting costs no try"
    );
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_sweeper_finds_what_has_no_trigger_and_nothing_else() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.purge().await;
    world.start();
    let sweep = || async {
        let deadline = world.world.clock.now().plus_ms(50_000);
        world.world.sweeper.sweep(deadline).await.unwrap()
    };
    sleep(200).await;
    assert_eq!(sweep().await.hits, 0, "not longer than the longest lease");
    sleep(60).await;
    let swept = sweep().await;
    assert_eq!((swept.hits, swept.failed, swept.complete), (1, 0, true));
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 1);
    sleep(600).await;
    assert_eq!(sweep().await.hits, 0);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_after_a_kill_answers_what_was_claimed() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_does([Model::Hangs]);
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    let event = world.first_trigger();
    let deadline = world.world.clock.now().plus_ms(180_000);
    // The process dies while the model thinks, and its queue with it.
    let killed = world.world.worker.handle(event, "r1", deadline);
    assert!(
        tokio::time::timeout(Duration::from_secs(5), killed)
            .await
            .is_err()
    );
    assert!(world.head("demo", RINA).await.claim.is_some());
    world.purge().await;

    assert_eq!(world.world.recover(Workers::Gone).await.unwrap(), 1);
    world.start();
    sleep(5).await;
    assert_eq!(world.outside.sends().len(), 1);
    world.settle().await;
    world.assert_quiet().await;
}
