//! The way in: an operation's name and JSON body, with or without HTTP around them.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::Sqs;
use super::error::{Refusal, SqsError};

const TARGET_PREFIX: &str = "AmazonSQS.";
/// A batch of 1 MiB in which every character is escaped as `\uXXXX`, with room for the rest.
const MAX_REQUEST_BYTES: usize = 8 * 1_048_576;

/// What a call answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// AWS JSON 1.0.
    pub body: Bytes,
    /// What was refused, if anything was.
    pub error: Option<SqsError>,
}

impl Answer {
    /// The headers that SDKs need: the content type and, for a refusal, its two names.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", "application/x-amz-json-1.0".to_owned())];
        if let Some(error) = &self.error {
            headers.push(("x-amzn-errortype", error.shape().to_owned()));
            headers.push(("x-amzn-query-error", format!("{};Sender", error.code())));
        }
        headers
    }

    fn refused(error: SqsError) -> Self {
        let body = serde_json::json!({ "__type": error.shape(), "message": error.message });
        let status = if error.refusal == Refusal::UnknownOperation {
            404
        } else {
            400
        };
        Self {
            status,
            body: Bytes::from(body.to_string()),
            error: Some(error),
        }
    }
}

/// Without the body: it may hold messages (I11).
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, error, .. } = self;
        f.debug_struct("Answer")
            .field("status", status)
            .field("error", error)
            .finish_non_exhaustive()
    }
}

impl Sqs {
    /// Runs one operation (`SendMessage`, …) on its AWS JSON 1.0 body. A long poll waits here; dropping it loses nothing.
    pub async fn call(&self, operation: &str, body: &[u8]) -> Answer {
        match self.dispatch(operation, body).await {
            Ok(answer) => Answer {
                status: 200,
                body: Bytes::from(answer.to_string()),
                error: None,
            },
            Err(error) => Answer::refused(error),
        }
    }

    /// HTTP for any AWS SDK: POST to any path (some SDKs use the queue's own), the operation in `X-Amz-Target`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", post(answer))
            .route("/{*path}", post(answer))
            .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
            .with_state(self.clone())
    }
}

async fn answer(State(sqs): State<Sqs>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let answer = match target.and_then(|target| target.strip_prefix(TARGET_PREFIX)) {
        Some(operation) => sqs.call(operation, &body).await,
        None => Answer::refused(SqsError::new(
            Refusal::UnknownOperation,
            "The header X-Amz-Target: AmazonSQS.<Operation> is missing; the older query protocol is not spoken here.",
        )),
    };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    let request_id = sqs.with(|engine, _| engine.new_id());
    response
        .header("x-amzn-requestid", request_id)
        .body(Body::from(answer.body))
        .unwrap_or_else(|_| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
}
