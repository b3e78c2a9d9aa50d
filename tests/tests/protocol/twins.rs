//! What comes twice, or all at once, is answered once.

use std::time::Duration;

use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::world::TestWorld;

const RINA: &str = "6281100020001";

async fn sleep_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_webhook_five_times_at_once_is_one_message_and_one_reply() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let body = bubble("demo", RINA, "TWIN", 0, "Halo");
    let posts = (0..5).map(|_| world.post(&body));
    let answers = futures_util::future::join_all(posts).await;
    let count = |word: &str| answers.iter().filter(|(_, a)| a["status"] == word).count();
    assert!(
        answers.iter().all(|(status, _)| *status == 200),
        "{answers:?}"
    );
    assert_eq!((count("queued"), count("duplicate")), (1, 4), "{answers:?}");
    world.settle().await;
    assert_eq!(world.outside.questions(), ["Halo"]);
    assert_eq!(world.outside.sends().len(), 1);
    assert_eq!(world.history("demo", RINA).await.len(), 2);
    // Much later the gateway sends it once more.
    sleep_ms(600_000).await;
    assert_eq!(world.post(&body).await.1["status"], "duplicate");
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 1);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_time_is_one_message_however_often_it_comes() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let body = json!({"event": "Message", "instanceName": "demo", "data": {
        "Info": {"ID": "msg123", "Sender": format!("{RINA}@s.whatsapp.net")},
        "Message": {"extendedTextMessage": {"text": "Halo"}}}});
    assert_eq!(world.post(&body).await.1["status"], "queued");
    sleep_ms(40).await;
    assert_eq!(world.post(&body).await.1["status"], "duplicate");
    world.settle().await;
    assert_eq!(world.post(&body).await.1["status"], "duplicate");
    world.settle().await;
    assert_eq!(world.outside.questions(), ["Halo"]);
    assert_eq!(world.outside.sends().len(), 1);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn one_record_delivered_twice_at_once_is_one_reply() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    // Two workers get the same body at the same moment, as a standard queue may deliver it.
    let body = world.world.engines.sqs.peek(local::world::QUEUE)[0]
        .body
        .clone();
    sleep_ms(3_100).await;
    for _ in 0..3 {
        world.put(local::world::QUEUE, &body).await;
    }
    world.start();
    world.settle().await;
    assert_eq!(world.outside.asked().len(), 1);
    assert_eq!(world.outside.sends().len(), 1);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn five_hundred_bubbles_of_fifty_contacts_are_fifty_replies() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let mut posts = Vec::new();
    for contact in 0..50 {
        for n in 0..10 {
            let phone = format!("62811{contact:06}");
            let body = bubble(
                "demo",
                &phone,
                &format!("{contact}-{n}"),
                n,
                &format!("{contact}/{n}."),
            );
            let world = &world;
            posts.push(async move {
                sleep_ms(n as u64 * 200).await;
                world.post(&body).await
            });
        }
    }
    let answers = futures_util::future::join_all(posts).await;
    assert!(
        answers
            .iter()
            .all(|(status, a)| *status == 200 && a["status"] == "queued")
    );
    world.settle().await;

    let asked = world.outside.questions().join("\n");
    for contact in 0..50 {
        for n in 0..10 {
            let line = format!("{contact}/{n}.");
            assert_eq!(asked.lines().filter(|l| *l == line).count(), 1, "{line}");
        }
    }
    assert_eq!(world.outside.sends().len(), 50, "one burst each");
    world.assert_quiet().await;
}
