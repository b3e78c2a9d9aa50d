//! Metrics: every invocation says what it should in CloudWatch's format, the numbers are right, and nothing in a line is
//! anybody's secret.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use clivy::access::Role;
use clivy::conversation::bot::{Bot, ModelEntry};
use clivy::metrics::catalog::{self, Unit};
use serde_json::{Value, json};
use sweeper::Swept;
use tests::bubbles::{bot, bubble, post, written_at};
use tests::emf::names;
use tests::faults::{Fault, ROLE, Role as Function};
use tests::outside::{Account, Gateway, Model};
use tests::world::TestWorld;

const RINA: &str = "6281100080001";
const BUDI: &str = "6281100080002";
const DOCUMENT: &str = include_str!("../../docs/METRICS.md");

const REQUESTS: &str = "chatbot_openrouter_requests_total";
const SECOND: &str = "chatbot_second_provider_requests_total";
const TOKENS: &str = "chatbot_token_usage_total";
const ACTIVE: &str = "chatbot_conversations_active_total";
const RATIO: &str = "chatbot_free_model_efficiency_ratio";
const RESPONSE: &str = "chatbot_message_response_time_seconds";
const HTTP: &str = "chatbot_http_request_duration_seconds";

fn with_models(id: &str, models: &[&str]) -> Bot {
    Bot {
        models: models.iter().map(|name| ModelEntry::named(name)).collect(),
        ..bot(id)
    }
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A customer writes now, and gets the answer.
async fn ask(world: &TestWorld, bot: &str, phone: &str, mid: &str) {
    let now = world.world.clock.now();
    world
        .post(&written_at(bubble(bot, phone, mid, 0, "Halo"), now))
        .await;
    world.settle().await;
}

async fn sweep(world: &TestWorld) -> Swept {
    let deadline = world.world.clock.now().plus_ms(50_000);
    world.world.sweeper.sweep(deadline).await.unwrap()
}

fn unreachable() -> Model {
    Model::Http(500, json!({"error": {"code": 500, "message": "down"}}))
}

fn gone() -> Model {
    Model::Http(
        404,
        json!({"error": {"code": 404, "message": "No endpoints found."}}),
    )
}

/// A day in which everything happens that is measured.
async fn a_day(world: &TestWorld) {
    world.start();
    world.outside.model_follows(|asked| match asked.model() {
        "a/gone" => Some(gone()),
        _ => None,
    });
    ask(world, "free", RINA, "A").await;
    ask(world, "paid", RINA, "B").await;
    world.outside.key_is(Account::key(Some(3.25), 2.5, 0.5));
    world.check_credits().await.unwrap().unwrap();
    world.check_credits().await.unwrap().unwrap();
    sweep(world).await;
    let api = world.api(Role::Viewer).await;
    api.get("/health/live").await.expect(200);
    api.get("/nowhere/6281100080001").await;
}

fn bots_of_the_day() -> [Bot; 2] {
    [
        with_models("free", &["a/small:free"]),
        Bot {
            openrouter_key: Some("sk-or-v1-of-the-bot".to_owned()),
            ..with_models("paid", &["a/gone", "b/good"])
        },
    ]
}

#[tokio::test(start_paused = true)]
async fn every_metric_is_said_in_the_format_and_none_that_is_not_in_the_catalogue() {
    let settings = [
        ("SECOND_PROVIDER_BASE_URL", "http://second.test/v1"),
        ("SECOND_PROVIDER_API_KEY", "second-key"),
        ("SECOND_PROVIDER_MODEL", "small-one"),
    ];
    let world = TestWorld::with(&bots_of_the_day(), &settings).await;
    a_day(&world).await;
    world
        .outside
        .model_follows(|asked| (asked.host != "second.test").then(unreachable));
    ask(&world, "free", BUDI, "C").await;
    let lines = world.measured();
    let said: BTreeSet<&str> = lines.iter().flat_map(names).collect();
    let known: BTreeSet<&str> = catalog::all().iter().map(|entry| entry.name).collect();
    assert_eq!(said, known);
    for line in &lines {
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            for metric in directive["Metrics"].as_array().unwrap() {
                let name = metric["Name"].as_str().unwrap();
                let all = catalog::all();
                let entry = all.iter().find(|entry| entry.name == name).unwrap();
                assert_eq!(metric["Unit"], entry.unit.as_str(), "{name}");
                assert_eq!(directive["Dimensions"], json!([entry.dimensions]), "{name}");
            }
        }
    }
    assert_eq!(world.values(SECOND, &[("status", "ok")]), [1.0]);
    assert!(world.values(REQUESTS, &[("provider", "second")]).is_empty());
}

#[tokio::test(start_paused = true)]
async fn calls_and_tokens_are_counted_by_what_they_are_and_who_pays() {
    let world = TestWorld::new(&bots_of_the_day()).await;
    a_day(&world).await;
    let requests = |status, is_free| {
        let words = [("status", status), ("is_free_model", is_free)];
        world.values(REQUESTS, &words)
    };
    assert_eq!(requests("ok", "true"), [1.0]);
    assert_eq!(requests("ok", "false"), [1.0]);
    assert_eq!(requests("model_unavailable", "false"), [1.0]);
    let tokens = |kind, tier| world.values(TOKENS, &[("type", kind), ("user_tier", tier)]);
    for tier in ["shared", "own_key"] {
        assert_eq!(tokens("prompt", tier), [120.0], "{tier}");
        assert_eq!(tokens("completion", tier), [30.0], "{tier}");
        assert_eq!(tokens("cached", tier), [64.0], "{tier}");
    }
    assert_eq!(
        world.values(RATIO, &[]),
        [1.0, 0.0],
        "their average is the ratio"
    );
    assert_eq!(world.values(RATIO, &[("model", "b/good")]), [0.0]);
}

#[tokio::test(start_paused = true)]
async fn the_response_time_is_from_the_oldest_message_to_the_send() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let answer = || Model::Says("Buka".to_owned());
    world
        .outside
        .model_does([Model::Slow(Duration::from_secs(4), Box::new(answer()))]);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    sleep(2).await;
    world.post(&bubble("demo", RINA, "B", 2, "Jam buka?")).await;
    world.settle().await;
    let sent_s = world.outside.sends()[0].at.as_secs_f64();
    let seconds = world.values(RESPONSE, &[]);
    assert_eq!(seconds.len(), 1);
    assert!(
        seconds[0] >= 9.0 && (seconds[0] - sent_s).abs() < 0.2,
        "{seconds:?} {sent_s}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_does_not_arrive_has_no_response_time_and_a_turn_is_said_once() {
    let world = TestWorld::with(&[bot("demo")], &[("GATEWAY_MAX_ATTEMPTS", "2")]).await;
    world.outside.gateway_does([Gateway::Http(400)]);
    world.start();
    ask(&world, "demo", RINA, "A").await;
    assert!(world.values(RESPONSE, &[]).is_empty());
    assert_eq!(
        world.values(ACTIVE, &[("turn_status", "undelivered")]),
        [1.0]
    );
    // A send that has to be repeated is one turn all the same.
    world.outside.gateway_does([Gateway::Http(500)]);
    ask(&world, "demo", BUDI, "B").await;
    assert_eq!(world.values(RESPONSE, &[]).len(), 1);
    assert_eq!(world.values(ACTIVE, &[]).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_is_active_once_in_each_clock_hour() {
    let world = TestWorld::new(&[bot("demo"), bot("other")]).await;
    world.start();
    // The world begins at 02:15:05 UTC.
    for (bot, phone, mid) in [
        ("demo", RINA, "A"),
        ("demo", RINA, "B"),
        ("demo", BUDI, "C"),
        ("other", RINA, "D"),
        ("demo", RINA, "E"),
    ] {
        ask(&world, bot, phone, mid).await;
        sleep(120).await;
    }
    assert_eq!(world.values(ACTIVE, &[]), [1.0, 0.0, 1.0, 1.0, 0.0]);
    // The next clock hour, less than an hour later.
    sleep(45 * 60).await;
    ask(&world, "demo", RINA, "F").await;
    ask(&world, "demo", RINA, "G").await;
    assert_eq!(world.values(ACTIVE, &[])[5..], [1.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_timed_and_told_by_its_route_alone() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.faults.always(
        "TransactWriteItems",
        Fault::Late(Duration::from_millis(700)),
    );
    ROLE.scope(
        Function::Webhook,
        world.post(&bubble("demo", RINA, "A", 0, "Halo")),
    )
    .await;
    let webhook = world.values(HTTP, &[("function", "webhook"), ("status_class", "2xx")]);
    assert!(
        webhook.len() == 1 && (0.7..0.8).contains(&webhook[0]),
        "{webhook:?}"
    );
    let mut wrong = post(&json!({}));
    *wrong.method_mut() = http::Method::GET;
    world.request(wrong).await;
    assert_eq!(
        world
            .values(HTTP, &[("function", "webhook"), ("status_class", "4xx")])
            .len(),
        1
    );

    let api = world.api_without_key();
    api.get("/health/detailed").await.expect(401);
    api.get(&format!("/api/bots/demo/conversations/{RINA}/nothing"))
        .await;
    let inbox = |class| world.values(HTTP, &[("function", "inbox"), ("status_class", class)]);
    assert_eq!(inbox("4xx").len(), 2);
    let lines = world.measured();
    let routes: Vec<&Value> = lines.iter().map(|line| &line["route"]).collect();
    assert!(routes.contains(&&json!("/health/detailed")));
    assert!(routes.contains(&&json!("none")), "{routes:?}");
}

#[tokio::test(start_paused = true)]
async fn the_sweeper_tells_who_waits_and_how_long() {
    let world = TestWorld::new(&[bot("demo")]).await;
    sweep(&world).await;
    assert_eq!(world.values("oldest_owed_seconds", &[]), [0.0]);
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.purge().await;
    // Not yet long enough to be swept, but long enough to be seen.
    sleep(60).await;
    sweep(&world).await;
    assert_eq!(world.values("oldest_owed_seconds", &[]), [0.0, 60.0]);
    sleep(300).await;
    sweep(&world).await;
    assert_eq!(world.values("oldest_owed_seconds", &[])[2], 360.0);
    assert_eq!(world.values("turns_without_outcome", &[]), [0.0, 0.0, 1.0]);
    assert_eq!(world.values("sweeper_hits_total", &[]), [0.0, 0.0, 1.0]);
    // Whom a person has paused waits for that person.
    world
        .pause("demo", RINA, world.world.clock.now().plus_ms(3_600_000))
        .await;
    sleep(60).await;
    sweep(&world).await;
    assert_eq!(world.values("oldest_owed_seconds", &[])[3], 0.0);
    assert_eq!(world.values("turns_without_outcome", &[])[3], 0.0);
    assert_eq!(world.values("sweeper_incomplete", &[]), [0.0; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_fails_or_does_not_get_to_the_end_says_so() {
    let world = TestWorld::new(&[]).await;
    let now = world.world.clock.now();
    world.world.sweeper.sweep(now.plus_ms(1_000)).await.unwrap();
    assert_eq!(world.values("sweeper_incomplete", &[]), [1.0]);
    world
        .faults
        .always("Query", Fault::Error(tests::faults::When::Before));
    let failed = ROLE.scope(
        Function::Sweeper,
        world.world.sweeper.sweep(now.plus_ms(60_000)),
    );
    failed.await.unwrap_err();
    assert_eq!(world.values("sweeper_incomplete", &[]), [1.0, 1.0]);
    assert!(
        world.values("oldest_owed_seconds", &[]).is_empty(),
        "nobody can say"
    );
}

#[tokio::test(start_paused = true)]
async fn a_breaker_is_told_every_minute_as_it_stands() {
    let world = TestWorld::new(&[]).await;
    sweep(&world).await;
    world.open_breaker("openrouter", "provider_down").await;
    sweep(&world).await;
    sleep(61).await;
    sweep(&world).await;
    let table = &world.world.table;
    table.breaker_close("openrouter").await.unwrap();
    sweep(&world).await;
    let states = |provider| world.values("breaker_state", &[("provider", provider)]);
    assert_eq!(states("openrouter"), [0.0, 2.0, 1.0, 0.0]);
    assert_eq!(states("second"), [0.0; 4]);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_credits_is_told_when_it_was_read() {
    let world = TestWorld::new(&[]).await;
    world.outside.key_is(Account::key(Some(3.25), 2.5, 0.5));
    world.check_credits().await.unwrap().unwrap();
    world.check_credits().await.unwrap().unwrap();
    assert_eq!(world.values("credits_remaining_usd", &[]), [3.25]);
    assert_eq!(world.values("credits_alerts_total", &[]), [1.0, 0.0]);
    sleep(3_600).await;
    world.outside.key_is(Account::Breaks);
    world.check_credits().await.unwrap().unwrap_err();
    assert_eq!(world.values("credits_remaining_usd", &[]).len(), 1);
    assert_eq!(
        world.values("credits_alerts_total", &[("result", "failed")]),
        [0.0]
    );
}

#[tokio::test(start_paused = true)]
async fn no_line_shows_a_number_a_name_a_text_or_a_secret() {
    let mut marked = bots_of_the_day();
    for bot in &mut marked {
        bot.system_prompt = "PROMPTMARK".to_owned();
        bot.fallback_text = "FALLBACKMARK".to_owned();
    }
    let world = TestWorld::new(&marked).await;
    world
        .outside
        .model_does([Model::Says("ANSWERMARK".to_owned())]);
    a_day(&world).await;
    let now = world.world.clock.now();
    let mut body = written_at(bubble("free", RINA, "Z", 0, "TEXTMARK"), now);
    body["event"]["Info"]["PushName"] = json!("NAMEMARK");
    world.post(&body).await;
    world.settle().await;
    let lines = world.world.metrics.lines();
    assert!(lines.len() > 10);
    let secrets = [
        "MARK",
        "62811000",
        "Pelanggan",
        "sk-or",
        "token-",
        "clivy_",
        "a-key-for-tests",
        "84203917755120",
    ];
    for line in &lines {
        for secret in secrets {
            assert!(!line.contains(secret), "{secret}: {line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn how_the_model_was_is_kept_once_a_minute_and_after_the_reply() {
    let world = TestWorld::new(&bots_of_the_day()).await;
    let last = || async { world.world.table.last_outcome("openrouter").await.unwrap() };
    world.start();
    ask(&world, "paid", RINA, "A").await;
    assert_eq!(
        last().await,
        None,
        "a bot's own key says nothing about the provider"
    );
    ask(&world, "free", RINA, "B").await;
    let first = last().await.unwrap();
    assert_eq!(
        (first.model.as_str(), first.class.as_str()),
        ("a/small:free", "ok")
    );
    assert_eq!(world.outside.sends().len(), 2);
    world.outside.model_does([gone()]);
    ask(&world, "free", BUDI, "C").await;
    assert_eq!(last().await.unwrap(), first, "less than a minute later");
    sleep(60).await;
    world.outside.model_does([gone()]);
    ask(&world, "free", BUDI, "D").await;
    let kept = last().await.unwrap();
    assert!(
        kept.at > first.at && kept.class == "model_unavailable",
        "{kept:?}"
    );
    // An instance that comes late with something older changes nothing.
    world
        .world
        .table
        .keep_outcome("openrouter", &first)
        .await
        .unwrap();
    assert_eq!(last().await.unwrap(), kept);
}

#[test]
fn the_document_and_the_code_name_the_same_metrics() {
    let row = |line: &str| -> Option<(String, String, String)> {
        let cells: Vec<&str> = line
            .trim()
            .trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let name = cells
            .first()?
            .strip_prefix('`')?
            .strip_suffix('`')?
            .to_owned();
        let dimensions = cells.get(2)?.replace('`', "");
        Some((name, (*cells.get(1)?).to_owned(), dimensions))
    };
    let table = DOCUMENT
        .split("## Names")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let documented: BTreeSet<_> = table.lines().filter_map(row).collect();
    let word = |unit: Unit| match unit {
        Unit::Count => "Count",
        Unit::Seconds => "Seconds",
        Unit::None => "None",
    };
    let all = catalog::all();
    let coded: BTreeSet<_> = all
        .iter()
        .map(|entry| {
            let dimensions = match entry.dimensions.join(", ") {
                none if none.is_empty() => "–".to_owned(),
                some => some,
            };
            (
                entry.name.to_owned(),
                word(entry.unit).to_owned(),
                dimensions,
            )
        })
        .collect();
    assert_eq!(documented, coded);
    assert_eq!(coded.len(), all.len(), "a metric is in the catalogue twice");
}
