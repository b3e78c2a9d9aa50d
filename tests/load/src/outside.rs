//! Everything outside the system, as real servers: a gateway that takes what wuzapi takes, and a model that speaks
//! OpenRouter's format. Both take their time, write down what they are asked, and share no code with the system.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tests::measure::{Latency, Random};
use tests::process::wire;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ledger::{Ledger, Sent};
use crate::token::{Customer, Token};

/// How long everybody outside takes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The model.
    pub model: Latency,
    /// The gateway, for a text.
    pub gateway: Latency,
}

impl Pace {
    /// Of a model with this median: 5 % take longer than 3.7 times that, 1 % longer than 6.4 times, none longer than ten times.
    #[must_use]
    pub fn of(model_median: Duration) -> Self {
        Self {
            model: Latency {
                median: model_median,
                sigma: 0.8,
                most: model_median * 10,
            },
            gateway: Latency {
                median: Duration::from_millis(150),
                sigma: 0.6,
                most: Duration::from_secs(2),
            },
        }
    }
}

/// The servers. Clones share them.
#[derive(Clone)]
pub struct Outside(Arc<Inner>);

struct Inner {
    state: Mutex<OutsideState>,
    began: Instant,
    pace: Pace,
}

struct OutsideState {
    ledger: Ledger,
    random: Random,
    /// The highest bubble of each customer that was answered.
    answered_to: HashMap<Customer, watch::Sender<u32>>,
    open_calls: usize,
    cut_off: CutOff,
}

/// Calls whose caller went away before there was an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CutOff {
    /// Questions to the model.
    pub questions: u64,
    /// Sends: the customer has the text, the system does not know it.
    pub sends: u64,
}

/// One call that is being answered.
struct Open<'o> {
    outside: &'o Outside,
    count: fn(&mut CutOff) -> &mut u64,
    is_question: bool,
    is_answered: bool,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut state = self.outside.state();
        if self.is_question {
            state.open_calls -= 1;
        }
        if !self.is_answered {
            *(self.count)(&mut state.cut_off) += 1;
        }
    }
}

impl Outside {
    /// Nobody has asked anything yet.
    #[must_use]
    pub fn new(pace: Pace, seed: u64) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::new(OutsideState {
                ledger: Ledger::default(),
                random: Random::new(seed),
                answered_to: HashMap::new(),
                open_calls: 0,
                cut_off: CutOff::default(),
            }),
            began: Instant::now(),
            pace,
        }))
    }

    /// Listens on a port of its own until the runtime ends.
    pub async fn serve(&self) -> SocketAddr {
        let router = Router::new()
            .route("/chat/send/text", post(send_text))
            .route("/chat/presence", post(best_effort))
            .route("/chat/markread", post(best_effort))
            .route("/api/v1/chat/completions", post(complete))
            .route("/api/v1/key", get(account))
            .route("/api/v1/credits", get(account))
            .with_state(self.clone());
        wire::serve(router).await
    }

    /// Since the run's beginning.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// Reads or writes what was seen.
    pub fn ledger<T>(&self, with: impl FnOnce(&mut Ledger) -> T) -> T {
        with(&mut self.state().ledger)
    }

    /// Tells up to which of their bubbles a customer has been answered.
    #[must_use]
    pub fn answers_to(&self, customer: Customer) -> watch::Receiver<u32> {
        let mut state = self.state();
        let answered_to = state.answered_to.entry(customer);
        answered_to
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    /// Customers whose last accepted bubble has no answer yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let state = self.state();
        let mut accepted_to: HashMap<Customer, u32> = HashMap::new();
        for (token, bubble) in &state.ledger.bubbles {
            if bubble.accepted.is_some() {
                // In ascending order: the last one stays.
                accepted_to.insert(token.customer, token.number);
            }
        }
        let is_waiting = |(customer, to): &(&Customer, &u32)| {
            let answered = state.answered_to.get(customer);
            answered.is_none_or(|answered| *answered.borrow() < **to)
        };
        accepted_to.iter().filter(is_waiting).count()
    }

    /// Questions that the model has not answered yet.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.state().open_calls
    }

    /// Calls whose caller went away.
    #[must_use]
    pub fn cut_off(&self) -> CutOff {
        self.state().cut_off
    }

    fn state(&self) -> MutexGuard<'_, OutsideState> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, is_question: bool, count: fn(&mut CutOff) -> &mut u64) -> Open<'_> {
        if is_question {
            self.state().open_calls += 1;
        }
        Open {
            outside: self,
            count,
            is_question,
            is_answered: false,
        }
    }

    fn takes(&self, latency: &Latency) -> Duration {
        latency.draw(&mut self.state().random)
    }

    fn deliver(&self, sent: Sent) {
        let mut state = self.state();
        if let Some(customer) = sent.customer() {
            let numbers = Token::all(&sent.text)
                .filter(|token| token.customer == customer)
                .map(|token| token.number);
            // A fallback text answers whatever was written: nobody waits longer for it.
            let fallback = || {
                let own = [0, u32::MAX].map(|number| Token { customer, number });
                let [first, last] = own;
                let written = state.ledger.bubbles.range(first..=last);
                written.map(|(token, _)| token.number).next_back()
            };
            let to = numbers.max().or_else(fallback).unwrap_or_default();
            if let Some(answered_to) = state.answered_to.get(&customer) {
                answered_to.send_if_modified(|answered| {
                    let is_new = *answered < to;
                    *answered = to.max(*answered);
                    is_new
                });
            }
        }
        state.ledger.sent(sent);
    }
}

/// The body of `/chat/send/text`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    phone: String,
    id: String,
    body: String,
}

async fn send_text(
    State(outside): State<Outside>,
    headers: HeaderMap,
    Json(text): Json<Text>,
) -> Response {
    let token = headers.get("token").and_then(|value| value.to_str().ok());
    let Some(bot) = token.and_then(bot_of_token) else {
        let refused = json!({"code": 401, "error": "unauthorized", "success": false});
        return (StatusCode::UNAUTHORIZED, Json(refused)).into_response();
    };
    let id = text.id.clone();
    // The customer has it from here on, whatever becomes of the answer.
    outside.deliver(Sent {
        bot,
        phone: text.phone,
        id: text.id,
        text: text.body,
        at: outside.now(),
    });
    let mut open = outside.open(false, |cut_off| &mut cut_off.sends);
    tokio::time::sleep(outside.takes(&outside.0.pace.gateway)).await;
    open.is_answered = true;
    let data = json!({"Details": "Sent", "Id": id, "Timestamp": 0});
    Json(json!({"code": 200, "success": true, "data": data})).into_response()
}

async fn best_effort(_: axum::body::Bytes) -> Json<Value> {
    Json(json!({"code": 200, "success": true, "data": {}}))
}

/// A question.
#[derive(Deserialize)]
struct Question {
    model: String,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

/// Answers with the tokens of the last user message, after a while.
async fn complete(State(outside): State<Outside>, Json(question): Json<Question>) -> Json<Value> {
    let began = outside.now();
    let messages = &question.messages;
    let is_user = |message: &Message| message.role == "user";
    let last = messages.iter().rposition(is_user).unwrap_or(messages.len());
    let asked = messages.get(last).map_or("", |last| &last.content);
    let system = messages.first().map_or("", |first| first.content.as_str());
    let others = messages
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != last)
        .map(|(_, message)| message.content.as_str());
    let (call, tokens) =
        outside.ledger(|ledger| ledger.asked(bot_of_instructions(system), asked, others, began));
    let mut open = outside.open(true, |cut_off| &mut cut_off.questions);
    tokio::time::sleep(outside.takes(&outside.0.pace.model)).await;
    open.is_answered = true;
    drop(open);
    let tokens: Vec<String> = tokens.iter().map(Token::to_string).collect();
    let text = format!("Jawaban p{call} untuk Kakak: {}", tokens.join(" "));
    let answer = json!({
        "id": format!("gen-{call}"), "object": "chat.completion", "created": 0, "model": question.model,
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 40, "total_tokens": 440, "cost": 0.000_1}
    });
    outside.ledger(|ledger| ledger.answered(call, outside.now()));
    Json(answer)
}

/// An account without a limit, and without a cent spent.
async fn account() -> Json<Value> {
    Json(
        json!({"data": {"label": "load", "usage": 0.0, "limit": null, "limit_remaining": null,
        "is_free_tier": false, "total_credits": 1_000.0, "total_usage": 0.0}}),
    )
}

/// How every bot's instructions begin; its number follows, and a full stop.
pub const INSTRUCTIONS: &str = "Anda melayani toko nomor ";
/// How every bot's token begins; its number follows.
pub const GATEWAY_TOKEN: &str = "load-token-";

fn bot_of_token(token: &str) -> Option<u32> {
    token.strip_prefix(GATEWAY_TOKEN)?.parse().ok()
}

fn bot_of_instructions(system: &str) -> Option<u32> {
    let (_, rest) = system.split_once(INSTRUCTIONS)?;
    rest.split_once('.')?.0.parse().ok()
}
