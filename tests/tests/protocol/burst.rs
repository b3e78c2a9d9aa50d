//! One burst in, one answer out, at the right time.

use std::time::Duration;

use clivy::conversation::message::Author;
use clivy::conversation::outcome::TurnStatus;
use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::outside::Model;
use tests::world::TestWorld;

const RINA: &str = "6281100020001";

async fn sleep_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn three_bubbles_are_asked_once_answered_once_and_kept_in_order() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    for (n, text) in ["Halo", "Saya mau", "pesan produk"].iter().enumerate() {
        let body = bubble("demo", RINA, &format!("B{n}"), n as i64, text);
        let (status, answer) = world.post(&body).await;
        assert_eq!(status, 200);
        assert_eq!(
            answer,
            json!({"status": "queued", "message_id": format!("B{n}")})
        );
        sleep_ms(900).await;
    }
    world.settle().await;

    assert_eq!(world.outside.questions(), ["Halo\nSaya mau\npesan produk"]);
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 1);
    assert_eq!(sends[0].phone, RINA);
    assert_eq!(sends[0].text, "Jawaban atas: Halo\nSaya mau\npesan produk");
    assert_eq!(sends[0].id, world.reply_id("demo", RINA, 1).await);

    let history = world.history("demo", RINA).await;
    let texts: Vec<_> = history
        .iter()
        .map(|m| (m.author, m.content.text.as_str()))
        .collect();
    assert_eq!(
        texts,
        [
            (Author::Customer, "Halo"),
            (Author::Customer, "Saya mau"),
            (Author::Customer, "pesan produk"),
            (Author::Bot, "Jawaban atas: Halo\nSaya mau\npesan produk"),
        ]
    );
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(turn.status, TurnStatus::Answered);
    assert_eq!(turn.keys.len(), 3);
    assert_eq!((turn.tokens_in, turn.tokens_out), (120, 30));
    assert!((turn.cost_usd - 0.000_25).abs() < 1e-12);
    assert_eq!(turn.llm_latency_ms, 800);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_reply_comes_after_the_silence_and_not_later_than_it_must() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    sleep_ms(2_000).await;
    world.post(&bubble("demo", RINA, "B", 2, "ada?")).await;
    world.settle().await;
    let at = world.outside.sends()[0].at;
    // 2 s until the second bubble, 3 s of silence, 0.8 s of the model (I6).
    assert!(at >= Duration::from_millis(5_800), "{at:?}");
    assert!(at < Duration::from_millis(6_100), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn a_steady_typist_is_answered_after_the_maximum_wait() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    for n in 0..20 {
        let body = bubble(
            "demo",
            RINA,
            &format!("B{n:02}"),
            n * 2,
            &format!("kata {n}"),
        );
        world.post(&body).await;
        sleep_ms(2_000).await;
    }
    world.settle().await;
    let sends = world.outside.sends();
    // W = 15 s, D = 3 s: the first reply leaves between 15 and 19 s, although nobody ever paused.
    assert!(sends[0].at >= Duration::from_secs(15), "{:?}", sends[0].at);
    assert!(sends[0].at <= Duration::from_secs(19), "{:?}", sends[0].at);
    // Every bubble is in exactly one question (I2).
    let asked = world.outside.questions().join("\n");
    for n in 0..20 {
        let word = format!("kata {n}");
        assert_eq!(
            asked.lines().filter(|line| *line == word).count(),
            1,
            "{word}"
        );
    }
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_fifty_waits_for_nobody() {
    let world = TestWorld::with(&[bot("demo")], &[("DEBOUNCE_MAX_MESSAGES", "5")]).await;
    world.start();
    for n in 0..12 {
        let body = bubble("demo", RINA, &format!("B{n:02}"), n, &format!("kata {n}"));
        world.post(&body).await;
        sleep_ms(1_000).await;
    }
    world.settle().await;
    assert!(world.outside.sends()[0].at < Duration::from_secs(9));
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_arrives_during_the_reply_gets_its_own_reply() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_does([Model::Slow(
        Duration::from_secs(20),
        Box::new(Model::Says("Jawaban pertama".to_owned())),
    )]);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    sleep_ms(6_000).await;
    assert_eq!(world.outside.asked().len(), 1, "the model is being asked");
    world
        .post(&bubble("demo", RINA, "B", 6, "masih buka?"))
        .await;
    world.settle().await;

    assert_eq!(world.outside.questions(), ["Halo", "masih buka?"]);
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 2);
    assert_eq!(sends[0].text, "Jawaban pertama");
    assert_ne!(sends[0].id, sends[1].id);
    // The second question was asked right after the first reply: its silence had passed long ago.
    assert!(
        sends[1].at - sends[0].at < Duration::from_secs(3),
        "{sends:?}"
    );
    // And it knew the first answer.
    let second = &world.outside.asked()[1];
    let roles: Vec<_> = second["messages"]
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .map(|m| (m["role"].as_str().unwrap(), m["content"].as_str().unwrap()))
        .collect();
    assert_eq!(
        roles,
        [
            ("user", "Halo"),
            ("assistant", "Jawaban pertama"),
            ("user", "masih buka?")
        ]
    );
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_bubble_that_arrives_just_before_the_reply_still_gets_its_silence() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_does([Model::Slow(
        Duration::from_secs(5),
        Box::new(Model::Says("Jawaban pertama".to_owned())),
    )]);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    sleep_ms(7_500).await;
    world.post(&bubble("demo", RINA, "B", 7, "satu lagi")).await;
    world.settle().await;
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 2);
    assert!(
        sends[1].at >= Duration::from_millis(7_500 + 3_000 + 800),
        "I6: {sends:?}"
    );
}
