//! The rate limits and the loop brake (I9): who writes too much waits and is answered all the same.

use std::time::Duration;

use clivy::conversation::outcome::TurnStatus;
use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::world::TestWorld;

const RINA: &str = "6281100040001";

async fn sleep_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

async fn write(world: &TestWorld, phone: &str, mid: &str, seconds: i64, text: &str) {
    let (status, answer) = world.post(&bubble("demo", phone, mid, seconds, text)).await;
    assert_eq!((status, &answer["status"]), (200, &json!("queued")));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_contact_is_stored_whole_and_answered_in_two_calls() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    for n in 0..300 {
        let text = format!("pesan {n}");
        write(&world, RINA, &format!("F{n:03}"), n / 5, &text).await;
        sleep_ms(200).await;
    }
    world.settle().await;
    let stored = world.history("demo", RINA).await;
    let customers = stored
        .iter()
        .filter(|message| message.content.text.starts_with("pesan"));
    assert_eq!(customers.count(), 300);
    // The first burst opens the window; everything else is one burst when it reopens.
    let calls = world.outside.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls[1].at - calls[0].at >= Duration::from_secs(60));
    assert_eq!(world.outside.sends().len(), 2);
    let turns = [
        world.turn("demo", RINA, 1).await,
        world.turn("demo", RINA, 2).await,
    ];
    let answered: usize = turns.iter().map(|turn| turn.keys.len()).sum();
    assert_eq!(answered, 300, "every message is in one turn");
    for turn in turns {
        assert_eq!((turn.status, turn.tries), (TurnStatus::Answered, 1));
    }
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_message_over_the_limit_waits_for_the_windows_end_and_those_after_it_join() {
    let settings = [("RATE_LIMIT_MAX_MESSAGES", "3"), ("DEBOUNCE_SECONDS", "1")];
    let world = TestWorld::with(&[bot("demo")], &settings).await;
    world.start();
    for n in 0..5 {
        write(&world, RINA, &format!("A{n}"), n * 5, &format!("kata {n}")).await;
        sleep_ms(5_000).await;
    }
    world.settle().await;
    let questions = world.outside.questions();
    assert_eq!(questions, ["kata 0", "kata 1", "kata 2", "kata 3\nkata 4"]);
    let calls = world.outside.calls();
    let window = calls[3].at - calls[0].at;
    assert!(window >= Duration::from_secs(60), "{window:?}");
    assert!(window < Duration::from_secs(66), "{window:?}");
    let held = world.turn("demo", RINA, 4).await;
    assert_eq!((held.status, held.tries), (TurnStatus::Answered, 1));
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_redelivered_trigger_does_not_get_more_out_of_the_window() {
    let settings = [("RATE_LIMIT_MAX_MESSAGES", "1"), ("DEBOUNCE_SECONDS", "1")];
    let world = TestWorld::with(&[bot("demo")], &settings).await;
    write(&world, RINA, "A0", 0, "satu").await;
    let first = world.world.engines.sqs.peek(local::world::QUEUE)[0]
        .body
        .clone();
    world.start();
    sleep_ms(5_000).await;
    write(&world, RINA, "A1", 5, "dua").await;
    let second = world.world.engines.sqs.peek(local::world::QUEUE)[0]
        .body
        .clone();
    for _ in 0..20 {
        world.put(local::world::QUEUE, &first).await;
        world.put(local::world::QUEUE, &second).await;
        sleep_ms(1_000).await;
    }
    assert_eq!(world.outside.sends().len(), 1);
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 2);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn one_contact_in_its_window_holds_nobody_else_up() {
    let world = TestWorld::with(&[bot("demo")], &[("RATE_LIMIT_MAX_MESSAGES", "1")]).await;
    world.start();
    for n in 0..2 {
        write(&world, RINA, &format!("A{n}"), n * 5, "halo").await;
        sleep_ms(5_000).await;
    }
    write(&world, "6281100040002", "B0", 10, "halo").await;
    sleep_ms(6_000).await;
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 2);
    assert_eq!(sends[1].phone, "6281100040002");
    world.settle().await;
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_bots_limit_is_over_all_of_its_contacts_and_over_all_instances() {
    let settings = [("RATE_LIMIT_BOT_MAX_MESSAGES", "20")];
    let world = TestWorld::with(&[bot("demo"), bot("lain")], &settings).await;
    // The windows of a bot begin at whole multiples of their length.
    let into_window = world.world.clock.now().0.rem_euclid(60_000);
    sleep_ms(u64::try_from(60_000 - into_window).unwrap()).await;
    world.start();
    for n in 0..50 {
        write(
            &world,
            &format!("6281100050{n:03}"),
            &format!("C{n}"),
            0,
            "halo",
        )
        .await;
    }
    let other = bubble("lain", RINA, "D0", 0, "halo");
    world.post(&other).await;
    sleep_ms(30_000).await;
    let of_demo = |world: &TestWorld| {
        let sends = world.outside.sends();
        sends.iter().filter(|send| send.phone != RINA).count()
    };
    assert_eq!(of_demo(&world), 20);
    assert_eq!(world.outside.sends().len(), 21, "the other bot has its own");
    sleep_ms(60_000).await;
    assert_eq!(of_demo(&world), 40);
    world.settle().await;
    assert_eq!(of_demo(&world), 50);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn two_bots_that_answer_each_other_are_stopped_and_a_person_is_told() {
    let world = TestWorld::with(&[bot("demo")], &[("RATE_LIMIT_MAX_MESSAGES", "1000")]).await;
    world.start();
    write(&world, RINA, "L0", 0, "Selamat datang! Balas 1").await;
    let mut answered = 0;
    for n in 1..=20 {
        for _ in 0..100 {
            sleep_ms(100).await;
            if world.outside.sends().len() > answered {
                break;
            }
        }
        if world.outside.sends().len() == answered {
            break;
        }
        answered = world.outside.sends().len();
        sleep_ms(500).await;
        let seconds = world.world.clock.now().since_ms(tests::world::START) / 1000;
        write(
            &world,
            RINA,
            &format!("L{n}"),
            seconds,
            &format!("Menu {n}"),
        )
        .await;
    }
    assert!((4..=7).contains(&answered), "{answered}");
    let head = world.head("demo", RINA).await;
    assert!(head.paused_until.is_some());
    let turn = world.turn("demo", RINA, answered as u64 + 1).await;
    assert_eq!(turn.status, TurnStatus::Braked);
    let usage = world.usage("demo", world.world.clock.now()).await;
    assert_eq!(usage.ended(TurnStatus::Braked), 1);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_repeats_itself_is_stopped() {
    let world = TestWorld::with(&[bot("demo")], &[("RATE_LIMIT_MAX_MESSAGES", "1000")]).await;
    world.start();
    for n in 0..8 {
        write(
            &world,
            RINA,
            &format!("R{n}"),
            n * 30,
            "Nomor ini tidak aktif",
        )
        .await;
        sleep_ms(30_000).await;
    }
    assert_eq!(world.outside.sends().len(), 4);
    assert_eq!(world.turn("demo", RINA, 5).await.status, TurnStatus::Braked);
}
