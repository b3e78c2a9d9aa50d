//! What a gateway gets to hear.

use clivy::channel::Ignored;
use clivy::conversation::ids::MessageId;
use lambda_http::{Body, Response};
use serde_json::json;

/// The answer to one request. Gateways give up on some 4xx and repeat 5xx, so our own trouble is always a
/// 503 and never anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: the message is stored and will be answered.
    Queued(MessageId),
    /// 200: it was stored before.
    Duplicate,
    /// 200: nothing to answer.
    Ignored(Ignored),
    /// 400: what no generation of the gateway sends. Says what is wrong without quoting it.
    BadRequest(String),
    /// 401: the signature or the secret path is wrong or missing.
    Unauthorized,
    /// 404: no such bot.
    UnknownBot,
    /// 404: no such path.
    UnknownPath,
    /// 405: only POST.
    WrongMethod,
    /// 413: over 6 MB.
    TooLarge,
    /// 503: our own trouble; try again.
    Unavailable,
}

impl Answer {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Queued(_) | Self::Duplicate | Self::Ignored(_) => 200,
            Self::BadRequest(_) => 400,
            Self::Unauthorized => 401,
            Self::UnknownBot | Self::UnknownPath => 404,
            Self::WrongMethod => 405,
            Self::TooLarge => 413,
            Self::Unavailable => 503,
        }
    }

    /// The JSON body.
    #[must_use]
    pub fn body(&self) -> serde_json::Value {
        match self {
            Self::Queued(mid) => json!({"status": "queued", "message_id": mid.as_str()}),
            Self::Duplicate => json!({"status": "duplicate"}),
            Self::Ignored(reason) => json!({"status": "ignored", "reason": reason.as_str()}),
            Self::BadRequest(what) => json!({"error": what}),
            Self::Unauthorized => {
                json!({"error": "the signature or the secret path is wrong or missing"})
            }
            Self::UnknownBot => json!({"error": "no bot has this instanceName or token"}),
            Self::UnknownPath => json!({"error": "there is nothing at this path"}),
            Self::WrongMethod => json!({"error": "only POST is answered here"}),
            Self::TooLarge => json!({"error": "the body is larger than 6 MB"}),
            Self::Unavailable => json!({"error": "not stored; please send it again"}),
        }
    }

    /// The whole response.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::Text(self.body().to_string()));
        *response.status_mut() = http::StatusCode::from_u16(self.status())
            .unwrap_or(http::StatusCode::SERVICE_UNAVAILABLE);
        response.headers_mut().insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        response
    }
}
