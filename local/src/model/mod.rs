//! A demo model that speaks OpenRouter's wire format, for a first run without a key.
//!
//! It is no language model: it finds the bot's documents in the system message, looks for those that the customer asks
//! about, and quotes them. Every answer says that it comes from the demo model.

mod account;
mod answer;
mod refusals;
mod words;

pub(crate) use refusals::{RETRY_AFTER_SECONDS, SMALL_CONTEXT_TOKENS};

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Json;
use axum::routing::{get, post};
use clivy::conversation::ids::hex;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::faults::{Fault, Met, ModelFault, Switch};
use crate::steps::now_ms;
use refusals::{Refusal, Size, refusal};

/// The name that answers carry, whatever model was asked for: the logs should not claim another.
pub const MODEL_NAME: &str = "clivy/model-demo";

/// Pretend prices in USD per token, of the size that small models have.
const USD_PER_TOKEN_IN: f64 = 0.000_000_15;
const USD_PER_TOKEN_OUT: f64 = 0.000_000_60;

/// The demo model. Clones share one account and its faults.
#[derive(Clone, Debug)]
pub struct Model {
    latency: Duration,
    /// USD.
    used: Arc<Mutex<f64>>,
    faults: Switch<ModelFault>,
}

impl Model {
    /// A model that takes `latency` for every answer.
    #[must_use]
    pub fn new(latency: Duration) -> Self {
        Self {
            latency,
            used: Arc::default(),
            faults: Switch::default(),
        }
    }

    /// What its next calls of `chat/completions` meet.
    #[must_use]
    pub fn faults(&self) -> Switch<ModelFault> {
        self.faults.clone()
    }

    /// `POST /chat/completions`, `GET /key` and `GET /credits`, relative to the base URL.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/chat/completions", post(completions))
            .route("/key", get(account::key))
            .route("/credits", get(account::credits))
            .with_state(self.clone())
    }
}

/// OpenRouter refuses calls without a key; any key will do here.
fn authorize(headers: &HeaderMap) -> Result<(), Refusal> {
    let key = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    match key {
        Some(key) if !key.trim().is_empty() => Ok(()),
        _ => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "No auth credentials found",
        )),
    }
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    max_tokens: Option<usize>,
    #[serde(default)]
    stream: bool,
    /// Clivy sends the conversation's keyed hash.
    #[serde(default)]
    session_id: Option<String>,
}

impl Request {
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let bad = |message: &str| Refusal::new(StatusCode::BAD_REQUEST, message);
        let request: Self =
            serde_json::from_slice(body).map_err(|_| bad("Invalid JSON in the request body"))?;
        if request.messages.is_empty() {
            return Err(bad("Input required: specify \"prompt\" or \"messages\""));
        }
        if request.stream {
            return Err(bad("The demo model does not stream"));
        }
        Ok(request)
    }

    fn size(&self) -> Size {
        let of_message = |message: &Message| tokens(&message.text());
        Size {
            prompt: self.messages.iter().map(of_message).sum(),
            answer: self.max_tokens.unwrap_or(0),
        }
    }

    /// What all messages of a role say.
    fn texts(&self, role: &str) -> Vec<String> {
        let mine = self.messages.iter().filter(|message| message.role == role);
        mine.map(Message::text).collect()
    }
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Content,
}

/// A message's content: plain, or a list of parts of which the texts count.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

impl Message {
    fn text(&self) -> String {
        match &self.content {
            Content::Text(text) => text.clone(),
            Content::Parts(parts) => {
                let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
                texts.join("\n")
            }
        }
    }
}

async fn completions(
    State(model): State<Model>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let request = Request::parse(&body)?;
    let met = model.faults.meet();
    if let Some(met) = &met {
        fail(met, &request).await?;
    }
    if !model.latency.is_zero() {
        tokio::time::sleep(model.latency).await;
    }
    let (text, finish_reason) = if met.is_some_and(|met| met.fault == ModelFault::EmptyAnswer) {
        (String::new(), "stop")
    } else {
        let burst = request.texts("user").pop().unwrap_or_default();
        let whole = answer::answer(&request.texts("system").join("\n\n"), &burst);
        cut(&whole, request.max_tokens)
    };
    let usage = Usage {
        tokens_in: request.size().prompt,
        tokens_out: tokens(&text),
    };
    model.charge(usage.cost());
    Ok(Json(completion(&body, &text, finish_reason, &usage)))
}

/// Does what the fault is, as far as it comes before an answer.
async fn fail(met: &Met<ModelFault>, request: &Request) -> Result<(), Refusal> {
    let refused = refusal(met.fault, request.size());
    let fits = met.fault == ModelFault::ContextTooLong && refused.is_none();
    if !fits {
        tracing::warn!(
            step = "demo_fault",
            conversation = request.session_id.as_deref().filter(|id| is_hash(id)),
            target = "model",
            fault = met.fault.name(),
            calls_left = met.calls_left,
            "the demo model fails as the fault panel says"
        );
    }
    match refused {
        Some(refused) => Err(refused),
        None if met.fault == ModelFault::Timeout => {
            met.hang().await;
            Ok(())
        }
        None => Ok(()),
    }
}

/// Whether it is a conversation's keyed hash: whatever else a caller sends has no place in the log (I11).
fn is_hash(id: &str) -> bool {
    id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

struct Usage {
    tokens_in: usize,
    tokens_out: usize,
}

impl Usage {
    #[expect(
        clippy::cast_precision_loss,
        reason = "token counts are far below 2^52"
    )]
    fn cost(&self) -> f64 {
        self.tokens_in as f64 * USD_PER_TOKEN_IN + self.tokens_out as f64 * USD_PER_TOKEN_OUT
    }
}

/// The answer as OpenRouter sends it; its id depends on the request only, so that a repeated run repeats it.
fn completion(request: &[u8], text: &str, finish_reason: &str, usage: &Usage) -> Value {
    let digest: String = hex(&Sha256::digest(request)).chars().take(20).collect();
    json!({
        "id": format!("gen-{digest}"),
        "provider": "Clivy demo",
        "model": MODEL_NAME,
        "object": "chat.completion",
        "created": now_ms() / 1_000,
        "choices": [{
            "index": 0,
            "finish_reason": finish_reason,
            "native_finish_reason": finish_reason,
            "logprobs": null,
            "message": {"role": "assistant", "content": text, "refusal": null},
        }],
        "usage": {
            "prompt_tokens": usage.tokens_in,
            "completion_tokens": usage.tokens_out,
            "total_tokens": usage.tokens_in + usage.tokens_out,
            "cost": usage.cost(),
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    })
}

/// Four characters a token, the usual rule of thumb.
fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(4)
}

/// The text within `max_tokens`, and why it ends.
fn cut(text: &str, max_tokens: Option<usize>) -> (String, &'static str) {
    match max_tokens {
        Some(max) if tokens(text) > max => (text.chars().take(max * 4).collect(), "length"),
        _ => (text.to_owned(), "stop"),
    }
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;
