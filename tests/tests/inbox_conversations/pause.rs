//! Pausing the bot from the inbox, and ending a pause.

use std::time::Duration;

use clivy::access::Role;
use clivy::conversation::outcome::TurnStatus;
use serde_json::{Value, json};
use tests::api::Api;
use tests::bubbles::bot;
use tests::faults::{Fault, ROLE, Role as Function, When};
use tests::outside::Model;
use tests::world::TestWorld;

use super::{RINA, answer, of, sleep, write};

async fn pause(api: &Api<'_>, minutes: Value) -> Value {
    let body = json!({"minutes": minutes});
    api.post(&of(RINA, "/pause"), body).await.expect(200)
}

async fn resume(api: &Api<'_>) -> Value {
    let reply = api.send("POST", &of(RINA, "/resume"), None, &[]).await;
    reply.expect(200)
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_the_bot_back_for_as_long_as_it_was_asked_to() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "ada kopi?").await;
    let paused = pause(&api, json!(20)).await;
    assert_eq!(paused["paused"]["by"], "person");
    sleep(19 * 60).await;
    assert_eq!(world.outside.sends(), Vec::new());
    let settled = api.get(&of(RINA, "")).await.expect(200);
    assert_eq!(settled["state"], "waiting");
    sleep(2 * 60).await;
    assert_eq!(world.outside.questions(), ["ada kopi?"]);
    world.settle().await;
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_replaces_a_longer_and_a_shorter_one() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "ada kopi?").await;
    pause(&api, json!(5)).await;
    let forever = pause(&api, Value::Null).await;
    assert_eq!(forever["paused"], json!({"until": null, "by": "person"}));
    sleep(3 * 24 * 3600).await;
    assert_eq!(world.outside.sends(), Vec::new(), "until somebody resumes");
    let deadline = world.world.clock.now().plus_ms(50_000);
    let swept = world.world.sweeper.sweep(deadline).await.unwrap();
    assert_eq!((swept.hits, swept.turns_without_outcome), (0, 0));
    pause(&api, json!(2)).await;
    sleep(119).await;
    assert_eq!(world.outside.sends(), Vec::new());
    sleep(10).await;
    assert_eq!(world.outside.sends().len(), 1, "when the shorter one ends");
    world.settle().await;
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_shorter_pause_during_a_running_turn_ends_when_it_says() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Agent).await;
    let slow = Model::Slow(
        Duration::from_secs(8),
        Box::new(Model::Says("x".to_owned())),
    );
    world.outside.model_does([slow]);
    write(&world, RINA, "A", "ada kopi?").await;
    sleep(5).await;
    pause(&api, json!(60)).await;
    sleep(30).await;
    pause(&api, json!(1)).await;
    sleep(75).await;
    assert_eq!(world.outside.sends().len(), 1);
    world.settle().await;
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_pending_is_answered_at_once_when_somebody_resumes() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "Halo").await;
    pause(&api, Value::Null).await;
    sleep(3_600).await;
    write(&world, RINA, "B", "ada kopi?").await;
    sleep(600).await;
    let resumed = resume(&api).await;
    assert_eq!(resumed["paused"], Value::Null);
    sleep(10).await;
    assert_eq!(world.outside.questions(), ["Halo\nada kopi?"]);
    assert_eq!(world.outside.sends().len(), 1);
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(
        turn.status,
        TurnStatus::Answered,
        "not late: the pause was no wait of ours"
    );
    world.settle().await;
    world.assert_quiet().await;
    assert_eq!(world.outside.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bubble_that_has_just_come_keeps_its_silence_when_somebody_resumes() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "Halo").await;
    pause(&api, Value::Null).await;
    sleep(600).await;
    write(&world, RINA, "B", "ada kopi?").await;
    sleep(1).await;
    resume(&api).await;
    sleep(1).await;
    write(&world, RINA, "C", "yang arabika").await;
    world.settle().await;
    assert_eq!(world.outside.questions(), ["Halo\nada kopi?\nyang arabika"]);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_person_has_answered_is_not_answered_when_somebody_resumes() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "ada kopi?").await;
    sleep(2).await;
    answer(&world, RINA, "P").await;
    sleep(2).await;
    write(&world, RINA, "B", "jam buka?").await;
    sleep(60).await;
    resume(&api).await;
    sleep(10).await;
    assert_eq!(world.outside.questions(), ["jam buka?"]);
    world.settle().await;
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn resuming_what_is_not_paused_changes_nothing() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Agent).await;
    world.outside.model_does([Model::Breaks]);
    write(&world, RINA, "A", "ada kopi?").await;
    for _ in 0..20 {
        resume(&api).await;
        sleep(1).await;
    }
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 1);
    assert_eq!(world.head("demo", RINA).await.held_until, None);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_the_loop_brake_is_ended_by_a_person() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "Halo").await;
    world.settle().await;
    let until = world.world.clock.now().plus_ms(3_600_000);
    let values = json!({":until": {"N": until.0.to_string()}, ":by": {"S": "loop_brake"}});
    let set = "SET paused_until = :until, paused_by = :by";
    world.update_head("demo", RINA, set, values).await;
    let one = api.get(&of(RINA, "")).await.expect(200);
    assert_eq!(one["paused"]["by"], "loop_brake");
    assert!(one["paused"]["until"].is_string());
    resume(&api).await;
    write(&world, RINA, "B", "ada kopi?").await;
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 2);
}

/// What is pending when the inbox dies, or loses an answer, at one step of a resume.
async fn resumed_with(fault: Fault, index: usize) -> Option<()> {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "ada kopi?").await;
    pause(&api, Value::Null).await;
    sleep(1_200).await;
    world.faults.arm(Function::Inbox, index, fault);
    ROLE.scope(Function::Inbox, async {
        let path = of(RINA, "/resume");
        let resumed = api.send("POST", &path, None, &[]);
        tokio::select! {
            reply = resumed => assert!([200, 503].contains(&reply.status.as_u16())),
            () = world.faults.death() => {}
        }
    })
    .await;
    if world.faults.is_armed() {
        return None;
    }
    let effect = world.faults.effects(Function::Inbox)[index].clone();
    println!("{fault:?} at effect {index}: {effect}");
    let is_paused = world.head("demo", RINA).await.paused_until.is_some();
    // Without another try: the trigger that was held back comes again.
    if !is_paused {
        sleep(16 * 60).await;
        assert_eq!(world.outside.sends().len(), 1, "I3");
    }
    resume(&api).await;
    sleep(10).await;
    assert_eq!(world.outside.sends().len(), 1);
    world.settle().await;
    world.assert_quiet().await;
    Some(())
}

#[tokio::test(start_paused = true)]
async fn the_inbox_may_die_anywhere_in_a_resume() {
    for fault in [
        Fault::Crash(When::Before),
        Fault::Crash(When::After),
        Fault::Error(When::Before),
        Fault::Error(When::After),
    ] {
        let mut index = 0;
        while resumed_with(fault, index).await.is_some() {
            index += 1;
        }
        // Key, ownership, HEAD, trigger.
        assert!(index >= 4, "only {index} steps");
    }
}
