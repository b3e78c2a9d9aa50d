//! The health routes: what works, what does not, and who may know.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::time::Duration;

use clivy::access::Role;
use local::world::DLQ;
use serde_json::{Value, json};
use tests::api::Reply;
use tests::bubbles::{bot, bubble};
use tests::faults::{self, Fault, ROLE, When};
use tests::outside::Account;
use tests::world::TestWorld;

const RINA: &str = "6281100090001";
const INBOX: faults::Role = faults::Role::Inbox;

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn sweep(world: &TestWorld) {
    let deadline = world.world.clock.now().plus_ms(50_000);
    world.world.sweeper.sweep(deadline).await.unwrap();
}

/// A request that meets the faults.
async fn get(world: &TestWorld, path: &str) -> Reply {
    let api = world.api_without_key();
    ROLE.scope(INBOX, api.get(path)).await
}

async fn detailed(world: &TestWorld) -> Value {
    let api = world.api(Role::Viewer).await;
    let reply = ROLE.scope(INBOX, api.get("/health/detailed")).await;
    reply.expect(200)
}

#[tokio::test(start_paused = true)]
async fn a_process_lives_whatever_else_is_broken() {
    let world = TestWorld::new(&[]).await;
    world.faults.always("", Fault::Error(When::Before));
    let live = get(&world, "/health/live").await;
    assert_eq!(live.expect(200)["status"], "ok");
    assert_eq!(live.headers["cache-control"], "no-store");
    assert!(world.faults.effects(INBOX).is_empty(), "nobody was asked");
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_when_table_and_queue_answer_and_says_how_soon() {
    let world = TestWorld::new(&[]).await;
    world
        .faults
        .always("GetItem", Fault::Late(Duration::from_millis(40)));
    let ready = get(&world, "/health/ready").await.expect(200);
    assert_eq!(ready["status"], "ok");
    assert_eq!(ready["checks"]["queue"]["status"], "ok");
    let ms = ready["checks"]["table"]["ms"].as_i64().unwrap();
    assert!((40..60).contains(&ms), "{ms}");
    let health = get(&world, "/health").await.expect(200);
    assert_eq!(health, json!({"status": "ok", "version": ready["version"]}));
}

#[tokio::test(start_paused = true)]
async fn slow_is_degraded_and_still_accepts_messages() {
    for part in ["GetItem", "GetQueueAttributes"] {
        let world = TestWorld::new(&[]).await;
        world
            .faults
            .always(part, Fault::Late(Duration::from_millis(1_900)));
        let ready = get(&world, "/health/ready").await.expect(200);
        assert_eq!(ready["status"], "degraded", "{part}");
        assert_eq!(
            get(&world, "/health").await.expect(200)["status"],
            "degraded"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_table_or_queue_messages_cannot_be_accepted() {
    for (part, name) in [("GetItem", "table"), ("GetQueueAttributes", "queue")] {
        for fault in [
            Fault::Error(When::Before),
            Fault::Late(Duration::from_secs(60)),
        ] {
            let world = TestWorld::new(&[]).await;
            world.faults.always(part, fault);
            let began = tokio::time::Instant::now();
            let ready = get(&world, "/health/ready").await.expect(503);
            assert!(
                began.elapsed() < Duration::from_millis(2_100),
                "each part has 2 s"
            );
            assert_eq!(ready["status"], "unavailable");
            let word = ready["checks"][name]["status"].as_str().unwrap();
            assert!(["failed", "timed_out"].contains(&word), "{part}: {word}");
            let health = get(&world, "/health").await;
            assert_eq!(health.expect(503)["status"], "unavailable");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn details_are_for_holders_of_a_key_and_name_nobody() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.settle().await;
    world
        .post(&bubble("demo", RINA, "B", 20, "Halo lagi"))
        .await;
    get(&world, "/health/detailed").await.expect(401);
    let (stranger, _) = world.key("somebody else", Role::Viewer).await;
    let api = world.api_with(stranger.expose());
    let text = api.get("/health/detailed").await.expect(200).to_string();
    for secret in ["demo", RINA, "Halo", "Pelanggan", "sk-or", "owner"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_healthy_installation_is_ok_in_all_its_parts() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.settle().await;
    world.outside.key_is(Account::key(Some(50.0), 2.5, 0.5));
    world.check_credits().await.unwrap().unwrap();
    sweep(&world).await;
    let health = detailed(&world).await;
    assert_eq!(
        (&health["status"], &health["reasons"]),
        (&json!("ok"), &json!([]))
    );
    assert_eq!(
        health["queue"]["value"],
        json!({"visible": 0, "in_flight": 0, "delayed": 0})
    );
    assert_eq!(health["owed"]["value"]["oldest_seconds"], Value::Null);
    assert_eq!(health["credits"]["value"]["remaining_usd"], 50.0);
    assert_eq!(health["sweeper"]["value"]["turns_without_outcome"], 0);
    let openrouter = &health["providers"][0];
    assert_eq!(openrouter["name"], "openrouter");
    assert_eq!(openrouter["breaker"]["value"]["state"], "closed");
    assert_eq!(openrouter["last_outcome"]["value"]["class"], "ok");
    assert_eq!(openrouter["last_outcome"]["value"]["model"], "test/model");
    assert_eq!(health["providers"][1]["last_outcome"]["value"], Value::Null);
    assert_eq!(world.outside.calls().len(), 1, "health asks no model");
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_the_queue_is_counted_and_its_age_is_the_oldest_owed_answer() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    let health = detailed(&world).await;
    assert_eq!(
        health["queue"]["value"],
        json!({"visible": 0, "in_flight": 0, "delayed": 1})
    );
    sleep(42).await;
    let health = detailed(&world).await;
    assert_eq!(health["queue"]["value"]["visible"], 1);
    assert_eq!(health["owed"]["value"]["oldest_seconds"], 42);
    sweep(&world).await;
    let swept = &detailed(&world).await["sweeper"]["value"];
    assert_eq!(swept["oldest_owed_seconds"], 42);
}

#[tokio::test(start_paused = true)]
async fn each_trouble_has_its_reason_and_goes_with_it() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let reasons = || async { detailed(&world).await["reasons"].clone() };
    assert_eq!(reasons().await, json!(["sweeper_late"]), "it has never run");
    sweep(&world).await;
    assert_eq!(reasons().await, json!([]));

    world.put(DLQ, "dead").await;
    assert_eq!(reasons().await, json!(["dead_letters"]));
    world.redrive().await;
    sleep(2).await;
    world.purge().await;
    assert_eq!(reasons().await, json!([]));

    world.open_breaker("second", "provider_down").await;
    assert_eq!(reasons().await, json!(["breaker_open"]));
    let breaker = &detailed(&world).await["providers"][1]["breaker"]["value"];
    assert_eq!(
        (&breaker["state"], &breaker["reason"]),
        (&json!("open"), &json!("provider_down"))
    );
    let table = &world.world.table;
    table.breaker_close("second").await.unwrap();

    world.outside.key_is(Account::key(Some(0.5), 2.5, 0.5));
    world.check_credits().await.unwrap().unwrap();
    assert_eq!(reasons().await, json!(["credits_critical"]));
    sleep(3_600).await;
    world.outside.key_is(Account::key(Some(50.0), 2.5, 0.5));
    world.check_credits().await.unwrap().unwrap();
    assert_eq!(reasons().await, json!(["sweeper_late"]), "an hour ago");
    sweep(&world).await;
    assert_eq!(reasons().await, json!([]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_overdue_degrades_and_one_that_a_person_has_paused_does_not() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.purge().await;
    sleep(360).await;
    sweep(&world).await;
    assert_eq!(
        detailed(&world).await["reasons"],
        json!(["answers_overdue"])
    );
    world.purge().await;
    world
        .pause("demo", RINA, world.world.clock.now().plus_ms(3_600_000))
        .await;
    sweep(&world).await;
    let health = detailed(&world).await;
    assert_eq!(health["reasons"], json!([]));
    assert_eq!(health["owed"]["value"]["oldest_seconds"], 360);
    assert_eq!(health["sweeper"]["value"]["oldest_owed_seconds"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_says_so_and_leaves_the_others_alone() {
    let world = TestWorld::new(&[]).await;
    sweep(&world).await;
    world
        .faults
        .always("GetQueueAttributes", Fault::Late(Duration::from_secs(60)));
    world.faults.always("Query", Fault::Error(When::Before));
    let health = detailed(&world).await;
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["reasons"], json!(["part_failed"]));
    for part in ["queue", "dead_letters"] {
        assert_eq!(health[part]["error"], "timed_out", "{part}");
        assert_eq!(health[part]["value"], Value::Null);
    }
    for part in ["owed", "credits"] {
        assert!(health[part]["error"].is_string(), "{part}");
    }
    assert_eq!(health["sweeper"]["error"], Value::Null);
    assert_eq!(
        health["providers"][0]["breaker"]["value"]["state"],
        "closed"
    );
}

#[tokio::test(start_paused = true)]
async fn the_document_tells_every_field_and_status_of_the_health_routes() {
    let world = TestWorld::new(&[]).await;
    let document = world
        .api_without_key()
        .get("/api/openapi.json")
        .await
        .expect(200);
    let statuses = |path: &str| -> Vec<String> {
        let responses = document["paths"][path]["get"]["responses"].as_object();
        responses
            .unwrap_or_else(|| panic!("{path}"))
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(statuses("/health/live"), ["200"]);
    assert_eq!(statuses("/health"), ["200", "503"]);
    assert_eq!(statuses("/health/ready"), ["200", "503"]);
    assert_eq!(statuses("/health/detailed"), ["200", "401", "503"]);
    let health = detailed(&world).await;
    let schema = &document["components"]["schemas"]["Detailed"]["properties"];
    for (field, value) in health.as_object().unwrap() {
        assert!(schema[field].is_object(), "{field}");
        if value.get("ms").is_some() {
            let reference = schema[field]["$ref"].as_str().unwrap_or_default();
            let name = reference.rsplit('/').next().unwrap();
            let part = &document["components"]["schemas"][name]["properties"];
            assert!(
                part["value"].is_object() && part["error"].is_object(),
                "{field}: {}",
                schema[field]
            );
        }
    }
}
