//! What is kept apart, in order and counted.

use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::outside::last_user;
use tests::world::TestWorld;

const RINA: &str = "6281100020001";
const BUDI: &str = "6281100020002";

#[tokio::test(start_paused = true)]
async fn typing_and_read_ticks_frame_the_reply_and_never_hold_it_up() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.settle().await;
    let others = world.outside.others();
    let states: Vec<_> = others
        .iter()
        .filter(|(path, _)| path == "/chat/presence")
        .map(|(_, body)| body["State"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["composing", "paused"]);
    let read = others
        .iter()
        .find(|(path, _)| path == "/chat/markread")
        .unwrap();
    assert_eq!(read.1["Id"], json!(["A"]));
    let usual = world.outside.sends()[0].at;

    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.best_effort_hangs();
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.settle().await;
    assert_eq!(world.outside.sends()[0].at, usual);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn usage_is_counted_once_per_reply() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    for n in 0..3 {
        world
            .post(&bubble("demo", RINA, &format!("B{n}"), n * 60, "Halo"))
            .await;
        world.settle().await;
    }
    let items = world.dynamodb("Scan", json!({"TableName": "clivy"})).await;
    let usage: Vec<_> = items["Items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["pk"]["S"] == "U#demo#202511")
        .collect();
    let total = |name: &str| {
        usage
            .iter()
            .map(|item| item[name]["N"].as_str().unwrap().parse::<f64>().unwrap())
            .sum::<f64>()
    };
    assert_eq!(total("turns"), 3.0);
    assert_eq!(total("answered"), 3.0);
    assert_eq!(total("messages"), 3.0);
    assert_eq!(total("llm_calls"), 3.0);
    assert_eq!(total("tokens_in"), 360.0);
    assert_eq!(total("tokens_cached"), 192.0);
    assert!((total("cost_usd") - 0.000_75).abs() < 1e-12);
}
#[tokio::test(start_paused = true)]
async fn a_late_message_of_an_old_time_is_answered_not_dropped() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world
        .post(&bubble("demo", RINA, "NEW", 3_000, "baru"))
        .await;
    world.settle().await;
    // A gateway's backlog: older than everything that has been answered.
    world.post(&bubble("demo", RINA, "OLD", 10, "lama")).await;
    world.settle().await;
    assert_eq!(world.outside.questions(), ["baru", "lama"]);
    let history = world.history("demo", RINA).await;
    assert_eq!(
        history[0].content.text, "lama",
        "in order of the platform's time"
    );
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_reaches_beyond_the_newest_messages_is_read_whole() {
    let world = TestWorld::new(&[bot("demo")]).await;
    for n in 0..45 {
        let body = bubble("demo", RINA, &format!("B{n:02}"), n, &format!("kata {n}"));
        world.post(&body).await;
    }
    world.start();
    world.settle().await;
    let question = last_user(&world.outside.asked()[0]);
    assert_eq!(question.lines().count(), 45);
    assert!(question.starts_with("kata 0\nkata 1\n"));
    assert_eq!(world.outside.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_contacts_share_nothing() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    for round in 0..2 {
        for (phone, text) in [(RINA, "saya Rina"), (BUDI, "saya Budi")] {
            let body = bubble("demo", phone, &format!("{phone}-{round}"), round * 30, text);
            world.post(&body).await;
        }
        world.settle().await;
    }
    for body in world.outside.asked() {
        let whole = body["messages"].to_string();
        assert!(
            !(whole.contains("Rina") && whole.contains("Budi")),
            "I12: {whole}"
        );
    }
    assert_eq!(world.outside.sends().len(), 4);
    for send in world.outside.sends() {
        let name = if send.phone == RINA { "Rina" } else { "Budi" };
        assert!(send.text.contains(name));
    }
}

#[tokio::test(start_paused = true)]
async fn one_contact_of_two_bots_has_two_conversations() {
    let world = TestWorld::new(&[bot("kopi"), bot("teh")]).await;
    world.start();
    for round in 0..2 {
        for name in ["kopi", "teh"] {
            let body = bubble(
                name,
                RINA,
                &format!("SAME-{round}"),
                round * 30,
                &format!("mau {name}"),
            );
            assert_eq!(world.post(&body).await.1["status"], "queued");
        }
        world.settle().await;
    }
    assert_eq!(world.outside.sends().len(), 4);
    for body in world.outside.asked() {
        let whole = body["messages"].to_string();
        assert!(
            !(whole.contains("mau kopi") && whole.contains("mau teh")),
            "I12: {whole}"
        );
        assert!(!(whole.contains("melayani kopi") && whole.contains("mau teh")));
    }
    assert_eq!(world.history("kopi", RINA).await.len(), 4);
    let users: Vec<_> = world
        .outside
        .asked()
        .iter()
        .map(|b| b["user"].clone())
        .collect();
    assert_ne!(
        users[0], users[1],
        "the provider cannot tell that it is one person"
    );
}
