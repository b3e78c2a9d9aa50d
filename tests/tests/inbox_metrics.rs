//! GET /metrics: what a scraper reads is what the ledger says, whichever instance is asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::sync::Arc;
use std::time::Duration;

use clivy::access::{OwnerId, Role};
use clivy::conversation::bot::{Bot, ModelEntry};
use clivy::conversation::ids::{Fence, Owner};
use clivy::conversation::outcome::Spent;
use clivy::usage::Day;
use local::world::{Parts, World};
use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::exposition::{self, Scrape};
use tests::faults::{Fault, ROLE, Role as Function, When};
use tests::outside::{Account, MODEL_URL, Model};
use tests::world::{START, TestWorld};

const RINA: &str = "6281100095001";
const BUDI: &str = "6281100095002";
const SARI: &str = "6281100095003";
/// A name that a person may type, and that would break a label.
const AWKWARD: &str = r#"toko "a\b" {x="1"}, no"#;

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn scrape(world: &TestWorld) -> Scrape {
    let reply = world.api(Role::Viewer).await.get("/metrics").await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert_eq!(reply.status.as_u16(), 200, "{text}");
    assert_eq!(
        reply.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    exposition::read(&text)
}

/// Another instance of everything on the same table, with a queue of its own.
async fn beside(world: &TestWorld) -> TestWorld {
    let settings = [
        ("PSEUDONYM_KEY", "a-key-for-tests-only"),
        ("OPENROUTER_API_KEY", "sk-or-v1-test"),
        ("OPENROUTER_BASE_URL", MODEL_URL),
        ("OPENROUTER_MODEL", "test/model"),
    ];
    let parts = Parts {
        dynamodb: world.world.engines.dynamodb.clone(),
        base_url: "http://127.0.0.1".to_owned(),
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        http: Arc::clone(&world.outside) as _,
        clock: Arc::clone(&world.world.clock),
        intercept: Arc::clone(&world.faults) as _,
    };
    TestWorld {
        world: Box::pin(World::open(parts)).await.unwrap(),
        outside: Arc::clone(&world.outside),
        faults: Arc::clone(&world.faults),
    }
}

async fn say(world: &TestWorld, bot: &str, phone: &str, mid: &str, second: i64) {
    let (status, _) = world.post(&bubble(bot, phone, mid, second, "Halo")).await;
    assert_eq!(status, 200);
}

#[tokio::test(start_paused = true)]
async fn two_instances_a_crash_and_a_redelivery_are_counted_once() {
    let free = Bot {
        models: vec![ModelEntry::named("some/model:free")],
        ..bot(AWKWARD)
    };
    let first = TestWorld::new(&[free, bot("demo")]).await;
    let second = beside(&first).await;
    let down = json!({"error": {"code": 503, "message": "down"}});
    first.outside.model_does([Model::Http(503, down)]);
    first.start();
    second.start();
    // The first instance asks, fails, asks again.
    say(&first, AWKWARD, RINA, "A", 0).await;
    say(&first, AWKWARD, RINA, "B", 1).await;
    first.settle().await;
    // The second one dies when its commit has happened: the record comes again.
    let before = first.faults.effects(Function::Worker).len();
    say(&second, AWKWARD, BUDI, "A", 60).await;
    second.settle().await;
    let commit = commit_of(&first.faults.effects(Function::Worker)[before..]);
    let before = first.faults.effects(Function::Worker).len();
    first
        .faults
        .arm(Function::Worker, commit, Fault::Crash(When::After));
    sleep(60).await;
    say(&second, AWKWARD, SARI, "A", 120).await;
    second.settle().await;
    let effects = first.faults.effects(Function::Worker);
    assert_eq!(first.faults.crashes(), 1);
    assert_eq!(
        commit_of(&effects[before..]),
        commit,
        "it died of its commit"
    );
    say(&second, "demo", RINA, "A", 180).await;
    second.settle().await;

    let scraped = scrape(&first).await;
    assert_eq!(scraped, scrape(&second).await, "whichever is asked");
    let of = |name: &str, label: (&str, &str)| scraped.value(name, &[("bot", AWKWARD), label]);
    let plain = |name: &str| scraped.value(name, &[("bot", AWKWARD)]);
    let requests = "chatbot_openrouter_requests_total";
    assert_eq!(of(requests, ("status", "ok")), Some(3.0));
    assert_eq!(of(requests, ("status", "error")), Some(1.0));
    let errors = "chatbot_openrouter_errors_total";
    assert_eq!(of(errors, ("class", "overloaded")), Some(1.0));
    let calls = first.outside.calls().len() as f64;
    assert_eq!(
        scraped.sum(requests, AWKWARD) + scraped.sum(requests, "demo"),
        calls
    );
    let tokens = "chatbot_token_usage_total";
    let used = ["prompt", "completion", "cached"].map(|kind| of(tokens, ("type", kind)));
    assert_eq!(used, [Some(360.0), Some(90.0), Some(192.0)]);
    assert_eq!(of("chatbot_turns_total", ("status", "answered")), Some(3.0));
    assert_eq!(scraped.sum("chatbot_turns_total", AWKWARD), 3.0);
    assert_eq!(plain("chatbot_messages_total"), Some(4.0));
    assert_eq!(plain("chatbot_cost_usd_total"), Some(0.000_75));
    assert_eq!(plain("chatbot_conversations_active_total"), Some(3.0));
    assert_eq!(plain("chatbot_new_contacts_total"), Some(3.0));
    assert_eq!(plain("chatbot_calls_saved_by_batching_total"), Some(1.0));
    assert_eq!(plain("chatbot_free_model_efficiency_ratio"), Some(1.0));
    assert_eq!(plain("chatbot_wasted_generations_total"), Some(0.0));
    assert_eq!(plain("chatbot_cache_hits_total"), Some(0.0));
    let demo = [("bot", "demo")];
    assert_eq!(scraped.value("chatbot_messages_total", &demo), Some(1.0));
    check_response_times(&first, &scraped).await;
    assert_eq!(
        scraped.value("chatbot_metrics_bots_left_out", &[]),
        Some(0.0)
    );
    assert_eq!(scraped.value("oldest_owed_seconds", &[]), Some(0.0));
}

/// Which effect of a turn is its commit: its first transaction.
fn commit_of(effects: &[String]) -> usize {
    let mut effects = effects.iter();
    let commit = effects.position(|name| name.ends_with("TransactWriteItems"));
    commit.unwrap()
}

async fn check_response_times(world: &TestWorld, scraped: &Scrape) {
    let mut waited_ms = 0;
    let mut longest_ms = 0;
    for phone in [RINA, BUDI, SARI] {
        let turn = world.turn(AWKWARD, phone, 1).await;
        let ms = turn.ended_at.unwrap().since_ms(turn.began_at.unwrap());
        waited_ms += ms;
        longest_ms = longest_ms.max(ms);
    }
    let name = "chatbot_message_response_time_seconds";
    let part = |suffix: &str| scraped.value(&format!("{name}{suffix}"), &[("bot", AWKWARD)]);
    assert_eq!(part("_count"), Some(3.0));
    assert_eq!(part("_sum"), Some(waited_ms as f64 / 1000.0));
    let bucket =
        |le: &str| scraped.value(&format!("{name}_bucket"), &[("bot", AWKWARD), ("le", le)]);
    // Nobody is answered before the silence of 3 s; the one whose worker was redelivered is no exception.
    assert_eq!(bucket("2"), Some(0.0));
    assert!(longest_ms < 3_600_000);
    assert_eq!(bucket("3600"), Some(3.0));
}

#[tokio::test(start_paused = true)]
async fn a_month_begins_at_zero_and_what_is_left_of_the_last_one_is_not_in_it() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let id = world.id("demo", RINA);
    let today = Day::of(START);
    let spent = |calls| Spent {
        calls,
        ..Spent::default()
    };
    for (fence, day, calls) in [
        (1, today.month_begins().plus(-1), 1),
        (2, today.month_begins(), 2),
        (3, today, 4),
        (4, today.plus(1), 8),
    ] {
        let at = day.begins();
        let table = &world.world.table;
        table
            .count_lost(&id, Fence(fence), &spent(calls), at)
            .await
            .unwrap();
    }
    let requests = scrape(&world).await;
    assert_eq!(
        requests.sum("chatbot_openrouter_requests_total", "demo"),
        6.0
    );
}

#[tokio::test(start_paused = true)]
async fn an_owner_sees_their_own_bots_and_at_most_fifty_of_them() {
    let many: Vec<Bot> = (0..52).map(|n| bot(&format!("bot-{n:02}"))).collect();
    let other = Bot {
        owner: OwnerId::new("somebody").unwrap(),
        ..bot("zzz-other")
    };
    let world = TestWorld::new(&many).await;
    world.world.put_bots(&[other]).await.unwrap();
    let scraped = scrape(&world).await;
    assert_eq!(
        scraped.value("chatbot_metrics_bots_left_out", &[]),
        Some(2.0)
    );
    assert_eq!(scraped.0["chatbot_messages_total"].samples.len(), 50);
    let (key, _) = world.key("somebody", Role::Viewer).await;
    let reply = world.api_with(key.expose()).get("/metrics").await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(
        text.contains("bot=\"zzz-other\"") && !text.contains("bot-0"),
        "I12"
    );
    exposition::read(&text);
    // Somebody without a bot reads of the installation only.
    let (key, _) = world.key("nobody", Role::Viewer).await;
    let reply = world.api_with(key.expose()).get("/metrics").await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(!text.contains("bot=\""));
    exposition::read(&text);
    world.api_without_key().get("/metrics").await.expect(401);
}

#[tokio::test(start_paused = true)]
async fn the_breakers_state_is_told() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let state = |scraped: &Scrape, provider: &str| {
        scraped.value("breaker_state", &[("provider", provider)])
    };
    let healthy = scrape(&world).await;
    assert_eq!(state(&healthy, "openrouter"), Some(0.0));
    world.open_breaker("openrouter", "provider_down").await;
    let open = scrape(&world).await;
    assert_eq!(state(&open, "openrouter"), Some(2.0));
    assert_eq!(state(&open, "second"), Some(0.0));
    sleep(61).await;
    assert_eq!(state(&scrape(&world).await, "openrouter"), Some(1.0));
    let now = world.world.clock.now();
    let owner = Owner("probe".to_owned());
    let table = &world.world.table;
    table
        .breaker_probe("openrouter", &owner, now.plus_ms(60_000), now)
        .await
        .unwrap();
    assert_eq!(state(&scrape(&world).await, "openrouter"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_credits_is_told_for_as_long_as_it_is_known() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let left = |scraped: Scrape| scraped.value("credits_remaining_usd", &[]);
    assert_eq!(left(scrape(&world).await), None);
    world.outside.key_is(Account::key(Some(7.5), 1.0, 0.5));
    world.check_credits().await.unwrap().unwrap();
    assert_eq!(left(scrape(&world).await), Some(7.5));
    // A run that cannot read anything makes the last one no less true.
    sleep(3_600).await;
    world.outside.key_is(Account::Breaks);
    let _ = world.check_credits().await;
    assert_eq!(left(scrape(&world).await), Some(7.5));
    sleep(26 * 3_600).await;
    assert_eq!(left(scrape(&world).await), None);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_us_is_told_and_who_has_a_person_is_not() {
    let world = TestWorld::new(&[bot("demo")]).await;
    // No worker runs: both are owed an answer.
    say(&world, "demo", RINA, "A", 0).await;
    sleep(100).await;
    say(&world, "demo", BUDI, "A", 100).await;
    let oldest = |scraped: &Scrape| scraped.value("oldest_owed_seconds", &[]);
    let without = |scraped: &Scrape| scraped.value("turns_without_outcome", &[]);
    let soon = scrape(&world).await;
    assert_eq!((oldest(&soon), without(&soon)), (Some(100.0), Some(0.0)));
    // 300 s are the deadline, 30 s the grace.
    sleep(231).await;
    let late = scrape(&world).await;
    assert_eq!((oldest(&late), without(&late)), (Some(331.0), Some(1.0)));
    let until = world.world.clock.now().plus_ms(60_000);
    world.pause("demo", RINA, until).await;
    let paused = scrape(&world).await;
    assert_eq!(
        (oldest(&paused), without(&paused)),
        (Some(231.0), Some(0.0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_is_a_503_and_no_half_of_a_scrape() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Viewer).await;
    world.faults.always(".Query", Fault::Error(When::Before));
    let reply = ROLE.scope(Function::Sweeper, api.get("/metrics")).await;
    assert_eq!(reply.expect(503)["type"], "/problems/unavailable");
}
