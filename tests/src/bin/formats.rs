//! Writes what this version leaves in the table and the queues after a day, for tests/fixtures/formats/:
//! `cargo run -p tests --bin formats -- "COMMIT, what is new" > tests/fixtures/formats/NAME.json`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what goes wrong here must not become a fixture"
)]

use std::time::Duration;

use local::world::{DLQ, QUEUE};
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::day::{ANI, BUDI, DEWI, LINA, RINA, SARI};
use tests::outside::{Gateway, Model};
use tests::world::TestWorld;

async fn work(day: &TestWorld) {
    let deadline = day.world.clock.now().plus_ms(180_000);
    let event = day.first_trigger();
    Box::pin(day.world.worker.handle(event, "a request", deadline)).await;
}

/// SQS empties a queue once a minute.
async fn purge(day: &TestWorld) {
    tokio::time::sleep(Duration::from_secs(61)).await;
    day.purge().await;
}

async fn says(day: &TestWorld, who: &str, mid: &str, second: i64, text: &str) {
    assert_eq!(
        day.post(&bubble("demo", who, mid, second, text)).await.0,
        200
    );
    tokio::time::sleep(Duration::from_secs(4)).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let made_by = std::env::args().nth(1).expect("who makes it");
    let day = Box::pin(TestWorld::new(&[bot("demo")])).await;
    says(&day, RINA, "R0", 0, "Jam berapa buka?").await;
    work(&day).await;
    purge(&day).await;

    day.outside
        .model_does([Model::Breaks, Model::Breaks, Model::Breaks]);
    says(&day, BUDI, "B0", 10, "Ada stok?").await;
    for _ in 0..3 {
        work(&day).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(day.dead_letters().len(), 1);
    purge(&day).await;

    let mut own = bubble("demo", ANI, "OWN", 20, "Kami tutup dulu");
    own["event"]["Info"]["IsFromMe"] = json!(true);
    assert_eq!(day.post(&own).await.0, 200);
    says(&day, LINA, "L0", 30, "STOP").await;
    work(&day).await;
    purge(&day).await;
    day.check_credits().await.unwrap().unwrap();

    day.outside.gateway_does([Gateway::Refuses]);
    says(&day, SARI, "S0", 240, "Bisa kirim hari ini?").await;
    work(&day).await;
    says(&day, DEWI, "D0", 250, "Masih buka?").await;
    says(&day, DEWI, "D1", 251, "Halo?").await;
    // What is newer than the inbox.
    let api = day.api(clivy::access::Role::Owner).await;
    let chat = |who: &str| format!("/api/bots/demo/conversations/{who}");
    api.post(
        &format!("{}/messages", chat(ANI)),
        json!({"text": "Kami buka lagi"}),
    )
    .await
    .expect(202);
    let document = json!({"title": "Jam", "kind": "faq", "content": "08.00 - 20.00"});
    let put = api.put("/api/bots/demo/documents/jam", document).await;
    assert!(put.status.is_success());
    let deadline = day.world.clock.now().plus_ms(50_000);
    day.world.sweeper.sweep(deadline).await.unwrap();

    let items = day.dynamodb("Scan", json!({"TableName": "clivy"})).await;
    let mut items = items["Items"].as_array().unwrap().clone();
    items.sort_by_key(|item| format!("{} {}", item["pk"], item["sk"]));
    let bodies = |queue: &str| -> Vec<Value> {
        let peeks = day.world.engines.sqs.peek(queue).into_iter();
        peeks
            .map(|peek| serde_json::from_str(&peek.body).unwrap())
            .collect()
    };
    let all = json!({
        "made_by": made_by,
        "now_ms": day.world.clock.now().0,
        "items": items,
        "queue": bodies(QUEUE),
        "dead_letters": bodies(DLQ),
    });
    println!("{}", serde_json::to_string_pretty(&all).unwrap());
}
