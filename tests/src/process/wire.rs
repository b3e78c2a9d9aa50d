//! The scripted outside as a real server, and a client for whatever listens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use clivy::http::{Http, HttpError, Network};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::faults::Faults;
use crate::outside::Outside;

/// Longer than any test waits: who asks gives up first.
const FOREVER: Duration = Duration::from_secs(3_600);

/// A scripted OpenRouter and wuzapi that listens.
pub struct Served {
    /// What it does, and what it was asked.
    pub outside: Arc<Outside>,
    address: SocketAddr,
}

impl Served {
    /// Serves until the test's runtime ends.
    pub async fn start() -> Self {
        let outside = Arc::new(Outside::new(Arc::new(Faults::default())));
        let address = serve(router(Arc::clone(&outside))).await;
        Self { outside, address }
    }

    /// What `OPENROUTER_BASE_URL` must be.
    pub fn model_url(&self) -> String {
        format!("http://{}/api/v1", self.address)
    }

    /// What `--gateway-url` must be.
    pub fn gateway_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A scripted outside behind any listener.
pub fn router(outside: Arc<Outside>) -> Router {
    Router::new().fallback(ask).with_state(outside)
}

/// Serves `router` on a free port until the test's runtime ends.
pub async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
    tokio::spawn(axum::serve(listener, router).into_future());
    address
}

async fn ask(State(outside): State<Arc<Outside>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    match outside
        .send(Request::from_parts(parts, body), FOREVER)
        .await
    {
        Ok(answer) => answer.map(Body::from),
        Err(error) => Response::new(broken(error)),
    }
}

/// A body that ends in the middle: the connection breaks.
fn broken(error: HttpError) -> Body {
    let end = futures_util::stream::once(async move { Err::<Bytes, _>(error) });
    Body::from_stream(end)
}

/// A client; any number of them may exist.
pub fn client() -> Network {
    clivy::aws::install_crypto();
    Network::new().unwrap()
}

/// Posts JSON; gives status and body, or the connection's trouble. Without JSON in the answer: null.
pub async fn post(
    client: &Network,
    url: &str,
    headers: &[(&'static str, &str)],
    body: &Value,
    patience: Duration,
) -> Result<(u16, Value), HttpError> {
    let mut request = http::Request::post(url).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Bytes::from(body.to_string())).unwrap();
    let answer = client.send(request, patience).await?;
    let json = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
    Ok((answer.status().as_u16(), json))
}
