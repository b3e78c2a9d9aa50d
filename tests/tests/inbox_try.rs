//! A person tries a question, through the HTTP API of the inbox.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::time::Duration;

use clivy::access::Role;
use clivy::conversation::bot::{Bot, Document, ModelEntry};
use clivy::usage::UsageCounts;
use serde_json::{Value, json};
use tests::api::Reply;
use tests::bubbles::{bot, bubble};
use tests::outside::Model;
use tests::world::{START, TestWorld};

fn knowing(content: &str) -> Bot {
    Bot {
        models: vec![ModelEntry::named("own/model")],
        documents: vec![Document {
            title: "Jam buka".to_owned(),
            kind: "info".to_owned(),
            content: content.to_owned(),
        }],
        ..bot("demo")
    }
}

async fn ask(world: &TestWorld, body: Value) -> Reply {
    let api = world.api(Role::Agent).await;
    api.post("/api/bots/demo/try", body).await
}

async fn usage(world: &TestWorld) -> UsageCounts {
    world.usage("demo", START).await
}

#[tokio::test(start_paused = true)]
async fn a_trial_asks_what_the_worker_would_ask_and_leaves_nothing_but_its_cost() {
    let world = TestWorld::new(&[knowing("Buka 08-20")]).await;
    let answer = ask(&world, json!({"question": "Jam buka?"}))
        .await
        .expect(200);
    assert_eq!(answer["answer"], "Jawaban atas: Jam buka?");
    assert_eq!(answer["documents"], json!(["Jam buka"]));
    assert_eq!(answer["latency_ms"], 800);
    let count = async |prefix: &str| {
        let scan = world.dynamodb("Scan", json!({"TableName": "clivy"})).await;
        let items = scan["Items"].as_array().unwrap().clone();
        items
            .iter()
            .filter(|item| item["pk"]["S"].as_str().unwrap().starts_with(prefix))
            .count()
    };
    assert_eq!(count("C#").await, 0, "no customer, no conversation");
    assert!(world.outside.sends().is_empty());
    let counted = usage(&world).await;
    assert_eq!(
        (
            counted.trials,
            counted.llm_calls,
            counted.turns,
            counted.wasted
        ),
        (1, 1, 0, 0)
    );
    assert_eq!(counted.tokens_in, answer["tokens_in"].as_u64().unwrap());
    assert_eq!(counted.tokens_out, answer["tokens_out"].as_u64().unwrap());
    assert!((counted.cost_usd - answer["cost_usd"].as_f64().unwrap()).abs() < 1e-9);
    assert!(counted.cost_usd > 0.0);
    world.start();
    let body = bubble("demo", "6281", "M1", 0, "Jam buka?");
    assert_eq!(world.post(&body).await.0, 200);
    world.settle().await;
    let asked = world.outside.asked();
    for same in ["messages", "model", "max_tokens", "provider"] {
        assert_eq!(asked[0][same], asked[1][same], "{same}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_saved_yet_can_be_tried() {
    let world = TestWorld::new(&[knowing("Buka 08-20")]).await;
    let body = json!({"question": "Promo apa?", "system_prompt": "Anda galak.", "model": "other/model",
        "documents": [{"title": "<b>Promo</b>", "kind": "", "content": "diskon 10%"}]});
    let answer = ask(&world, body).await.expect(200);
    assert_eq!(answer["documents"], json!(["<b>Promo</b>"]));
    let asked = world.outside.asked();
    let system = asked[0]["messages"][0]["content"].as_str().unwrap();
    assert!(system.starts_with("Anda galak.") && system.contains("diskon 10%"));
    assert!(!system.contains("08-20"));
    assert_eq!(asked[0]["model"], "other/model");
    let api = world.api(Role::Viewer).await;
    let stored = api.get("/api/bots/demo").await.expect(200);
    assert_eq!(
        (&stored["version"], &stored["bot"]["system_prompt"]),
        (&json!(1), &json!("Anda melayani demo."))
    );
}

#[tokio::test(start_paused = true)]
async fn a_bot_with_a_key_of_its_own_pays_for_its_trials() {
    let own = Bot {
        openrouter_key: Some("sk-own".to_owned()),
        ..bot("demo")
    };
    let world = TestWorld::new(&[own]).await;
    ask(&world, json!({"question": "Halo"})).await.expect(200);
    assert!(world.outside.calls()[0].key.contains("sk-own"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_of_no_use_is_paid_for_and_said_to_be_none() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_does([
        Model::Says(" \n ".to_owned()),
        Model::Http(
            401,
            json!({"error": {"code": 401, "message": "hunter2 is no key"}}),
        ),
        Model::Http(500, json!({"error": {"code": 500, "message": "hunter2"}})),
        Model::Breaks,
    ]);
    for class in [
        "empty_answer",
        "invalid_key",
        "server_error",
        "connection_broken",
    ] {
        let reply = ask(&world, json!({"question": "Halo"})).await;
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        let detail = reply.expect(502)["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.starts_with(class) && !detail.contains("hunter2"),
            "{detail}"
        );
    }
    let counted = usage(&world).await;
    assert_eq!((counted.trials, counted.llm_calls), (4, 4));
    assert!(counted.tokens_in > 0, "the empty answer was billed");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_never_answers_is_given_up_before_the_gateway_does() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_does([Model::Hangs]);
    let began = tokio::time::Instant::now();
    let problem = ask(&world, json!({"question": "Halo"})).await.expect(502);
    assert!(problem["detail"].as_str().unwrap().starts_with("timed_out"));
    assert!(
        began.elapsed() < Duration::from_secs(29),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(usage(&world).await.trials, 1);
}

#[tokio::test(start_paused = true)]
async fn trials_that_fail_do_not_silence_the_bot() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world
        .outside
        .model_does((0..10).map(|_| Model::Http(500, json!({"error": {"code": 500}}))));
    for _ in 0..10 {
        ask(&world, json!({"question": "Halo"})).await.expect(502);
    }
    assert_eq!(world.provider("openrouter").await.breaker.failures, 0);
    ask(&world, json!({"question": "Halo"})).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn while_the_breaker_is_open_nobody_is_asked_and_then_a_trial_may_be_the_probe() {
    let world = TestWorld::with(
        &[bot("demo")],
        &[("BREAKER_MAX_FAILURES", "1"), ("AI_MAX_ATTEMPTS", "10")],
    )
    .await;
    world.start();
    let fails = || Model::Http(500, json!({"error": {"code": 500}}));
    world.outside.model_does([fails()]);
    let body = bubble("demo", "6281", "M1", 0, "Halo");
    assert_eq!(world.post(&body).await.0, 200);
    while world
        .provider("openrouter")
        .await
        .breaker
        .open_until
        .is_none()
    {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // No customer's call is to be the probe.
    world.purge().await;
    let asked = world.outside.asked().len();
    let problem = ask(&world, json!({"question": "Halo"})).await.expect(409);
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("the model's provider is paused until 2025-11-20T"),
        "{detail}"
    );
    assert_eq!(world.outside.asked().len(), asked, "I7");
    assert_eq!(usage(&world).await.trials, 0);
    tokio::time::sleep(Duration::from_secs(61)).await;
    // A probe that fails opens it again, for everybody.
    world.outside.model_does([fails()]);
    ask(&world, json!({"question": "Halo"})).await.expect(502);
    ask(&world, json!({"question": "Halo"})).await.expect(409);
    tokio::time::sleep(Duration::from_secs(61)).await;
    // Of two at once one is the probe.
    world.outside.model_does([Model::Slow(
        Duration::from_secs(5),
        Box::new(Model::Says("Ya".to_owned())),
    )]);
    let (one, other) = tokio::join!(
        ask(&world, json!({"question": "Halo"})),
        ask(&world, json!({"question": "Halo"}))
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert!(world.provider("openrouter").await.breaker.is_healthy());
}

#[tokio::test(start_paused = true)]
async fn a_question_that_cannot_be_asked_is_refused_before_anybody_is_paid() {
    let world = TestWorld::new(&[bot("demo")]).await;
    for (body, field) in [
        (json!({"question": ""}), "question"),
        (json!({"question": " \n"}), "question"),
        (json!({"question": "é".repeat(4_001)}), "question"),
        (
            json!({"question": "a", "system_prompt": "é".repeat(20_001)}),
            "system_prompt",
        ),
        (json!({"question": "a", "model": " "}), "model"),
        (json!({"question": "a", "model": "m".repeat(201)}), "model"),
        (
            json!({"question": "a", "documents": vec![json!({"title": "", "content": ""}); 91]}),
            "documents",
        ),
        (
            json!({"question": "a", "documents": [{"title": "é".repeat(201), "content": ""}]}),
            "documents: title",
        ),
    ] {
        let problem = ask(&world, body).await.expect(422);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(field), "{detail}");
    }
    for body in [
        json!(null),
        json!({}),
        json!({"question": 7}),
        json!({"question": "a", "more": 1}),
    ] {
        ask(&world, body).await.expect(422);
    }
    let api = world.api(Role::Viewer).await;
    api.post("/api/bots/demo/try", json!({"question": "a"}))
        .await
        .expect(403);
    let (other, _) = world.key("other", Role::Owner).await;
    let other = world.api_with(other.expose());
    other
        .post("/api/bots/demo/try", json!({"question": "a"}))
        .await
        .expect(404);
    assert!(world.outside.asked().is_empty());
    // Four thousand characters are not too many, whatever they are.
    ask(&world, json!({"question": "\u{0}é".repeat(2_000)}))
        .await
        .expect(200);
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_shown_as_whatsapp_would_show_it() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world
        .outside
        .model_does([Model::Says("# Promo\n**murah** <script>".to_owned())]);
    let answer = ask(&world, json!({"question": "Halo"})).await.expect(200);
    assert_eq!(answer["answer"], "*Promo*\n*murah* <script>");
}
