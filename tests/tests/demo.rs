//! What a newcomer does: start it with nothing, write three bubbles, read one answer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::time::Duration;

use serde_json::{Value, json};
use tests::process::folder::Folder;
use tests::process::one_machine::{OneMachine, Wish};
use tokio::time::Instant;

const CONTACT: &str = "6281100020001";

/// What the phone page shows: the first event of its feed.
async fn page(run: &OneMachine) -> Value {
    tests::process::wire::client();
    let url = format!("{}/phone/events?bot=demo&contact={CONTACT}", run.base_url);
    let mut feed = reqwest::get(url).await.unwrap();
    let mut text = String::new();
    while !text.contains("\n\n") {
        let chunk = feed.chunk().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(text.contains("event: snapshot"), "{text}");
    let data = text.lines().find_map(|line| line.strip_prefix("data: "));
    serde_json::from_str(data.unwrap()).unwrap()
}

fn bubbles_from(page: &Value, side: &str) -> Vec<Value> {
    let bubbles = page["bubbles"].as_array().unwrap().iter();
    let theirs = bubbles.filter(|bubble| bubble["from"] == side);
    theirs.cloned().collect()
}

#[tokio::test]
async fn three_bubbles_on_the_phone_page_get_one_answer_from_the_demo_shop() {
    let data = Folder::new();
    let run = Wish::demo(data.path())
        .arg("--demo-latency-ms")
        .arg("200")
        .start()
        .await;
    for text in ["Halo kak", "kopi gayo masih ada?", "harganya berapa ya?"] {
        let body = json!({"bot": "demo", "contact": CONTACT, "name": "Rina", "text": text});
        let (status, bubble) = run.post("/phone/messages", &[], &body).await.unwrap();
        assert_eq!(status, 200);
        assert_eq!(bubble["status"], 200, "the webhook's own status: {bubble}");
        assert_eq!(bubble["answer"]["status"], "queued");
    }
    let started = Instant::now();
    while bubbles_from(&page(&run).await, "bot").is_empty() {
        let output = run.process.output();
        assert!(started.elapsed() < tests::process::PATIENCE, "{output}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    run.settle().await;
    assert_eq!(run.owed().await, None);

    let page = page(&run).await;
    let answers = bubbles_from(&page, "bot");
    assert_eq!(answers.len(), 1, "{answers:?}");
    // The demo model answers from the shop's price list.
    let text = answers[0]["text"].as_str().unwrap();
    assert!(text.contains("68.000"), "{text}");
    let written = bubbles_from(&page, "customer");
    assert_eq!(written.len(), 3);
    assert!(
        written.iter().all(|bubble| bubble["state"] == "read"),
        "{written:?}"
    );
    let steps = page["steps"].as_array().unwrap();
    let count = |name: &str| steps.iter().filter(|step| step["step"] == name).count();
    assert_eq!((count("stored"), count("committed")), (3, 1), "{steps:?}");
}

#[tokio::test]
async fn the_curl_line_of_the_greeting_works_as_it_is_printed() {
    let data = Folder::new();
    let mut run = Wish::demo(data.path()).start().await;
    let line = run.process.line("curl -X POST ").await;
    let url = line
        .split(' ')
        .find(|word| word.starts_with("http://"))
        .unwrap();
    let path = url.strip_prefix(&run.base_url).unwrap().to_owned();
    let (_, body) = line.split_once("-d '").unwrap();
    let body: Value = serde_json::from_str(body.strip_suffix('\'').unwrap()).unwrap();
    let (status, answer) = run.webhook_at(&path, &body).await.unwrap();
    assert_eq!(
        (status, answer),
        (
            200,
            json!({"status": "queued", "message_id": body["data"]["Info"]["ID"]})
        )
    );
}

#[tokio::test]
async fn a_body_of_seven_megabytes_gets_its_answer_over_a_socket() {
    let data = Folder::new();
    let run = Wish::demo(data.path()).start().await;
    let body = json!({"type": "Message", "instanceName": "demo", "base64": "A".repeat(7_000_000)});
    let (status, answer) = run.webhook_at("/webhook/ai", &body).await.unwrap();
    assert_eq!(status, 413, "{answer}");
}

#[tokio::test]
async fn a_page_whose_name_was_pointed_at_this_machine_reads_nothing() {
    let data = Folder::new();
    let run = Wish::demo(data.path()).start().await;
    let scan = json!({"TableName": "clivy", "Limit": 1});
    for (host, status) in [
        ("evil.example", 403),
        ("evil.example:8070", 403),
        ("localhost:8070", 200),
        ("[::1]", 200),
    ] {
        let headers = [("host", host), ("x-amz-target", "DynamoDB_20120810.Scan")];
        let (answered, answer) = run.post("/", &headers, &scan).await.unwrap();
        assert_eq!(answered, status, "{host}");
        assert_eq!(answer["Items"].is_array(), status == 200, "{host}");
    }
}
