//! The breaker: a provider that is down is left alone, but for one probe (I7).

use std::time::Duration;

use clivy::breaker::Breaker;
use clivy::breakers::{Breakers, Leave};
use clivy::conversation::ids::Owner;
use clivy::conversation::outcome::TurnStatus;
use clivy::llm::ErrorKind;
use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::outside::Model;
use tests::world::TestWorld;

const OPENROUTER: &str = "openrouter";

fn invalid_key() -> Model {
    Model::Http(
        401,
        json!({"error": {"code": 401, "message": "No auth credentials found"}}),
    )
}

fn down() -> Model {
    Model::Http(
        503,
        json!({"error": {"code": 503, "message": "Service unavailable"}}),
    )
}

fn phone(n: usize) -> String {
    format!("62811{n:06}")
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn ask(world: &TestWorld, n: usize) {
    let body = bubble(
        "demo",
        &phone(n),
        &format!("B{n}"),
        n as i64,
        &format!("kata {n}"),
    );
    world.post(&body).await;
}

async fn breaker(world: &TestWorld) -> Breaker {
    world.provider(OPENROUTER).await.breaker
}

#[tokio::test(start_paused = true)]
async fn an_invalid_key_opens_it_after_five_failures_and_a_valid_one_closes_it_after_the_cooldown()
{
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_does((0..5).map(|_| invalid_key()));
    world.start();
    for n in 0..5 {
        assert!(breaker(&world).await.open_until.is_none(), "{n} failures");
        ask(&world, n).await;
        sleep(5).await;
    }
    let open = breaker(&world).await;
    assert_eq!(open.failures, 5);
    let opened_at = world.world.clock.now();
    assert!(open.open_until.unwrap() > opened_at);
    // The key is valid from here on, but nobody asks before the cooldown is over.
    ask(&world, 5).await;
    ask(&world, 6).await;
    sleep(45).await;
    assert_eq!(world.outside.asked().len(), 5, "open");
    world.settle().await;
    assert_eq!(world.outside.asked().len(), 7);
    assert!(breaker(&world).await.is_healthy(), "closed");
    for n in [5, 6] {
        let turn = world.turn("demo", &phone(n), 1).await;
        assert_eq!(
            (turn.status, turn.tries),
            (TurnStatus::Answered, 1),
            "waiting costs no try"
        );
    }
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_for_ten_minutes_is_probed_once_a_cooldown() {
    const CONTACTS: usize = 200;
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_does((0..1_000).map(|_| down()));
    world.start();
    let posts = (0..CONTACTS).map(|n| ask(&world, n));
    futures_util::future::join_all(posts).await;
    sleep(20).await;
    let open = breaker(&world).await;
    assert!(open.open_until.is_some());
    let at_once = world.outside.asked().len();
    assert!(at_once <= CONTACTS);
    sleep(580).await;
    // 600 s, and a probe every 60 s at the most.
    assert!(
        world.outside.asked().len() <= at_once + 10,
        "{}",
        world.outside.asked().len()
    );
    world.outside.model_is_well();
    world.settle().await;
    // Everybody got the fallback text once, in time, and can be redriven.
    let sends = world.outside.sends();
    assert_eq!(sends.len(), CONTACTS);
    for send in &sends {
        assert_eq!(send.text, "Maaf Kak, tim kami akan membalas.");
        assert!(send.at < Duration::from_secs(420), "{:?}", send.at);
    }
    assert_eq!(world.dead_letters().len(), CONTACTS);
    // Every call is counted once, and no turn was burnt by waiting.
    let usage = world.usage("demo", world.world.clock.now()).await;
    assert_eq!(usage.llm_calls, world.outside.asked().len() as u64);
    assert_eq!(usage.turns, CONTACTS as u64);
    // The next customer is answered at once or after one probe.
    ask(&world, CONTACTS).await;
    world.settle().await;
    assert_eq!(
        world.outside.sends().last().unwrap().text,
        format!("Jawaban atas: kata {CONTACTS}")
    );
    assert!(breaker(&world).await.is_healthy());
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_dies_is_followed_by_another() {
    let world = TestWorld::with(&[bot("demo")], &[("BREAKER_MAX_FAILURES", "1")]).await;
    world.outside.model_does([down(), Model::Hangs]);
    world.start();
    ask(&world, 0).await;
    sleep(5).await;
    ask(&world, 1).await;
    world.settle().await;
    assert!(breaker(&world).await.is_healthy());
    for n in 0..2 {
        let turn = world.turn("demo", &phone(n), 1).await;
        assert!(matches!(
            turn.status,
            TurnStatus::Answered | TurnStatus::Failed
        ));
    }
    assert_eq!(world.outside.sends().len(), 2);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_moderated_text_says_nothing_about_the_provider() {
    let world = TestWorld::with(&[bot("demo")], &[("BREAKER_MAX_FAILURES", "2")]).await;
    let flagged = || {
        Model::Http(
            403,
            json!({"error": {"code": 403, "message": "flagged",
            "metadata": {"reasons": ["violence"], "flagged_input": "x"}}}),
        )
    };
    world.outside.model_does((0..6).map(|_| flagged()));
    world.start();
    for n in 0..6 {
        ask(&world, n).await;
        sleep(6).await;
    }
    assert_eq!(world.outside.asked().len(), 6);
    assert!(breaker(&world).await.is_healthy());
}

#[tokio::test(start_paused = true)]
async fn a_healthy_provider_costs_no_write() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    for n in 0..3 {
        ask(&world, n).await;
        sleep(6).await;
    }
    let items = world.dynamodb("Scan", json!({"TableName": "clivy"})).await;
    let is_breaker = |item: &serde_json::Value| item["sk"]["S"] == "STATE";
    assert!(!items["Items"].as_array().unwrap().iter().any(is_breaker));
}

#[tokio::test(start_paused = true)]
async fn two_hundred_failures_at_once_open_it_once() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let table = &world.world.table;
    let limits = world.world.worker.rules.breaker;
    let instances: Vec<Breakers> = (0..20).map(|_| Breakers::default()).collect();
    let now = world.world.clock.now();
    let leaves = (0..200).map(|n| {
        let owner = Owner(format!("owner-{n}"));
        let instance = &instances[n % instances.len()];
        async move {
            let leave = instance
                .leave(table, OPENROUTER, &owner, now.plus_ms(60_000), now)
                .await;
            match leave.unwrap() {
                Leave::Given(given) => given,
                Leave::NotBefore(_) => panic!("it is closed"),
            }
        }
    });
    let given = futures_util::future::join_all(leaves).await;
    let told = given.iter().enumerate().map(|(n, given)| {
        let later = now.plus_ms(n as i64);
        let instance = &instances[n % instances.len()];
        async move {
            instance
                .tell(table, given, Some(ErrorKind::Overloaded), limits, later)
                .await
                .unwrap()
        }
    });
    let opened = futures_util::future::join_all(told).await;
    assert_eq!(opened.into_iter().filter(|opened| *opened).count(), 1);
    let breaker = breaker(&world).await;
    assert_eq!(breaker.failures, 200);
    let until = breaker.open_until.unwrap();
    assert!(
        until < now.plus_ms(60_200),
        "nobody has moved its end: {until:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn two_instances_that_probe_at_once_make_one_call() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let table = &world.world.table;
    let limits = world.world.worker.rules.breaker;
    let instances = [Breakers::default(), Breakers::default()];
    let mut now = world.world.clock.now();
    open(&world, limits.max_failures).await;
    for round in 0..3 {
        now = now.plus_ms(limits.cooldown_ms + 1);
        let leaves = (0..10).map(|n| {
            let owner = Owner(format!("{round}-{n}"));
            let instance = &instances[n % 2];
            async move {
                instance
                    .leave(table, OPENROUTER, &owner, now.plus_ms(30_000), now)
                    .await
                    .unwrap()
            }
        });
        let leaves = futures_util::future::join_all(leaves).await;
        let mut given = leaves.into_iter().filter_map(|leave| match leave {
            Leave::Given(given) => Some(given),
            Leave::NotBefore(until) => {
                assert!(until > now);
                None
            }
        });
        let probe = given.next().expect("somebody probes");
        assert!(given.next().is_none(), "and nobody else does");
        let kind = Some(ErrorKind::Overloaded);
        instances[0]
            .tell(table, &probe, kind, limits, now)
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_sees_that_somebody_probes_looks_again_soon() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let (table, limits) = (&world.world.table, world.world.worker.rules.breaker);
    let mut now = world.world.clock.now();
    open(&world, limits.max_failures).await;
    now = now.plus_ms(limits.cooldown_ms);
    let probe_until = now.plus_ms(178_000);
    let [one, other] = ["a", "b"].map(|name| Owner(name.to_owned()));
    let first = Breakers::default();
    let probe = first.leave(table, OPENROUTER, &one, probe_until, now);
    assert!(matches!(probe.await, Ok(Leave::Given(_))));
    // An instance that has not seen the breaker before the probe.
    let second = Breakers::default();
    let soon = now.plus_ms(5_000);
    let shut = second.shut_until(table, OPENROUTER, now).await;
    assert_eq!(shut, Ok(Some(soon)));
    let leave = second.leave(table, OPENROUTER, &other, probe_until, now);
    assert_eq!(leave.await, Ok(Leave::NotBefore(soon)));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_weighs_nothing_keeps_what_was_counted() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let (table, limits) = (&world.world.table, world.world.worker.rules.breaker);
    let now = world.world.clock.now();
    let owner = Owner("a".to_owned());
    let gone = Some(ErrorKind::ModelUnavailable);
    // A model that is gone, before each failure.
    for failures in 1..=limits.max_failures {
        let instance = Breakers::default();
        let leave = instance.leave(table, OPENROUTER, &owner, now, now);
        let Ok(Leave::Given(before)) = leave.await else {
            panic!("it is closed")
        };
        let told = instance.tell(table, &before, gone, limits, now);
        told.await.unwrap();
        open(&world, 1).await;
        assert_eq!(breaker(&world).await.failures, failures);
        // A refusal of a call that began before it opened does not close it.
        let told = instance.tell(table, &before, gone, limits, now);
        told.await.unwrap();
        assert_eq!(breaker(&world).await.failures, failures);
    }
    assert!(breaker(&world).await.open_until.is_some(), "I7");
    // A probe that is refused has found somebody.
    let later = now.plus_ms(limits.cooldown_ms + 1);
    let instance = Breakers::default();
    let leave = instance.leave(table, OPENROUTER, &owner, later, later);
    let Ok(Leave::Given(probe)) = leave.await else {
        panic!("it is half open")
    };
    let told = instance.tell(table, &probe, gone, limits, later);
    told.await.unwrap();
    assert!(breaker(&world).await.is_healthy());
}

/// So many failures in a row, at another instance.
async fn open(world: &TestWorld, failures: u32) {
    let (table, limits) = (&world.world.table, world.world.worker.rules.breaker);
    let now = world.world.clock.now();
    let owner = Owner("elsewhere".to_owned());
    for _ in 0..failures {
        let instance = Breakers::default();
        let leave = instance.leave(table, OPENROUTER, &owner, now, now).await;
        let Leave::Given(given) = leave.unwrap() else {
            panic!("it is closed")
        };
        let kind = Some(ErrorKind::Overloaded);
        let told = instance.tell(table, &given, kind, limits, now);
        told.await.unwrap();
    }
}
