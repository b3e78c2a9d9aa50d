//! A world on a paused clock, and what tests ask of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use clivy::breaker::{Limits, Provider};
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::EpochMs;
use clivy::table::Failure;
use credits::{Checked, CreditsError};
use futures_util::future::BoxFuture;
use local::clock::WorldClock;
use local::engines::Intercept;
use local::mapping::{Invoke, InvokeError};
use local::sqs::QueueStats;
use local::world::{DLQ, Parts, QUEUE, World, memory};
use serde_json::Value;

use crate::bubbles::post;
use crate::faults::{Faults, Role};
use crate::meter::Meter;
use crate::outside::{MODEL_URL, Outside};

/// The key of pseudonyms and triggers.
pub const PSEUDONYM_KEY: &str = "a-key-for-tests-only";
/// The key of the model's first provider.
pub const MODEL_KEY: &str = "sk-or-v1-test";
/// The moment at which every test's world begins.
pub const START: EpochMs = EpochMs(1_763_604_905_000);

/// What the webhook said: status and JSON.
pub fn said(response: lambda_http::Response<lambda_http::Body>) -> (u16, Value) {
    let status = response.status().as_u16();
    match response.into_body() {
        lambda_http::Body::Text(text) => (status, serde_json::from_str(&text).unwrap()),
        other => panic!("{status} without a text: {other:?}"),
    }
}

/// The system under test and everything scripted around it.
pub struct TestWorld {
    /// The system.
    pub world: World,
    /// The model and the gateway.
    pub outside: Arc<Outside>,
    /// The faults.
    pub faults: Arc<Faults>,
}

impl TestWorld {
    /// A world with these bots. Runs nothing yet.
    pub async fn new(bots: &[Bot]) -> Self {
        Self::with(bots, &[]).await
    }

    /// The same with settings that differ from the defaults.
    pub async fn with(bots: &[Bot], settings: &[(&str, &str)]) -> Self {
        Box::pin(Self::behind(bots, settings, |faults| faults)).await
    }

    /// A world whose requests are counted.
    pub async fn metered(bots: &[Bot]) -> (Self, Arc<Meter>) {
        let mut meter = None;
        let world = Self::behind(bots, &[], |faults| {
            Arc::clone(meter.insert(Arc::new(Meter::before(faults)))) as _
        });
        let world = world.await;
        (world, meter.unwrap())
    }

    /// A world with something in front of the faults.
    pub async fn behind(
        bots: &[Bot],
        settings: &[(&str, &str)],
        front: impl FnOnce(Arc<dyn Intercept>) -> Arc<dyn Intercept>,
    ) -> Self {
        let faults = Arc::new(Faults::default());
        let outside = Arc::new(Outside::new(Arc::clone(&faults)));
        let mut all: BTreeMap<String, String> = [
            ("PSEUDONYM_KEY", PSEUDONYM_KEY),
            ("OPENROUTER_API_KEY", MODEL_KEY),
            ("OPENROUTER_BASE_URL", MODEL_URL),
            ("OPENROUTER_MODEL", "test/model"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in settings {
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        let parts = Parts {
            dynamodb: memory().unwrap(),
            base_url: "http://127.0.0.1".to_owned(),
            settings: all,
            http: Arc::clone(&outside) as _,
            clock: Arc::new(WorldClock::starting_at(START)),
            intercept: front(Arc::clone(&faults) as _),
        };
        // Boxed: opening a world holds all of its parts at once.
        let world = Box::pin(World::open(parts)).await.unwrap();
        world.put_bots(bots).await.unwrap();
        Self {
            world,
            outside,
            faults,
        }
    }

    /// Starts the event source mapping; it ends with the test's runtime.
    pub fn start(&self) {
        let invoke = Arc::new(Mortal {
            inner: self.world.in_process(),
            faults: Arc::clone(&self.faults),
        });
        let mapping = self.world.mapping(invoke);
        #[expect(
            clippy::disallowed_methods,
            reason = "the mapping runs beside the test"
        )]
        tokio::spawn(mapping.run(std::future::pending()));
    }

    /// Starts the sweeper's schedule; it ends with the test's runtime. On AWS it runs every minute; what is owed is swept
    /// when it is owed for longer than the sweeper's patience, so every four minutes will do.
    pub fn start_sweeper(&self) {
        let (sweeper, clock) = (
            Arc::clone(&self.world.sweeper),
            Arc::clone(&self.world.clock),
        );
        let runs = async move {
            loop {
                tokio::time::sleep(Duration::from_secs(240)).await;
                // The next run is the retry.
                let _ = sweeper.sweep(clock.now().plus_ms(50_000)).await;
            }
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the schedule runs beside the test"
        )]
        tokio::spawn(runs);
    }

    /// Posts a body; gives status and JSON.
    pub async fn post(&self, body: &Value) -> (u16, Value) {
        self.request(post(body)).await
    }

    /// Sends a request to the webhook.
    pub async fn request(&self, request: lambda_http::Request) -> (u16, Value) {
        said(self.world.webhook.handle(request).await)
    }

    /// Posts a body as a gateway would: again after 30 s, up to 5 times, until there is a 2xx. The webhook may
    /// die on the way, which looks like a broken connection.
    pub async fn post_until_accepted(&self, body: &Value) -> bool {
        for _ in 0..5 {
            let served = Box::pin(self.faults.mortal(Role::Webhook, self.post(body)));
            if served.await.is_some_and(|(status, _)| status == 200) {
                return true;
            }
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        false
    }

    /// Invokes the credits function, which may die on the way.
    pub async fn check_credits(&self) -> Option<Result<Checked, CreditsError>> {
        let check = self.world.credits.check("an event");
        Box::pin(self.faults.mortal(Role::Credits, check)).await
    }

    /// One failure opens the breaker of a provider, for 60 s.
    pub async fn open_breaker(&self, provider: &str, reason: &'static str) -> Provider {
        let limits = Limits {
            max_failures: 1,
            cooldown_ms: 60_000,
        };
        let failure = Failure { weight: 1, reason };
        let now = self.world.clock.now();
        let failed = self
            .world
            .table
            .breaker_failure(provider, failure, limits, now);
        failed.await.unwrap().0
    }

    /// The subjects of the alerts so far.
    pub fn alert_subjects(&self) -> Vec<String> {
        let alerts = self.world.alerts().into_iter();
        alerts.filter_map(|alert| alert.subject).collect()
    }

    /// Lets time pass until the queue is empty; panics after two hours.
    pub async fn settle(&self) {
        for _ in 0..7_200 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let stats = self.queue();
            if stats.visible + stats.in_flight + stats.delayed == 0 {
                return;
            }
        }
        panic!("the queue is never empty: {:?}", self.queue());
    }

    /// The queue's counts.
    pub fn queue(&self) -> QueueStats {
        self.world.engines.sqs.stats(QUEUE).unwrap()
    }

    /// The bodies of the dead letters.
    pub fn dead_letters(&self) -> Vec<String> {
        let peeks = self.world.engines.sqs.peek(DLQ);
        peeks.into_iter().map(|peek| peek.body).collect()
    }

    /// Calls the table's engine past everything.
    pub async fn dynamodb(&self, operation: &str, body: Value) -> Value {
        let reply = self
            .world
            .engines
            .call(&local::engines::Call {
                target: format!("DynamoDB_20120810.{operation}"),
                body: body.to_string().into(),
            })
            .await;
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// Calls SQS past everything; panics unless it takes the request.
    pub async fn sqs(&self, operation: &str, body: Value) {
        let body = body.to_string();
        let answer = self
            .world
            .engines
            .sqs
            .call(operation, body.as_bytes())
            .await;
        assert_eq!(answer.status, 200, "{operation}: {:?}", answer.body);
    }

    /// Puts a body into a queue, whatever it is.
    pub async fn put(&self, queue: &str, body: &str) {
        let url = self.world.engines.sqs.queue_url(queue);
        let send = serde_json::json!({"QueueUrl": url, "MessageBody": body});
        self.sqs("SendMessage", send).await;
    }

    /// Empties the queue, as a process that is killed does.
    pub async fn purge(&self) {
        let url = self.world.engines.sqs.queue_url(QUEUE);
        self.sqs("PurgeQueue", serde_json::json!({"QueueUrl": url}))
            .await;
    }

    /// The event of a batch with the oldest trigger of the queue, which stays there.
    pub fn first_trigger(&self) -> SqsEvent {
        let mut record = SqsMessage::default();
        record.message_id = Some("id-1".to_owned());
        record.receipt_handle = Some("receipt".to_owned());
        record.body = Some(self.world.engines.sqs.peek(QUEUE)[0].body.clone());
        let mut event = SqsEvent::default();
        event.records = vec![record];
        event
    }

    /// Moves all dead letters back to the queue, as an operator would. The destination is named: parked turns
    /// were sent to the dead letters, so SQS knows no queue they came from.
    pub async fn redrive(&self) {
        let body = serde_json::json!({
            "SourceArn": format!("arn:aws:sqs:us-east-1:000000000000:{DLQ}"),
            "DestinationArn": format!("arn:aws:sqs:us-east-1:000000000000:{QUEUE}"),
        });
        self.sqs("StartMessageMoveTask", body).await;
    }

    /// Nothing is queued, claimed, pending or owed, and no id went out with two texts.
    pub async fn assert_quiet(&self) {
        assert_eq!(
            self.outside.ids_with_two_texts(),
            Vec::<String>::new(),
            "I5"
        );
        let items = self
            .dynamodb("Scan", serde_json::json!({"TableName": "clivy"}))
            .await;
        for item in items["Items"].as_array().unwrap() {
            assert_ne!(item["delivery"]["S"], "sending", "not sent: {item}");
            if item["sk"]["S"] == "HEAD" {
                for attribute in [
                    "pend", "c_fence", "c_text", "owed_pk", "tries", "spent", "o_mids", "o_owner",
                    "o_until", "o_sends", "r_model",
                ] {
                    assert!(item.get(attribute).is_none(), "{attribute} is left: {item}");
                }
            }
        }
        let deadline = self.world.clock.now().plus_ms(50_000);
        let swept = self.world.sweeper.sweep(deadline).await.unwrap();
        assert_eq!(swept.turns_without_outcome, 0, "I1");
    }
}

/// A worker that can die in the middle of an invocation.
struct Mortal {
    inner: Arc<dyn Invoke>,
    faults: Arc<Faults>,
}

impl Invoke for Mortal {
    fn invoke(&self, event: SqsEvent) -> BoxFuture<'_, Result<SqsBatchResponse, InvokeError>> {
        Box::pin(async move {
            let invocation = self.inner.invoke(event);
            let answer = self.faults.mortal(Role::Worker, invocation).await;
            answer.unwrap_or_else(|| Err(InvokeError::Function("the worker died".into())))
        })
    }
}
