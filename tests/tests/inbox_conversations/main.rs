//! The inbox's conversations: list, thread, pause, resume and erase, over the embedded world on a paused clock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

mod bad_input;
mod erase;
mod failed;
mod list;
mod pause;
mod pause_races;
mod thread;

use std::time::Duration;

use serde_json::Value;
use tests::api::Api;
use tests::bubbles::{bubble, from_the_phone, written_at};
use tests::world::TestWorld;

const RINA: &str = "6281100090001";
const BUDI: &str = "6281100090002";

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A customer's bubble, written now.
fn written(world: &TestWorld, contact: &str, mid: &str, text: &str) -> Value {
    let now = world.world.clock.now();
    written_at(bubble("demo", contact, mid, 0, text), now)
}

async fn write(world: &TestWorld, contact: &str, mid: &str, text: &str) {
    let body = written(world, contact, mid, text);
    assert_eq!(world.post(&body).await.1["status"], "queued");
}

/// A person's message from the phone, written now.
async fn answer(world: &TestWorld, contact: &str, mid: &str) {
    let now = world.world.clock.now();
    let body = from_the_phone("demo", contact, mid, now, "Ada kak (admin)");
    assert_eq!(world.post(&body).await.1["reason"], "own_message");
}

fn path(rest: &str) -> String {
    format!("/api/bots/demo/conversations{rest}")
}

fn of(contact: &str, rest: &str) -> String {
    path(&format!("/{contact}{rest}"))
}

/// The first page of the list.
async fn list(api: &Api<'_>, query: &str) -> Vec<Value> {
    let page = api.get(&path(query)).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

/// Whose conversations are listed, in order.
async fn contacts(api: &Api<'_>, query: &str) -> Vec<String> {
    let items = list(api, query).await;
    items
        .iter()
        .map(|item| item["contact"].as_str().unwrap().to_owned())
        .collect()
}

/// The first page of messages.
async fn thread(api: &Api<'_>, contact: &str) -> Vec<Value> {
    let page = api.get(&of(contact, "/messages")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}
