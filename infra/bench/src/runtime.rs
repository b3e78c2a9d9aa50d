//! Lambda's Runtime API on loopback: hands events to one function and takes its answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::{get, post};
use bytes::Bytes;
use clivy::clock::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How long a function may take to come up, or to answer; the Python twin on a busy machine is the slowest.
const PATIENCE: Duration = Duration::from_secs(120);

/// The Runtime API of one function's instance. It ends when this is dropped.
pub struct Runtime {
    address: SocketAddr,
    shared: Arc<Shared>,
    asked: mpsc::UnboundedReceiver<Instant>,
    events: mpsc::UnboundedSender<Event>,
    server: AbortHandle,
    invoked: u64,
}

struct Event {
    id: String,
    body: Bytes,
}

/// An answer, and when it came.
pub struct Answered {
    /// What the function answered.
    pub body: Bytes,
    /// From handing the event out to its answer.
    pub took: Duration,
}

/// An answer and when it came, or the error that the function told.
type Outcome = Result<(Bytes, Instant), String>;
/// Who waits for an answer, by the invocation's id.
type Waiting = HashMap<String, oneshot::Sender<Outcome>>;

struct Shared {
    asked: mpsc::UnboundedSender<Instant>,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>,
    waiting: Mutex<Waiting>,
    timeout: Duration,
}

impl Runtime {
    /// Serves on a port of its own. `timeout` is the function's: it makes the deadline of its invocations.
    pub async fn start(timeout: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (asked_in, asked) = mpsc::unbounded_channel();
        let (events, events_out) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            asked: asked_in,
            events: tokio::sync::Mutex::new(events_out),
            waiting: Mutex::default(),
            timeout,
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(response),
            )
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(Arc::clone(&shared));
        #[expect(clippy::disallowed_methods, reason = "it serves beside the bench")]
        let server = tokio::spawn(async move {
            // It ends with the abort; a connection that breaks ends only itself.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            shared,
            asked,
            events,
            server: server.abort_handle(),
            invoked: 0,
        })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` must be.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The moment at which the function asks for its next event: it is ready.
    pub async fn ready(&mut self) -> anyhow::Result<Instant> {
        let asked = tokio::time::timeout(PATIENCE, self.asked.recv()).await;
        asked
            .context("the function never asked for an event")?
            .context("the Runtime API ended")
    }

    /// Hands out an event and waits for its answer.
    pub async fn invoke(&mut self, body: Bytes) -> anyhow::Result<Answered> {
        self.invoked += 1;
        // As Lambda's: a UUID.
        let id = format!("8476a536-e9f4-11e8-9739-{:012}", self.invoked);
        let (answer, answered) = oneshot::channel();
        self.shared.waiting().insert(id.clone(), answer);
        let began = Instant::now();
        self.events
            .send(Event { id, body })
            .ok()
            .context("the Runtime API ended")?;
        let answer = tokio::time::timeout(PATIENCE, answered).await;
        let answer = answer
            .context("the function does not answer")?
            .context("the Runtime API ended")?;
        let (body, at) = answer.map_err(|error| anyhow::anyhow!("the function failed: {error}"))?;
        Ok(Answered {
            body,
            took: at - began,
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, id: &str, outcome: Outcome) -> StatusCode {
        match self.waiting().remove(id) {
            // Nobody waits any more when the bench has given up.
            Some(waiting) => waiting
                .send(outcome)
                .map_or(StatusCode::GONE, |()| StatusCode::ACCEPTED),
            None => StatusCode::BAD_REQUEST,
        }
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Result<(HeaderMap, Bytes), StatusCode> {
    // An error means that the bench has ended.
    let _ = shared.asked.send(Instant::now());
    let event = shared
        .events
        .lock()
        .await
        .recv()
        .await
        .ok_or(StatusCode::GONE)?;
    let deadline =
        SystemClock.now().0 + i64::try_from(shared.timeout.as_millis()).unwrap_or_default();
    let headers = [
        ("lambda-runtime-aws-request-id", event.id),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:bench".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".to_owned(),
        ),
        ("content-type", "application/json".to_owned()),
    ];
    let headers = headers.into_iter().map(|(name, value)| {
        let value = HeaderValue::from_str(&value).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok::<_, StatusCode>((HeaderName::from_static(name), value))
    });
    Ok((headers.collect::<Result<_, _>>()?, event.body))
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> StatusCode {
    shared.end(&id, Ok((body, Instant::now())))
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> StatusCode {
    shared.end(&id, Err(String::from_utf8_lossy(&body).into_owned()))
}
