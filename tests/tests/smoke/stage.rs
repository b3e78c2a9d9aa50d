//! What stands around the smoke function in these tests: Lambda, CodeDeploy, and the way from the worker to the test bot's
//! gateway, which is the function itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use bytes::Bytes;
use clivy::config::{self, Reader};
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::BotId;
use clivy::http::{Http, HttpError};
use clivy::secrets::Renewing;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use lambda_http::request::LambdaRequest;
use local::engines::{Intercept, Through, Wire};
use local::instances::sdk;
use local::invoke::InProcess;
use local::mapping::{Invoke, InvokeError};
use local::world::{DLQ, QUEUE, TABLE};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use smoke::settings::Settings;
use smoke::{Aws, Hooks, Smoke};
use tests::faults::{ROLE, Role};
use tests::outside::MODEL_URL;
use tests::world::TestWorld;
use webhook::Webhook;
use worker::Worker;

pub const WEBHOOK: &str = "arn:aws:lambda:us-east-1:000000000000:function:webhook:8";
pub const WORKER: &str = "arn:aws:lambda:us-east-1:000000000000:function:worker:3";
/// The test bot's gateway.
const GATEWAY: &str = "https://api.smoke.test/smoke";
/// The function's timeout, as the template has it.
const TIMEOUT_MS: i64 = 600_000;

/// What a new version does with one invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    /// What it should.
    Works,
    /// Answers with this, and does nothing.
    Answers(Value),
    /// The same after this long.
    Late(Duration, Box<Does>),
    /// Works, and sends another reply with an id of its own.
    SaysMore,
    /// Dies.
    Dies,
    /// Never answers.
    Hangs,
    /// AWS refuses the invocation with this status.
    Refused(u16),
    /// Makes the smoke test itself panic.
    Panics,
}

#[derive(Default)]
struct State {
    script: BTreeMap<&'static str, VecDeque<Does>>,
    rest: BTreeMap<&'static str, Does>,
    invoked: Vec<(&'static str, Value)>,
    reports: Vec<Value>,
    targets: Vec<Request<Bytes>>,
    report_statuses: VecDeque<u16>,
    live_says_more: bool,
}

/// The smoke function and its surroundings.
pub struct Stage {
    pub day: TestWorld,
    pub hooks: OnceLock<Hooks>,
    pub webhook: OnceLock<Webhook>,
    worker: OnceLock<Arc<Worker>>,
    state: Mutex<State>,
}

/// The stage as a network, for the function and for the worker.
struct Network(Arc<Stage>);

impl Stage {
    /// Versions that work, and no worker at the queue yet.
    pub async fn new() -> Arc<Self> {
        Self::with(&[]).await
    }

    /// The same with settings of the smoke function that differ.
    pub async fn with(settings: &[(&str, &str)]) -> Arc<Self> {
        Box::pin(Self::behind(settings, Arc::new(Through))).await
    }

    /// The same with something between the smoke function and the table.
    pub async fn behind(settings: &[(&str, &str)], between: Arc<dyn Intercept>) -> Arc<Self> {
        let day = Box::pin(TestWorld::new(&[])).await;
        let stage = Arc::new(Self {
            day,
            hooks: OnceLock::new(),
            webhook: OnceLock::new(),
            worker: OnceLock::new(),
            state: Mutex::default(),
        });
        let http: Arc<dyn Http> = Arc::new(Network(Arc::clone(&stage)));
        let mut all = stage.settings();
        for (name, value) in settings {
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        // As on AWS: what the smoke function takes for a secret is in SSM.
        let ssm = &stage.day.world.engines.ssm;
        for (name, value) in all.iter().filter(|(_, value)| !value.is_empty()) {
            ssm.put(&format!("/clivy/test/{name}"), value);
        }
        all.insert("SECRETS_PATH".to_owned(), "/clivy/test".to_owned());
        let clock = Arc::clone(&stage.day.world.clock);
        let metrics = stage.day.world.metrics.clone();
        let (engines, through) = (&stage.day.world.engines, Arc::new(Through));
        let direct = sdk(Wire::new(engines.clone(), through));
        let clients = || {
            let sqs = aws_sdk_sqs::Client::new(&direct);
            (aws_sdk_dynamodb::Client::new(&direct), sqs)
        };
        let read = config::read(Reader::new(all.clone()), webhook::settings::Settings::from);
        let (dynamodb, sqs) = clients();
        let of_webhook = (Arc::clone(&clock), metrics.clone(), read.unwrap());
        let webhook = Webhook::new(dynamodb, sqs, of_webhook.0, of_webhook.1, of_webhook.2);
        assert!(stage.webhook.set(webhook.unwrap()).is_ok());
        let read = config::read(Reader::new(all.clone()), worker::settings::Settings::from);
        let (dynamodb, sqs) = clients();
        let of_worker = (Arc::clone(&http), Arc::clone(&clock), metrics);
        let worker = Worker::new(
            dynamodb,
            sqs,
            of_worker.0,
            of_worker.1,
            of_worker.2,
            read.unwrap(),
        );
        assert!(stage.worker.set(Arc::new(worker.unwrap())).is_ok());

        let watched = sdk(Wire::new(engines.clone(), between));
        let aws = Aws::new(&watched, http, Arc::clone(&clock)).unwrap();
        let (of_smoke, at) = (aws.clone(), Arc::clone(&clock));
        let dynamodb = aws_sdk_dynamodb::Client::new(&watched);
        let make = move |settings: Settings| {
            let clock = Arc::clone(&at);
            Ok(Smoke::new(
                dynamodb.clone(),
                of_smoke.clone(),
                clock,
                settings,
            )?)
        };
        let ssm = aws_sdk_ssm::Client::new(&watched);
        let starting = Renewing::new(all, ssm, Settings::from, make, clock);
        let hooks = Hooks {
            codedeploy_url: "https://codedeploy.test".to_owned(),
            aws,
            smoke: ROLE.scope(Role::Smoke, starting).await,
        };
        assert!(stage.hooks.set(hooks).is_ok());
        stage
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let queue_url = |name| self.day.world.engines.sqs.queue_url(name);
        [
            ("TABLE_NAME", TABLE.to_owned()),
            ("QUEUE_URL", queue_url(QUEUE)),
            ("DLQ_URL", queue_url(DLQ)),
            ("PSEUDONYM_KEY", "a-key-for-tests-only".to_owned()),
            (
                "BOT_SECRETS_KEY",
                "a-key-that-seals-the-secrets-of-bots".to_owned(),
            ),
            ("OPENROUTER_API_KEY", "sk-or-v1-test".to_owned()),
            ("OPENROUTER_BASE_URL", MODEL_URL.to_owned()),
            ("OPENROUTER_MODEL", "test/model".to_owned()),
            ("SMOKE_GATEWAY_URL", GATEWAY.to_owned()),
            ("INVOKE_URL", "https://lambda.test".to_owned()),
            ("WEBHOOK_VERSION_ARN", WEBHOOK.to_owned()),
            ("WORKER_VERSION_ARN", WORKER.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// The worker that is live takes what is in the queue from now on.
    pub fn start_live(self: &Arc<Self>) {
        let live = Arc::new(Live {
            stage: Arc::clone(self),
            inner: InProcess::new(
                Arc::clone(self.worker.get().unwrap()),
                Arc::clone(&self.day.world.clock),
            ),
        });
        let mapping = self.day.world.mapping(live);
        #[expect(
            clippy::disallowed_methods,
            reason = "the mapping runs beside the test"
        )]
        tokio::spawn(mapping.run(std::future::pending()));
    }

    /// The worker that is live sends another reply after each batch.
    pub fn live_says_more(&self) {
        self.state.lock().unwrap().live_says_more = true;
    }

    /// What a version does from now on: first these, then the last of them for ever.
    pub fn does(&self, part: &'static str, script: impl IntoIterator<Item = Does>) {
        let mut script: VecDeque<Does> = script.into_iter().collect();
        let mut state = self.state.lock().unwrap();
        state.rest.insert(part, script.pop_back().unwrap());
        state.script.insert(part, script);
    }

    /// CodeDeploy answers the next reports with these statuses.
    pub fn codedeploy_answers(&self, statuses: impl IntoIterator<Item = u16>) {
        self.state.lock().unwrap().report_statuses.extend(statuses);
    }

    /// CodeDeploy invokes the hook; what it was told.
    pub async fn deploy(&self) -> Vec<String> {
        self.hook().await.unwrap();
        self.reports()
    }

    /// CodeDeploy invokes the hook.
    pub async fn hook(&self) -> Result<Value, clivy::secrets::MakeError> {
        let event = json!({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"});
        let deadline = self.day.world.clock.now().plus_ms(TIMEOUT_MS);
        let hook = Box::pin(self.hooks.get().unwrap().handle(event, deadline));
        ROLE.scope(Role::Smoke, hook).await
    }

    /// The statuses that CodeDeploy has taken, each of the right hook.
    pub fn reports(&self) -> Vec<String> {
        let reports = self.state.lock().unwrap().reports.clone();
        for report in &reports {
            assert_eq!(report["deploymentId"], "d-1");
            assert_eq!(report["lifecycleEventHookExecutionId"], "e-1");
        }
        let statuses = reports.iter().map(|report| &report["status"]);
        statuses
            .map(|status| status.as_str().unwrap().to_owned())
            .collect()
    }

    /// The parts that were invoked, in order; warming up does not count.
    pub fn invoked(&self) -> Vec<&'static str> {
        let state = self.state.lock().unwrap();
        let nothing = json!({"Records": []});
        let meant = state.invoked.iter().filter(|(_, event)| *event != nothing);
        meant.map(|(part, _)| *part).collect()
    }

    /// The requests to AWS, as they were signed.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.state.lock().unwrap().targets.clone()
    }

    /// A request to the test bot's gateway, as the API hands it on.
    pub async fn gateway(&self, path: &str, token: &str, body: &str) -> (u16, Value) {
        let event = json!({
            "version": "2.0", "rawPath": format!("/smoke{path}"),
            "headers": {"token": token, "content-type": "application/json"},
            "body": body, "isBase64Encoded": false,
        });
        let deadline = self.day.world.clock.now().plus_ms(TIMEOUT_MS);
        let answer = self
            .hooks
            .get()
            .unwrap()
            .handle(event, deadline)
            .await
            .unwrap();
        let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
        (
            status,
            serde_json::from_str(answer["body"].as_str().unwrap()).unwrap(),
        )
    }

    /// The test bot.
    pub async fn bot(&self) -> Bot {
        let bot_id = BotId::new(smoke::bot::NAME).unwrap();
        let webhook = self.webhook.get().unwrap();
        webhook.table.bot(&bot_id).await.unwrap().unwrap()
    }

    /// The test bot's token at its gateway.
    pub async fn token(&self) -> String {
        self.bot().await.gateway.token
    }

    /// The replies that the gateway was sent, by their customer.
    async fn reply_items(&self) -> BTreeMap<String, usize> {
        let scan = json!({"TableName": "clivy", "FilterExpression": "begins_with(pk, :smoke)",
            "ExpressionAttributeValues": {":smoke": {"S": "X#smoke#"}}});
        let items = self.day.dynamodb("Scan", scan).await;
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for item in items["Items"].as_array().unwrap() {
            assert!(
                item["expires_at"]["N"].is_string(),
                "it would stay for ever"
            );
            let phone = item["pk"]["S"].as_str().unwrap();
            let phone = phone.trim_start_matches("X#smoke#").to_owned();
            *counts.entry(phone).or_default() += 1;
        }
        counts
    }

    /// How many replies each customer got.
    pub async fn replies(&self) -> Vec<usize> {
        self.reply_items().await.into_values().collect()
    }

    /// The customers that got any.
    pub async fn customers(&self) -> Vec<String> {
        self.reply_items().await.into_keys().collect()
    }

    fn next(&self, part: &'static str, event: &Value) -> Does {
        let mut state = self.state.lock().unwrap();
        state.invoked.push((part, event.clone()));
        // Warming up is no part of a script.
        if *event == json!({"Records": []}) {
            return Does::Works;
        }
        let scripted = state.script.get_mut(part).and_then(VecDeque::pop_front);
        let rest = || state.rest.get(part).cloned();
        scripted.or_else(rest).unwrap_or(Does::Works)
    }

    async fn lambda(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let path = percent_decode_str(request.uri().path())
            .decode_utf8()
            .unwrap();
        let arn = path.strip_prefix("/2015-03-31/functions/").unwrap();
        let part = match arn.strip_suffix("/invocations").unwrap() {
            WEBHOOK => "webhook",
            WORKER => "worker",
            other => panic!("nobody deploys {other}"),
        };
        let event: Value = serde_json::from_slice(request.body()).unwrap();
        let mut does = self.next(part, &event);
        while let Does::Late(late, then) = does {
            tokio::time::sleep(late).await;
            does = *then;
        }
        let answer = match does {
            Does::Works => self.runs(part, event).await,
            Does::Late(..) => unreachable!("unwrapped above"),
            Does::SaysMore => {
                let answer = self.runs(part, event).await;
                self.another_reply().await;
                answer
            }
            Does::Answers(answer) => answer,
            Does::Hangs => std::future::pending().await,
            Does::Panics => panic!("the smoke test panics"),
            Does::Refused(status) => return Ok(response(status, &json!({}))),
            Does::Dies => {
                let mut died = response(200, &json!({"errorMessage": "died"}));
                let unhandled = http::HeaderValue::from_static("Unhandled");
                died.headers_mut().insert("x-amz-function-error", unhandled);
                return Ok(died);
            }
        };
        Ok(response(200, &answer))
    }

    /// What the version does, with the event as Lambda's runtime reads it.
    async fn runs(&self, part: &str, event: Value) -> Value {
        if part == "worker" {
            let event: SqsEvent = serde_json::from_value(event).unwrap();
            let worker = self.worker.get().unwrap();
            let deadline = self.day.world.clock.now().plus_ms(180_000);
            let invocation = worker.handle(event, "of the new version", deadline);
            return serde_json::to_value(Box::pin(invocation).await).unwrap();
        }
        let request: LambdaRequest = serde_json::from_value(event).unwrap();
        let webhook = self.webhook.get().unwrap();
        let (parts, body) = webhook.handle(request.into()).await.into_parts();
        let lambda_http::Body::Text(body) = body else {
            panic!("the webhook answers with text")
        };
        json!({"statusCode": parts.status.as_u16(), "body": body})
    }

    /// A reply that nobody asked for, to somebody who got one.
    async fn another_reply(&self) {
        let Some(phone) = self.customers().await.pop() else {
            return;
        };
        let body = json!({"Phone": phone, "Body": "Halo lagi", "Id": "ANOTHER"}).to_string();
        let (status, _) = self
            .gateway("/chat/send/text", &self.token().await, &body)
            .await;
        assert_eq!(status, 200);
    }

    fn codedeploy(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let target = &request.headers()["x-amz-target"];
        assert_eq!(
            target,
            "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus"
        );
        let mut state = self.state.lock().unwrap();
        let status = state.report_statuses.pop_front().unwrap_or(200);
        if status == 200 {
            let report = serde_json::from_slice(request.body()).unwrap();
            state.reports.push(report);
        }
        response(status, &json!({"lifecycleEventHookExecutionId": "e-1"}))
    }
}

fn response(status: u16, body: &Value) -> Response<Bytes> {
    let body = Bytes::from(body.to_string());
    Response::builder().status(status).body(body).unwrap()
}

impl Http for Network {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        Box::pin(async move {
            let stage = &self.0;
            let host = request.uri().host().unwrap_or_default().to_owned();
            let answer = async {
                match host.as_str() {
                    "lambda.test" | "codedeploy.test" => {
                        stage.state.lock().unwrap().targets.push(request.clone());
                        match host.as_str() {
                            "lambda.test" => stage.lambda(&request).await,
                            _ => Ok(stage.codedeploy(&request)),
                        }
                    }
                    "api.smoke.test" => {
                        let path = request.uri().path().trim_start_matches("/smoke");
                        let token = request.headers()["token"].to_str().unwrap();
                        let body = std::str::from_utf8(request.body()).unwrap();
                        let (status, body) = stage.gateway(path, token, body).await;
                        Ok(response(status, &body))
                    }
                    _ => stage.day.outside.send(request, timeout).await,
                }
            };
            tokio::time::timeout(timeout, answer)
                .await
                .unwrap_or(Err(HttpError::Timeout))
        })
    }
}

/// The worker that the alias leads to.
struct Live {
    stage: Arc<Stage>,
    inner: InProcess,
}

impl Invoke for Live {
    fn invoke(&self, event: SqsEvent) -> BoxFuture<'_, Result<SqsBatchResponse, InvokeError>> {
        Box::pin(async move {
            let answer = self.inner.invoke(event).await;
            let says_more = self.stage.state.lock().unwrap().live_says_more;
            if says_more {
                self.stage.another_reply().await;
            }
            answer
        })
    }
}
