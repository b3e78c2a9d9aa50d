//! Everything outside: a scripted OpenRouter and a scripted wuzapi, behind the HTTP seam. Both speak the real
//! wire formats and record what they are asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use clivy::http::{Http, HttpError};
use futures_util::future::BoxFuture;
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::faults::{Fault, Faults, When};

/// Where the scripted model is.
pub const MODEL_URL: &str = "http://model.test/api/v1";
/// The path of what OpenRouter says about the key.
pub const KEY: &str = "/api/v1/key";
/// The path of what OpenRouter says about the account.
pub const CREDITS: &str = "/api/v1/credits";
/// Where the scripted gateway is.
pub const GATEWAY_URL: &str = "http://gateway.test";

/// What the model does with one call.
#[derive(Clone, Debug)]
pub enum Model {
    /// Answers with this text.
    Says(String),
    /// Answers with this status and body.
    Http(u16, Value),
    /// The same with headers.
    HttpWith(u16, Vec<(&'static str, String)>, Value),
    /// Answers with this status and these bytes, which need not be JSON.
    Raw(u16, Bytes),
    /// Answers after this long.
    Slow(Duration, Box<Model>),
    /// The connection breaks.
    Breaks,
    /// No answer, ever.
    Hangs,
}

/// One call of the model.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The host that was called.
    pub host: String,
    /// The key that was shown.
    pub key: String,
    /// When, since the start of the world.
    pub at: Duration,
    /// The body.
    pub body: Value,
}

impl Asked {
    /// The model that was asked for.
    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }
}

/// What the model does with a call that no script says anything about; none: it answers.
type Rule = Box<dyn Fn(&Asked) -> Option<Model> + std::marker::Send + Sync>;

/// What the gateway does with a text that no script says anything about; none: it sends it.
type GatewayRule = Box<dyn Fn() -> Option<Gateway> + std::marker::Send + Sync>;

/// What the gateway does with one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// Sends it.
    Sends,
    /// Sends it, and its answer is lost.
    SendsAndBreaks,
    /// Sends it, and never answers.
    SendsAndHangs,
    /// Answers with this status and sends nothing.
    Http(u16),
    /// Refuses the connection.
    Refuses,
}

/// One text that reached the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// To whom.
    pub phone: String,
    /// The message id.
    pub id: String,
    /// The text.
    pub text: String,
    /// When, since the start of the world.
    pub at: Duration,
    /// Whether the gateway sent it on.
    pub delivered: bool,
}

/// What OpenRouter says about the key or the account, until it is told otherwise.
#[derive(Clone, Debug)]
pub enum Account {
    /// Answers with this status and body.
    Http(u16, Value),
    /// Answers after this long.
    Slow(Duration, Box<Account>),
    /// The connection breaks.
    Breaks,
    /// No answer, ever.
    Hangs,
}

impl Account {
    /// A key: what is left of its cap of 100 USD, if it has one; what it has used in all, and today.
    pub fn key(limit_remaining: Option<f64>, usage: f64, usage_daily: f64) -> Self {
        Self::Http(
            200,
            json!({"data": {"label": "sk-or-test", "limit": limit_remaining.map(|_| 100.0),
                "limit_remaining": limit_remaining, "limit_reset": null, "usage": usage,
                "usage_daily": usage_daily, "usage_weekly": usage, "usage_monthly": usage,
                "is_free_tier": false}}),
        )
    }

    /// An account that has bought and used this much.
    pub fn balance(total_credits: f64, total_usage: f64) -> Self {
        let data = json!({"total_credits": total_credits, "total_usage": total_usage});
        Self::Http(200, json!({"data": data}))
    }

    /// A refusal.
    pub fn refuses(status: u16, message: &str) -> Self {
        Self::Http(
            status,
            json!({"error": {"code": status, "message": message}}),
        )
    }
}

#[derive(Default)]
struct State {
    key: Option<Account>,
    account: Option<Account>,
    account_calls: Vec<String>,
    model_script: VecDeque<Model>,
    gateway_script: VecDeque<Gateway>,
    asked: Vec<Asked>,
    rule: Option<Rule>,
    gateway_rule: Option<GatewayRule>,
    sends: Vec<Send>,
    others: Vec<(String, Value)>,
    best_effort_hangs: bool,
}

/// The outside.
pub struct Outside {
    state: Mutex<State>,
    faults: Arc<Faults>,
    started: Instant,
    /// How long every answer of the model takes that is not scripted otherwise.
    pub model_latency: Duration,
}

impl Outside {
    /// An outside where everything works.
    pub fn new(faults: Arc<Faults>) -> Self {
        Self {
            state: Mutex::default(),
            faults,
            started: Instant::now(),
            model_latency: Duration::from_millis(800),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next calls of the model do this, then it works again.
    pub fn model_does(&self, script: impl IntoIterator<Item = Model>) {
        self.state().model_script.extend(script);
    }

    /// The next texts at the gateway meet this, then it works again.
    pub fn gateway_does(&self, script: impl IntoIterator<Item = Gateway>) {
        self.state().gateway_script.extend(script);
    }

    /// From now on the model does this with every call that is not scripted.
    pub fn model_follows(
        &self,
        rule: impl Fn(&Asked) -> Option<Model> + std::marker::Send + Sync + 'static,
    ) {
        self.state().rule = Some(Box::new(rule));
    }

    /// Whatever was scripted for the model: it works from now on.
    pub fn model_is_well(&self) {
        let mut state = self.state();
        state.model_script.clear();
        state.rule = None;
    }

    /// From now on the gateway does this with every text that is not scripted.
    pub fn gateway_follows(
        &self,
        rule: impl Fn() -> Option<Gateway> + std::marker::Send + Sync + 'static,
    ) {
        self.state().gateway_rule = Some(Box::new(rule));
    }

    /// Whatever was scripted for the gateway: it works from now on.
    pub fn gateway_is_well(&self) {
        let mut state = self.state();
        state.gateway_script.clear();
        state.gateway_rule = None;
    }

    /// "typing…" and read ticks are never answered from now on.
    pub fn best_effort_hangs(&self) {
        self.state().best_effort_hangs = true;
    }

    /// The bodies the model was asked with.
    pub fn asked(&self) -> Vec<Value> {
        self.calls().into_iter().map(|asked| asked.body).collect()
    }

    /// Every call of the model, in order.
    pub fn calls(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// The last user message of every call of the model.
    pub fn questions(&self) -> Vec<String> {
        self.asked().iter().map(last_user).collect()
    }

    /// Every text that reached the gateway, in order.
    pub fn sends(&self) -> Vec<Send> {
        self.state().sends.clone()
    }

    /// Every text since the last time, in order. Forgets them, and what the model and the gateway were asked besides.
    pub fn take_sends(&self) -> Vec<Send> {
        let mut state = self.state();
        state.asked.clear();
        state.others.clear();
        std::mem::take(&mut state.sends)
    }

    /// What customers see: one message per id, as WhatsApp shows it, in order.
    pub fn delivered(&self) -> Vec<Send> {
        let mut seen: Vec<Send> = Vec::new();
        for send in self.sends().into_iter().filter(|send| send.delivered) {
            if !seen.iter().any(|other| other.id == send.id) {
                seen.push(send);
            }
        }
        seen
    }

    /// Ids that reached the gateway with more than one text: must stay empty (I5).
    pub fn ids_with_two_texts(&self) -> Vec<String> {
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        let mut bad = Vec::new();
        for send in self.sends() {
            let first = texts.entry(send.id.clone()).or_insert(send.text.clone());
            if *first != send.text {
                bad.push(send.id);
            }
        }
        bad
    }

    /// Calls of the gateway besides texts: path and body.
    pub fn others(&self) -> Vec<(String, Value)> {
        self.state().others.clone()
    }

    /// What `/key` says from now on.
    pub fn key_is(&self, key: Account) {
        self.state().key = Some(key);
    }

    /// What `/credits` says from now on.
    pub fn account_is(&self, account: Account) {
        self.state().account = Some(account);
    }

    /// The paths of the calls of `/key` and `/credits` so far.
    pub fn account_calls(&self) -> Vec<String> {
        self.state().account_calls.clone()
    }

    async fn account(&self, path: &str) -> Result<Response<Bytes>, HttpError> {
        let scripted = {
            let mut state = self.state();
            state.account_calls.push(path.to_owned());
            match path {
                KEY => state.key.clone(),
                _ => state.account.clone(),
            }
        };
        let mut step = scripted.unwrap_or_else(|| match path {
            KEY => Account::key(Some(97.5), 2.5, 0.5),
            _ => Account::refuses(403, "Only management keys can fetch credits"),
        });
        while let Account::Slow(latency, then) = step {
            tokio::time::sleep(latency).await;
            step = *then;
        }
        match step {
            Account::Http(status, body) => Ok(answer(status, &body)),
            Account::Breaks => Err(HttpError::Broken),
            Account::Hangs => std::future::pending().await,
            Account::Slow(..) => unreachable!("unwrapped above"),
        }
    }

    async fn model(&self, asked: Asked) -> Result<Response<Bytes>, HttpError> {
        let body = &asked.body.clone();
        let step = {
            let mut state = self.state();
            state.asked.push(asked.clone());
            let scripted = state.model_script.pop_front();
            scripted.or_else(|| state.rule.as_ref()?(&asked))
        };
        let mut step = step.unwrap_or_else(|| {
            let says = Model::Says(format!("Jawaban atas: {}", last_user(body)));
            Model::Slow(self.model_latency, Box::new(says))
        });
        while let Model::Slow(latency, then) = step {
            tokio::time::sleep(latency).await;
            step = *then;
        }
        match step {
            Model::Says(text) => Ok(answer(200, &completion(body, &text))),
            Model::Http(status, body) => Ok(answer(status, &body)),
            Model::HttpWith(status, headers, body) => {
                let mut answer = answer(status, &body);
                for (name, value) in headers {
                    answer.headers_mut().insert(name, value.parse().unwrap());
                }
                Ok(answer)
            }
            Model::Raw(status, body) => Ok(raw(status, body)),
            Model::Breaks => Err(HttpError::Broken),
            Model::Hangs => std::future::pending().await,
            Model::Slow(..) => unreachable!("unwrapped above"),
        }
    }

    async fn text(&self, body: &Value) -> Result<Response<Bytes>, HttpError> {
        let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let scripted = {
            let mut state = self.state();
            let scripted = state.gateway_script.pop_front();
            scripted.or_else(|| state.gateway_rule.as_ref()?())
        };
        let step = scripted.unwrap_or(Gateway::Sends);
        if step == Gateway::Refuses {
            return Err(HttpError::Connect);
        }
        self.state().sends.push(Send {
            phone: field("Phone"),
            id: field("Id"),
            text: field("Body"),
            at: self.started.elapsed(),
            delivered: !matches!(step, Gateway::Http(_)),
        });
        match step {
            Gateway::SendsAndBreaks => Err(HttpError::Broken),
            Gateway::SendsAndHangs => std::future::pending().await,
            Gateway::Http(status) => Ok(answer(status, &json!({"code": status, "success": false}))),
            Gateway::Sends | Gateway::Refuses => Ok(answer(
                200,
                &json!({"code": 200, "success": true, "data": {"Details": "Sent", "Id": body["Id"]}}),
            )),
        }
    }

    async fn route(
        &self,
        request: &Request<Bytes>,
        body: &Value,
    ) -> Result<Response<Bytes>, HttpError> {
        let header = |name: &str| {
            let value = request.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        match request.uri().path() {
            path if path.ends_with("/chat/completions") => {
                let key = header("authorization").unwrap_or_default();
                let asked = Asked {
                    host: request.uri().host().unwrap_or_default().to_owned(),
                    key: key.trim_start_matches("Bearer ").to_owned(),
                    at: self.started.elapsed(),
                    body: body.clone(),
                };
                self.model(asked).await
            }
            path @ (KEY | CREDITS) => self.account(path).await,
            "/chat/send/text" => self.text(body).await,
            path => {
                let hangs = {
                    let mut state = self.state();
                    state.others.push((path.to_owned(), body.clone()));
                    state.best_effort_hangs
                };
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok(answer(
                    200,
                    &json!({"code": 200, "success": true, "data": {}}),
                ))
            }
        }
    }
}

impl Http for Outside {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
            // "typing…" and read ticks are best effort: no effect that a crash could split.
            let counts = ["/chat/send/text", "/chat/completions", "/key", "/credits"]
                .iter()
                .any(|end| path.ends_with(end));
            let fault = if counts {
                let token = request.headers().get("token");
                let token = token.and_then(|token| token.to_str().ok());
                self.faults.count_from(&path, request.body(), token)
            } else {
                None
            };
            let call = async {
                match fault {
                    Some(Fault::Crash(When::Before)) => self.faults.die().await,
                    Some(Fault::Error(When::Before) | Fault::Refused(_)) => {
                        return Err(HttpError::Connect);
                    }
                    Some(Fault::Late(by)) => tokio::time::sleep(by).await,
                    Some(Fault::Silence(When::Before)) => std::future::pending().await,
                    _ => {}
                }
                let answer = self.route(&request, &body).await;
                match fault {
                    Some(Fault::Crash(When::After)) => self.faults.die().await,
                    Some(Fault::Error(When::After)) => Err(HttpError::Broken),
                    Some(Fault::Silence(_)) => std::future::pending().await,
                    _ => answer,
                }
            };
            tokio::time::timeout(timeout, call)
                .await
                .unwrap_or(Err(HttpError::Timeout))
        })
    }
}

/// The last user message of a request to the model.
pub fn last_user(body: &Value) -> String {
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    let last = messages
        .iter()
        .rev()
        .find(|message| message["role"] == "user");
    last.and_then(|message| message["content"].as_str())
        .unwrap_or_default()
        .to_owned()
}

fn completion(body: &Value, text: &str) -> Value {
    json!({
        "id": "gen-1", "object": "chat.completion", "created": 1_763_604_904, "model": body["model"],
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150, "cost": 0.000_25,
            "prompt_tokens_details": {"cached_tokens": 64}}
    })
}

fn answer(status: u16, body: &Value) -> Response<Bytes> {
    raw(status, Bytes::from(body.to_string()))
}

fn raw(status: u16, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    response
}
