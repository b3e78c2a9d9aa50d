//! The outcome deadline: a customer gets an answer or the fallback text in stated time, whatever the reason.

use std::time::Duration;

use clivy::conversation::outcome::TurnStatus;
use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::faults::{Fault, When};
use tests::outside::Model;
use tests::world::TestWorld;

const RINA: &str = "6281100020001";
const FALLBACK: &str = "Maaf Kak, tim kami akan membalas.";

fn busy(retry_after: &str) -> Model {
    Model::HttpWith(
        429,
        vec![("retry-after", retry_after.to_owned())],
        json!({"error": {"code": 429, "message": "Rate limit exceeded"}}),
    )
}

async fn world(settings: &[(&str, &str)]) -> TestWorld {
    let world = TestWorld::with(&[bot("demo")], settings).await;
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_honoured_to_the_second() {
    let world = world(&[]).await;
    world.outside.model_does([busy("100")]);
    world.settle().await;
    let calls = world.outside.calls();
    let waited = calls[1].at - calls[0].at;
    assert!(waited >= Duration::from_secs(100), "{waited:?}");
    assert!(waited < Duration::from_secs(105), "{waited:?}");
    assert_eq!(world.outside.sends()[0].text, "Jawaban atas: Halo");
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_of_a_quarter_of_an_hour_is_honoured_where_the_deadline_allows_it() {
    let world = world(&[("OUTCOME_DEADLINE_SECONDS", "1200")]).await;
    world.outside.model_does([busy("86400")]);
    world.settle().await;
    let calls = world.outside.calls();
    let waited = calls[1].at - calls[0].at;
    assert!(waited >= Duration::from_secs(900), "{waited:?}");
    assert!(waited < Duration::from_secs(910), "{waited:?}");
    assert_eq!(world.outside.sends()[0].text, "Jawaban atas: Halo");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_try_that_can_only_come_too_late() {
    let world = world(&[]).await;
    world.outside.model_does([busy("600")]);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 1);
    assert_eq!(sends[0].text, FALLBACK);
    assert_eq!(world.outside.calls().len(), 1);
    world.settle().await;
    assert_eq!(world.dead_letters().len(), 1, "replayable");
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_model_that_never_answers_does_not_keep_anybody_beyond_the_deadline() {
    let world = world(&[("AI_MAX_ATTEMPTS", "4")]).await;
    world.outside.model_does(
        (0..10).map(|_| Model::Slow(Duration::from_secs(3_600), Box::new(Model::Hangs))),
    );
    world.settle().await;
    let sends = world.outside.sends();
    assert_eq!((sends.len(), sends[0].text.as_str()), (1, FALLBACK));
    assert!(sends[0].at <= Duration::from_secs(330), "{:?}", sends[0].at);
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(turn.status, TurnStatus::Failed);
    assert!(turn.attempts.iter().all(|a| a.class == "timed_out"));
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_again_and_again_ends_in_the_fallback_text() {
    let world = world(&[]).await;
    // Every question kills its worker.
    world
        .faults
        .always("/chat/completions", Fault::Crash(When::After));
    world.settle().await;
    let sends = world.outside.sends();
    assert_eq!((sends.len(), sends[0].text.as_str()), (1, FALLBACK));
    // Two leases: the second death is after the first takeover, and the second takeover is overdue.
    assert!(sends[0].at <= Duration::from_secs(400), "{:?}", sends[0].at);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_sweeper_counts_a_customer_who_got_nothing() {
    let world = TestWorld::new(&[bot("demo")]).await;
    // No worker runs at all.
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    for (seconds, counted) in [(300, 0), (31, 1)] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let deadline = world.world.clock.now().plus_ms(50_000);
        let swept = world.world.sweeper.sweep(deadline).await.unwrap();
        assert_eq!(swept.turns_without_outcome, counted, "after {seconds} s");
    }
    world.start();
    world.settle().await;
    // Nothing had been tried: an answer is what the customer wants, even late.
    assert_eq!(world.outside.sends()[0].text, "Jawaban atas: Halo");
    world.assert_quiet().await;
}
