//! API keys: an owner's own, and those of any owner for whoever knows `ADMIN_SECRET`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use clivy::access::{ApiKey, KEY_BYTES, KeyName, Lifetime, NewKey, OwnerId, Role, Secret};
use clivy::random;
use clivy::table::Revoked;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::session::RoleWord;
use crate::Inbox;
use crate::auth::{Admin, By, Owner};
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::time::Time;

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new()
        .routes(routes!(list_keys, make_key))
        .routes(routes!(revoke_key))
        .routes(routes!(admin_list, admin_make))
        .routes(routes!(admin_revoke))
}

/// A key as it is listed: nothing of it opens anything.
#[derive(Serialize, ToSchema)]
struct Key {
    /// Names it: for revoking.
    id: String,
    /// What people call it.
    name: String,
    /// What it may do.
    #[schema(value_type = RoleWord)]
    role: Role,
    /// When it was made.
    created_at: Time,
    /// From when on it opens nothing; null when it does not expire.
    #[schema(required)]
    expires_at: Option<Time>,
    /// When it was revoked; null when it was not.
    #[schema(required)]
    revoked_at: Option<Time>,
}

impl From<ApiKey> for Key {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.hash.id(),
            name: key.name,
            role: key.role,
            created_at: Time(key.created_at),
            expires_at: key.expires_at.map(Time),
            revoked_at: key.revoked_at.map(Time),
        }
    }
}

/// The keys of an owner, the newest first. All of them: there is never a next page.
#[derive(Serialize, ToSchema)]
struct Keys {
    /// Them.
    items: Vec<Key>,
    /// Always null.
    #[schema(required)]
    next: Option<String>,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
struct MadeKey {
    /// The key itself. It is shown this once, and stored nowhere.
    #[serde(rename = "key")]
    secret: String,
    /// What is listed of it.
    #[serde(flatten)]
    listed: Key,
}

/// A key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// What people are to call it: not blank, without control characters.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*[^\\s\\x00-\\x1F\\x7F-\\x9F][^\\x00-\\x1F\\x7F-\\x9F]*$"
    )]
    name: String,
    /// What it may do.
    #[schema(value_type = RoleWord)]
    role: Role,
    /// Days until it expires; it does not when this is null or absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
}

/// A key to make for any owner.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedBy {
    /// Whose bots it is to open: the `owner` of their settings.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*[^\\s\\x00-\\x1F\\x7F-\\x9F][^\\x00-\\x1F\\x7F-\\x9F]*$"
    )]
    owner: String,
    /// What people are to call it: not blank, without control characters.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*[^\\s\\x00-\\x1F\\x7F-\\x9F][^\\x00-\\x1F\\x7F-\\x9F]*$"
    )]
    name: String,
    /// What it may do.
    #[schema(value_type = RoleWord)]
    role: Role,
    /// Days until it expires; it does not when this is null or absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
}

/// Whose keys.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// The owner.
    #[param(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*[^\\s\\x00-\\x1F\\x7F-\\x9F][^\\x00-\\x1F\\x7F-\\x9F]*$"
    )]
    owner: String,
}

impl Whose {
    fn owner(&self) -> Result<OwnerId, Problem> {
        OwnerId::new(&self.owner).map_err(|error| Problem::bad_request(error.to_string()))
    }
}

/// The owner's keys, those that have ended too.
#[utoipa::path(get, path = "/api/keys", tag = "keys", responses(
    (status = 200, description = "The keys", body = Keys),
    (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not an owner's key", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Not right now", body = Problem, content_type = "application/problem+json"),
))]
async fn list_keys(State(inbox): State<Arc<Inbox>>, by: By<Owner>) -> Result<Json<Keys>, Problem> {
    keys_of(&inbox, &by.caller.owner).await
}

/// Makes a key of the same owner.
#[utoipa::path(post, path = "/api/keys", tag = "keys", request_body = Wanted, responses(
    (status = 201, description = "Made", body = MadeKey),
    (status = 400, description = "No JSON", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not an owner's key", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "Not called JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "A value is not valid", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Not right now", body = Problem, content_type = "application/problem+json"),
))]
async fn make_key(
    State(inbox): State<Arc<Inbox>>,
    by: By<Owner>,
    Json(wanted): Json<Wanted>,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    make_for(&inbox, by.caller.owner, wanted).await
}

/// Revokes a key of the same owner: from then on it opens nothing. It may be the one that asks.
#[utoipa::path(delete, path = "/api/keys/{key}", tag = "keys",
    params(("key" = String, Path, description = "The key's id")), responses(
    (status = 204, description = "Revoked, now or before"),
    (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not an owner's key", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such key", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Not right now", body = Problem, content_type = "application/problem+json"),
))]
async fn revoke_key(
    State(inbox): State<Arc<Inbox>>,
    by: By<Owner>,
    Path(key): Path<String>,
) -> Result<StatusCode, Problem> {
    revoke_of(&inbox, &by.caller.owner, &key).await
}

/// An owner's keys, for whoever runs Clivy.
#[utoipa::path(get, path = "/api/admin/keys", tag = "keys", security(("admin_secret" = [])), params(Whose), responses(
    (status = 200, description = "The keys", body = Keys),
    (status = 400, description = "No such owner can be", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Not the secret", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No secret is set", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Not right now", body = Problem, content_type = "application/problem+json"),
))]
async fn admin_list(
    State(inbox): State<Arc<Inbox>>,
    _: Admin,
    Query(whose): Query<Whose>,
) -> Result<Json<Keys>, Problem> {
    keys_of(&inbox, &whose.owner()?).await
}

/// Makes a key of any owner: their first one, or one for somebody who has lost theirs.
#[utoipa::path(post, path = "/api/admin/keys", tag = "keys", security(("admin_secret" = [])), request_body = WantedBy, responses(
    (status = 201, description = "Made", body = MadeKey),
    (status = 400, description = "No JSON", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Not the secret", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No secret is set", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "Not called JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "A value is not valid", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Not right now", body = Problem, content_type = "application/problem+json"),
))]
async fn admin_make(
    State(inbox): State<Arc<Inbox>>,
    _: Admin,
    Json(wanted): Json<WantedBy>,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    let owner = OwnerId::new(&wanted.owner).map_err(|error| Problem::invalid(error.to_string()))?;
    let wanted = Wanted {
        name: wanted.name,
        role: wanted.role,
        expires_in_days: wanted.expires_in_days,
    };
    make_for(&inbox, owner, wanted).await
}

/// Revokes a key of any owner.
#[utoipa::path(delete, path = "/api/admin/keys/{key}", tag = "keys", security(("admin_secret" = [])),
    params(("key" = String, Path, description = "The key's id"), Whose), responses(
    (status = 204, description = "Revoked, now or before"),
    (status = 400, description = "No such owner can be", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Not the secret", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such key, or no secret is set", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Not right now", body = Problem, content_type = "application/problem+json"),
))]
async fn admin_revoke(
    State(inbox): State<Arc<Inbox>>,
    _: Admin,
    Path(key): Path<String>,
    Query(whose): Query<Whose>,
) -> Result<StatusCode, Problem> {
    revoke_of(&inbox, &whose.owner()?, &key).await
}

async fn keys_of(inbox: &Inbox, owner: &OwnerId) -> Result<Json<Keys>, Problem> {
    let mut keys = inbox.table.api_keys(owner).await?;
    keys.sort_by_key(|key| std::cmp::Reverse((key.created_at, key.hash.id())));
    Ok(Json(Keys {
        items: keys.into_iter().map(Key::from).collect(),
        next: None,
    }))
}

async fn make_for(
    inbox: &Inbox,
    owner: OwnerId,
    wanted: Wanted,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    let invalid = |error: &dyn std::error::Error| Problem::invalid(error.to_string());
    let new = NewKey {
        owner,
        role: wanted.role,
        name: KeyName::new(&wanted.name).map_err(|error| invalid(&error))?,
        lifetime: Lifetime::of_days(wanted.expires_in_days).map_err(|error| invalid(&error))?,
    };
    let random = random::bytes::<KEY_BYTES>().map_err(|error| {
        tracing::error!(step = "trouble", %error, "a key could not be made");
        Problem::unavailable()
    })?;
    let (secret, key) = new.make(&random, inbox.clock.now());
    inbox.table.put_api_key(&key).await?;
    tracing::info!(
        step = "key_made",
        key.id = key.hash.id(),
        key.role = key.role.as_str(),
        "an API key was made"
    );
    Ok((StatusCode::CREATED, Json(made(&secret, key))))
}

fn made(secret: &Secret, key: ApiKey) -> MadeKey {
    MadeKey {
        secret: secret.expose().to_owned(),
        listed: key.into(),
    }
}

async fn revoke_of(inbox: &Inbox, owner: &OwnerId, id: &str) -> Result<StatusCode, Problem> {
    let now = inbox.clock.now();
    match inbox.table.revoke_api_key(owner, id, now).await? {
        Revoked::NoSuchKey => Err(Problem::not_found()),
        Revoked::Done => {
            tracing::info!(step = "key_revoked", key.id = id, "an API key was revoked");
            Ok(StatusCode::NO_CONTENT)
        }
    }
}
