//! The model fails: what the customer and the operator see of it.

use std::time::Duration;

use clivy::conversation::outcome::TurnStatus;
use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::outside::Model;
use tests::world::TestWorld;

const RINA: &str = "6281100020001";
const FALLBACK: &str = "Maaf Kak, tim kami akan membalas.";

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn one_question(script: impl IntoIterator<Item = Model>) -> TestWorld {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_does(script);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.settle().await;
    world.assert_quiet().await;
    world
}

fn down() -> Model {
    Model::Http(
        503,
        json!({"error": {"code": 503, "message": "Service unavailable"}}),
    )
}

#[tokio::test(start_paused = true)]
async fn three_failed_attempts_end_in_the_fallback_text_once_and_a_dead_letter_that_can_be_redriven()
 {
    let world = one_question([down(), down(), down()]).await;
    assert_eq!(world.outside.asked().len(), 3);
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 1);
    assert_eq!(sends[0].text, FALLBACK);
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(turn.status, TurnStatus::Failed);
    assert_eq!(turn.attempts.len(), 3);
    assert_eq!(
        turn.attempts.iter().map(|a| a.number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(
        turn.attempts
            .iter()
            .all(|a| a.class != "ok" && !a.message.is_empty())
    );

    let dead = world.dead_letters();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].contains("\"retry_turn\":1"), "{}", dead[0]);
    assert!(!dead[0].contains(RINA), "I11");

    // The model works again; redriving answers properly, once, however often it is redriven.
    for _ in 0..3 {
        world.redrive().await;
        world.settle().await;
        world.put(local::world::DLQ, &dead[0]).await;
    }
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 2, "{sends:?}");
    assert_eq!(sends[1].text, "Jawaban atas: Halo");
    assert_eq!(
        world.turn("demo", RINA, 1).await.status,
        TurnStatus::Retried
    );
    assert_eq!(
        world.turn("demo", RINA, 2).await.status,
        TurnStatus::Answered
    );
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_retried_and_the_customer_notices_nothing() {
    let world = one_question([down()]).await;
    assert_eq!(world.outside.asked().len(), 2);
    assert_eq!(world.outside.sends()[0].text, "Jawaban atas: Halo");
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(turn.status, TurnStatus::Answered);
    assert_eq!((turn.attempts.len(), turn.tries), (2, 2));
    assert_eq!(turn.attempts[1].class, "ok");
    assert!(world.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_bubble_during_the_backoff_joins_the_burst_and_does_not_cut_it_short() {
    let settings = [
        ("AI_RETRY_SECONDS", "600"),
        ("OUTCOME_DEADLINE_SECONDS", "3600"),
    ];
    let world = TestWorld::with(&[bot("demo")], &settings).await;
    world.outside.model_does([down()]);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    sleep(5).await;
    let retry_at = world.head("demo", RINA).await.retry_at.unwrap();
    world.post(&bubble("demo", RINA, "B", 5, "halo?")).await;
    world.settle().await;
    assert_eq!(world.outside.questions(), ["Halo", "Halo\nhalo?"]);
    assert_eq!(world.outside.sends().len(), 1);
    let turn = world.turn("demo", RINA, 1).await;
    assert!(turn.attempts[1].started_at >= retry_at, "the backoff held");
}

#[tokio::test(start_paused = true)]
async fn every_place_where_an_error_can_hide_is_seen() {
    let hidden = [
        Model::Http(
            200,
            json!({"error": {"code": 502, "message": "Provider returned error"}}),
        ),
        Model::Http(
            200,
            json!({"id": "x", "model": "m", "choices": [{"finish_reason": "error",
            "error": {"code": 502, "message": "upstream"}, "message": {"role": "assistant", "content": ""}}]}),
        ),
        Model::Http(200, json!({"id": "x", "model": "m", "choices": []})),
        Model::Http(
            200,
            json!({"id": "x", "model": "m", "choices": [{"finish_reason": "stop",
            "message": {"role": "assistant", "content": null}}]}),
        ),
        Model::Http(
            429,
            json!({"error": {"code": 429, "message": "Rate limited"}}),
        ),
        Model::Breaks,
        Model::Hangs,
        Model::Http(502, json!("<html>bad gateway</html>")),
        Model::Says("   \n ".to_owned()),
    ];
    for error in hidden {
        let shown = format!("{error:?}");
        let world = one_question([error]).await;
        assert_eq!(world.outside.asked().len(), 2, "{shown}");
        assert_eq!(world.outside.sends().len(), 1, "{shown}");
        assert_eq!(
            world.outside.sends()[0].text,
            "Jawaban atas: Halo",
            "{shown}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_will_never_work_gets_the_fallback_text_at_once() {
    for (status, body) in [
        (
            401,
            json!({"error": {"code": 401, "message": "No auth credentials found"}}),
        ),
        (
            403,
            json!({"error": {"code": 403, "message": "flagged", "metadata": {"reasons": ["violence"],
            "flagged_input": "SECRET INPUT", "provider_name": "x"}}}),
        ),
        (
            404,
            json!({"error": {"code": 404, "message": "No endpoints found"}}),
        ),
    ] {
        let world = one_question([Model::Http(status, body)]).await;
        assert_eq!(world.outside.asked().len(), 1, "{status}");
        assert_eq!(world.outside.sends().len(), 1);
        assert_eq!(world.outside.sends()[0].text, FALLBACK);
        let turn = world.turn("demo", RINA, 1).await;
        assert_eq!(turn.status, TurnStatus::Failed);
        assert!(!turn.attempts[0].message.contains("SECRET"), "I11");
        assert_eq!(world.dead_letters().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_context_that_is_too_long_is_shortened_in_the_same_attempt() {
    let too_long = || {
        Model::Http(
            400,
            json!({"error": {"code": 400, "message": "prompt is too long"}}),
        )
    };
    let world = one_question([too_long(), too_long()]).await;
    assert_eq!(world.outside.asked().len(), 3);
    assert_eq!(world.outside.sends()[0].text, "Jawaban atas: Halo");
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!((turn.tries, turn.attempts.len()), (1, 1));
    // However short it gets: the fallback text, not silence.
    let world = one_question((0..8).map(|_| too_long())).await;
    assert_eq!(world.outside.sends()[0].text, FALLBACK);
    assert!(world.outside.asked().len() <= 4);
}

#[tokio::test(start_paused = true)]
async fn waiting_costs_no_attempt_and_has_an_end() {
    let busy = || {
        Model::Http(
            402,
            json!({"error": {"code": 402, "message": "in flight",
            "metadata": {"limit_source": "openrouter_in_flight_budget", "retry_after": 20}}}),
        )
    };
    let world = one_question((0..5).map(|_| busy())).await;
    assert_eq!(world.outside.sends()[0].text, "Jawaban atas: Halo");
    assert_eq!(
        world.turn("demo", RINA, 1).await.tries,
        1,
        "only the last one counted"
    );
    // Never-ending: the fallback text when the next try would be beyond the outcome deadline.
    let world = one_question((0..200).map(|_| busy())).await;
    let sends = world.outside.sends();
    assert_eq!((sends.len(), sends[0].text.as_str()), (1, FALLBACK));
    assert!(sends[0].at >= Duration::from_secs(280), "{:?}", sends[0].at);
    assert!(sends[0].at < Duration::from_secs(310), "{:?}", sends[0].at);
}

#[tokio::test(start_paused = true)]
async fn a_redriven_turn_joins_what_is_pending_and_waits_for_its_silence() {
    let world = one_question([down(), down(), down()]).await;
    world.post(&bubble("demo", RINA, "B", 200, "halo?")).await;
    let typed_at = world.world.clock.now();
    world.redrive().await;
    world.settle().await;
    let questions = world.outside.questions();
    assert_eq!(questions.last().unwrap(), "Halo\nhalo?");
    assert_eq!(world.outside.sends().len(), 2);
    let turn = world.turn("demo", RINA, 2).await;
    assert!(
        turn.attempts[0].started_at.since_ms(typed_at) >= 3_000,
        "I6"
    );
    world.assert_quiet().await;
}
