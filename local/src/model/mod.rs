//! A demo model that speaks OpenRouter's wire format, for a first run without a key.
//!
//! It is no language model: it finds the bot's documents in the system message, looks for those that the customer asks
//! about, and quotes them. Every answer says that it comes from the demo model.

mod answer;
mod words;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use clivy::conversation::ids::hex;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::steps::now_ms;

/// The name that answers carry, whatever model was asked for: the logs should not claim another.
pub const MODEL_NAME: &str = "clivy/model-demo";

/// Pretend prices in USD per token, of the size that small models have.
const USD_PER_TOKEN_IN: f64 = 0.000_000_15;
const USD_PER_TOKEN_OUT: f64 = 0.000_000_60;
/// Pretend credits in USD.
const CREDITS: f64 = 10.0;

/// The demo model. Clones share one account.
#[derive(Clone, Debug)]
pub struct Model {
    latency: Duration,
    /// USD.
    used: Arc<Mutex<f64>>,
}

impl Model {
    /// A model that takes `latency` for every answer.
    #[must_use]
    pub fn new(latency: Duration) -> Self {
        Self {
            latency,
            used: Arc::default(),
        }
    }

    /// `POST /chat/completions`, `GET /key` and `GET /credits`, relative to the base URL.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/chat/completions", post(completions))
            .route("/key", get(key))
            .route("/credits", get(credits))
            .with_state(self.clone())
    }

    fn used(&self) -> f64 {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn charge(&self, usd: f64) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) += usd;
    }
}

/// An error in OpenRouter's shape.
struct Refused(StatusCode, &'static str);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, message) = self;
        (
            status,
            Json(json!({"error": {"code": status.as_u16(), "message": message}})),
        )
            .into_response()
    }
}

/// OpenRouter refuses calls without a key; any key will do here.
fn authorize(headers: &HeaderMap) -> Result<(), Refused> {
    let key = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    match key {
        Some(key) if !key.trim().is_empty() => Ok(()),
        _ => Err(Refused(
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
) -> Result<Json<Value>, Refused> {
    authorize(&headers)?;
    let request: Request = serde_json::from_slice(&body)
        .map_err(|_| Refused(StatusCode::BAD_REQUEST, "Invalid JSON in the request body"))?;
    if request.messages.is_empty() {
        return Err(Refused(
            StatusCode::BAD_REQUEST,
            "Input required: specify \"prompt\" or \"messages\"",
        ));
    }
    if request.stream {
        return Err(Refused(
            StatusCode::BAD_REQUEST,
            "The demo model does not stream",
        ));
    }
    if !model.latency.is_zero() {
        tokio::time::sleep(model.latency).await;
    }
    let of_role = |role: &str| -> Vec<String> {
        let mine = request
            .messages
            .iter()
            .filter(|message| message.role == role);
        mine.map(Message::text).collect()
    };
    let burst = of_role("user").pop().unwrap_or_default();
    let whole = answer::answer(&of_role("system").join("\n\n"), &burst);
    let (text, finish_reason) = cut(&whole, request.max_tokens);
    let tokens_in: usize = request
        .messages
        .iter()
        .map(|message| tokens(&message.text()))
        .sum();
    let usage = Usage {
        tokens_in,
        tokens_out: tokens(&text),
    };
    model.charge(usage.cost());
    Ok(Json(completion(&body, &text, finish_reason, &usage)))
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

async fn key(State(model): State<Model>, headers: HeaderMap) -> Result<Json<Value>, Refused> {
    authorize(&headers)?;
    let used = model.used();
    Ok(Json(json!({"data": {
        "label": "model-demo",
        "limit": CREDITS,
        "limit_remaining": (CREDITS - used).max(0.0),
        "limit_reset": null,
        "usage": used,
        "usage_daily": used,
        "usage_weekly": used,
        "usage_monthly": used,
        "is_free_tier": false,
    }})))
}

async fn credits(State(model): State<Model>, headers: HeaderMap) -> Result<Json<Value>, Refused> {
    authorize(&headers)?;
    Ok(Json(
        json!({"data": {"total_credits": CREDITS, "total_usage": model.used()}}),
    ))
}

#[cfg(test)]
mod tests;
