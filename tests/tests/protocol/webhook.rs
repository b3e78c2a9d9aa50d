//! What a gateway gets to hear, for every body it may send.

use clivy::channel::wuzapi;
use clivy::conversation::bot::Bot;
use clivy::conversation::message::Author;
use lambda_http::{Body, Request};
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble, post};
use tests::faults::{Fault, ROLE, Role, When};
use tests::world::TestWorld;

const RINA: &str = "6281100020001";

fn fixtures() -> Vec<Value> {
    let index = include_str!("../../fixtures/wuzapi/index.json");
    serde_json::from_str::<Vec<Value>>(index).unwrap()
}

fn read(fixture: &Value) -> Vec<u8> {
    let file = fixture["file"].as_str().unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wuzapi/");
    std::fs::read(format!("{folder}{file}")).unwrap()
}

fn request(
    path: &str,
    content_type: Option<&str>,
    signature: Option<&str>,
    body: Vec<u8>,
) -> Request {
    let mut request = http::Request::new(Body::Binary(body));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = path.parse().unwrap();
    let headers = request.headers_mut();
    if let Some(content_type) = content_type {
        headers.insert("content-type", content_type.parse().unwrap());
    }
    if let Some(signature) = signature {
        headers.insert("x-hmac-signature", signature.parse().unwrap());
    }
    lambda_http::RequestExt::with_raw_http_path(request, path)
}

/// The bot that a fixture is for; signed when the fixture is.
fn bot_of(fixture: &Value) -> Bot {
    let mut bot = bot(fixture["instance_name"]
        .as_str()
        .unwrap_or("warung-teh-lestari"));
    bot.gateway.token = fixture["token"]
        .as_str()
        .unwrap_or("another-token")
        .to_owned();
    bot.gateway.hmac_key = fixture["hmac_key"].as_str().map(str::to_owned);
    bot
}

fn header<'a>(fixture: &'a Value, name: &str) -> Option<&'a str> {
    let headers = fixture["headers"].as_object().unwrap();
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .and_then(|(_, v)| v.as_str())
}

#[tokio::test(start_paused = true)]
async fn every_fixture_gets_its_status_and_is_stored_as_what_it_says() {
    for fixture in fixtures() {
        let file = fixture["file"].as_str().unwrap();
        let expected = &fixture["expected"];
        let world = TestWorld::new(&[bot_of(&fixture)]).await;
        let bot_id = bot_of(&fixture).bot_id;
        let (status, answer) = world
            .request(request(
                "/webhook/ai",
                fixture["content_type"].as_str(),
                header(&fixture, "x-hmac-signature"),
                read(&fixture),
            ))
            .await;
        let contact = expected["contact"].as_str();
        match expected["event"].as_str().unwrap() {
            "message" => {
                assert_eq!(
                    (status, &answer["status"]),
                    (200, &json!("queued")),
                    "{file}: {answer}"
                );
                assert_eq!(answer["message_id"], expected["mid"], "{file}");
                let history = world.history(bot_id.as_str(), contact.unwrap()).await;
                assert_eq!(history.len(), 1, "{file}");
                assert_eq!(history[0].author, Author::Customer);
                assert_eq!(json!(history[0].content.text), expected["text"], "{file}");
                assert_eq!(history[0].content.kind.as_str(), expected["kind"], "{file}");
                let head = world.head(bot_id.as_str(), contact.unwrap()).await;
                assert_eq!(head.pend.len(), 1, "{file}");
            }
            "own_message" => {
                assert_eq!(
                    answer,
                    json!({"status": "ignored", "reason": "own_message"}),
                    "{file}"
                );
                assert_eq!(status, 200);
                let history = world.history(bot_id.as_str(), contact.unwrap()).await;
                assert_eq!(history[0].author, Author::Person, "{file}");
                assert_eq!(json!(history[0].content.text), expected["text"], "{file}");
                assert!(
                    world
                        .head(bot_id.as_str(), contact.unwrap())
                        .await
                        .pend
                        .is_empty()
                );
                assert_eq!(world.queue().delayed, 0, "{file}: nobody's turn");
            }
            "edit" => {
                assert_eq!(
                    answer,
                    json!({"status": "ignored", "reason": "protocol"}),
                    "{file}"
                );
            }
            "ignored" => {
                assert_eq!(status, 200, "{file}: {answer}");
                assert_eq!(answer["status"], "ignored", "{file}");
                assert_eq!(answer["reason"], expected["reason"], "{file}");
                assert_eq!(world.queue().delayed, 0, "{file}");
            }
            "bad" => {
                assert_eq!(status, 400, "{file}: {answer}");
                assert!(!answer["error"].as_str().unwrap().is_empty(), "{file}");
            }
            other => panic!("{file}: {other}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_gateway_sends_is_refused_and_nothing_panics() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let whole = bubble("demo", RINA, "A", 0, "Halo").to_string();
    let deep = "[".repeat(100_000);
    let nested = format!(
        "{{\"event\":{}1{}}}",
        "{\"a\":".repeat(50_000),
        "}".repeat(50_000)
    );
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("application/json", Vec::new()),
        ("application/json", b"garbage".to_vec()),
        (
            "application/json",
            whole.as_bytes()[..whole.len() - 9].to_vec(),
        ),
        ("application/json", deep.into_bytes()),
        ("application/json", nested.into_bytes()),
        ("application/json", b"\xff\xfe{}".to_vec()),
        (
            "application/json",
            whole
                .replace("Halo", "\u{0}")
                .replace('\u{0}', "\\ud800")
                .into_bytes(),
        ),
        ("application/json", b"null".to_vec()),
        ("application/json", b"[]".to_vec()),
        ("application/json", b"{}".to_vec()),
        ("application/json", br#"{"instanceName":"demo"}"#.to_vec()),
        (
            "application/json",
            br#"{"instanceName":5,"type":"Message","event":{}}"#.to_vec(),
        ),
        (
            "application/json",
            br#"{"instanceName":"demo","type":"Message","event":[]}"#.to_vec(),
        ),
        (
            "application/json",
            br#"{"instanceName":"demo","type":"Message","event":{"Info":7,"Message":{}}}"#.to_vec(),
        ),
        (
            "application/json",
            br#"{"type":"Message","event":{"Info":{"ID":"A","Sender":"628@s.whatsapp.net"}}}"#
                .to_vec(),
        ),
        ("application/x-www-form-urlencoded", b"hello=world".to_vec()),
        (
            "application/x-www-form-urlencoded",
            b"jsonData=%7B".to_vec(),
        ),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nnonsense".to_vec(),
        ),
        ("multipart/form-data", b"--x\r\nnonsense".to_vec()),
    ];
    for (content_type, body) in bad {
        let shown: String = String::from_utf8_lossy(&body).chars().take(60).collect();
        let (status, answer) = world
            .request(request("/webhook/ai", Some(content_type), None, body))
            .await;
        assert_eq!(status, 400, "{content_type} {shown}: {answer}");
        assert!(answer["error"].is_string());
        assert!(
            !answer.to_string().contains("Halo"),
            "an error quotes nothing"
        );
    }
    assert_eq!(world.queue().delayed, 0);
}

#[tokio::test(start_paused = true)]
async fn seven_megabytes_are_too_large_and_five_are_not() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let mut body = bubble("demo", RINA, "A", 0, "Halo");
    body["base64"] = json!("A".repeat(7_000_000));
    assert_eq!(world.post(&body).await.0, 413);
    body["base64"] = json!("A".repeat(5_000_000));
    let (status, answer) = world.post(&body).await;
    assert_eq!((status, &answer["status"]), (200, &json!("queued")));
    let items = world.dynamodb("Scan", json!({"TableName": "clivy"})).await;
    assert!(items.to_string().len() < 20_000, "the media is not stored");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_bot_and_an_inactive_one_are_told_apart() {
    let mut asleep = bot("asleep");
    asleep.active = false;
    let world = TestWorld::new(&[asleep]).await;
    let (status, _) = world.post(&bubble("nobody", RINA, "A", 0, "Halo")).await;
    assert_eq!(status, 404);
    let (status, answer) = world.post(&bubble("asleep", RINA, "A", 0, "Halo")).await;
    assert_eq!(status, 200);
    assert_eq!(
        answer,
        json!({"status": "ignored", "reason": "bot_inactive"})
    );
    let by_token = json!({"type": "QR", "event": "code", "token": "token-nobody"});
    assert_eq!(world.post(&by_token).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_bot_gets_in_only_what_it_requires() {
    let key = "kunci-rahasia-toko-32-karakter!!";
    let secret = "jalan-rahasia";
    let with = |hmac: bool, path: bool| {
        let mut bot = bot("demo");
        bot.gateway.hmac_key = hmac.then(|| key.to_owned());
        bot.gateway.secret_path = path.then(|| secret.to_owned());
        bot
    };
    let body = bubble("demo", RINA, "A", 0, "Halo")
        .to_string()
        .into_bytes();
    let signature = wuzapi::sign(key, &body);
    let wrong = wuzapi::sign("another key", &body);
    for (needs_signature, needs_path) in
        [(false, false), (true, false), (false, true), (true, true)]
    {
        for (path, right_path) in [
            ("/webhook/ai", false),
            ("/webhook/ai/jalan-rahasia", true),
            ("/webhook/ai/jalan%2Drahasia", true),
            ("/webhook/ai/jalan-rahasiA", false),
            ("/webhook/ai/jalan", false),
        ] {
            for (header, right_signature) in [
                (None, false),
                (Some(&wrong), false),
                (Some(&signature), true),
            ] {
                let world = TestWorld::new(&[with(needs_signature, needs_path)]).await;
                let header = header.map(String::as_str);
                let (status, _) = world
                    .request(request(
                        path,
                        Some("application/json"),
                        header,
                        body.clone(),
                    ))
                    .await;
                let may = (!needs_signature || right_signature) && (!needs_path || right_path);
                let case = format!("{needs_signature} {needs_path} {path} {header:?}");
                assert_eq!(status, if may { 200 } else { 401 }, "{case}");
                assert_eq!(world.queue().delayed, usize::from(may), "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_requires_nothing_is_served_on_one_machine_only() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let deployed = webhook::Webhook {
        table: world.world.table.clone(),
        queue: world.world.queue.clone(),
        bots: clivy::bots::Bots::new(
            world.world.table.clone(),
            world.world.clock.clone(),
            std::time::Duration::from_secs(30),
        ),
        clock: world.world.clock.clone(),
        metrics: world.world.metrics.clone(),
        pseudonyms: world.world.pseudonyms.clone(),
        debounce_seconds: 3,
        timeout: std::time::Duration::from_secs(8),
        takeover_pause_ms: 0,
        allow_open_bots: false,
    };
    let response = deployed
        .handle(post(&bubble("demo", RINA, "A", 0, "Halo")))
        .await;
    assert_eq!(response.status(), 401);
}

#[tokio::test(start_paused = true)]
async fn only_posts_at_the_webhooks_path_are_answered() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let (status, _) = world
        .request(request("/elsewhere", None, None, Vec::new()))
        .await;
    assert_eq!(status, 404);
    let mut get = request("/webhook/ai", None, None, Vec::new());
    *get.method_mut() = http::Method::GET;
    assert_eq!(world.request(get).await.0, 405);
}

#[tokio::test(start_paused = true)]
async fn our_own_trouble_is_a_503_and_a_second_try_is_answered_once() {
    for (index, when) in [
        (0, When::Before),
        (1, When::Before),
        (0, When::After),
        (1, When::After),
    ] {
        let world = TestWorld::new(&[bot("demo")]).await;
        // The bot is cached first, so that effect 0 is the trigger and effect 1 the write.
        world.post(&bubble("demo", RINA, "X", 0, " ")).await;
        for again in 0..3 {
            // The SDK tries three times itself.
            world
                .faults
                .arm(Role::Webhook, index + again, Fault::Error(when));
        }
        let body = bubble("demo", RINA, "A", 0, "Halo");
        let (status, answer) = ROLE.scope(Role::Webhook, world.post(&body)).await;
        assert_eq!(status, 503, "{index} {when:?}: {answer}");
        assert!(!world.faults.is_armed());
        world.start();
        assert_eq!(world.post(&body).await.0, 200);
        world.settle().await;
        assert_eq!(world.outside.questions(), ["Halo"]);
        assert_eq!(world.outside.sends().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_never_answers_is_a_503_within_the_timeout() {
    let world = TestWorld::new(&[bot("demo")]).await;
    // "Dead" here: the call never returns.
    world
        .faults
        .arm(Role::Webhook, 0, Fault::Crash(When::Before));
    let body = bubble("demo", RINA, "A", 0, "Halo");
    let (status, answer) = ROLE.scope(Role::Webhook, world.post(&body)).await;
    assert_eq!(status, 503);
    assert_eq!(answer, json!({"error": "not stored; please send it again"}));
}
