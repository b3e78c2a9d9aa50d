//! The settings of bots, with their versions.

pub mod problems;
pub mod settings;
pub mod versions;
pub mod write;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use clivy::conversation::bot::Bot;
use clivy::conversation::version::{Stamp, Version};
use clivy::table::Kind;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::problems::{BodyProblems, Problems, WriteProblems};
use self::settings::{Settings, secrets};
use self::versions::Versions;
use self::write::{Writer, Written, there, write};
use crate::Inbox;
use crate::auth::{Caller, OnBot, Owner, Viewer};
use crate::extract::{Json, Path};
use crate::if_match::{IfMatch, tag};
use crate::problem::Problem;
use crate::time::Time;

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, put, delete))
        .routes(routes!(list_versions))
        .routes(routes!(get_version))
        .routes(routes!(restore))
}

/// The caller's bots.
#[derive(Serialize, ToSchema)]
#[schema(as = BotList)]
struct Bots {
    items: Vec<BotSummary>,
    /// Always null: there is one page.
    next: Option<String>,
}

/// A bot in the list.
#[derive(Serialize, ToSchema)]
struct BotSummary {
    /// The gateway's instance name.
    id: String,
    /// The name people see.
    name: String,
    /// Whether it answers.
    active: bool,
}

/// A bot.
#[derive(Serialize, ToSchema)]
#[schema(as = Bot)]
struct BotAnswer {
    /// The number of this version.
    version: u64,
    bot: Settings,
    /// The names of the secrets that are set.
    #[schema(value_type = Vec<String>)]
    secrets: Vec<&'static str>,
}

/// A version of a bot.
#[derive(Serialize, ToSchema)]
struct BotVersion {
    /// Its number.
    version: u64,
    /// When it was written; null for what is older than versions are.
    at: Option<Time>,
    /// The id of the API key that wrote it, or `bots file`.
    by: Option<String>,
    bot: Settings,
}

fn answer(status: StatusCode, bot: Bot, stamp: &Stamp) -> Response {
    let body = BotAnswer {
        version: stamp.version.0,
        secrets: secrets(&bot),
        bot: Settings::of(bot),
    };
    (status, [(ETAG, tag(stamp.version))], Json(body)).into_response()
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        let status = if self.is_new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        answer(status, self.bot, &self.stamp)
    }
}

/// The caller's bots, by id.
#[utoipa::path(get, operation_id = "list_bots", path = "/api/bots", tag = "bots", responses(
    (status = 200, description = "All of them", body = Bots),
    (status = 401, description = "No API key, or one that is not valid", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Our own trouble: try again", body = Problem, content_type = "application/problem+json"),
))]
async fn list(State(inbox): State<Arc<Inbox>>, caller: Caller) -> Result<Json<Bots>, Problem> {
    let listed = inbox.table.list_bots(&caller.owner).await?;
    let summary = |bot: clivy::table::ListedBot| BotSummary {
        id: bot.bot_id.as_str().to_owned(),
        name: bot.name,
        active: bot.is_active,
    };
    Ok(Json(Bots {
        items: listed.into_iter().map(summary).collect(),
        next: None,
    }))
}

/// A bot's settings, without its secrets.
#[utoipa::path(get, operation_id = "get_bot", path = "/api/bots/{bot}", tag = "bots",
    params(("bot" = String, Path, description = "The bot's id")),
    responses(
        (status = 200, description = "The settings", body = BotAnswer, headers(("ETag" = String, description = "The version"))),
        Problems,
    ))]
async fn get(State(inbox): State<Arc<Inbox>>, on: OnBot<Viewer>) -> Result<Response, Problem> {
    let stored = there(&inbox, &on.caller, &on.bot_id).await?;
    Ok(answer(StatusCode::OK, stored.bot, &stored.stamp))
}

/// Makes a bot, or changes its settings. The state before is kept as a version.
#[utoipa::path(put, operation_id = "put_bot", path = "/api/bots/{bot}", tag = "bots", request_body = Settings,
    params(
        ("bot" = String, Path, description = "The bot's id: the gateway's instance name, 1 to 200 characters without / and control characters, and a new one without # ? % too"),
        ("If-Match" = Option<String>, Header, description = "Only over this version"),
    ),
    responses(
        (status = 200, description = "Changed", body = BotAnswer, headers(("ETag" = String, description = "The version"))),
        (status = 201, description = "Made", body = BotAnswer, headers(("ETag" = String, description = "The version"))),
        Problems, WriteProblems, BodyProblems,
    ))]
async fn put(
    State(inbox): State<Arc<Inbox>>,
    writer: Writer,
    if_match: IfMatch,
    Json(settings): Json<Settings>,
) -> Result<Written, Problem> {
    let (owner, bot_id) = (writer.caller.owner.clone(), writer.bot_id.clone());
    write(&inbox, writer, &if_match, |current| {
        settings.clone().over(current, &owner, &bot_id)
    })
    .await
}

/// Deletes a bot with its documents and versions. Its conversations stay until they expire, and its id stays its owner's.
#[utoipa::path(delete, operation_id = "delete_bot", path = "/api/bots/{bot}", tag = "bots",
    params(("bot" = String, Path, description = "The bot's id")),
    responses((status = 204, description = "Deleted"), Problems))]
async fn delete(State(inbox): State<Arc<Inbox>>, on: OnBot<Owner>) -> Result<StatusCode, Problem> {
    let now = inbox.clock.now();
    inbox
        .table
        .delete_bot(&on.caller.owner, &on.bot_id, now)
        .await?;
    tracing::info!(
        step = "bot_deleted",
        by = on.caller.key_id,
        "a bot was deleted"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// The versions of a bot's settings, newest first.
#[utoipa::path(get, operation_id = "list_bot_versions", path = "/api/bots/{bot}/versions", tag = "bots",
    params(("bot" = String, Path, description = "The bot's id")),
    responses((status = 200, description = "At most 20, the current one first", body = Versions), Problems))]
async fn list_versions(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Viewer>,
) -> Result<Json<Versions>, Problem> {
    let stored = there(&inbox, &on.caller, &on.bot_id).await?;
    let past = inbox
        .table
        .past_versions(&on.bot_id, Kind::Settings)
        .await?;
    Ok(Json(Versions::of(Some(stored.stamp), past)))
}

/// A version of a bot's settings, without secrets.
#[utoipa::path(get, operation_id = "get_bot_version", path = "/api/bots/{bot}/versions/{version}", tag = "bots",
    params(
        ("bot" = String, Path, description = "The bot's id"),
        ("version" = u64, Path, description = "The version's number"),
    ),
    responses((status = 200, description = "The version", body = BotVersion), Problems))]
async fn get_version(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Viewer>,
    Path((_, version)): Path<(String, String)>,
) -> Result<Json<BotVersion>, Problem> {
    let version = versions::of_path(&version)?;
    let (stamp, bot) = find(&inbox, &on.caller, &on.bot_id, version).await?;
    Ok(Json(BotVersion {
        version: stamp.version.0,
        at: stamp.at.map(Time),
        by: stamp.by,
        bot: Settings::of(bot),
    }))
}

/// Brings a version back, as a new one. The secrets stay what they are.
#[utoipa::path(post, operation_id = "restore_bot", path = "/api/bots/{bot}/versions/{version}/restore", tag = "bots",
    params(
        ("bot" = String, Path, description = "The bot's id"),
        ("version" = u64, Path, description = "The version's number"),
        ("If-Match" = Option<String>, Header, description = "Only over this version"),
    ),
    responses(
        (status = 200, description = "Brought back", body = BotAnswer, headers(("ETag" = String, description = "The new version"))),
        Problems, WriteProblems,
    ))]
async fn restore(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Owner>,
    Path((_, version)): Path<(String, String)>,
    if_match: IfMatch,
) -> Result<Written, Problem> {
    let version = versions::of_path(&version)?;
    let (_, was) = find(&inbox, &on.caller, &on.bot_id, version).await?;
    let state = inbox.table.bot_state(&on.bot_id).await?;
    let writer = Writer {
        caller: on.caller,
        bot_id: on.bot_id,
        state,
    };
    let owner = writer.caller.owner.clone();
    write(&inbox, writer, &if_match, |current| {
        // Nothing to bring it back into: the bot was deleted meanwhile.
        let current = current.ok_or_else(Problem::not_found)?;
        let was = was.clone().with_secrets_of(current);
        Ok(Bot {
            owner: owner.clone(),
            ..was
        })
    })
    .await
}

async fn find(
    inbox: &Inbox,
    caller: &Caller,
    bot_id: &clivy::conversation::ids::BotId,
    version: Version,
) -> Result<(Stamp, Bot), Problem> {
    let stored = there(inbox, caller, bot_id).await?;
    if stored.stamp.version == version {
        return Ok((stored.stamp, stored.bot));
    }
    inbox
        .table
        .past_settings(bot_id, version)
        .await?
        .ok_or_else(Problem::not_found)
}
