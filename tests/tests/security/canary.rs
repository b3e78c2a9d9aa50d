//! I11, over every path at once: secrets, numbers, names and words are marked, everything is done that can be done or can go
//! wrong, and all that the functions have put out is searched for the marks.

use std::sync::{Arc, Mutex};

use clivy::channel::wuzapi;
use clivy::conversation::bot::Bot;
use futures_util::future::BoxFuture;
use lambda_http::{Body, Request};
use local::engines::{Call, Engines, Intercept, Lost, Reply};
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::faults::{ROLE, Role};
use tests::log::Log;
use tests::world::TestWorld;

use crate::canary_paths::{
    bad_records, inbox_paths, other_functions, webhook_paths, without_aws, worker_paths,
};

pub const RINA: &str = "6289912345001";
pub const BUDI: &str = "6289912345002";
pub const SARI: &str = "6289912345003";
/// Part of every number.
const NUMBER: &str = "62899123450";
/// Part of every name and of every word of a customer, a person or the model.
pub const WORD: &str = "kenari";
/// Part of every secret.
const SECRET: &str = "burung";

/// The settings that are secrets, each with the mark.
pub const SETTINGS: [(&str, &str); 8] = [
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
pub struct Output {
    /// Nobody's words may be here, and no secret.
    public: Vec<(String, String)>,
    /// For the owner of the words: no secret.
    owners: Vec<(String, String)>,
}

impl Output {
    pub fn public(&mut self, place: impl Into<String>, text: impl Into<String>) {
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

pub struct Scene {
    pub world: TestWorld,
    pub output: Output,
}

impl Scene {
    /// Posts to the webhook; what it answers is public.
    pub async fn post(&mut self, path: &str, signature: Option<&str>, body: &str) -> u16 {
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
    pub async fn admitted(&mut self, bot: &str, body: &Value) -> u16 {
        let body = body.to_string();
        let signature = wuzapi::sign(&format!("burung-hmac-{bot}"), body.as_bytes());
        let path = format!("/webhook/ai/burung-path-{bot}");
        self.post(&path, Some(&signature), &body).await
    }

    pub async fn says(&mut self, bot: &str, phone: &str, mid: &str) {
        let body = self.bubble(bot, phone, mid);
        assert_eq!(self.admitted(bot, &body).await, 200);
    }

    pub fn bubble(&self, bot: &str, phone: &str, mid: &str) -> Value {
        let text = format!("{WORD} {mid} {phone}");
        let mut body = bubble(bot, phone, mid, 0, &text);
        body["event"]["Info"]["PushName"] = json!(format!("Ibu {WORD}"));
        tests::bubbles::written_at(body, self.world.world.clock.now())
    }

    /// Asks the inbox. What it answers to a good request is its owner's.
    pub async fn ask(
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
