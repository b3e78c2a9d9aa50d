//! Items and triggers of earlier versions are read by this one, as during a canary and after a deployment: what was pending is
//! answered, what was drafted is sent as it was drafted, what was parked can be redriven, and the inbox shows all of it.
//!
//! tests/fixtures/formats/ holds what each version left in the table and the queues after the same day; its README says how a file
//! is made. No file is ever changed: a version that writes something else adds one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::time::Duration;

use clivy::access::Role;
use local::world::{DLQ, QUEUE};
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::day::{ANI, BUDI, DEWI, LINA, RINA, SARI};
use tests::template::project_root;
use tests::world::{START, TestWorld};

/// The files, oldest version first.
fn fixtures() -> Vec<(String, Value)> {
    let folder = project_root().join("tests/fixtures/formats");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .collect();
    files.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).unwrap();
        (name, serde_json::from_str(&text).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// A world at the moment at which the version stopped, with what it left; nothing runs yet.
async fn after(fixture: &Value) -> TestWorld {
    let day = Box::pin(TestWorld::new(&[])).await;
    let passed_ms = fixture["now_ms"].as_i64().unwrap() - START.0;
    tokio::time::sleep(Duration::from_millis(u64::try_from(passed_ms).unwrap())).await;
    for item in fixture["items"].as_array().unwrap() {
        let put = json!({"TableName": "clivy", "Item": item});
        let answer = day.dynamodb("PutItem", put).await;
        assert!(answer["__type"].is_null(), "{answer}");
    }
    for (queue, name) in [(QUEUE, "queue"), (DLQ, "dead_letters")] {
        for body in fixture[name].as_array().unwrap() {
            day.put(queue, &body.to_string()).await;
        }
    }
    day
}

/// The HEAD of a conversation as the version left it.
fn head<'a>(fixture: &'a Value, contact: &str) -> &'a Value {
    let pk = format!("C#demo#{contact}");
    let mut items = fixture["items"].as_array().unwrap().iter();
    items
        .find(|item| item["pk"]["S"] == pk && item["sk"]["S"] == "HEAD")
        .unwrap()
}

fn texts_to(day: &TestWorld, contact: &str) -> Vec<(String, String)> {
    let delivered = day.outside.delivered().into_iter();
    let to = delivered.filter(|send| send.phone == contact);
    to.map(|send| (send.id, send.text)).collect()
}

#[test]
fn there_is_a_file_of_more_than_one_version_and_each_holds_every_state() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 2);
    for (name, fixture) in fixtures {
        assert!(head(&fixture, SARI)["c_text"]["S"].is_string(), "{name}");
        assert_eq!(
            head(&fixture, DEWI)["pend"]["SS"].as_array().unwrap().len(),
            2
        );
        assert!(head(&fixture, ANI)["paused_until"]["N"].is_string());
        assert_eq!(fixture["dead_letters"].as_array().unwrap().len(), 1);
        assert!(fixture["queue"].as_array().unwrap().len() >= 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_version_left_is_finished() {
    for (name, fixture) in fixtures() {
        let day = after(&fixture).await;
        day.start();
        day.settle().await;
        // I2, I5: the draft goes out as it is, under its id, and the model is not asked again.
        let draft = head(&fixture, SARI);
        let [id, text] = ["c_rid", "c_text"].map(|name| draft[name]["S"].as_str().unwrap());
        let sent = texts_to(&day, SARI);
        assert_eq!(sent, [(id.to_owned(), text.to_owned())], "{name}");
        // I1: one reply to both pending messages.
        assert_eq!(texts_to(&day, DEWI).len(), 1, "{name}");
        assert_eq!(day.outside.asked().len(), 1, "{name}");
        for done in [RINA, LINA] {
            assert_eq!(texts_to(&day, done), [], "{name}: answered before");
        }
        // What a person has written in the inbox, where the version had one.
        let outbox = head(&fixture, ANI)["o_mids"]["SS"].as_array();
        let outbox = outbox.map_or(0, Vec::len);
        assert_eq!(texts_to(&day, ANI).len(), outbox, "{name}");
        day.assert_quiet().await;

        day.redrive().await;
        day.settle().await;
        assert_eq!(texts_to(&day, BUDI).len(), 1, "{name}: the parked turn");
        assert_eq!(day.dead_letters(), Vec::<String>::new(), "{name}");
        day.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn conversations_of_an_earlier_version_go_on() {
    for (name, fixture) in fixtures() {
        let day = after(&fixture).await;
        day.start();
        day.settle().await;
        for (contact, mid) in [(RINA, "R1"), (ANI, "A1"), (LINA, "L1")] {
            let bubble = bubble("demo", contact, mid, 400, "Halo lagi");
            assert!(day.post_until_accepted(&bubble).await, "{name}");
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(texts_to(&day, RINA).len(), 1, "{name}");
        assert_eq!(texts_to(&day, LINA), [], "{name}: has opted out");
        let answered = texts_to(&day, ANI).into_iter();
        let by_bot = answered.filter(|(_, text)| text.starts_with("Jawaban atas"));
        assert_eq!(by_bot.count(), 0, "{name}: a person has her");
        // The model sees what was said before.
        let prompt = day.outside.asked().last().unwrap()["messages"].to_string();
        assert!(prompt.contains("Jam berapa buka?"), "{name}: {prompt}");

        // A message that was stored before is the same message (I13).
        let again = bubble("demo", RINA, "R0", 0, "Jam berapa buka?");
        assert_eq!(day.post(&again).await.1["status"], "duplicate", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_inbox_and_the_hourly_functions_read_what_an_earlier_version_wrote() {
    for (name, fixture) in fixtures() {
        let day = after(&fixture).await;
        // Bots of before the inbox came from a bots file alone; writing it again puts them into their owner's list.
        day.world.put_bots(&[bot("demo")]).await.unwrap();
        let api = day.api(Role::Owner).await;
        let get = async |path: String| {
            let answer = api.get(&path).await;
            assert_eq!(answer.status.as_u16(), 200, "{name}: {path}");
            answer.json()
        };
        let bot = get("/api/bots/demo".to_owned()).await;
        assert_eq!(bot["bot"]["name"], "Toko demo", "{name}: {bot}");
        let thread = get(format!("/api/bots/demo/conversations/{RINA}/messages")).await;
        let texts = thread["items"].to_string();
        assert!(texts.contains("Jam berapa buka?"), "{name}: {texts}");
        assert!(texts.contains("Jawaban atas"), "{name}: {texts}");
        let turn = get(format!("/api/bots/demo/turns/{RINA}.1")).await;
        assert_eq!(turn["status"], "answered", "{name}: {turn}");
        let turn = get(format!("/api/bots/demo/turns/{BUDI}.1")).await;
        assert_eq!(turn["status"], "failed", "{name}: {turn}");
        get("/api/bots/demo/usage".to_owned()).await;
        get("/health/detailed".to_owned()).await;

        let deadline = day.world.clock.now().plus_ms(50_000);
        day.world.sweeper.sweep(deadline).await.unwrap();
        day.check_credits().await.unwrap().unwrap();
    }
}
