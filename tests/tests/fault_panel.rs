//! The fault panel's API on a run as a person starts it: what is armed happens over real connections, and ends.

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

async fn start(data: &Folder) -> OneMachine {
    Wish::demo(data.path())
        .arg("--demo-latency-ms")
        .arg("100")
        .set("DEBOUNCE_SECONDS", "1")
        .set("AI_RETRY_SECONDS", "1")
        .start()
        .await
}

async fn arm(run: &OneMachine, target: &str, fault: &str, calls: u32) {
    let body = json!({"target": target, "fault": fault, "calls": calls});
    let (status, state) = run.post("/demo/faults", &[], &body).await.unwrap();
    assert_eq!(status, 200, "{state}");
    let armed = json!({"fault": fault, "calls_left": calls});
    assert_eq!(state[target]["armed"], armed);
}

async fn writes(run: &OneMachine, text: &str) {
    let body = json!({"bot": "demo", "contact": CONTACT, "name": "Rina", "text": text});
    let (status, _) = run.post("/phone/messages", &[], &body).await.unwrap();
    assert_eq!(status, 200);
}

/// What the phone page shows: the first event of its feed.
async fn page(run: &OneMachine) -> Value {
    tests::process::wire::client();
    let url = format!("{}/phone/events?bot=demo&contact={CONTACT}", run.base_url);
    let mut feed = reqwest::get(url).await.unwrap();
    let mut text = Vec::new();
    while !text.windows(2).any(|end| end == b"\n\n") {
        text.extend_from_slice(&feed.chunk().await.unwrap().unwrap());
    }
    let text = String::from_utf8_lossy(&text);
    let data = text.lines().find_map(|line| line.strip_prefix("data: "));
    serde_json::from_str(data.unwrap()).unwrap()
}

/// Waits for a page on which `wanted` holds.
async fn page_where(run: &OneMachine, wanted: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let page = page(run).await;
        if wanted(&page) {
            return page;
        }
        let output = run.process.output();
        assert!(
            started.elapsed() < tests::process::PATIENCE,
            "{page}\n{output}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn count(page: &Value, step: &str) -> usize {
    let steps = page["steps"].as_array().unwrap().iter();
    steps.filter(|one| one["step"] == step).count()
}

fn answers(page: &Value) -> usize {
    let bubbles = page["bubbles"].as_array().unwrap().iter();
    bubbles.filter(|bubble| bubble["from"] == "bot").count()
}

fn is_committed(page: &Value) -> bool {
    count(page, "committed") > 0
}

#[tokio::test]
async fn attempts_that_fail_are_seen_with_their_backoff_until_one_is_answered() {
    let data = Folder::new();
    let run = start(&data).await;
    arm(&run, "model", "server_error", 2).await;
    writes(&run, "ongkirnya berapa?").await;
    let page = page_where(&run, is_committed).await;
    let steps = ["demo_fault", "llm_failed", "released", "answered"].map(|step| count(&page, step));
    assert_eq!(steps, [2, 2, 2, 1]);
    assert_eq!(answers(&page), 1);
    assert_eq!(page["status"]["faults"]["model"]["armed"], Value::Null);
    assert_eq!(page["status"]["retry_at_ms"], Value::Null, "nothing waits");
}

#[tokio::test]
async fn a_context_that_is_too_small_is_answered_with_less_of_it_in_the_same_attempt() {
    let data = Folder::new();
    let run = start(&data).await;
    arm(&run, "model", "context_too_long", 100).await;
    writes(&run, "ongkirnya berapa?").await;
    let page = page_where(&run, is_committed).await;
    assert!(
        count(&page, "demo_fault") > 0,
        "the whole prompt does not fit"
    );
    assert_eq!(count(&page, "answered"), 1);
    assert_eq!(
        (count(&page, "llm_failed"), count(&page, "fallback")),
        (0, 0)
    );
}

#[tokio::test]
async fn an_answer_that_the_gateway_lost_is_asked_for_with_the_same_id_and_shown_once() {
    let data = Folder::new();
    let run = start(&data).await;
    arm(&run, "gateway", "answer_lost", 1).await;
    writes(&run, "ongkirnya berapa?").await;
    let page = page_where(&run, is_committed).await;
    assert_eq!(count(&page, "demo_fault"), 1);
    assert_eq!(count(&page, "demo_repeat"), 1, "the same id came again");
    assert_eq!(count(&page, "answered"), 1, "the model was asked once");
    assert_eq!(answers(&page), 1);
}

#[tokio::test]
async fn a_run_stops_in_time_while_its_model_does_not_answer_and_the_customer_gets_the_answer() {
    let data = Folder::new();
    let mut run = start(&data).await;
    arm(&run, "model", "timeout", 1).await;
    writes(&run, "ongkirnya berapa?").await;
    let hangs = |page: &Value| page["status"]["faults"]["model"]["hanging"] == 1;
    page_where(&run, hangs).await;
    let started = Instant::now();
    run.process.signal("TERM");
    assert!(run.process.ended().await.success());
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
    let output = run.process.output();
    assert!(output.contains("step=\"committed\""), "{output}");
}

#[tokio::test]
async fn a_run_with_a_real_model_and_gateway_has_nothing_to_break() {
    let data = Folder::new();
    let run = Wish::demo(data.path())
        .arg("--gateway-url")
        .arg("http://127.0.0.1:9")
        .set("OPENROUTER_BASE_URL", "http://127.0.0.1:9")
        .set("OPENROUTER_API_KEY", "sk-or-v1-test")
        .start()
        .await;
    let status = page(&run).await["status"]["faults"].clone();
    for (target, fault) in [("model", "timeout"), ("gateway", "refused")] {
        assert_eq!(status[target]["available"], false);
        let body = json!({"target": target, "fault": fault, "calls": 1});
        let (status, answer) = run.post("/demo/faults", &[], &body).await.unwrap();
        assert_eq!(status, 409, "{answer}");
    }
}
