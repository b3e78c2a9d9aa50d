//! The instances of the functions. As on Lambda, one instance serves one invocation at a time, keeps its caches and its
//! clock, and is gone when it dies.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::tests::faults::Role;
use ::tests::world::{TestWorld, said};
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use clivy::clock::Clock;
use clivy::conversation::ids::EpochMs;
use local::instances::Instances;
use local::mapping::InvokeError;
use local::world::TABLE;
use sweeper::Sweeper;
use tokio::time::Instant;
use webhook::Webhook;
use worker::Worker;

use crate::director::{Director, INSTANCE};
use crate::plan::{MAX_SKEW_MS, Plan};
use crate::rates::Trouble;

/// A clock that is off.
#[derive(Debug)]
struct Skewed {
    inner: Arc<dyn Clock>,
    by_ms: i64,
}

impl Clock for Skewed {
    fn now(&self) -> EpochMs {
        self.inner.now().plus_ms(self.by_ms)
    }
}

/// One instance.
struct Instance<F> {
    number: u32,
    function: F,
    clock: Arc<dyn Clock>,
}

/// The instances of one function that wait for work, the one that worked last on top.
type Idle<F> = Mutex<Vec<Instance<F>>>;

/// All instances.
pub struct Fleet {
    /// What they work in.
    pub world: TestWorld,
    /// What goes wrong.
    pub director: Arc<Director>,
    instances: Instances,
    deployment: Option<(Instant, Instances)>,
    skew_ms: i64,
    sweeps: AtomicBool,
    next: AtomicU32,
    invocations: AtomicU64,
    at_work: AtomicUsize,
    webhooks: Idle<Arc<Webhook>>,
    workers: Idle<Arc<Worker>>,
    sweepers: Idle<Arc<Sweeper>>,
    inboxes: Idle<axum::Router>,
}

impl Fleet {
    /// No instances yet.
    #[must_use]
    pub fn new(plan: &Plan, world: TestWorld, director: Arc<Director>) -> Self {
        let instances = world.world.instances.clone();
        let deployment = plan.deployment.as_ref().map(|(after, settings)| {
            let settings = settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()));
            let settings: BTreeMap<String, String> = settings.collect();
            (Instant::now() + *after, instances.deployed_with(&settings))
        });
        Self {
            world,
            director,
            instances,
            deployment,
            skew_ms: plan.skew_ms,
            sweeps: AtomicBool::new(true),
            next: AtomicU32::new(1),
            invocations: AtomicU64::new(1),
            at_work: AtomicUsize::new(0),
            webhooks: Idle::default(),
            workers: Idle::default(),
            sweepers: Idle::default(),
            inboxes: Idle::default(),
        }
    }

    /// Invokes the webhook; none when it died.
    pub async fn webhook(&self, body: &serde_json::Value) -> Option<(u16, serde_json::Value)> {
        let request = tests::bubbles::post(body);
        let make = |from: &Instances, clock| Ok(Arc::new(from.webhook(clock)?));
        self.run(
            Role::Webhook,
            &self.webhooks,
            make,
            |function, _| async move { said(function.handle(request).await) },
        )
        .await
    }

    /// Nothing is owed any more: from now on the sweeper would find nothing.
    pub fn stop_sweeping(&self) {
        self.sweeps.store(false, Ordering::Relaxed);
    }

    /// Invokes the sweeper.
    pub async fn sweep(&self) {
        if !self.sweeps.load(Ordering::Relaxed) {
            return;
        }
        let make = |from: &Instances, clock| Ok(Arc::new(from.sweeper(clock)?));
        self.run(
            Role::Sweeper,
            &self.sweepers,
            make,
            |function, clock| async move {
                let deadline = clock.now().plus_ms(50_000);
                let swept = tokio::time::timeout(Duration::from_secs(50), function.sweep(deadline));
                // The next run is the retry.
                let _ = swept.await;
            },
        )
        .await;
    }

    /// Sends a request to the inbox; none when it died.
    pub async fn ask(
        &self,
        request: http::Request<http_body_util::Full<bytes::Bytes>>,
    ) -> Option<(u16, serde_json::Value)> {
        let make = |from: &Instances, clock| Ok(inbox::router(Arc::new(from.inbox(clock)?)));
        self.run(Role::Inbox, &self.inboxes, make, |function, _| async move {
            let asked = tests::api::ask(function, request);
            // The API's own limit.
            match tokio::time::timeout(Duration::from_secs(29), asked).await {
                Ok(reply) => (reply.status.as_u16(), reply.json()),
                Err(_) => (504, serde_json::Value::Null),
            }
        })
        .await
    }

    /// The leases of all claims are over, as if an owner's deadline had been told wrong: from now on only the fence keeps
    /// it from harm.
    pub async fn end_leases(&self) {
        let ended = self.world.world.clock.now().plus_ms(-2 * MAX_SKEW_MS).0;
        let claims = self.director.state().safety.claims();
        for (c, key) in claims {
            let update = serde_json::json!({
                "TableName": TABLE, "Key": key,
                "UpdateExpression": "SET c_until = :ended",
                "ConditionExpression": "attribute_exists(c_fence)",
                "ExpressionAttributeValues": {":ended": {"N": ended.to_string()}},
            });
            self.world.dynamodb("UpdateItem", update).await;
            let mut state = self.director.state();
            state.transcript.say(format_args!("<c{c}>: its lease ends"));
            state.safety.lease_ended(c, ended);
        }
    }

    /// Invokes the worker.
    ///
    /// # Errors
    /// It timed out, or died.
    pub async fn work(&self, event: SqsEvent) -> Result<SqsBatchResponse, InvokeError> {
        let make = |from: &Instances, clock| Ok(Arc::new(from.worker(clock)?));
        self.at_work.fetch_add(1, Ordering::Relaxed);
        let answer = self
            .run(
                Role::Worker,
                &self.workers,
                make,
                |function, clock| async move {
                    let number = self.invocations.fetch_add(1, Ordering::Relaxed);
                    let timeout_ms = function.rules.worker_timeout_ms;
                    let deadline = clock.now().plus_ms(timeout_ms);
                    let limit =
                        Duration::from_millis(u64::try_from(timeout_ms).unwrap_or_default());
                    let request_id = format!("request-{number}");
                    let handled = function.handle(event, &request_id, deadline);
                    tokio::time::timeout(limit, handled)
                        .await
                        .map_err(|_| InvokeError::TimedOut { after: limit })
                },
            )
            .await;
        self.at_work.fetch_sub(1, Ordering::Relaxed);
        answer.unwrap_or_else(|| Err(InvokeError::Function("the worker died".into())))
    }

    /// Whether a worker is at work. The queue need not know: another one may have ended its record.
    pub fn is_working(&self) -> bool {
        self.at_work.load(Ordering::Relaxed) > 0
    }

    /// One invocation; none when the function died, and its instance with it.
    async fn run<F, T, Running: Future<Output = T>>(
        &self,
        role: Role,
        idle: &Idle<F>,
        make: impl FnOnce(&Instances, Arc<dyn Clock>) -> anyhow::Result<F>,
        function: impl FnOnce(F, Arc<dyn Clock>) -> Running,
    ) -> Option<T>
    where
        F: Clone,
    {
        let instance = self.instance(idle, make);
        let invocation = INSTANCE.scope(
            instance.number,
            function(instance.function.clone(), Arc::clone(&instance.clock)),
        );
        let output = self.world.faults.mortal(role, Box::pin(invocation)).await;
        match &output {
            Some(_) => idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(instance),
            None => self
                .director
                .say(format_args!("{role:?} {} is dead", instance.number)),
        }
        output
    }

    fn instance<F>(
        &self,
        idle: &Idle<F>,
        make: impl FnOnce(&Instances, Arc<dyn Clock>) -> anyhow::Result<F>,
    ) -> Instance<F> {
        let waits = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut state = self.director.state();
        if let Some(instance) = waits
            && !state.happens(Trouble::Recycled)
        {
            return instance;
        }
        let skew_ms = self.skew_ms;
        let by_ms = match u64::try_from(2 * skew_ms) {
            Ok(width) if width > 0 => i64::try_from(state.dice.below(width)).unwrap_or(0) - skew_ms,
            _ => 0,
        };
        let clock: Arc<dyn Clock> = Arc::new(Skewed {
            inner: Arc::clone(&self.world.world.clock),
            by_ms,
        });
        let from = match &self.deployment {
            Some((at, deployed)) if Instant::now() >= *at => deployed,
            _ => &self.instances,
        };
        Instance {
            number: self.next.fetch_add(1, Ordering::Relaxed),
            function: make(from, Arc::clone(&clock)).unwrap(),
            clock,
        }
    }
}
