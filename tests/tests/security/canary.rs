//! I11, over every path at once: secrets, numbers, names and words are marked, everything is done that can be done or can go
//! wrong, and all that the functions have put out is searched for the marks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use clivy::channel::wuzapi;
use clivy::conversation::bot::Bot;
use futures_util::future::BoxFuture;
use lambda_http::{Body, Request};
use local::engines::{Call, Engines, Intercept, Lost, Reply};
use local::world::QUEUE;
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble, from_the_phone};
use tests::faults::{Fault, ROLE, Role, When};
use tests::log::Log;
use tests::outside::{Account, Gateway, Model};
use tests::world::TestWorld;

const RINA: &str = "6289912345001";
const BUDI: &str = "6289912345002";
const SARI: &str = "6289912345003";
/// Part of every number.
const NUMBER: &str = "62899123450";
/// Part of every name and of every word of a customer, a person or the model.
const WORD: &str = "kenari";
/// Part of every secret.
const SECRET: &str = "burung";

/// The settings that are secrets, each with the mark.
const SETTINGS: [(&str, &str); 8] = [
    ("PSEUDONYM_KEY", "burung-of-pseudonyms"),
    ("BOT_SECRETS_KEY", "burung-that-seals-the-secrets-of-bots"),
    ("ADMIN_SECRET", "burung-that-makes-keys-for-every-owner"),
    ("OPENROUTER_API_KEY", "sk-or-v1-burung"),
    ("OPENROUTER_MANAGEMENT_KEY", "sk-or-v1-burung-management"),
    ("SECOND_PROVIDER_API_KEY", "burung-of-the-second"),
    ("SECOND_PROVIDER_BASE_URL", "http://second.test/v1"),
    ("SECOND_PROVIDER_MODEL", "second/model"),
];

fn marked(id: &str) -> Bot {
    let mut bot = bot(id);
    bot.gateway.token = format!("burung-token-{id}");
    bot.gateway.hmac_key = Some(format!("burung-hmac-{id}"));
    bot.gateway.secret_path = Some(format!("burung-path-{id}"));
    bot.openrouter_key = (id == "own").then(|| "sk-or-v1-burung-own".to_owned());
    bot.fallback_text = format!("Maaf, {WORD}.");
    bot.system_prompt = format!("Anda {WORD}.");
    bot
}

/// What leaves by SQS and SNS, as it leaves.
struct Outbox {
    inner: Arc<dyn Intercept>,
    sent: Arc<Mutex<Vec<String>>>,
}

impl Intercept for Outbox {
    fn intercept<'a>(
        &'a self,
        call: Call,
        engines: &'a Engines,
    ) -> BoxFuture<'a, Result<Reply, Lost>> {
        if !call.target.starts_with("DynamoDB") {
            let body = String::from_utf8_lossy(&call.body).into_owned();
            self.sent.lock().unwrap().push(body);
        }
        self.inner.intercept(call, engines)
    }
}

/// Whatever was put out, and where.
#[derive(Default)]
struct Output {
    /// Nobody's words may be here, and no secret.
    public: Vec<(String, String)>,
    /// For the owner of the words: no secret.
    owners: Vec<(String, String)>,
}

impl Output {
    fn public(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.public.push((place.into(), text.into()));
    }

    fn assert_clean(&self) {
        let all = self.public.iter().chain(&self.owners);
        for (place, text) in all {
            assert!(
                !text.to_lowercase().contains(SECRET),
                "{place}: a secret in {text}"
            );
        }
        for (place, text) in &self.public {
            let text = text.to_lowercase();
            assert!(!text.contains(NUMBER), "{place}: a number in {text}");
            assert!(!text.contains(WORD), "{place}: words in {text}");
        }
    }
}

struct Scene {
    world: TestWorld,
    output: Output,
}

impl Scene {
    /// Posts to the webhook; what it answers is public.
    async fn post(&mut self, path: &str, signature: Option<&str>, body: &str) -> u16 {
        let mut request: Request = http::Request::new(Body::Text(body.to_owned()));
        *request.method_mut() = http::Method::POST;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json".parse().unwrap());
        if let Some(signature) = signature {
            headers.insert("x-hmac-signature", signature.parse().unwrap());
        }
        let request = lambda_http::RequestExt::with_raw_http_path(request, path);
        let response = ROLE
            .scope(Role::Webhook, self.world.world.webhook.handle(request))
            .await;
        let status = response.status().as_u16();
        let text = format!("{:?} {:?}", response.headers(), response.body());
        self.output.public(format!("webhook {status}"), text);
        status
    }

    /// As the bot's own gateway posts.
    async fn admitted(&mut self, bot: &str, body: &Value) -> u16 {
        let body = body.to_string();
        let signature = wuzapi::sign(&format!("burung-hmac-{bot}"), body.as_bytes());
        let path = format!("/webhook/ai/burung-path-{bot}");
        self.post(&path, Some(&signature), &body).await
    }

    async fn says(&mut self, bot: &str, phone: &str, mid: &str) {
        let body = self.bubble(bot, phone, mid);
        assert_eq!(self.admitted(bot, &body).await, 200);
    }

    fn bubble(&self, bot: &str, phone: &str, mid: &str) -> Value {
        let text = format!("{WORD} {mid} {phone}");
        let mut body = bubble(bot, phone, mid, 0, &text);
        body["event"]["Info"]["PushName"] = json!(format!("Ibu {WORD}"));
        tests::bubbles::written_at(body, self.world.world.clock.now())
    }

    /// Asks the inbox. What it answers to a good request is its owner's.
    async fn ask(
        &mut self,
        key: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let api = self.world.api_with(key);
        let reply = ROLE
            .scope(Role::Inbox, api.send(method, path, body, &[]))
            .await;
        let status = reply.status.as_u16();
        let text = format!(
            "{:?} {}",
            reply.headers,
            String::from_utf8_lossy(&reply.body)
        );
        let place = format!("inbox {method} {status}");
        match reply.status.is_success() {
            true => self.output.owners.push((place, text)),
            false => self.output.public(place, text),
        }
        (
            status,
            serde_json::from_slice(&reply.body).unwrap_or_default(),
        )
    }
}

/// An error that repeats everything it was told.
fn echo(status: u16) -> Model {
    let message = format!("{WORD} {RINA} of sk-or-v1-burung is not allowed");
    let error =
        json!({"error": {"code": status, "message": message, "metadata": {"raw": message}}});
    Model::Http(status, error)
}

async fn webhook_paths(scene: &mut Scene) {
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

async fn worker_paths(scene: &mut Scene) {
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
async fn bad_records(scene: &Scene) {
    for body in [
        format!("{WORD} {RINA}"),
        json!({"v": 1, "bot_id": WORD, "contact": RINA, "mid": WORD, "first_ms": 1}).to_string(),
        json!({"v": 99, "contact": RINA}).to_string(),
    ] {
        scene.world.put(QUEUE, &body).await;
    }
    tokio::time::sleep(Duration::from_secs(7_200)).await;
}

async fn other_functions(scene: &mut Scene) {
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

async fn inbox_paths(scene: &mut Scene) -> String {
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
async fn without_aws(scene: &mut Scene, key: &str) {
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
    let event = scene.world.put(QUEUE, WORD);
    event.await;
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

#[tokio::test(start_paused = true)]
async fn nothing_secret_and_nobodys_words_ever_leave() {
    let (log, _guard) = Log::begin();
    let sent: Arc<Mutex<Vec<String>>> = Arc::default();
    let bots = [marked("demo"), marked("own")];
    let world = Box::pin(TestWorld::behind(&bots, &SETTINGS, |inner| {
        let sent = Arc::clone(&sent);
        Arc::new(Outbox { inner, sent })
    }))
    .await;
    let mut scene = Scene {
        world,
        output: Output::default(),
    };
    webhook_paths(&mut scene).await;
    Box::pin(worker_paths(&mut scene)).await;
    let parked = scene.world.dead_letters();
    Box::pin(other_functions(&mut scene)).await;
    let key = Box::pin(inbox_paths(&mut scene)).await;
    bad_records(&scene).await;
    Box::pin(without_aws(&mut scene, &key)).await;

    let Scene { world, mut output } = scene;
    let logged = log.text();
    // The test sees what it looks at: every function has logged, measured, sent.
    for step in [
        "sent",
        "gave_up",
        "bad_record",
        "not_stored",
        "trial_failed",
        "credits_failed",
    ] {
        assert!(!log.steps(step).is_empty(), "no line of {step}");
    }
    assert!(!logged.contains(&key), "an API key in the log");
    for line in logged.lines() {
        output.public("log", line);
    }
    for line in world.world.metrics.lines() {
        output.public("metric", line);
    }
    let sent = sent.lock().unwrap().clone();
    assert!(sent.len() > 20);
    for body in sent {
        output.public("sent", body);
    }
    for letter in parked {
        output.public("dead letter", letter);
    }
    let alerts = world.world.alerts();
    assert!(!alerts.is_empty());
    for alert in alerts {
        output.public("alert", format!("{alert:?}"));
    }
    // The model is told words, by customers who want an answer, but not whose they are.
    for body in world.outside.asked() {
        let text = body
            .to_string()
            .replace(&format!(" {RINA}"), "")
            .replace(&format!(" {BUDI}"), "");
        let text = text.replace(&format!(" {SARI}"), "");
        assert!(!text.contains(NUMBER), "a number in {text}");
        output.owners.push(("model".to_owned(), text));
    }
    output.assert_clean();
}

#[test]
fn a_mark_anywhere_is_seen() {
    for (public, text) in [
        (true, "Kenari"),
        (true, "to 6289912345001"),
        (false, "sk-or-v1-burung"),
    ] {
        let mut output = Output::default();
        let place = if public {
            &mut output.public
        } else {
            &mut output.owners
        };
        place.push(("somewhere".to_owned(), text.to_owned()));
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| output.assert_clean()));
        assert!(seen.is_err(), "{text}");
    }
}
