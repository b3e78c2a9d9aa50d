//! The credits: one run an hour, one alert per change of a level, and an empty account that pauses the calls.

use std::time::Duration;

use credits::pause::OPENROUTER;
use credits::{Checked, Report};
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::outside::{Account, Model};
use tests::world::{START, TestWorld};

const HOUR: Duration = Duration::from_secs(3_600);
const MANAGEMENT: (&str, &str) = ("OPENROUTER_MANAGEMENT_KEY", "sk-or-v1-management");

/// A key with this much left that uses little.
fn left(usd: f64) -> Account {
    Account::key(Some(usd), 2.5, 0.5)
}

fn no_cap() -> Account {
    Account::key(None, 2.5, 0.5)
}

/// Runs this hour, then lets it pass.
async fn run(world: &TestWorld) -> Report {
    let checked = world.check_credits().await.unwrap().unwrap();
    tokio::time::sleep(HOUR).await;
    match checked {
        Checked::Run(report) => report,
        other => panic!("{other:?}"),
    }
}

/// The items of the credits' partition, by sort key.
async fn items(world: &TestWorld) -> Vec<Value> {
    let query = json!({
        "TableName": "clivy",
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "X#credits"}},
    });
    let answer = world.dynamodb("Query", query).await;
    answer["Items"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn every_change_of_the_balance_is_told_once() {
    let world = TestWorld::new(&[]).await;
    let balances = [50.0, 5.0, 4.9, 4.8, 0.9, 0.8, 0.0, 0.0, 2.0, 50.0, 50.0];
    for usd in balances {
        world.outside.key_is(left(usd));
        run(&world).await;
    }
    assert_eq!(
        world.alert_subjects(),
        [
            "Clivy: OpenRouter credits are low: 4.90 USD left",
            "Clivy: OpenRouter credits are nearly used up: 0.90 USD left",
            "Clivy: OpenRouter credits are used up: no answers",
            "Clivy, better: OpenRouter credits are low: 2.00 USD left",
            "Clivy: OpenRouter credits are fine again: 50.00 USD left",
        ]
    );
    // The key's label shows a part of the key (I11).
    for alert in world.world.alerts() {
        assert!(!alert.message.contains("sk-or"), "{}", alert.message);
    }
}

#[tokio::test(start_paused = true)]
async fn what_stays_bad_is_told_once_a_day() {
    let world = TestWorld::new(&[]).await;
    world.outside.key_is(left(4.9));
    let mut told_at = Vec::new();
    for hour in 0..60 {
        if run(&world).await.alerts > 0 {
            told_at.push(hour);
        }
    }
    assert_eq!(told_at, [0, 24, 48]);
    let subjects = world.alert_subjects();
    assert_eq!(subjects.len(), 3);
    assert!(subjects[1].starts_with("Clivy, still: "), "{subjects:?}");
}

#[tokio::test(start_paused = true)]
async fn use_and_runway_are_told_by_themselves() {
    let world = TestWorld::with(&[], &[("CREDITS_HIGH_USAGE_USD_PER_DAY", "90")]).await;
    // 4 USD an hour, for 70 hours of the 75 that 300 USD last.
    for hour in 0..70 {
        let used = 4.0 * f64::from(hour);
        let daily = 4.0 * f64::from(hour % 24);
        world
            .outside
            .key_is(Account::key(Some(300.0 - used), used, daily));
        run(&world).await;
    }
    let of = |beginning: &str| {
        let subjects = world.alert_subjects().into_iter();
        let of = subjects.filter(|subject| subject.starts_with(beginning));
        of.collect::<Vec<_>>()
    };
    assert_eq!(
        of("Clivy: OpenRouter credits last"),
        [
            "Clivy: OpenRouter credits last about 72 hours",
            "Clivy: OpenRouter credits last about 24 hours",
            "Clivy: OpenRouter credits last about 6 hours",
        ]
    );
    assert_eq!(of("Clivy, still: OpenRouter credits last").len(), 1);
    // 92 USD in the first 23 hours; the counter of the day begins anew, the last 24 hours do not.
    assert_eq!(
        of("Clivy: OpenRouter use"),
        ["Clivy: OpenRouter use is high: 92.00 USD in a day"]
    );
    assert_eq!(of("Clivy, still: OpenRouter use").len(), 1);
    assert_eq!(world.alert_subjects().len(), 6);

    // Nothing is used any more, and more is bought.
    world.outside.key_is(Account::key(Some(500.0), 276.0, 0.0));
    for _ in 0..30 {
        run(&world).await;
    }
    assert_eq!(of("Clivy: OpenRouter use is normal again").len(), 1);
    assert_eq!(of("Clivy: OpenRouter credits last longer again").len(), 1);
    assert_eq!(world.alert_subjects().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn one_hour_is_run_once_however_often_it_is_delivered() {
    let world = TestWorld::new(&[]).await;
    let slow = Account::Slow(Duration::from_secs(2), Box::new(left(0.5)));
    world.outside.key_is(slow);
    let at_once = futures_util::future::join_all((0..5).map(|_| world.check_credits())).await;
    let mut runs = 0;
    for checked in at_once {
        match checked.unwrap().unwrap() {
            Checked::Run(_) => runs += 1,
            Checked::Busy { until } => assert!(until > START),
            Checked::AlreadyRun => panic!("it is not done yet"),
        }
    }
    assert_eq!(runs, 1);
    for _ in 0..5 {
        let again = world.check_credits().await.unwrap().unwrap();
        assert_eq!(again, Checked::AlreadyRun);
    }
    assert_eq!(world.outside.account_calls().len(), 1);
    assert_eq!(world.world.alerts().len(), 1);
    // The next hour is another one: 02:15 began it, so that 45 minutes later it is there.
    tokio::time::sleep(HOUR * 3 / 4).await;
    run(&world).await;
    assert_eq!(world.outside.account_calls().len(), 2);
    let items = items(&world).await;
    let keys: Vec<_> = items.iter().map(|item| &item["sk"]["S"]).collect();
    assert_eq!(keys, ["LEVEL", "RUN#2025112002", "RUN#2025112003"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_kept_with_its_figures_for_ninety_days() {
    let world = TestWorld::with(&[], &[MANAGEMENT]).await;
    world.outside.account_is(Account::balance(20.0, 8.0));
    run(&world).await;
    let items = items(&world).await;
    let [item] = items.as_slice() else {
        panic!("{items:?}")
    };
    let figures = &item["figures"]["M"];
    assert_eq!(figures["limit_remaining_usd"]["N"], "97.5");
    assert_eq!(figures["key_usage_usd"]["N"], "2.5");
    assert_eq!(figures["account_credits_usd"]["N"], "20");
    assert_eq!(figures["account_usage_usd"]["N"], "8");
    let seconds = START.0 / 1000 + 90 * 86_400;
    assert_eq!(item["expires_at"]["N"], seconds.to_string());
    assert!(!item.to_string().contains("sk-or"), "{item}");
}

#[tokio::test(start_paused = true)]
async fn a_null_limit_without_a_management_key_is_said_aloud() {
    let world = TestWorld::new(&[]).await;
    world.outside.key_is(no_cap());
    let report = run(&world).await;
    assert_eq!(report.remaining_usd, None);
    assert!(report.levels.contains(&("balance", "unknown".to_owned())));
    assert_eq!(
        world.alert_subjects(),
        ["Clivy: OpenRouter credits cannot be seen"]
    );
    // A cap ends it.
    world.outside.key_is(left(50.0));
    run(&world).await;
    assert_eq!(world.alert_subjects().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_null_limit_with_a_management_key_is_the_accounts_balance() {
    let world = TestWorld::with(&[], &[MANAGEMENT]).await;
    world.outside.key_is(no_cap());
    world.outside.account_is(Account::balance(20.0, 8.0));
    assert_eq!(run(&world).await.remaining_usd, Some(12.0));
    assert!(world.alert_subjects().is_empty());
    world.outside.account_is(Account::balance(8.5, 8.0));
    run(&world).await;
    assert_eq!(
        world.alert_subjects(),
        ["Clivy: OpenRouter credits are nearly used up: 0.50 USD left"]
    );
    // Not read for an hour is not gone: nothing is told, neither that it is unknown nor that it is back.
    world.outside.account_is(Account::Breaks);
    run(&world).await;
    world.outside.account_is(Account::balance(8.5, 8.0));
    run(&world).await;
    assert_eq!(world.alert_subjects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_never_bought_anything_is_not_empty() {
    let world = TestWorld::with(&[bot("demo")], &[MANAGEMENT]).await;
    world.outside.key_is(no_cap());
    world.outside.account_is(Account::balance(0.0, 0.0));
    run(&world).await;
    assert!(world.alert_subjects().is_empty());
    let breaker = world.provider(OPENROUTER).await.breaker;
    assert!(breaker.is_healthy());
}

fn no_credits() -> Model {
    let message = "Insufficient credits. Add more at your account's page";
    Model::Http(402, json!({"error": {"code": 402, "message": message}}))
}

async fn ask(world: &TestWorld, n: usize) {
    let phone = format!("62811{n:06}");
    let body = bubble("demo", &phone, &format!("B{n}"), 0, &format!("kata {n}"));
    let (status, _) = world.post(&body).await;
    assert_eq!(status, 200);
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_account_pauses_the_calls_but_one_probe_a_cooldown_until_it_is_filled() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_does((0..1_000).map(|_| no_credits()));
    world.outside.key_is(left(0.0));
    world.start();
    let report = world.check_credits().await.unwrap().unwrap();
    assert!(matches!(report, Checked::Run(_)));
    for n in 0..5 {
        ask(&world, n).await;
    }
    sleep(55).await;
    assert_eq!(world.outside.asked().len(), 0, "paused");
    sleep(545).await;
    let probes = world.outside.asked().len();
    assert!((1..=10).contains(&probes), "{probes} probes in 10 minutes");

    // It is filled. The next run says so, and nobody waits for a probe.
    world.outside.model_is_well();
    world.outside.key_is(left(50.0));
    sleep(3_600).await;
    let table = &world.world.table;
    let waiting = table.provider(OPENROUTER).await.unwrap().breaker;
    assert!(waiting.open_until.is_some(), "nobody asked meanwhile");
    run(&world).await;
    assert!(
        table
            .provider(OPENROUTER)
            .await
            .unwrap()
            .breaker
            .is_healthy()
    );
    let asked = world.outside.asked().len();
    ask(&world, 9).await;
    sleep(10).await;
    assert_eq!(world.outside.asked().len(), asked + 1);
    assert_eq!(
        world.outside.sends().last().unwrap().text,
        "Jawaban atas: kata 9"
    );
    world.settle().await;
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_filled_between_two_runs_heals_by_the_breakers_own_probe() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.key_is(left(-0.2));
    world.start();
    world.check_credits().await.unwrap().unwrap();
    ask(&world, 0).await;
    ask(&world, 1).await;
    sleep(50).await;
    assert_eq!(world.outside.asked().len(), 0);
    world.settle().await;
    assert_eq!(world.outside.delivered().len(), 2);
    let breaker = world.provider(OPENROUTER).await.breaker;
    assert!(breaker.is_healthy());
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_is_open_for_another_reason_is_left_alone() {
    let world = TestWorld::new(&[]).await;
    let table = &world.world.table;
    let open = world.open_breaker(OPENROUTER, "overloaded").await;
    assert!(open.breaker.open_until.is_some());
    // Well, then empty: neither closes it, nor does it become open for longer.
    for usd in [50.0, 0.0] {
        world.outside.key_is(left(usd));
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.check_credits().await.unwrap().unwrap();
        assert_eq!(table.provider(OPENROUTER).await.unwrap(), open);
    }
}
