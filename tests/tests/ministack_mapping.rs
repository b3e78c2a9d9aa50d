//! A second opinion: the functions behind ministack's DynamoDB, SQS, SSM and event source mapping instead of ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use axum::routing::post;
use clivy::clock::{Clock, SystemClock};
use clivy::conversation::bot::Bot;
use clivy::http::Network;
use clivy::secrets::Rotating;
use clivy::table::Table;
use clivy::vault::Vault;
use local::world::{DLQ, QUEUE, TABLE, as_deployed};
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::process::folder::Folder;
use tests::process::lambda::{Environment, SECRET, SECRETS, SECRETS_PATH, SecretsFrom, Watch};
use tests::process::ministack::Ministack;
use tests::process::wire::{self, Served};
use tests::process::{eventually, one_machine, within};

const RINA: &str = "6281100020001";
/// What no version of Clivy ever sent.
const BAD: &str = "{\"no\": \"trigger\"}";
/// The worker lets a bad record come again after 5 s; the mapping looks once a second.
const DEAD_LETTER_PATIENCE: Duration = Duration::from_secs(120);

/// Stands between the mapping and the function, and keeps what passes.
#[derive(Clone)]
struct Passage {
    client: Network,
    invoke_url: String,
    passed: Arc<Mutex<Vec<(Value, Value)>>>,
}

impl Passage {
    async fn serve(watch: &Watch) -> (Self, String) {
        let passage = Self {
            client: wire::client(),
            invoke_url: format!("{}/2015-03-31/functions/worker/invocations", watch.base_url),
            passed: Arc::default(),
        };
        let router = Router::new()
            .route("/", post(pass))
            .with_state(passage.clone());
        let url = format!("http://{}/", wire::serve(router).await);
        (passage, url)
    }

    /// For every time a body was given to the function: its receive count, and whether it was reported as failed.
    fn receives(&self, body: &str) -> Vec<(String, bool)> {
        let passed = self.passed.lock().unwrap();
        let mut receives = Vec::new();
        for (event, answer) in passed.iter() {
            for record in event["Records"].as_array().unwrap() {
                if record["body"] == body {
                    let failures = answer["batchItemFailures"].as_array().unwrap();
                    let failed = failures
                        .iter()
                        .any(|failure| failure["itemIdentifier"] == record["messageId"]);
                    let count = record.pointer("/attributes/ApproximateReceiveCount");
                    let count = count.and_then(Value::as_str);
                    receives.push((count.unwrap().to_owned(), failed));
                }
            }
        }
        receives
    }
}

async fn pass(
    State(passage): State<Passage>,
    Json(event): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let patience = Duration::from_secs(180);
    let answer = wire::post(&passage.client, &passage.invoke_url, &[], &event, patience).await;
    match answer {
        Ok((200, answer)) => {
            passage.passed.lock().unwrap().push((event, answer.clone()));
            Ok(Json(answer))
        }
        _ => Err(StatusCode::BAD_GATEWAY),
    }
}

/// The functions serve no open bot, so this one has a secret path.
fn secret_bot(served: &Served) -> Bot {
    let mut bot = bot("kopi");
    bot.gateway.url = served.gateway_url();
    bot.gateway.secret_path = Some(SECRET.to_owned());
    bot
}

#[tokio::test]
#[ignore = "needs ministack and cargo-lambda: infra/check-ministack-mapping.sh runs it"]
async fn behind_another_mapping_a_burst_gets_one_reply_and_a_bad_record_becomes_a_dead_letter() {
    let (folder, served) = (Folder::new(), Served::start().await);
    let ministack = Ministack::start(folder.path()).await;
    ministack.deploy().await;
    for (name, value) in SECRETS {
        let name = format!("{SECRETS_PATH}/{name}");
        ministack.put_secret(&name, value).await;
    }
    // The bot's own secrets are sealed with one of those: the functions open them.
    let key = Rotating::new(SECRETS[2].1).unwrap();
    let table = Table::new(ministack.dynamodb.clone(), TABLE.to_owned(), 90)
        .with_vault(Some(Vault::new(&key).unwrap()));
    let now = SystemClock.now();
    table.put_bot(&secret_bot(&served), now).await.unwrap();
    let environment = Environment {
        aws_url: &ministack.base_url,
        secrets: SecretsFrom::Ssm,
        outside: &served,
        port: Watch::port(),
    };
    let watch = Watch::start(&environment).await;
    let (passage, url) = Passage::serve(&watch).await;
    ministack.map_queue_to(&url).await;

    let bad = ministack
        .sqs
        .send_message()
        .queue_url(ministack.queue_url(QUEUE))
        .message_body(BAD);
    bad.send().await.unwrap();
    let path = format!("/webhook/ai/{SECRET}");
    for (n, text) in ["Halo", "Saya mau", "pesan produk"].iter().enumerate() {
        let mid = format!("B{n}");
        let body = bubble("kopi", RINA, &mid, n as i64, text);
        let answer = watch.webhook(&path, &body).await;
        assert_eq!(
            answer,
            (200, json!({"status": "queued", "message_id": mid}))
        );
    }

    // The bad record is on its way all the while, and holds nobody up (I10).
    let outside = &served.outside;
    eventually("the reply", || outside.delivered().pop()).await;
    within(
        DEAD_LETTER_PATIENCE,
        "the last receive of the bad record",
        || {
            let receives = passage.receives(BAD).len();
            (receives >= as_deployed::MAX_RECEIVE_COUNT as usize).then_some(())
        },
    )
    .await;
    let dead = dead_letters(&ministack).await;
    assert_eq!(dead, [BAD]);
    let expected: Vec<_> = (1..=as_deployed::MAX_RECEIVE_COUNT)
        .map(|count| (count.to_string(), true))
        .collect();
    assert_eq!(passage.receives(BAD), expected);

    assert_eq!(outside.questions(), ["Halo\nSaya mau\npesan produk"]);
    let sends = outside.sends();
    assert_eq!(sends.len(), 1, "{sends:?}");
    assert_eq!(sends[0].text, "Jawaban atas: Halo\nSaya mau\npesan produk");
    assert_eq!(one_machine::owed(&ministack.items().await), None);
    assert_eq!(ministack.depth(QUEUE).await, 0);
}

/// What is in the dead-letter queue, as soon as there is something.
async fn dead_letters(ministack: &Ministack) -> Vec<String> {
    let started = tokio::time::Instant::now();
    while ministack.depth(DLQ).await == 0 {
        let output = ministack.process.output();
        assert!(started.elapsed() < DEAD_LETTER_PATIENCE, "none:\n{output}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    ministack.receive(DLQ).await
}
