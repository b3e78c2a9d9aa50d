//! Everything around a function on loopback, behind TLS: the AWS services, the model, the gateway; and the events.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use axum::middleware;
use bytes::Bytes;
use clivy::channel::wuzapi;
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::{Contact, ConversationId};
use clivy::http::Network;
use clivy::table::keys;
use local::clock::WorldClock;
use local::engines::Through;
use local::sqs::QueueSettings;
use local::world::{Parts, QUEUE, World, memory};
use serde_json::{Value, json};
use tests::faults::Faults;
use tests::outside::{Model, Outside};
use tests::process::wire;
use tokio::time::Instant;

use crate::calls::Calls;
use crate::tls::Trust;

/// The bot of all conversations.
const BOT: &str = "toko-kopi";
const HMAC_KEY: &str = "kunci-rahasia-toko-32-karakter!!";
const SECRETS_PATH: &str = "/clivy/bench";
const SECRETS: [(&str, &str); 3] = [
    ("PSEUDONYM_KEY", "a-key-of-the-bench-only"),
    (
        "OPENROUTER_API_KEY",
        "sk-or-v1-bench-bench-bench-bench-bench-bench-bench",
    ),
    ("BOT_SECRETS_KEY", "a-key-that-seals-the-secrets-of-bots"),
];
/// Where the messages' triggers go.
const UNREAD: &str = "triggers-of-messages";
/// How long the model takes in the rounds: long enough that what a worker does meanwhile ("typing…", the visibility of its
/// record) is done, as it is on AWS.
pub const MODEL: Duration = Duration::from_millis(20);
/// What customers ask.
const QUESTION: &str =
    "Halo kak, kopi susu gula aren ukuran besar berapa ya, dan bisa dikirim ke Depok hari ini?";

/// The stage, for one run of the bench.
pub struct Stage {
    /// The system in this process: its webhook makes the turns that workers are given.
    pub world: World,
    /// The model and the gateway.
    pub outside: Arc<Outside>,
    /// Since when they are there: what the times of replies are counted from.
    pub since: Instant,
    /// Calls of AWS so far.
    pub calls: Arc<Calls>,
    /// The certificate, and the roots that functions may be told to trust.
    pub trust: Trust,
    environment: Vec<(String, String)>,
    gateway_url: String,
    customers: AtomicU64,
    /// Receipts of the last batch: its records are deleted before the next one.
    receipts: tokio::sync::Mutex<Vec<Value>>,
}

/// An event for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A customer's message, as API Gateway hands it on.
    Message,
    /// A batch of due triggers, as SQS hands it on.
    Turns(usize),
    /// The same, with what `raw_worker` reads in the records' bodies.
    RawTurns(usize),
}

impl Stage {
    /// Sets it up. The certificate's files are in `folder`.
    pub async fn new(folder: &Path) -> anyhow::Result<Self> {
        let trust = Trust::new(folder)?;
        let since = Instant::now();
        let outside = Arc::new(Outside::new(Arc::new(Faults::default())));
        let model_url = trust.serve(wire::router(Arc::clone(&outside))).await?;
        let gateway_url = trust.serve(wire::router(Arc::clone(&outside))).await?;
        let settings = settings(&model_url);
        let parts = Parts {
            dynamodb: memory()?,
            base_url: "https://sqs.us-east-1.amazonaws.com".to_owned(),
            settings: settings.clone(),
            http: Arc::new(Network::new()?),
            clock: Arc::new(WorldClock::real()),
            intercept: Arc::new(Through),
        };
        // Boxed: opening a world holds all of its parts at once.
        let world = Box::pin(World::open(parts)).await?;
        world.put_bots(&[bot(&gateway_url)]).await?;
        for (name, value) in SECRETS {
            world
                .engines
                .ssm
                .put(&format!("{SECRETS_PATH}/{name}"), value);
        }
        world
            .engines
            .sqs
            .create_queue(UNREAD, QueueSettings::default());
        let calls = Arc::new(Calls::default());
        let mut environment = environment(&world, &settings);
        for service in ["DYNAMODB", "SQS", "SSM"] {
            // A port for each, as each is a host of its own on AWS: connections are not shared.
            let counted = middleware::from_fn_with_state(Arc::clone(&calls), Calls::count);
            let url = trust.serve(world.engines.router().layer(counted)).await?;
            environment.push((format!("AWS_ENDPOINT_URL_{service}"), url));
        }
        Ok(Self {
            world,
            outside,
            since,
            calls,
            trust,
            environment,
            gateway_url,
            customers: AtomicU64::new(0),
            receipts: tokio::sync::Mutex::default(),
        })
    }

    /// From now on every answer of the model takes this long.
    pub fn model_takes(&self, time: Duration) {
        self.outside.model_follows(move |_| Some(says_after(time)));
    }

    /// What a function for these events is given, as on AWS; which roots it trusts comes on top.
    pub fn environment(&self, event: Event) -> Vec<(String, String)> {
        let queue = match event {
            // The triggers of messages are nobody's: not all who store them seal their contacts.
            Event::Message => UNREAD,
            Event::Turns(_) | Event::RawTurns(_) => QUEUE,
        };
        let url = self.world.engines.sqs.queue_url(queue);
        let own = ("QUEUE_URL".to_owned(), url);
        self.environment.iter().cloned().chain([own]).collect()
    }

    /// A new event, and whose it is. Every message and every turn is of a customer who has never written before.
    pub async fn event(&self, event: Event) -> anyhow::Result<(Vec<ConversationId>, Bytes)> {
        match event {
            Event::Message => self.message().map(|(id, event)| (vec![id], event)),
            Event::Turns(records) => self.turns(records, |_, _| None).await,
            Event::RawTurns(records) => {
                let gateway_url = &self.gateway_url;
                self.turns(records, |id, key| Some(raw_turn(id, key, gateway_url)))
                    .await
            }
        }
    }

    /// The answer to [`Event::Message`] of every function is this.
    pub fn is_queued(answer: &[u8]) -> bool {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let body = answer
            .get("body")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        answer.get("statusCode").and_then(Value::as_u64) == Some(200)
            && body.get("status").and_then(Value::as_str) == Some("queued")
    }

    /// Whether these customers are owed an answer.
    pub async fn is_stored(&self, customers: &[ConversationId]) -> anyhow::Result<bool> {
        for id in customers {
            let head = self.world.table.head(id).await?;
            if head.is_none_or(|head| head.pend.is_empty()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether each of these customers has got one reply since the last time, and nobody else any.
    pub fn are_answered(&self, customers: &[ConversationId]) -> bool {
        let replies = self.outside.take_sends();
        let one_each = |id: &ConversationId| {
            let phone = id.contact.as_str();
            replies.iter().filter(|reply| reply.phone == phone).count() == 1
        };
        replies.len() == customers.len() && customers.iter().all(one_each)
    }

    /// A customer's message: who wrote it, and API Gateway's event (payload 2.0).
    fn message(&self) -> anyhow::Result<(ConversationId, Bytes)> {
        let customer = self.customers.fetch_add(1, Ordering::Relaxed);
        let phone = format!("62811{customer:08}");
        let now = self.world.clock.now();
        let body = json!({
            "type": "Message", "instanceName": BOT, "userID": "b3d0f6a1c2e94d7f",
            "event": {
                "Info": {
                    "ID": format!("3EB0{customer:016X}"), "Chat": format!("{phone}@s.whatsapp.net"),
                    "Sender": format!("{phone}:24@s.whatsapp.net"), "SenderAlt": "84203917755120@lid",
                    "IsFromMe": false, "IsGroup": false, "Type": "text", "PushName": "Siti Rahmawati",
                    "Timestamp": jiff::Timestamp::from_second(now.0 / 1000)?.to_string(),
                },
                "Message": {"conversation": QUESTION}
            }
        })
        .to_string();
        let signature = wuzapi::sign(HMAC_KEY, body.as_bytes());
        let event = json!({
            "version": "2.0", "routeKey": "POST /webhook/ai", "rawPath": "/webhook/ai", "rawQueryString": "",
            "headers": {"content-type": "application/json", "x-hmac-signature": signature,
                "content-length": body.len().to_string(), "host": "bench.execute-api.us-east-1.amazonaws.com",
                "user-agent": "Go-http-client/1.1", "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"},
            "requestContext": {"accountId": "000000000000", "apiId": "bench", "domainName": "bench.execute-api.us-east-1.amazonaws.com",
                "domainPrefix": "bench", "requestId": format!("bench-{customer}"), "routeKey": "POST /webhook/ai", "stage": "$default",
                "time": "21/Nov/2026:00:00:00 +0000", "timeEpoch": now.0,
                "http": {"method": "POST", "path": "/webhook/ai", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "Go-http-client/1.1"}},
            "body": body, "isBase64Encoded": false
        });
        let id = ConversationId {
            bot_id: bot("").bot_id,
            contact: Contact::new(&phone)?,
        };
        Ok((id, event.to_string().into()))
    }

    /// Has so many messages stored by the webhook in this process, and receives their triggers.
    async fn turns(
        &self,
        records: usize,
        body: impl Fn(&ConversationId, &str) -> Option<String>,
    ) -> anyhow::Result<(Vec<ConversationId>, Bytes)> {
        self.delete_last().await;
        let mut all = Vec::with_capacity(records);
        let mut customers = Vec::with_capacity(records);
        for _ in 0..records {
            let (id, event) = self.message()?;
            let event: Value = serde_json::from_slice(&event)?;
            let text = |pointer| {
                event
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let mut request = tests::bubbles::post(&serde_json::from_str(&text("/body"))?);
            *request.body_mut() = text("/body").into();
            let signature = text("/headers/x-hmac-signature").parse()?;
            request.headers_mut().insert("x-hmac-signature", signature);
            let answer = self.world.webhook.handle(request).await;
            anyhow::ensure!(
                answer.status().is_success(),
                "no message could be stored: {}",
                answer.status()
            );
            let head = self
                .world
                .table
                .head(&id)
                .await?
                .context("nothing was stored")?;
            let key = head.last_key.context("nothing is pending")?;
            all.push(self.record(body(&id, key.as_str())).await?);
            customers.push(id);
        }
        Ok((customers, json!({"Records": all}).to_string().into()))
    }

    /// As the event source mapping does after an invocation: else they would come again.
    async fn delete_last(&self) {
        let sqs = &self.world.engines.sqs;
        for receipt in self.receipts.lock().await.drain(..) {
            let ask = json!({"QueueUrl": sqs.queue_url(QUEUE), "ReceiptHandle": receipt});
            // One that is not deleted shows as a turn that is not answered.
            sqs.call("DeleteMessage", ask.to_string().as_bytes()).await;
        }
    }

    /// The next record of the queue, with another body if wanted.
    async fn record(&self, body: Option<String>) -> anyhow::Result<Value> {
        let sqs = &self.world.engines.sqs;
        let ask = json!({"QueueUrl": sqs.queue_url(QUEUE), "MaxNumberOfMessages": 1, "WaitTimeSeconds": 5,
            "MessageSystemAttributeNames": ["All"]});
        let answer = sqs.call("ReceiveMessage", ask.to_string().as_bytes()).await;
        let answer: Value = serde_json::from_slice(&answer.body)?;
        let message = answer.pointer("/Messages/0").context("no trigger came")?;
        let part = |name: &str| message.get(name).cloned().unwrap_or_default();
        self.receipts.lock().await.push(part("ReceiptHandle"));
        Ok(json!({
            "messageId": part("MessageId"), "receiptHandle": part("ReceiptHandle"),
            "body": body.map_or_else(|| part("Body"), Value::String), "md5OfBody": part("MD5OfBody"),
            "attributes": part("Attributes"), "messageAttributes": {}, "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{QUEUE}"), "awsRegion": "us-east-1"
        }))
    }
}

/// The model's answer after this long: about 230 characters, as a shop's answers are.
pub fn says_after(time: Duration) -> Model {
    const ANSWER: &str = "Halo Kak Siti! Kopi susu gula aren ukuran besar Rp 24.000. Untuk pengiriman ke Depok hari ini bisa, ongkirnya Rp 15.000 \
     lewat kurir instan. Boleh dibantu alamat lengkap dan jumlah pesanannya ya, Kak? Terima kasih.";
    Model::Slow(time, Box::new(Model::Says(ANSWER.to_owned())))
}

fn bot(gateway_url: &str) -> Bot {
    let mut bot = tests::bubbles::bot(BOT);
    bot.gateway.url = gateway_url.to_owned();
    bot.gateway.hmac_key = Some(HMAC_KEY.to_owned());
    bot
}

fn settings(model_url: &str) -> BTreeMap<String, String> {
    SECRETS
        .into_iter()
        .chain([("OPENROUTER_MODEL", "bench/model")])
        .chain([
            ("DEBOUNCE_SECONDS", "0"),
            ("ADMIN_SECRET", "a-secret-of-the-bench-that-is-long-enough"),
        ])
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .chain([(
            "OPENROUTER_BASE_URL".to_owned(),
            format!("{model_url}/api/v1"),
        )])
        .collect()
}

fn environment(world: &World, settings: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let sqs = &world.engines.sqs;
    let of_settings = ["OPENROUTER_MODEL", "OPENROUTER_BASE_URL"]
        .map(|name| (name, settings.get(name).cloned().unwrap_or_default()));
    [
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE".to_owned()),
        (
            "AWS_SECRET_ACCESS_KEY",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        ),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "bench".to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench".to_owned()),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("HMAC_KEY", HMAC_KEY.to_owned()),
        ("SECRETS_PATH", SECRETS_PATH.to_owned()),
        ("LOG_LEVEL", "INFO".to_owned()),
        ("METRICS_NAMESPACE", "Clivy/bench".to_owned()),
        ("DEBOUNCE_SECONDS", "3".to_owned()),
        ("TABLE_NAME", local::world::TABLE.to_owned()),
        ("DLQ_URL", sqs.queue_url(local::world::DLQ)),
    ]
    .into_iter()
    .chain(of_settings)
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn raw_turn(id: &ConversationId, key: &str, gateway_url: &str) -> String {
    json!({
        "pk": keys::conversation(id), "bot": id.bot_id.as_str(), "contact": id.contact.as_str(), "key": key,
        "gateway_url": gateway_url,
        // As long as what the worker sends.
        "prompt": QUESTION.repeat(PROMPT_BYTES / QUESTION.len()),
    })
    .to_string()
}

/// Bytes of a turn's prompt, of which this bench reports the real number beside it.
const PROMPT_BYTES: usize = 4_000;
