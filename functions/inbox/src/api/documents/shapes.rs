//! Documents as the API takes and gives them.

use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use clivy::conversation::bot::Document;
use clivy::conversation::version::{DocumentId, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::extract::Json;
use crate::if_match::tag;
use crate::time::Time;

/// A text the bot may answer from.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DocumentText)]
pub struct Text {
    /// What it is about.
    #[schema(max_length = 200)]
    pub title: String,
    /// What sort of text it is: `faq`, `price list`, …
    #[serde(default)]
    #[schema(max_length = 200)]
    pub kind: String,
    /// The text itself.
    #[schema(max_length = 50_000)]
    pub content: String,
}

impl From<Text> for Document {
    fn from(text: Text) -> Self {
        Self {
            title: text.title,
            kind: text.kind,
            content: text.content,
        }
    }
}

impl From<Document> for Text {
    fn from(document: Document) -> Self {
        Self {
            title: document.title,
            kind: document.kind,
            content: document.content,
        }
    }
}

/// The documents of a bot, in the order in which they stand in the prompt.
#[derive(Serialize, ToSchema)]
#[schema(as = DocumentList)]
pub struct Documents {
    pub items: Vec<DocumentSummary>,
    /// Always null: there is one page.
    pub next: Option<String>,
}

/// A document in the list.
#[derive(Serialize, ToSchema)]
pub struct DocumentSummary {
    /// Its name within the bot.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// What sort of text it is.
    pub kind: String,
    /// How long its text is.
    pub characters: usize,
    /// The number of its version.
    pub version: u64,
}

/// A document.
#[derive(Serialize, ToSchema)]
#[schema(as = Document)]
pub struct DocumentAnswer {
    /// Its name within the bot.
    pub id: String,
    /// The number of this version.
    pub version: u64,
    /// What it is about.
    pub title: String,
    /// What sort of text it is.
    pub kind: String,
    /// The text itself.
    pub content: String,
}

/// A version of a document.
#[derive(Serialize, ToSchema)]
pub struct DocumentVersion {
    /// Its number.
    pub version: u64,
    /// When it was written; null for what is older than versions are.
    pub at: Option<Time>,
    /// The id of the API key that wrote it, or `bots file`.
    pub by: Option<String>,
    pub document: Text,
}

/// A document, with its version as the tag.
pub fn answer(
    status: StatusCode,
    id: &DocumentId,
    document: Document,
    version: Version,
) -> Response {
    let body = DocumentAnswer {
        id: id.as_str().to_owned(),
        version: version.0,
        title: document.title,
        kind: document.kind,
        content: document.content,
    };
    (status, [(ETAG, tag(version))], Json(body)).into_response()
}
