//! Bots that are deleted, through the HTTP API of the inbox.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use clivy::access::Role;
use clivy::conversation::outcome::TurnStatus;
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::faults::{Fault, ROLE, Role as FaultRole, When};
use tests::world::TestWorld;

const DEMO: &str = "/api/bots/demo";
const INBOX: FaultRole = FaultRole::Inbox;

fn settings(token: &str) -> Value {
    json!({"name": "Toko", "system_prompt": "Anda melayani.", "models": ["a/b", {"name": "c/d", "context_tokens": 4096}],
        "max_price": {"prompt": 1.5}, "gateway": {"kind": "wuzapi", "url": "http://gateway.test/", "token": token}})
}

fn document(content: &str) -> Value {
    json!({"title": "Jam buka", "kind": "info", "content": content})
}

async fn everything(world: &TestWorld) -> Vec<Value> {
    let scan = world.dynamodb("Scan", json!({"TableName": "clivy"})).await;
    scan["Items"].as_array().unwrap().clone()
}

async fn partitions(world: &TestWorld, bot: &str) -> Vec<String> {
    let (current, past) = (format!("B#{bot}"), format!("V#{bot}"));
    let items = everything(world).await.into_iter();
    items
        .filter(|item| item["pk"]["S"] == current || item["pk"]["S"] == past)
        .map(|item| item["sk"]["S"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_id_of_a_deleted_bot_stays_its_owners_with_its_conversations() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Owner).await;
    assert_eq!(api.delete(DEMO).await.status, 204);
    let (other, _) = world.key("other", Role::Owner).await;
    let other = world.api_with(other.expose());
    other.put(DEMO, settings("t")).await.expect(404);
    assert_eq!(world.world.table.bot_of_token("t").await.unwrap(), None);
    api.put(DEMO, settings("t")).await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn what_is_pending_when_its_bot_is_deleted_ends_without_a_reply_and_without_a_dead_letter() {
    let world = TestWorld::with(&[bot("demo")], &[("BOT_CACHE_SECONDS", "0")]).await;
    let body = bubble("demo", "6281", "M1", 0, "Halo");
    assert_eq!(world.post(&body).await.0, 200);
    let api = world.api(Role::Owner).await;
    assert_eq!(api.delete(DEMO).await.status, 204);
    world.start();
    world.settle().await;
    assert_eq!(
        world.turn("demo", "6281", 1).await.status,
        TurnStatus::Skipped
    );
    assert!(world.outside.sends().is_empty() && world.outside.asked().is_empty());
    assert_eq!(world.dead_letters(), Vec::<String>::new());
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_dies_anywhere_is_finished_by_the_next_one() {
    for when in [When::Before, When::After] {
        for at in 0.. {
            let world = TestWorld::new(&[bot("demo")]).await;
            let api = world.api(Role::Owner).await;
            let path = "/api/bots/demo/documents/jam";
            api.put(path, document("08-20")).await.expect(201);
            api.put(path, document("24 jam")).await.expect(200);
            let body = api.get(DEMO).await.expect(200)["bot"].clone();
            api.put(DEMO, body).await.expect(200);
            world.faults.arm(INBOX, at, Fault::Crash(when));
            let deletion = ROLE.scope(INBOX, api.delete(DEMO));
            let is_done = tokio::select! {
                reply = deletion => reply.status == 204,
                () = world.faults.death() => false,
            };
            // Half deleted, it belongs to nobody else and answers nobody.
            let (other, _) = world.key("other", Role::Owner).await;
            let taken = world
                .api_with(other.expose())
                .put(DEMO, settings("t"))
                .await;
            assert_eq!(taken.status, 404, "{when:?} {at}");
            let again = api.delete(DEMO).await.status.as_u16();
            let is_gone = is_done || world.faults.crashes() > 0 && again == 404;
            assert!(is_gone || again == 204, "{when:?} {at}: {again}");
            assert_eq!(partitions(&world, "demo").await, ["CFG"], "{when:?} {at}");
            assert_eq!(api.get(DEMO).await.status, 404);
            assert_eq!(world.faults.refused(), Vec::<String>::new());
            if world.faults.is_armed() {
                assert!(is_done && at > 6, "{at}");
                break;
            }
        }
    }
}
