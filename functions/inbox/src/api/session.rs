//! The page's session: logging in with an API key, and out again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use clivy::access::{Role, Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Inbox;
use crate::auth::{self, Caller, SameSite};
use crate::extract::Json;
use crate::problem::Problem;

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new().routes(routes!(who, log_in, log_out))
}

/// What logs somebody in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// An API key: `clivy_` and 64 hexadecimal digits.
    #[schema(format = Password)]
    key: String,
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
struct Session {
    /// Whose bots the key opens.
    owner: String,
    /// `viewer`, `agent` or `owner`.
    #[schema(value_type = RoleWord)]
    role: Role,
    /// The key's id in its owner's list.
    key_id: String,
}

/// What a key may do; each role may do what the ones before it may.
#[derive(ToSchema)]
#[schema(as = Role, rename_all = "snake_case")]
#[expect(dead_code, reason = "the document's picture of clivy::access::Role")]
pub enum RoleWord {
    /// Reads.
    Viewer,
    /// Answers customers.
    Agent,
    /// Changes bots, erases contacts, makes keys.
    Owner,
}

/// Who is asking.
#[utoipa::path(get, path = "/api/session", tag = "session", responses(
    (status = 200, description = "Who is asking", body = Session),
    (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Not right now", body = Problem, content_type = "application/problem+json"),
))]
async fn who(caller: Caller) -> Json<Session> {
    Json(Session {
        owner: caller.owner.as_str().to_owned(),
        role: caller.role,
        key_id: caller.key_id,
    })
}

/// Logs in: keeps the key in a cookie that no script can read.
#[utoipa::path(post, path = "/api/session", tag = "session", security(()), request_body = Login, responses(
    (status = 204, description = "Logged in", headers(("Set-Cookie" = String, description = "The session"))),
    (status = 400, description = "No JSON", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Asked by another site's page", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "Not called JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "Not a login", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Not right now", body = Problem, content_type = "application/problem+json"),
))]
async fn log_in(
    State(inbox): State<Arc<Inbox>>,
    _: SameSite,
    Json(login): Json<Login>,
) -> Result<impl IntoResponse, Problem> {
    // People paste keys with a blank or a line end around them.
    let secret = Secret::presented(login.key.trim()).ok_or_else(Problem::unauthorized)?;
    Caller::holding(&secret, &inbox).await?;
    Ok(with_cookie(auth::cookie(&secret)))
}

/// Logs out: the browser forgets the key. The key itself stays valid.
#[utoipa::path(delete, path = "/api/session", tag = "session", security(()), responses(
    (status = 204, description = "Logged out", headers(("Set-Cookie" = String, description = "Ends the session"))),
    (status = 403, description = "Asked by another site's page", body = Problem, content_type = "application/problem+json"),
))]
async fn log_out(_: SameSite) -> impl IntoResponse {
    with_cookie(auth::expired_cookie())
}

fn with_cookie(cookie: String) -> impl IntoResponse {
    (
        StatusCode::NO_CONTENT,
        AppendHeaders([(header::SET_COOKIE, cookie)]),
    )
}
