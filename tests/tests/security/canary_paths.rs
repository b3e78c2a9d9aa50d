//! The paths that the canary goes.

use std::time::Duration;

use clivy::channel::wuzapi;
use local::world::QUEUE;
use serde_json::{Value, json};
use tests::bubbles::{bubble, from_the_phone};
use tests::faults::{Fault, ROLE, Role, When};
use tests::outside::{Account, Gateway, Model};

use crate::canary::{BUDI, RINA, SARI, SETTINGS, Scene, WORD};

/// An error that repeats everything it was told.
fn echo(status: u16) -> Model {
    let message = format!("{WORD} {RINA} of sk-or-v1-burung is not allowed");
    let error =
        json!({"error": {"code": status, "message": message, "metadata": {"raw": message}}});
    Model::Http(status, error)
}

/// Good, repeated, unsigned, wrongly signed, unreadable, unknown.
pub async fn webhook_paths(scene: &mut Scene) {
    let good = scene.bubble("demo", RINA, "A");
    assert_eq!(scene.admitted("demo", &good).await, 200);
    assert_eq!(scene.admitted("demo", &good).await, 200);
    let body = good.to_string();
    let right = wuzapi::sign("burung-hmac-demo", body.as_bytes());
    let wrong = wuzapi::sign("burung-hmac-own", body.as_bytes());
    for (path, signature) in [
        ("/webhook/ai/burung-path-demo", None),
        ("/webhook/ai/burung-path-demo", Some(wrong.as_str())),
        ("/webhook/ai/burung-path-own", Some(right.as_str())),
        ("/webhook/ai", Some(right.as_str())),
    ] {
        assert_eq!(scene.post(path, signature, &body).await, 401);
    }
    assert_eq!(
        scene.post("/webhook/ai/burung/kenari", None, &body).await,
        404
    );
    for bad in [
        format!("{{\"{WORD}\": \"{RINA}\""),
        format!("\"{WORD} {RINA}\""),
        json!({"instanceName": format!("{WORD} {RINA}\n"), "token": "burung"}).to_string(),
        json!({"event": {"Info": {"Chat": RINA, "PushName": WORD}}}).to_string(),
    ] {
        let status = scene.post("/webhook/ai/burung-path-demo", None, &bad).await;
        assert!((400..500).contains(&status), "{status} {bad}");
    }
    let unknown = bubble(WORD, RINA, "A", 0, WORD).to_string();
    assert_eq!(scene.post("/webhook/ai", None, &unknown).await, 404);
    let by_token = json!({"token": "burung-token-nobody", "event": {}}).to_string();
    scene.post("/webhook/ai", None, &by_token).await;
    let now = scene.world.world.clock.now();
    let own = from_the_phone("demo", SARI, "OWN", now, &format!("{WORD} tutup"));
    assert_eq!(scene.admitted("demo", &own).await, 200);
    let mut media = scene.bubble("demo", SARI, "MEDIA");
    media["event"]["Message"] =
        json!({"imageMessage": {"caption": WORD, "url": format!("http://{WORD}")}});
    assert_eq!(scene.admitted("demo", &media).await, 200);
}

/// Answered, refused, parked, redriven; the gateway well and ill.
pub async fn worker_paths(scene: &mut Scene) {
    let day = &scene.world;
    day.start();
    day.settle().await;
    assert!(!day.outside.delivered().is_empty());
    // Refused with an echo, then parked with the fallback text.
    for status in [400, 401, 402, 403, 429, 500, 502] {
        scene.world.outside.model_does((0..8).map(|_| echo(status)));
        scene.says("demo", BUDI, &format!("E{status}")).await;
        scene.world.settle().await;
        scene.world.outside.model_is_well();
        tokio::time::sleep(Duration::from_secs(900)).await;
    }
    scene.world.outside.model_follows(|_| Some(Model::Breaks));
    scene.says("own", BUDI, "BREAKS").await;
    scene.world.settle().await;
    assert!(!scene.world.dead_letters().is_empty(), "a turn is parked");
    scene.world.outside.model_is_well();
    tokio::time::sleep(Duration::from_secs(900)).await;
    // The gateway: refuses, says no, loses its answer.
    let moods = [
        Gateway::Refuses,
        Gateway::Http(500),
        Gateway::Http(401),
        Gateway::SendsAndBreaks,
    ];
    scene.world.outside.gateway_does(moods);
    scene.says("own", RINA, "GATEWAY").await;
    scene.world.settle().await;
    scene.world.outside.gateway_does([Gateway::Http(400); 8]);
    scene.says("demo", SARI, "REFUSED").await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    scene.world.settle().await;
    // Redriven, the parked turns are answered.
    scene.world.redrive().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    scene.world.settle().await;
}

/// Records that are no triggers. What is in them is not ours: only what is said about them is looked at.
pub async fn bad_records(scene: &Scene) {
    for body in [
        format!("{WORD} {RINA}"),
        json!({"v": 1, "bot_id": WORD, "contact": RINA, "mid": WORD, "first_ms": 1}).to_string(),
        json!({"v": 99, "contact": RINA}).to_string(),
    ] {
        scene.world.put(QUEUE, &body).await;
    }
    tokio::time::sleep(Duration::from_secs(7_200)).await;
}

/// The sweeper and the credits, with an account that is well, empty, refused and broken.
pub async fn other_functions(scene: &mut Scene) {
    let world = &scene.world;
    let deadline = world.world.clock.now().plus_ms(50_000);
    let sweep = world.world.sweeper.sweep(deadline);
    let swept = ROLE.scope(Role::Sweeper, sweep).await;
    scene.output.public("sweeper", format!("{swept:?}"));
    let told = format!("sk-or-v1-burung {WORD}");
    for (key, account) in [
        (
            Account::key(Some(0.0), 2.5, 0.5),
            Account::balance(1.0, 1.0),
        ),
        (Account::refuses(401, &told), Account::refuses(403, &told)),
        (Account::refuses(500, &told), Account::refuses(500, &told)),
        (
            Account::Http(200, json!(told)),
            Account::Http(200, json!({"data": told})),
        ),
        (
            Account::key(Some(50.0), 2.5, 0.5),
            Account::balance(90.0, 1.0),
        ),
    ] {
        world.outside.key_is(key);
        world.outside.account_is(account);
        let check = world.world.credits.check("an event");
        let checked = ROLE.scope(Role::Credits, check).await;
        scene.output.public("credits", format!("{checked:?}"));
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
}

/// The inbox asked well and badly; gives a valid key.
pub async fn inbox_paths(scene: &mut Scene) -> String {
    let admin = SETTINGS[2].1;
    let made = json!({"owner": "owner", "name": format!("{WORD}"), "role": "owner", "expires_in_days": null});
    let (status, made) = scene
        .ask(admin, "POST", "/api/admin/keys", Some(made))
        .await;
    assert_eq!(status, 201);
    let key = made["key"].as_str().unwrap().to_owned();
    let chat = format!("/api/bots/demo/conversations/{RINA}");
    for path in [
        "/api/keys",
        "/api/bots",
        "/api/bots/demo",
        "/api/bots/demo/usage",
        "/api/bots/demo/versions",
        "/api/bots/demo/conversations",
        "/api/bots/demo/turns",
        "/health",
        "/health/detailed",
        "/metrics",
        &chat,
        &format!("{chat}/messages"),
    ] {
        assert_eq!(scene.ask(&key, "GET", path, None).await.0, 200, "{path}");
    }
    let gateway =
        json!({"kind": "wuzapi", "url": "http://gateway.test", "token": "burung-token-demo"});
    let bad_url = json!({"kind": "wuzapi", "url": format!("burung {WORD}"), "token": 7});
    let (demo, text) = ("/api/bots/demo", json!({"text": format!("{WORD} {RINA}")}));
    let long = json!({"text": WORD.repeat(2_000)});
    for (method, path, body, status) in [
        ("POST", format!("{chat}/messages"), text.clone(), 202),
        ("POST", format!("{chat}/messages"), long, 422),
        ("POST", format!("{chat}/messages"), json!({WORD: RINA}), 422),
        (
            "POST",
            format!("{chat}/pause"),
            json!({"minutes": WORD}),
            422,
        ),
        ("POST", format!("{chat}/{WORD}"), text, 404),
        (
            "PUT",
            demo.to_owned(),
            json!({"name": WORD, "gateway": gateway}),
            200,
        ),
        (
            "PUT",
            demo.to_owned(),
            json!({"name": WORD, "gateway": bad_url}),
            422,
        ),
        (
            "PUT",
            format!("/api/bots/{WORD}"),
            json!({"name": WORD, "gateway": gateway}),
            409,
        ),
        (
            "GET",
            format!("/api/bots/{WORD}/conversations/{RINA}"),
            Value::Null,
            404,
        ),
        (
            "GET",
            format!("/api/bots/demo/turns/{RINA}.77"),
            Value::Null,
            404,
        ),
        ("DELETE", format!("/{WORD}/{RINA}"), Value::Null, 404),
    ] {
        let body = (!body.is_null()).then_some(body);
        let (found, answer) = scene.ask(&key, method, &path, body).await;
        assert_eq!(found, status, "{method} {path}: {answer}");
    }
    for wrong in ["burung-that-is-no-key", "", &"burung".repeat(500)] {
        assert_eq!(scene.ask(wrong, "GET", &chat, None).await.0, 401);
        assert_eq!(
            scene
                .ask(wrong, "GET", "/api/admin/keys?owner=kenari", None)
                .await
                .0,
            401
        );
    }
    scene.world.outside.model_does([echo(401), echo(401)]);
    let question = json!({"question": format!("{WORD}?")});
    let (status, _) = scene
        .ask(&key, "POST", "/api/bots/own/try", Some(question))
        .await;
    assert!(status >= 400, "{status}");
    scene.world.settle().await;
    key
}

/// AWS fails under everybody.
pub async fn without_aws(scene: &mut Scene, key: &str) {
    for operation in [
        "GetItem",
        "Query",
        "UpdateItem",
        "TransactWriteItems",
        "SendMessage",
        "Publish",
    ] {
        scene
            .world
            .faults
            .always(operation, Fault::Error(When::Before));
    }
    let body = scene.bubble("demo", SARI, "DOWN");
    assert_eq!(scene.admitted("demo", &body).await, 503);
    let chat = format!("/api/bots/demo/conversations/{RINA}");
    assert_eq!(scene.ask(key, "GET", &chat, None).await.0, 503);
    scene.ask(key, "GET", "/health/detailed", None).await;
    scene.ask(key, "GET", "/metrics", None).await;
    scene.world.put(QUEUE, WORD).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let deadline = scene.world.world.clock.now().plus_ms(50_000);
    let swept = ROLE
        .scope(Role::Sweeper, scene.world.world.sweeper.sweep(deadline))
        .await;
    scene.output.public(
        "sweeper",
        format!("{:?} {}", swept, swept.as_ref().unwrap_err()),
    );
    let checked = ROLE
        .scope(Role::Credits, scene.world.world.credits.check("an event"))
        .await;
    scene.output.public(
        "credits",
        format!("{:?} {}", checked, checked.as_ref().unwrap_err()),
    );
}
