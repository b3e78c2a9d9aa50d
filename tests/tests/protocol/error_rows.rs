//! Every row of the table of errors, from the answer on the wire to what the customer and the operator see of it.

use std::time::Duration;

use clivy::conversation::outcome::TurnStatus;
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::outside::Model;
use tests::world::TestWorld;

const RINA: &str = "6281100090001";
const FALLBACK: &str = "Maaf Kak, tim kami akan membalas.";
/// What no customer and no record may ever show: it stands in every error's body.
const SECRET: &str = "RAHASIA-62811";

/// What the customer reads.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reads {
    Answer,
    Fallback,
}

struct Row {
    name: &'static str,
    model: Model,
    /// What the operator finds in the turn.
    class: &'static str,
    /// The error once, then the model is well: calls, and what the customer reads.
    once: (usize, Reads),
    /// Between the first call and the second, in seconds, at least and at most.
    wait: Option<(u64, u64)>,
    /// The error for ever: the most calls.
    forever: usize,
    /// What one such failure adds to the breaker.
    weight: u32,
}

fn http(status: u16, error: Value) -> Model {
    let mut error = error;
    if error["message"].is_null() {
        error["message"] = json!(SECRET);
    }
    Model::Http(status, json!({"error": error}))
}

fn with_header(status: u16, seconds: u64) -> Model {
    Model::HttpWith(
        status,
        vec![("retry-after", seconds.to_string())],
        json!({"error": {"code": status, "message": SECRET}}),
    )
}

fn choice(choice: &Value) -> Model {
    Model::Http(
        200,
        json!({"id": "gen", "model": "test/model", "choices": [choice]}),
    )
}

/// A failure that passes: the next try comes within the first backoff.
fn passes(name: &'static str, model: Model, class: &'static str) -> Row {
    Row {
        name,
        model,
        class,
        once: (2, Reads::Answer),
        wait: Some((1, 36)),
        forever: 3,
        weight: 1,
    }
}

/// A failure that is final for this turn.
fn is_final(name: &'static str, model: Model, class: &'static str, weight: u32) -> Row {
    Row {
        name,
        model,
        class,
        once: (1, Reads::Fallback),
        wait: None,
        forever: 1,
        weight,
    }
}

/// A refusal that is answered at once with a shorter prompt, in the same try.
fn reduces(name: &'static str, model: Model) -> Row {
    Row {
        name,
        model,
        class: "context_too_long",
        once: (2, Reads::Answer),
        wait: Some((0, 1)),
        forever: 5,
        weight: 0,
    }
}

fn rows() -> Vec<Row> {
    let in_flight = json!({"code": 402, "metadata": {"limit_source": "openrouter_in_flight_budget", "retry_after": 20}});
    let resets_at = tests::world::START.plus_ms(100_000).0;
    let budget = json!({"code": 403, "metadata": {"limit_source": "openrouter_daily_budget", "resets_at": resets_at}});
    let never = json!({"code": 403, "metadata": {"limit_source": "openrouter_key_limit"}});
    vec![
        passes("408", http(408, json!({"code": 408})), "timed_out"),
        passes("429", http(429, json!({"code": 429})), "rate_limited"),
        Row {
            wait: Some((70, 75)),
            ..passes("429 with Retry-After", with_header(429, 70), "rate_limited")
        },
        Row {
            once: (1, Reads::Fallback),
            wait: None,
            forever: 1,
            ..passes(
                "429 until long after the deadline",
                with_header(429, 900),
                "rate_limited",
            )
        },
        passes("500", http(500, json!({"code": 500})), "server_error"),
        passes("502", http(502, json!({"code": 502})), "provider_down"),
        passes("503", http(503, json!({"code": 503})), "overloaded"),
        passes("504", http(504, json!({"code": 504})), "timed_out"),
        passes("524", http(524, json!({"code": 524})), "timed_out"),
        passes("529", http(529, json!({"code": 529})), "overloaded"),
        passes("the connection breaks", Model::Breaks, "connection_broken"),
        passes(
            "an error under 200",
            Model::Http(200, json!({"error": {"code": 502, "message": SECRET}})),
            "provider_down",
        ),
        passes(
            "an error in the choice",
            choice(&json!({"finish_reason": "error", "error": {"code": 503, "message": SECRET}})),
            "overloaded",
        ),
        passes(
            "no choices",
            Model::Http(200, json!({"choices": []})),
            "empty_answer",
        ),
        passes(
            "an empty answer",
            choice(&json!({"finish_reason": "stop", "message": {"content": ""}})),
            "empty_answer",
        ),
        Row {
            weight: 0,
            ..passes(
                "max_tokens used up",
                choice(&json!({"finish_reason": "length", "message": {"content": ""}})),
                "output_too_short",
            )
        },
        passes("not JSON", Model::Http(200, json!(SECRET)), "unreadable"),
        is_final("401", http(401, json!({"code": 401})), "invalid_key", 1),
        is_final(
            "402 empty",
            http(
                402,
                json!({"code": 402, "message": format!("Insufficient credits {SECRET}")}),
            ),
            "no_credits",
            5,
        ),
        Row {
            wait: Some((0, 1)),
            forever: 6,
            weight: 0,
            ..passes(
                "402 can only afford",
                http(
                    402,
                    json!({"code": 402, "message": "You requested up to 800 tokens, but can only afford 300."}),
                ),
                "only_shorter_affordable",
            )
        },
        Row {
            wait: Some((20, 26)),
            forever: 16,
            weight: 0,
            ..passes("402 in flight", http(402, in_flight), "in_flight_budget")
        },
        is_final(
            "403 moderation",
            http(
                403,
                json!({"code": 403, "metadata": {"reasons": ["x"], "flagged_input": SECRET}}),
            ),
            "moderated",
            0,
        ),
        Row {
            wait: Some((90, 105)),
            forever: 12,
            weight: 0,
            ..passes("403 budget that resets", http(403, budget), "budget_spent")
        },
        Row {
            wait: Some((30, 36)),
            forever: 12,
            weight: 0,
            ..passes(
                "403 key limit without a reset",
                http(403, never),
                "budget_spent",
            )
        },
        is_final(
            "403 otherwise",
            http(403, json!({"code": 403})),
            "forbidden",
            0,
        ),
        is_final(
            "404",
            http(
                404,
                json!({"code": 404, "message": format!("No endpoints found {SECRET}")}),
            ),
            "model_unavailable",
            0,
        ),
        is_final("400", http(400, json!({"code": 400})), "bad_request", 0),
        is_final("422", http(422, json!({"code": 422})), "bad_request", 0),
        is_final(
            "429 for the day",
            http(
                429,
                json!({"code": 429, "message": "Rate limit exceeded: free-models-per-day"}),
            ),
            "daily_free_limit",
            0,
        ),
        reduces(
            "400 context",
            http(400, json!({"code": 400, "message": "prompt is too long"})),
        ),
        reduces("413", http(413, json!({"code": 413}))),
        reduces(
            "422 too large",
            http(422, json!({"code": 422, "message": "Input too large"})),
        ),
        reduces(
            "a context error under 502",
            http(
                502,
                json!({"code": 502, "message": "context_length_exceeded"}),
            ),
        ),
        reduces(
            "a context error under 200",
            Model::Http(
                200,
                json!({"error": {"message": "exceeds the context length of the model"}}),
            ),
        ),
        is_final(
            "a field is too long",
            http(400, json!({"code": 400, "message": "string too long"})),
            "bad_request",
            0,
        ),
    ]
}

async fn ask(model: &Model, times: usize) -> TestWorld {
    let mut demo = bot("demo");
    demo.documents = (0..5)
        .map(|n| clivy::conversation::bot::Document {
            title: format!("Halo {n}"),
            kind: "faq".to_owned(),
            content: "Halo kak".to_owned(),
        })
        .collect();
    let world = TestWorld::new(&[demo]).await;
    world
        .outside
        .model_does(std::iter::repeat_n(model.clone(), times));
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.settle().await;
    world
}

fn reads(world: &TestWorld) -> Reads {
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 1, "one reply");
    match sends[0].text.as_str() {
        FALLBACK => Reads::Fallback,
        text => {
            assert_eq!(text, "Jawaban atas: Halo");
            Reads::Answer
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_error_once_makes_the_calls_the_waits_and_the_reply_that_it_should() {
    for row in rows() {
        let name = row.name;
        let world = ask(&row.model, 1).await;
        let calls = world.outside.calls();
        assert_eq!((calls.len(), reads(&world)), row.once, "{name}");
        if let (Some((least, most)), [first, second, ..]) = (row.wait, &calls[..]) {
            let waited = second.at - first.at;
            assert!(
                waited >= Duration::from_secs(least) && waited <= Duration::from_secs(most),
                "{name}: {waited:?}"
            );
        }
        let turn = world.turn("demo", RINA, 1).await;
        let is_parked = row.once.1 == Reads::Fallback;
        let status = if is_parked {
            TurnStatus::Failed
        } else {
            TurnStatus::Answered
        };
        assert_eq!(turn.status, status, "{name}");
        assert_eq!(turn.llm_calls as usize, calls.len(), "{name}");
        assert_eq!(world.dead_letters().len(), usize::from(is_parked), "{name}");
        world.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_error_for_ever_ends_in_the_fallback_text_once_and_nowhere_in_raw_text() {
    for row in rows() {
        let name = row.name;
        let world = ask(&row.model, 1_000).await;
        assert_eq!(reads(&world), Reads::Fallback, "{name}");
        let calls = world.outside.calls();
        assert!(calls.len() <= row.forever, "{name}: {} calls", calls.len());
        let sent = &world.outside.sends()[0];
        assert!(sent.at <= Duration::from_secs(330), "{name}: {:?}", sent.at);
        // The operator: the turn with its attempts, and a dead letter to redrive.
        let turn = world.turn("demo", RINA, 1).await;
        assert_eq!(turn.status, TurnStatus::Failed, "{name}");
        let last = turn.attempts.last().unwrap();
        assert_eq!(last.class, row.class, "{name}");
        assert!(
            !last.message.is_empty() && last.ended_at >= last.started_at,
            "{name}"
        );
        assert_eq!(world.dead_letters().len(), 1, "{name}");
        let items = world.dynamodb("Scan", json!({"TableName": "clivy"})).await;
        assert!(!items.to_string().contains(SECRET), "{name}: I11");
        world.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_error_weighs_on_the_breaker_what_it_says_about_the_provider() {
    for row in rows() {
        let name = row.name;
        let world = TestWorld::new(&[bot("demo")]).await;
        world.outside.model_does([row.model.clone()]);
        world.outside.model_follows(|_| Some(Model::Hangs));
        world.start();
        world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
        tokio::time::sleep(Duration::from_millis(3_900)).await;
        let provider = world.provider("openrouter").await;
        assert_eq!(provider.breaker.failures, row.weight, "{name}");
        assert_eq!(
            provider.breaker.open_until.is_some(),
            row.weight >= 5,
            "{name}"
        );
    }
}
