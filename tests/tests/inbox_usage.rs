//! GET usage: the ledger as its readers see it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::time::Duration;

use clivy::access::Role;
use clivy::conversation::bot::ModelEntry;
use clivy::conversation::ids::Fence;
use clivy::conversation::outcome::{Spent, TurnStatus};
use clivy::table::Turn;
use clivy::usage::{Day, Times};
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble, from_the_phone};
use tests::faults::{Fault, ROLE, Role as Function, When};
use tests::outside::Model;
use tests::world::{START, TestWorld};

const RINA: &str = "6281100090001";
const BUDI: &str = "6281100090002";
const SARI: &str = "6281100090003";
const TONO: &str = "6281100090004";
const WATI: &str = "6281100090005";
const DEWI: &str = "6281100090006";
/// What the scripted model says that a call has used.
const COST_USD: f64 = 0.000_25;

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn usage(world: &TestWorld, query: &str) -> Value {
    let path = format!("/api/bots/demo/usage{query}");
    world.api(Role::Viewer).await.get(&path).await.expect(200)
}

async fn say(world: &TestWorld, phone: &str, mid: &str, second: i64, text: &str) {
    let (status, _) = world.post(&bubble("demo", phone, mid, second, text)).await;
    assert_eq!(status, 200);
}

fn after(ms: u64, model: Model) -> Model {
    Model::Slow(Duration::from_millis(ms), Box::new(model))
}

fn says(text: &str) -> Model {
    Model::Says(text.to_owned())
}

/// Six customers: three bubbles together, a retry, the fallback text, an answer and the same one kept, a takeover.
async fn a_busy_morning() -> TestWorld {
    let mut demo = bot("demo");
    demo.response_cache = true;
    demo.models = vec![ModelEntry::named("some/model:free")];
    let world = TestWorld::new(&[demo]).await;
    let down = json!({"error": {"code": 503, "message": "down"}});
    world.outside.model_does([
        after(2_500, says("Ada Kak")),
        after(700, Model::Http(503, down)),
        says("Bisa Kak"),
        Model::Breaks,
        Model::Breaks,
        Model::Breaks,
        says("Jam 8 sampai 20"),
        after(10_000, says("Terlambat")),
    ]);
    world.start();
    for (n, text) in ["Halo", "ada kopi?", "berapa harganya?"].iter().enumerate() {
        say(&world, RINA, &format!("A{n}"), n as i64, text).await;
        sleep(1).await;
    }
    sleep(60).await;
    for (n, (phone, text)) in [
        (BUDI, "Bisa kirim hari ini?"),
        (SARI, "Kok mahal sekali ya?"),
        (TONO, "Jam buka?"),
        (WATI, "jam buka ?"),
    ]
    .iter()
    .enumerate()
    {
        say(&world, phone, "B", 100 + n as i64, text).await;
        world.settle().await;
    }
    say(&world, DEWI, "C", 200, "Saya mau pesan banyak").await;
    sleep(8).await;
    let now = world.world.clock.now();
    world
        .post(&from_the_phone("demo", DEWI, "P", now, "Halo Bu Dewi"))
        .await;
    world.settle().await;
    world.assert_quiet().await;
    world
}

/// The records of all turns.
async fn turns(world: &TestWorld) -> Vec<Turn> {
    let mut all = Vec::new();
    for phone in [RINA, BUDI, SARI, TONO, WATI, DEWI] {
        for burst in 1..=world.head("demo", phone).await.bursts {
            all.push(world.turn("demo", phone, burst).await);
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_morning_is_counted_as_it_was_scripted() {
    let world = a_busy_morning().await;
    let total = usage(&world, "?from=2025-11-20&to=2025-11-20").await["total"].clone();
    let expected = json!({
        "conversations": 6, "new_contacts": 6, "turns": 6, "messages": 8, "trials": 0,
        "by_status": {"answered": 4, "failed": 1, "left_to_person": 1},
        "llm_calls": 8, "errors": {"overloaded": 1, "connection_broken": 3},
        "tokens_in": 4 * 120, "tokens_out": 4 * 30, "tokens_cached": 4 * 64,
        "cost_usd": 4.0 * COST_USD, "cost_per_conversation": 0.000_166_667,
        // Three answers of a free model; the fourth was kept.
        "free_model_ratio": 1.0, "calls_saved_by_batching": 2, "calls_saved_by_cache": 1,
        "tokens_saved": 150, "wasted": 1,
        // 2.5, 0.7 and 10 s of eight calls. The 95th of a hundred is in the bucket from 8 to 12 s.
        "latency_ms_average": 1_650, "latency_ms_p95": 10_400,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(total[name], *value, "{name}");
    }
    assert_eq!(world.outside.calls().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn the_total_is_the_sum_of_the_turns_own_records_whichever_way_it_is_divided() {
    let world = a_busy_morning().await;
    let turns = turns(&world).await;
    let by_day = usage(&world, "?from=2025-11-19&to=2025-11-21&by=day").await;
    let by_hour = usage(&world, "?from=2025-11-19&to=2025-11-21&by=hour").await;
    assert_eq!(by_day["total"], by_hour["total"]);
    assert_eq!(by_day["items"].as_array().unwrap().len(), 3);
    assert_eq!(by_hour["items"].as_array().unwrap().len(), 72);
    let total = &by_day["total"];
    let sum = |of: &dyn Fn(&Turn) -> u64| turns.iter().map(of).sum::<u64>();
    for (name, expected) in [
        ("turns", turns.len() as u64),
        ("messages", sum(&|turn| turn.keys.len() as u64)),
        ("llm_calls", sum(&|turn| turn.llm_calls.into())),
        ("tokens_in", sum(&|turn| turn.tokens_in)),
        ("tokens_out", sum(&|turn| turn.tokens_out)),
        ("tokens_cached", sum(&|turn| turn.tokens_cached)),
        ("wasted", sum(&|turn| turn.wasted.into())),
        (
            "tokens_saved",
            sum(&|turn| turn.tokens_saved.unwrap_or_default()),
        ),
    ] {
        assert_eq!(total[name], expected, "{name}");
        for divided in [&by_day, &by_hour] {
            let items = divided["items"].as_array().unwrap();
            let all: u64 = items.iter().map(|item| item[name].as_u64().unwrap()).sum();
            assert_eq!(all, expected, "{name}");
        }
    }
    // The answer to Dewi was generated in a try that a person has ended: it is spent, and nobody has waited for it.
    let mut waits = Times::default();
    let mut waited_ms = 0;
    for turn in &turns {
        if matches!(turn.status, TurnStatus::Answered | TurnStatus::Failed) {
            let ms = turn.ended_at.unwrap().since_ms(turn.began_at.unwrap());
            waits.add_all(&Times::one(ms));
            waited_ms += ms;
        }
    }
    assert_eq!(waits.count(), 5);
    let average = (waited_ms as f64 / 5.0).round();
    assert_eq!(total["response_ms_average"].as_f64(), Some(average));
    let p95 = waits.quantile_ms(0.95).unwrap().round();
    assert_eq!(total["response_ms_p95"].as_f64(), Some(p95));
}

#[tokio::test(start_paused = true)]
async fn a_contact_is_a_conversation_once_a_day_and_new_once() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    say(&world, RINA, "A", 0, "Halo").await;
    say(&world, BUDI, "A", 0, "Halo").await;
    sleep(2 * 3_600).await;
    say(&world, RINA, "B", 7_200, "Masih ada?").await;
    world.settle().await;
    sleep(24 * 3_600).await;
    say(&world, RINA, "C", 7_300, "Selamat pagi").await;
    world.settle().await;
    let days = usage(&world, "?from=2025-11-20&to=2025-11-21").await;
    let of = |item: &Value| json!([item["conversations"], item["new_contacts"], item["turns"]]);
    assert_eq!(of(&days["items"][0]), json!([2, 2, 3]));
    assert_eq!(of(&days["items"][1]), json!([1, 0, 1]));
    assert_eq!(of(&days["total"]), json!([3, 2, 4]), "conversation-days");
    // By hour a contact is in the hour of the day's first turn: START is 02:15.
    let hours = usage(&world, "?from=2025-11-20&to=2025-11-20&by=hour").await;
    assert_eq!(of(&hours["items"][2]), json!([2, 2, 2]));
    assert_eq!(of(&hours["items"][4]), json!([0, 0, 1]));
    assert_eq!(hours["items"][4]["at"], "2025-11-20T04:00:00.000Z");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_behind_at_midnight_counts_no_conversation_twice() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    say(&world, RINA, "A", 0, "Halo").await;
    world.settle().await;
    // Somebody whose clock is ahead has counted it for tomorrow already.
    let tomorrow = Day::of(START).plus(1).number();
    let values = json!({":day": {"N": tomorrow.to_string()}});
    world
        .update_head("demo", RINA, "SET counted_day = :day", values)
        .await;
    say(&world, RINA, "B", 60, "Masih ada?").await;
    world.settle().await;
    let total = usage(&world, "").await["total"].clone();
    assert_eq!(
        json!([total["conversations"], total["turns"]]),
        json!([1, 2])
    );
    let head = world.head("demo", RINA).await;
    assert_eq!(head.counted_day.map(Day::number), Some(tomorrow));
}

#[tokio::test(start_paused = true)]
async fn without_a_range_it_is_the_last_seven_days_and_nothing_is_divided_by_nothing() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let week = usage(&world, "").await;
    assert_eq!(
        json!([week["from"], week["to"], week["by"]]),
        json!(["2025-11-14", "2025-11-20", "day"])
    );
    let items = week["items"].as_array().unwrap();
    let begins: Vec<&str> = items
        .iter()
        .filter_map(|item| item["at"].as_str())
        .collect();
    assert_eq!(begins.len(), 7);
    assert_eq!(begins[0], "2025-11-14T00:00:00.000Z");
    assert_eq!(begins[6], "2025-11-20T00:00:00.000Z");
    let nothing = json!({"conversations": 0, "new_contacts": 0, "turns": 0, "by_status": {}, "messages": 0,
        "llm_calls": 0, "trials": 0, "tokens_in": 0, "tokens_out": 0, "tokens_cached": 0, "cost_usd": 0.0,
        "cost_per_conversation": null, "latency_ms_average": null, "latency_ms_p95": null,
        "response_ms_average": null, "response_ms_p95": null, "errors": {}, "free_model_ratio": null,
        "calls_saved_by_batching": 0, "calls_saved_by_cache": 0, "tokens_saved": 0, "wasted": 0});
    assert_eq!(week["total"], nothing);
    for item in items {
        let mut counts = item.clone();
        counts.as_object_mut().unwrap().remove("at");
        assert_eq!(counts, nothing);
    }
    // Only one end is told.
    let until = usage(&world, "?to=2024-03-02").await;
    assert_eq!(until["from"], "2024-02-25");
    let since = usage(&world, "?from=2025-11-19&by=hour").await;
    assert_eq!(since["items"].as_array().unwrap().len(), 48);
}

#[tokio::test(start_paused = true)]
async fn a_range_over_months_takes_all_of_its_hours_and_no_other() {
    let world = TestWorld::new(&[bot("demo"), bot("lain")]).await;
    let id = world.id("demo", RINA);
    let spent = Spent {
        calls: 1,
        cost_usd: 0.1,
        ..Spent::default()
    };
    let first = Day::parse("2025-10-31").unwrap();
    for (fence, (days, hours, amount)) in [
        (-1, 23, 1),
        (0, 0, 2),
        (0, 23, 4),
        (1, 12, 8),
        (62, 23, 16),
        (63, 0, 32),
    ]
    .into_iter()
    .enumerate()
    {
        let spent = Spent {
            calls: amount,
            ..spent.clone()
        };
        let at = first.plus(days).begins().plus_ms(hours * 3_600_000);
        world
            .world
            .table
            .count_lost(&id, Fence(fence as u64), &spent, at)
            .await
            .unwrap();
    }
    // 2025-10-31 to 2026-01-01.
    let range = usage(&world, "?from=2025-10-31&to=2026-01-01").await;
    let calls: Vec<u64> = range["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["llm_calls"].as_u64().unwrap())
        .collect();
    assert_eq!(calls.len(), 63);
    assert_eq!((calls[0], calls[1], calls[62]), (6, 8, 16));
    assert_eq!(range["total"]["llm_calls"], 30);
    // Four tenths, without the dust of adding floats.
    assert_eq!(range["total"]["cost_usd"], 0.4);
    let other = world.api(Role::Viewer).await;
    let other = other
        .get("/api/bots/lain/usage?from=2025-10-31&to=2026-01-01")
        .await;
    assert_eq!(other.expect(200)["total"]["llm_calls"], 0, "I12");
}

#[tokio::test(start_paused = true)]
async fn a_month_of_more_than_one_page_is_read_whole() {
    let world = TestWorld::new(&[bot("demo")]).await;
    for day in 1..=30 {
        for hour in 0..24 {
            let item = json!({"pk": {"S": "U#demo#202511"}, "sk": {"S": format!("D#{day:02}#H#{hour:02}")},
                "turns": {"N": "1"}, "padding": {"S": "x".repeat(3_000)}});
            world
                .dynamodb("PutItem", json!({"TableName": "clivy", "Item": item}))
                .await;
        }
    }
    let path = "?from=2025-11-01&to=2025-11-30";
    let month = ROLE.scope(Function::Sweeper, usage(&world, path)).await;
    assert_eq!(month["total"]["turns"], 720);
    let effects = world.faults.effects(Function::Sweeper);
    let queries = effects.iter().filter(|name| name.ends_with(".Query"));
    assert_eq!(queries.count(), 3, "2.2 MB are three pages");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_is_refused_in_words() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Viewer).await;
    for query in [
        "from=2025-11-21&to=2025-11-20",
        "from=2025-11-21",
        "from=2025-08-20&to=2025-11-20",
        "from=2025-11-13&to=2025-11-20&by=hour",
        "from=0001-01-01&to=9998-12-31",
        "from=2025-02-29&to=2025-03-01",
        "from=&to=",
        "from=today",
        "to=null",
        "to=20251120",
        "to=2025-11-20T00:00:00Z",
        "to=99999999999999999999-01-01",
        "to=9999-12-31",
        "to=%00",
        "to=2025-11-20%0A",
        "to=%F0%9F%98%80",
        "by=week",
        "by=",
        "by=Day",
        "by=%22day%22",
    ] {
        let reply = api.get(&format!("/api/bots/demo/usage?{query}")).await;
        let problem = reply.expect(422);
        assert_eq!(problem["type"], "/problems/invalid", "{query}");
        assert_eq!(reply.headers["content-type"], "application/problem+json");
    }
    for query in ["from=2025-11-20&from=2025-11-20", "by=day&by=hour"] {
        let reply = api.get(&format!("/api/bots/demo/usage?{query}")).await;
        reply.expect(400);
    }
    for query in [
        "from=2025-08-21&to=2025-11-20",
        "from=2025-11-14&by=hour",
        "from=1970-01-01&to=1970-01-01",
        "from=9998-12-31&to=9998-12-31",
        "unknown=%FF",
        "&&&",
    ] {
        let reply = api.get(&format!("/api/bots/demo/usage?{query}")).await;
        reply.expect(200);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_reads_what_somebody_elses_bot_has_used() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let path = "/api/bots/demo/usage";
    world.api_without_key().get(path).await.expect(401);
    let (stranger, _) = world.key("somebody", Role::Owner).await;
    let stranger = world.api_with(stranger.expose());
    stranger.get(path).await.expect(404);
    stranger
        .get("/api/bots/demo/usage?by=nonsense")
        .await
        .expect(404);
    let own = world.api(Role::Viewer).await;
    own.get(path).await.expect(200);
    for bot in [
        "nobody",
        "%00",
        "%FF",
        "demo%23",
        "demo%2F..",
        &"x".repeat(300),
    ] {
        own.get(&format!("/api/bots/{bot}/usage")).await.expect(404);
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_is_a_503_that_may_be_repeated() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Viewer).await;
    world.faults.always(".Query", Fault::Error(When::Before));
    let reply = ROLE
        .scope(Function::Sweeper, api.get("/api/bots/demo/usage"))
        .await;
    assert_eq!(reply.expect(503)["type"], "/problems/unavailable");
}
