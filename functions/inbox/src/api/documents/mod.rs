//! The documents of a bot, with their versions.

mod shapes;
mod write;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use clivy::conversation::bot::Document;
use clivy::conversation::bot_limits::Unfit;
use clivy::conversation::ids::BotId;
use clivy::conversation::version::{DocumentId, Stamp, Version};
use clivy::table::{DocumentState, Kind, StoredDocument};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bots::problems::{BodyProblems, Problems, WriteProblems};
use super::bots::settings::unfit;
use super::bots::versions::{self, Versions};
use crate::Inbox;
use crate::auth::{OnBot, Owner, Viewer};
use crate::extract::{Json, Path};
use crate::if_match::IfMatch;
use crate::problem::Problem;
use crate::time::Time;

pub use shapes::Text;
use shapes::{DocumentAnswer, DocumentSummary, DocumentVersion, Documents, answer};

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, put, delete))
        .routes(routes!(list_versions))
        .routes(routes!(get_version))
        .routes(routes!(restore))
}

/// The document that a path names.
fn id_of_path(text: &str) -> Result<DocumentId, Problem> {
    DocumentId::new(text).map_err(|_| Problem::not_found())
}

/// The documents of a bot, by id.
#[utoipa::path(get, operation_id = "list_documents", path = "/api/bots/{bot}/documents", tag = "bots",
    params(("bot" = String, Path, description = "The bot's id")),
    responses((status = 200, description = "All of them", body = Documents), Problems))]
async fn list(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Viewer>,
) -> Result<Json<Documents>, Problem> {
    let stored = inbox.table.documents(&on.bot_id).await?;
    let summary = |stored: StoredDocument| DocumentSummary {
        id: stored.id.as_str().to_owned(),
        characters: stored.document.content.chars().count(),
        title: stored.document.title,
        kind: stored.document.kind,
        version: stored.stamp.version.0,
    };
    Ok(Json(Documents {
        items: stored.into_iter().map(summary).collect(),
        next: None,
    }))
}

/// A document.
#[utoipa::path(get, operation_id = "get_document", path = "/api/bots/{bot}/documents/{document}", tag = "bots",
    params(
        ("bot" = String, Path, description = "The bot's id"),
        ("document" = String, Path, description = "The document's id"),
    ),
    responses(
        (status = 200, description = "It", body = DocumentAnswer, headers(("ETag" = String, description = "The version"))),
        Problems,
    ))]
async fn get(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Viewer>,
    Path((_, document)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = id_of_path(&document)?;
    match inbox.table.document(&on.bot_id, &id).await? {
        DocumentState::There(stored) => Ok(answer(
            StatusCode::OK,
            &id,
            stored.document,
            stored.stamp.version,
        )),
        DocumentState::Gone(_) => Err(Problem::not_found()),
    }
}

/// Makes a document, or changes it. The state before is kept as a version.
#[utoipa::path(put, operation_id = "put_document", path = "/api/bots/{bot}/documents/{document}", tag = "bots", request_body = Text,
    params(
        ("bot" = String, Path, description = "The bot's id"),
        ("document" = String, Path, description = "The document's id: 1 to 64 letters, digits, - and _. Documents stand in the prompt in the order of their ids"),
        ("If-Match" = Option<String>, Header, description = "Only over this version"),
    ),
    responses(
        (status = 200, description = "Changed", body = DocumentAnswer, headers(("ETag" = String, description = "The version"))),
        (status = 201, description = "Made", body = DocumentAnswer, headers(("ETag" = String, description = "The version"))),
        Problems, WriteProblems, BodyProblems,
    ))]
async fn put(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Owner>,
    Path((_, document)): Path<(String, String)>,
    if_match: IfMatch,
    Json(text): Json<Text>,
) -> Result<Response, Problem> {
    let id = DocumentId::new(&document).map_err(|_| {
        unfit(&Unfit::new(
            "the document's id",
            "is not 1 to 64 letters, digits, - and _",
        ))
    })?;
    write::write(&inbox, &on.caller, &on.bot_id, &id, &if_match, &text.into()).await
}

/// Deletes a document. Its versions stay, and can be brought back.
#[utoipa::path(delete, operation_id = "delete_document", path = "/api/bots/{bot}/documents/{document}", tag = "bots",
    params(
        ("bot" = String, Path, description = "The bot's id"),
        ("document" = String, Path, description = "The document's id"),
        ("If-Match" = Option<String>, Header, description = "Only this version"),
    ),
    responses((status = 204, description = "Deleted"), Problems, WriteProblems))]
async fn delete(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Owner>,
    Path((_, document)): Path<(String, String)>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let id = id_of_path(&document)?;
    write::delete(&inbox, &on.caller, &on.bot_id, &id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The versions of a document, newest first; also of one that was deleted.
#[utoipa::path(get, operation_id = "list_document_versions", path = "/api/bots/{bot}/documents/{document}/versions", tag = "bots",
    params(
        ("bot" = String, Path, description = "The bot's id"),
        ("document" = String, Path, description = "The document's id"),
    ),
    responses((status = 200, description = "At most 20, the current one first", body = Versions), Problems))]
async fn list_versions(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Viewer>,
    Path((_, document)): Path<(String, String)>,
) -> Result<Json<Versions>, Problem> {
    let id = id_of_path(&document)?;
    let current = match inbox.table.document(&on.bot_id, &id).await? {
        DocumentState::There(stored) => Some(stored.stamp),
        DocumentState::Gone(_) => None,
    };
    let past = inbox
        .table
        .past_versions(&on.bot_id, Kind::Document(&id))
        .await?;
    if current.is_none() && past.is_empty() {
        return Err(Problem::not_found());
    }
    Ok(Json(Versions::of(current, past)))
}

/// A version of a document.
#[utoipa::path(get, operation_id = "get_document_version", path = "/api/bots/{bot}/documents/{document}/versions/{version}", tag = "bots",
    params(
        ("bot" = String, Path, description = "The bot's id"),
        ("document" = String, Path, description = "The document's id"),
        ("version" = u64, Path, description = "The version's number"),
    ),
    responses((status = 200, description = "The version", body = DocumentVersion), Problems))]
async fn get_version(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Viewer>,
    Path((_, document, version)): Path<(String, String, String)>,
) -> Result<Json<DocumentVersion>, Problem> {
    let (id, version) = (id_of_path(&document)?, versions::of_path(&version)?);
    let (stamp, document) = find(&inbox, &on.bot_id, &id, version).await?;
    Ok(Json(DocumentVersion {
        version: stamp.version.0,
        at: stamp.at.map(Time),
        by: stamp.by,
        document: document.into(),
    }))
}

/// Brings a version back, as a new one; also of a document that was deleted.
#[utoipa::path(post, operation_id = "restore_document", path = "/api/bots/{bot}/documents/{document}/versions/{version}/restore", tag = "bots",
    params(
        ("bot" = String, Path, description = "The bot's id"),
        ("document" = String, Path, description = "The document's id"),
        ("version" = u64, Path, description = "The version's number"),
        ("If-Match" = Option<String>, Header, description = "Only over this version"),
    ),
    responses(
        (status = 200, description = "Brought back", body = DocumentAnswer, headers(("ETag" = String, description = "The new version"))),
        (status = 201, description = "The document is there again", body = DocumentAnswer, headers(("ETag" = String, description = "The new version"))),
        Problems, WriteProblems,
    ))]
async fn restore(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Owner>,
    Path((_, document, version)): Path<(String, String, String)>,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let (id, version) = (id_of_path(&document)?, versions::of_path(&version)?);
    let (_, was) = find(&inbox, &on.bot_id, &id, version).await?;
    write::write(&inbox, &on.caller, &on.bot_id, &id, &if_match, &was).await
}

async fn find(
    inbox: &Inbox,
    bot_id: &BotId,
    id: &DocumentId,
    version: Version,
) -> Result<(Stamp, Document), Problem> {
    match inbox.table.document(bot_id, id).await? {
        DocumentState::There(stored) if stored.stamp.version == version => {
            Ok((stored.stamp, stored.document))
        }
        _ => inbox
            .table
            .past_document(bot_id, id, version)
            .await?
            .ok_or_else(Problem::not_found),
    }
}
