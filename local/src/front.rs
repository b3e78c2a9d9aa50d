//! The HTTP front of the one-machine run: what API Gateway is on AWS, and the demo beside it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::{Bytes, BytesMut};
use clivy::http::Http;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use lambda_http::RequestExt;
use webhook::Webhook;

use crate::phone::Deliver;

/// A little more than the webhook takes, so that the webhook itself says that a body is too large.
const MAX_BODY_BYTES: usize = webhook::MAX_BODY_BYTES + 64 * 1024;

/// Where the webhook function runs.
#[derive(Clone)]
pub enum WebhookAt {
    /// In this process.
    Here(Arc<Webhook>),
    /// Served at an address of its own, as `cargo lambda watch` does.
    There {
        /// The network.
        http: Arc<dyn Http>,
        /// The function's address.
        base_url: String,
    },
}

impl WebhookAt {
    /// Answers one request.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> http::Response<Bytes> {
        match self {
            Self::Here(webhook) => {
                let mut request = http::Request::new(lambda_http::Body::Binary(body.to_vec()))
                    .with_raw_http_path(path);
                *request.method_mut() = method;
                *request.headers_mut() = headers;
                webhook.handle(request).await.map(into_bytes)
            }
            Self::There { http, base_url } => {
                forward(http.as_ref(), base_url, method, path, headers, body).await
            }
        }
    }
}

fn into_bytes(body: lambda_http::Body) -> Bytes {
    match body {
        lambda_http::Body::Text(text) => text.into(),
        lambda_http::Body::Binary(binary) => binary.into(),
        _ => Bytes::new(),
    }
}

async fn forward(
    http: &dyn Http,
    base_url: &str,
    method: Method,
    path: &str,
    headers: HeaderMap,
    body: Bytes,
) -> http::Response<Bytes> {
    /// What API Gateway allows an integration.
    const PATIENCE: Duration = Duration::from_secs(30);
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    for name in [&header::CONTENT_TYPE, &SIGNATURE] {
        if let Some(value) = headers.get(name) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    let answer = match format!("{base_url}/lambda-url/webhook{path}").parse::<Uri>() {
        Ok(uri) => {
            *request.uri_mut() = uri;
            http.send(request, PATIENCE).await.ok()
        }
        Err(_) => None,
    };
    answer.unwrap_or_else(|| {
        let mut unavailable = http::Response::new(Bytes::from_static(
            b"{\"error\":\"the webhook function cannot be reached\"}",
        ));
        *unavailable.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        unavailable
    })
}

const SIGNATURE: header::HeaderName = header::HeaderName::from_static("x-hmac-signature");

/// The routes of the webhook function.
pub fn router(at: WebhookAt) -> Router {
    Router::new()
        .route("/webhook/ai", any(webhook))
        .route("/webhook/ai/{*secret}", any(webhook))
        .with_state(at)
}

/// The whole body; none when it is too large. Then the rest is read and dropped, within bounds: a client that is still
/// writing when the connection closes would see a reset instead of the answer.
async fn read(mut body: Body) -> Option<Bytes> {
    const DROPPED_BYTES: usize = 64 * 1024 * 1024;
    let mut whole = BytesMut::new();
    let mut dropped = 0;
    while let Some(frame) = body.frame().await {
        // A body that breaks off is answered as far as it came: it will not parse.
        let Ok(frame) = frame else { break };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if dropped > 0 || whole.len() + data.len() > MAX_BODY_BYTES {
            dropped += data.len();
            if dropped > DROPPED_BYTES {
                break;
            }
        } else {
            whole.extend_from_slice(&data);
        }
    }
    (dropped == 0).then(|| whole.freeze())
}

async fn webhook(State(at): State<WebhookAt>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(body) = read(body).await else {
        return webhook::Answer::TooLarge
            .into_response()
            .map(|body| Body::from(into_bytes(body)));
    };
    let answer = at
        .call(parts.method, parts.uri.path(), parts.headers, body)
        .await;
    answer.map(Body::from).into_response()
}

/// The demo gateway's webhooks: posted to the webhook function as wuzapi posts them.
pub struct Hooks {
    /// The webhook function.
    pub at: WebhookAt,
    /// For each bot, what its requests must carry: the signing key and the secret path.
    pub bots: Vec<clivy::conversation::bot::Bot>,
}

impl Deliver for Hooks {
    fn deliver(&self, bot_id: &str, body: serde_json::Value) -> BoxFuture<'_, (u16, String)> {
        let gateway = self
            .bots
            .iter()
            .find(|bot| bot.bot_id.as_str() == bot_id)
            .map(|bot| bot.gateway.clone());
        Box::pin(async move {
            let body = Bytes::from(body.to_string());
            let mut headers = HeaderMap::new();
            headers.insert(
                header::CONTENT_TYPE,
                header::HeaderValue::from_static("application/json"),
            );
            let mut path = "/webhook/ai".to_owned();
            if let Some(gateway) = gateway {
                if let Some(key) = &gateway.hmac_key
                    && let Ok(value) = clivy::channel::wuzapi::sign(key, &body).parse()
                {
                    headers.insert(SIGNATURE, value);
                }
                if let Some(secret) = &gateway.secret_path {
                    path = format!("{path}/{secret}");
                }
            }
            let answer = self.at.call(Method::POST, &path, headers, body).await;
            let text = String::from_utf8_lossy(answer.body()).into_owned();
            (answer.status().as_u16(), text)
        })
    }
}
