//! How the demo model fails when it is told to: bodies, statuses and headers as OpenRouter sends them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

use crate::faults::ModelFault;

/// What a 429 asks to wait for, in seconds: less than a backoff, so that one sees which of the two was honoured.
pub(crate) const RETRY_AFTER_SECONDS: u16 = 10;
/// The tokens of prompt that the small context has room for beside the answer: the demo shop's instructions and a few
/// bubbles fit, its documents do not.
pub(crate) const SMALL_CONTEXT_TOKENS: usize = 300;

const PROVIDER: &str = "Clivy demo";

/// An error in OpenRouter's shape.
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    metadata: Option<Value>,
    retry_after_seconds: Option<u16>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            metadata: None,
            retry_after_seconds: None,
        }
    }

    fn with(self, metadata: Value) -> Self {
        Self {
            metadata: Some(metadata),
            ..self
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut error = json!({"code": self.status.as_u16(), "message": self.message});
        if let (Some(metadata), Some(error)) = (self.metadata, error.as_object_mut()) {
            error.insert("metadata".to_owned(), metadata);
        }
        let mut response = (self.status, Json(json!({"error": error}))).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The sizes of a request that a small context looks at, in the demo model's own tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub prompt: usize,
    /// `max_tokens`.
    pub answer: usize,
}

/// How a call is refused that meets `fault`; none for the faults that are no refusal and for a prompt that fits.
pub(super) fn refusal(fault: ModelFault, size: Size) -> Option<Refusal> {
    Some(match fault {
        ModelFault::RateLimited => rate_limited(),
        ModelFault::ServerError => {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
                .with(json!({"error_type": "server"}))
        }
        ModelFault::Overloaded => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Provider returned error").with(json!({
                "error_type": "provider_overloaded",
                "provider_name": PROVIDER,
                "raw": "The model is overloaded. Please try again later.",
            }))
        }
        ModelFault::NoCredits => no_credits(),
        ModelFault::InvalidKey => invalid_key(),
        ModelFault::ContextTooLong => return context_too_long(size),
        ModelFault::Timeout | ModelFault::EmptyAnswer => return None,
    })
}

fn rate_limited() -> Refusal {
    let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "Provider returned error");
    Refusal {
        retry_after_seconds: Some(RETRY_AFTER_SECONDS),
        ..refusal.with(json!({
            "error_type": "rate_limit_exceeded",
            "provider_name": PROVIDER,
            "raw": "clivy/model-demo is temporarily rate-limited upstream. Please retry shortly.",
        }))
    }
}

fn no_credits() -> Refusal {
    let message = "Insufficient credits. Add more using https://openrouter.ai/settings/credits";
    Refusal::new(StatusCode::PAYMENT_REQUIRED, message)
        .with(json!({"error_type": "payment_required"}))
}

/// A key that OpenRouter does not know, on any of its endpoints.
pub(super) fn invalid_key() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "User not found.")
}

/// The context holds the answer that is asked for and [`SMALL_CONTEXT_TOKENS`] of prompt, so that a prompt can be cut to
/// fit whatever `AI_MAX_TOKENS` is; the numbers are the real ones.
fn context_too_long(size: Size) -> Option<Refusal> {
    let Size { prompt, answer } = size;
    if prompt <= SMALL_CONTEXT_TOKENS {
        return None;
    }
    let context = SMALL_CONTEXT_TOKENS.saturating_add(answer);
    let requested = prompt.saturating_add(answer);
    let message = format!(
        "This endpoint's maximum context length is {context} tokens. However, you requested about {requested} tokens \
         ({prompt} of text input, {answer} in the output). Please reduce the length of either one, or use context \
         compression to compress your prompt automatically."
    );
    let refusal = Refusal::new(StatusCode::BAD_REQUEST, message);
    Some(refusal.with(json!({"provider_name": null})))
}
