//! The credits when something fails: a run that dies, a topic that is gone, an OpenRouter that refuses or says nothing.

use std::time::Duration;

use credits::pause::OPENROUTER;
use credits::{Checked, CreditsError};
use serde_json::json;
use tests::faults::{Fault, Role, When};
use tests::outside::Account;
use tests::world::TestWorld;

const FAULTS: [Fault; 4] = [
    Fault::Crash(When::Before),
    Fault::Crash(When::After),
    Fault::Error(When::Before),
    Fault::Error(When::After),
];
const MANAGEMENT: (&str, &str) = ("OPENROUTER_MANAGEMENT_KEY", "sk-or-v1-management");

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn empty_account() -> TestWorld {
    let world = TestWorld::with(&[], &[MANAGEMENT]).await;
    world.outside.key_is(Account::key(Some(50.0), 2.5, 0.5));
    world.outside.account_is(Account::balance(20.0, 20.0));
    world
}

/// Invokes as Lambda does: again after one minute and after two more, where it failed or died. How often it took.
async fn invoke(world: &TestWorld) -> usize {
    for (tries, pause) in [60, 120, 0].into_iter().enumerate() {
        match world.check_credits().await {
            Some(Ok(Checked::Busy { .. })) => panic!("the lease is not over after a minute"),
            Some(Ok(_)) => return tries + 1,
            Some(Err(_)) | None => sleep(pause).await,
        }
    }
    panic!("no run in three tries");
}

async fn item(world: &TestWorld, sk: &str) -> serde_json::Value {
    let key = json!({"TableName": "clivy", "Key": {"pk": {"S": "X#credits"}, "sk": {"S": sk}}});
    world.dynamodb("GetItem", key).await["Item"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_run_may_die_anywhere_and_the_owner_is_told_and_the_calls_are_paused() {
    let world = empty_account().await;
    assert_eq!(invoke(&world).await, 1);
    let effects = world.faults.effects(Role::Credits);
    // Take the hour, read levels and history, the key and the account, the breaker, the alert, the level, the end.
    assert_eq!(effects.len(), 9, "{effects:?}");
    for (index, effect) in effects.iter().enumerate() {
        for fault in FAULTS {
            println!("{fault:?} at effect {index}: {effect}");
            let world = empty_account().await;
            world.faults.arm(Role::Credits, index, fault);
            let tries = invoke(&world).await;
            assert!(!world.faults.is_armed(), "the fault happened");
            let run = item(&world, "RUN#2025112002").await;
            assert!(run["done_at"].is_object(), "{run}");
            if !(effect.ends_with("/credits") && matches!(fault, Fault::Error(_))) {
                check(&world, tries).await;
            }
            assert_eq!(world.faults.refused(), Vec::<String>::new());
        }
    }
}

/// Told once or, where a run died between telling and writing it down, twice; and never again.
async fn check(world: &TestWorld, tries: usize) {
    let told = world.alert_subjects();
    let used_up = "Clivy: OpenRouter credits are used up: no answers";
    assert!(told.iter().all(|subject| subject == used_up), "{told:?}");
    assert!((1..=tries.max(2)).contains(&told.len()), "{told:?}");
    let level = item(world, "LEVEL").await;
    assert_eq!(level["balance_level"]["S"], "empty");
    let breaker = world.provider(OPENROUTER).await.breaker;
    assert!(breaker.open_until.is_some());
    let again = world.check_credits().await.unwrap().unwrap();
    assert_eq!(again, Checked::AlreadyRun);
    sleep(3_600).await;
    assert_eq!(invoke(world).await, 1);
    assert_eq!(world.alert_subjects().len(), told.len(), "nothing is new");
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_telling_and_writing_it_down_tells_it_twice_and_loses_nothing() {
    let world = empty_account().await;
    let effects = empty_account_effects().await;
    let publish = |name: &String| name == "AmazonSNS.Publish";
    let index = effects.iter().position(publish).unwrap();
    world
        .faults
        .arm(Role::Credits, index, Fault::Crash(When::After));
    assert_eq!(invoke(&world).await, 2);
    assert_eq!(world.alert_subjects().len(), 2);
    check(&world, 2).await;
}

async fn empty_account_effects() -> Vec<String> {
    let world = empty_account().await;
    invoke(&world).await;
    world.faults.effects(Role::Credits)
}

#[tokio::test(start_paused = true)]
async fn a_dead_run_is_taken_over_after_its_lease_and_not_before() {
    let world = empty_account().await;
    world
        .faults
        .arm(Role::Credits, 0, Fault::Crash(When::After));
    assert!(world.check_credits().await.is_none(), "it died");
    sleep(49).await;
    let early = world.check_credits().await.unwrap().unwrap();
    assert!(matches!(early, Checked::Busy { .. }), "{early:?}");
    assert!(world.outside.account_calls().is_empty());
    sleep(1).await;
    let after = world.check_credits().await.unwrap().unwrap();
    assert!(matches!(after, Checked::Run(_)), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_cannot_be_published_is_published_by_the_next_run() {
    let world = empty_account().await;
    world.world.engines.sns.delete_topic(local::world::ALERTS);
    for hour in ["RUN#2025112002", "RUN#2025112003"] {
        assert_eq!(invoke(&world).await, 1);
        // The run is stored all the same, and what was not told is not written down.
        assert!(item(&world, hour).await["figures"].is_object());
        assert!(item(&world, "LEVEL").await.is_null());
        sleep(3_600).await;
    }
    assert!(world.world.alerts().is_empty());
    world.world.engines.sns.create_topic(local::world::ALERTS);
    invoke(&world).await;
    assert_eq!(world.alert_subjects().len(), 1);
    sleep(3_600).await;
    invoke(&world).await;
    assert_eq!(world.alert_subjects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_told_once_and_its_hour_is_done() {
    let world = TestWorld::new(&[]).await;
    let refuses = Account::refuses(401, "No cookie auth credentials found for sk-or-v1-test");
    world.outside.key_is(refuses);
    for _ in 0..3 {
        assert_eq!(invoke(&world).await, 1);
        let again = world.check_credits().await.unwrap().unwrap();
        assert_eq!(again, Checked::AlreadyRun);
        sleep(3_600).await;
    }
    assert_eq!(world.outside.account_calls().len(), 3);
    let [alert] = world.world.alerts().try_into().unwrap();
    assert!(alert.message.contains("(status 401)"), "{}", alert.message);
    assert!(!alert.message.contains("sk-or"), "{}", alert.message);
    world.outside.key_is(Account::key(Some(50.0), 2.5, 0.5));
    invoke(&world).await;
    assert_eq!(
        world.alert_subjects(),
        [
            "Clivy: OpenRouter refuses the API key: no answers",
            "Clivy: OpenRouter answers again and accepts the keys"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_management_key_that_is_none_is_told_beside_what_it_hides() {
    let world = TestWorld::with(&[], &[MANAGEMENT]).await;
    world.outside.key_is(Account::key(None, 2.5, 0.5));
    invoke(&world).await;
    assert_eq!(
        world.alert_subjects(),
        [
            "Clivy: OpenRouter refuses the management key",
            "Clivy: OpenRouter credits cannot be seen"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_openrouter_that_says_nothing_is_tried_again_and_told_after_three_hours() {
    let world = TestWorld::new(&[]).await;
    for hour in 0..5 {
        let silent = match hour % 3 {
            0 => Account::Hangs,
            1 => Account::Breaks,
            _ => Account::refuses(503, "down"),
        };
        world.outside.key_is(silent);
        for _ in 0..3 {
            let failed = world.check_credits().await.unwrap().unwrap_err();
            assert!(matches!(failed, CreditsError::OpenRouter(_)), "{failed}");
            sleep(60).await;
        }
        assert_eq!(world.alert_subjects().len(), usize::from(hour >= 2));
        sleep(3_600 - 180).await;
    }
    assert_eq!(world.outside.account_calls().len(), 15);
    world.outside.key_is(Account::key(Some(50.0), 2.5, 0.5));
    invoke(&world).await;
    assert_eq!(
        world.alert_subjects(),
        [
            "Clivy: OpenRouter's credits cannot be read",
            "Clivy: OpenRouter answers again and accepts the keys"
        ]
    );
}
