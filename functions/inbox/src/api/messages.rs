//! The messages of a conversation.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use clivy::table::{Delivery, Page, ThreadMessage, TurnSummary};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::conversations::{Kind, Who, page_length};
use crate::auth::{OnBot, Viewer};
use crate::extract::{Path, Query};
use crate::time::Time;
use crate::{Inbox, Problem, cursor, etag};

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new().routes(routes!(list_messages))
}

/// A message.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    /// Its name in this conversation.
    pub id: String,
    /// WhatsApp's id of it.
    pub mid: String,
    /// Whose it is.
    pub author: Who,
    /// What kind of bubble: `text`, `image`, `audio`, …
    pub kind: Kind,
    /// The text or the caption; what stands for it where there is neither.
    pub text: String,
    /// When it was written, as WhatsApp says.
    pub at: Time,
    /// When it reached us, or was made.
    pub received_at: Time,
    /// How far it has come.
    pub delivery: Delivered,
    /// When its author changed it last.
    #[schema(required)]
    pub edited_at: Option<Time>,
    /// The turn that made it, as it stood then: of the bot's messages, those of before this was kept excepted.
    #[schema(required)]
    pub turn: Option<MessageTurn>,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivered {
    /// It came from the customer.
    Received,
    /// It is on its way.
    Sending,
    /// The gateway took it.
    Sent,
    /// The gateway would not take it.
    Undelivered,
    /// It was not sent (again), because a person had taken the conversation.
    Withheld,
}

/// The turn behind a message, in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageTurn {
    /// Its number in the conversation.
    pub number: u64,
    /// How it ended.
    pub status: String,
    /// The model that answered.
    #[schema(required)]
    pub model: Option<String>,
    /// What it cost, in USD.
    pub cost_usd: f64,
    /// Tokens of the prompts.
    pub tokens_in: u64,
    /// Tokens of the answers.
    pub tokens_out: u64,
    /// Calls to models.
    pub attempts: u32,
    /// How long they took, in milliseconds.
    pub latency_ms: i64,
}

impl From<ThreadMessage> for Message {
    fn from(from: ThreadMessage) -> Self {
        let message = from.stored.message;
        Self {
            id: from.stored.key.as_str().to_owned(),
            mid: message.mid.as_str().to_owned(),
            author: Who(message.author),
            kind: Kind(message.content.kind),
            text: message.content.text,
            at: Time(message.platform_at),
            received_at: Time(message.received_at),
            delivery: match from.delivery {
                Delivery::Received => Delivered::Received,
                Delivery::Sending => Delivered::Sending,
                Delivery::Sent => Delivered::Sent,
                Delivery::Undelivered => Delivered::Undelivered,
                Delivery::Withheld => Delivered::Withheld,
            },
            edited_at: from.edited_at.map(Time),
            turn: from.turn.map(MessageTurn::from),
        }
    }
}

impl From<TurnSummary> for MessageTurn {
    fn from(turn: TurnSummary) -> Self {
        Self {
            number: turn.number,
            status: turn.status.as_str().to_owned(),
            model: turn.model,
            cost_usd: turn.cost_usd,
            tokens_in: turn.tokens_in,
            tokens_out: turn.tokens_out,
            attempts: turn.attempts,
            latency_ms: turn.llm_latency_ms,
        }
    }
}

/// A page of messages.
#[derive(Debug, Serialize, ToSchema)]
struct Messages {
    items: Vec<Message>,
    /// The cursor of the next page; null after the last one.
    #[schema(required)]
    next: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// `next` of the page before, of the same conversation.
    cursor: Option<String>,
    /// Messages of a page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u16>,
}

/// Messages, newest first. Of a contact that has never written there are none.
#[utoipa::path(
    get, path = "/api/bots/{bot}/conversations/{contact}/messages", tag = "conversations",
    params(("bot" = String, Path), ("contact" = String, Path), ListParams,
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of an answer that the caller has")),
    responses(
        (status = 200, body = Messages, headers(("ETag" = String))),
        (status = 304, description = "It has not changed", headers(("ETag" = String))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_messages(
    on: OnBot<Viewer>,
    Shared(inbox): Shared<Arc<Inbox>>,
    Path((_, contact)): Path<(String, String)>,
    Query(params): Query<ListParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = on.conversation(&contact)?;
    let limit = page_length(params.limit, 50)?;
    let name = serde_json::json!(["messages", id.bot_id, id.contact]).to_string();
    let from = params
        .cursor
        .as_deref()
        .map(|cursor| cursor::read(&name, cursor))
        .transpose()?;
    if from.as_ref().is_some_and(|place| !place.is_in_thread()) {
        return Err(cursor::refused());
    }
    let Page { items, next } = inbox.table.thread(&id, limit, from.as_ref()).await?;
    let page = Messages {
        items: items.into_iter().map(Message::from).collect(),
        next: next.map(|place| cursor::write(&name, &place)),
    };
    etag::answer(&headers, &page)
}
