//! Whether everything works. `/health`, `/health/live` and `/health/ready` are for load balancers and monitors, who have
//! no key: they say how it is and nothing about anybody. `/health/detailed` is for whoever runs the installation.
//!
//! A word says it: `ok`; `degraded`, which is still 200, because messages are accepted; `unavailable`, which is 503.

mod check;
mod detailed;
mod judge;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Inbox;
use crate::extract::Json;

use check::{Check, CheckWord};

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new()
        .routes(routes!(live))
        .routes(routes!(health))
        .routes(routes!(ready))
        .routes(routes!(detailed::detailed))
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// All is well.
    Ok,
    /// Messages are accepted, but something is not as it should be.
    Degraded,
    /// Messages cannot be accepted.
    Unavailable,
}

/// How it is, and nothing else.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Health {
    status: Word,
    /// The version of the code.
    version: &'static str,
}

/// How it is, and which part of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ready {
    status: Word,
    /// The version of the code.
    version: &'static str,
    checks: Checks,
}

/// What must work for messages to be accepted.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Checks {
    /// The table can be read.
    table: Check,
    /// The queue of triggers answers.
    queue: Check,
}

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether the process answers. Asks nobody.
#[utoipa::path(get, path = "/health/live", tag = "health", security(()), responses(
    (status = 200, description = "The process answers.", body = Health),
))]
async fn live() -> Response {
    answer(
        Word::Ok,
        Health {
            status: Word::Ok,
            version: VERSION,
        },
    )
}

/// The word of `/health/ready` alone.
#[utoipa::path(get, path = "/health", tag = "health", security(()), responses(
    (status = 200, description = "Messages are accepted: `ok`, or `degraded` when something is slow.", body = Health),
    (status = 503, description = "Messages cannot be accepted: `unavailable`.", body = Health),
))]
async fn health(State(inbox): State<Arc<Inbox>>) -> Response {
    let status = look(&inbox).await.word();
    let version = VERSION;
    answer(status, Health { status, version })
}

/// Whether the table and the queue can be reached, and how long each took.
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()), responses(
    (status = 200, description = "Messages are accepted: `ok`, or `degraded` when something is slow.", body = Ready),
    (status = 503, description = "Messages cannot be accepted: `unavailable`.", body = Ready),
))]
async fn ready(State(inbox): State<Arc<Inbox>>) -> Response {
    let checks = look(&inbox).await;
    let status = checks.word();
    let ready = Ready {
        status,
        version: VERSION,
        checks,
    };
    answer(status, ready)
}

/// Asks the table and the queue, at the same time.
async fn look(inbox: &Inbox) -> Checks {
    let (table, queue) = futures_util::join!(
        check::timed(inbox, "table", inbox.table.warm_up()),
        check::timed(inbox, "queue", inbox.queue.depth()),
    );
    Checks {
        table: Check::of(&table),
        queue: Check::of(&queue),
    }
}

impl Checks {
    fn word(&self) -> Word {
        let all = [&self.table, &self.queue].map(|check| check.status);
        if all.iter().any(|word| word.is_failure()) {
            Word::Unavailable
        } else if all.contains(&CheckWord::Slow) {
            Word::Degraded
        } else {
            Word::Ok
        }
    }
}

/// Never from a cache: it is about this moment.
fn answer(word: Word, body: impl Serialize) -> Response {
    let status = match word {
        Word::Ok | Word::Degraded => StatusCode::OK,
        Word::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
