//! The list of conversations, and one of them.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use clivy::conversation::head::{PausedBy, State};
use clivy::conversation::ids::{BotId, EpochMs};
use clivy::conversation::message::{Author, MessageKind};
use clivy::conversation::room::Room;
use clivy::table::{Filter, Listing, Page, Read};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Agent, OnBot, Viewer};
use crate::extract::{Json, Path, Query};
use crate::time::Time;
use crate::{Inbox, Problem, cursor, etag};

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new()
        .routes(routes!(list_conversations))
        .routes(routes!(get_conversation))
        .routes(routes!(mark_conversation_read))
}

/// A conversation in the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversation {
    /// The customer: the digits of a number, or an id where the number is not known.
    pub contact: String,
    /// What the customer calls themselves.
    #[schema(required)]
    pub name: Option<String>,
    /// What was said last.
    #[schema(required)]
    pub last: Option<Last>,
    /// The customer's messages that nobody has read.
    pub unread: u64,
    /// The pause, while there is one.
    #[schema(required)]
    pub paused: Option<Paused>,
    /// Since when the contact wants no answers.
    #[schema(required)]
    pub opted_out_at: Option<Time>,
    /// The number of the last turn that failed, until it is tried again or a person writes.
    #[schema(required)]
    pub failed_turn: Option<u64>,
    /// When something was said last.
    pub active_at: Time,
}

/// The last words of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Last {
    /// Their beginning.
    pub text: String,
    /// What kind of bubble: `text`, `image`, `audio`, …
    pub kind: Kind,
    /// Whose.
    pub author: Who,
    /// When they reached us.
    pub at: Time,
}

/// A pause.
#[derive(Debug, Serialize, ToSchema)]
pub struct Paused {
    /// Until when; null until somebody ends it.
    #[schema(required)]
    pub until: Option<Time>,
    /// Who paused: a person, the brake for contacts that look like another bot, or somebody this version does not know.
    pub by: By,
}

/// Who paused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = String, pattern = "^(person|loop_brake|unknown)$")]
#[serde(transparent)]
pub struct By(#[serde(serialize_with = "paused_by")] PausedBy);

fn paused_by<S: serde::Serializer>(by: &PausedBy, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(by.as_str())
}

/// Who wrote something: `customer`, `bot` or `person`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = String, pattern = "^(customer|bot|person)$")]
#[serde(transparent)]
pub struct Who(pub Author);

/// A kind of bubble.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = String, example = "text")]
#[serde(transparent)]
pub struct Kind(pub MessageKind);

impl Conversation {
    /// A conversation as it looks now.
    pub fn of(room: Room, now: EpochMs) -> Self {
        let paused = room.pause(now).map(|pause| Paused {
            until: pause.until.map(Time),
            by: By(pause.by),
        });
        let active_at = Time(room.active_at);
        Self {
            contact: room.contact.as_str().to_owned(),
            name: room.name.map(|name| name.0),
            last: room.last.map(|last| Last {
                text: last.text,
                kind: Kind(last.kind),
                author: Who(last.author),
                at: active_at,
            }),
            unread: room.unread,
            paused,
            opted_out_at: room.opted_out_at.map(Time),
            failed_turn: room.failed_turn,
            active_at,
        }
    }
}

/// A page of conversations.
#[derive(Debug, Serialize, ToSchema)]
struct Conversations {
    items: Vec<Conversation>,
    /// The cursor of the next page; null after the last one.
    #[schema(required)]
    next: Option<String>,
}

/// One conversation, and what it waits for.
#[derive(Debug, Serialize, ToSchema)]
struct OneConversation {
    #[serde(flatten)]
    conversation: Conversation,
    /// `idle`: nothing is owed. `waiting`: for silence, the end of a pause or a limit. `answering`: the answer is being
    /// made. `sending`: it is on its way. `retrying`: a try has failed, another one follows.
    #[schema(value_type = String, pattern = "^(idle|waiting|answering|sending|retrying)$")]
    state: State,
}

/// Which conversations.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Which {
    Unread,
    Paused,
    Failed,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Only those that are unread, paused, or have a failed turn.
    #[param(inline)]
    filter: Option<Which>,
    /// Only those whose name or number holds this. Numbers may be written as they are dialled.
    #[param(max_length = 100)]
    q: Option<String>,
    /// `next` of the page before, of the same list.
    cursor: Option<String>,
    /// Conversations of a page.
    #[param(minimum = 1, maximum = 100, default = 30)]
    limit: Option<u16>,
}

/// Characters of a search.
const SEARCH_CHARACTERS: usize = 100;
/// Items of the largest page.
const LARGEST_PAGE: u16 = 100;

/// The length of a page.
///
/// # Errors
/// 400: not from 1 to 100.
pub fn page_length(limit: Option<u16>, default: u16) -> Result<u16, Problem> {
    let limit = limit.unwrap_or(default);
    if (1..=LARGEST_PAGE).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_request("limit is from 1 to 100"))
}

impl ListParams {
    fn filter(&self) -> Option<Filter> {
        self.filter.map(|which| match which {
            Which::Unread => Filter::Unread,
            Which::Paused => Filter::Paused,
            Which::Failed => Filter::Failed,
        })
    }

    /// What is searched for; none when it is empty.
    fn search(&self) -> Result<Option<&str>, Problem> {
        let search = self.q.as_deref().map(str::trim).unwrap_or_default();
        if search.chars().count() > SEARCH_CHARACTERS {
            return Err(Problem::bad_request("q is longer than 100 characters"));
        }
        Ok(Some(search).filter(|search| !search.is_empty()))
    }

    /// Everything that makes it this list and no other, for its cursors.
    fn name(&self, bot_id: &BotId, search: Option<&str>) -> String {
        let which = self.filter;
        serde_json::json!(["conversations", bot_id, which, search]).to_string()
    }
}

/// Conversations, the latest activity first. A page may be short, even empty, and still have a next one.
#[utoipa::path(
    get, path = "/api/bots/{bot}/conversations", tag = "conversations",
    params(("bot" = String, Path), ListParams,
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of an answer that the caller has")),
    responses(
        (status = 200, body = Conversations, headers(("ETag" = String))),
        (status = 304, description = "It has not changed", headers(("ETag" = String))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_conversations(
    on: OnBot<Viewer>,
    Shared(inbox): Shared<Arc<Inbox>>,
    Query(params): Query<ListParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let search = params.search()?;
    let name = params.name(&on.bot_id, search);
    let from = params
        .cursor
        .as_deref()
        .map(|cursor| cursor::read(&name, cursor))
        .transpose()?;
    if from
        .as_ref()
        .is_some_and(|place| !place.is_in_list_of(&on.bot_id))
    {
        return Err(cursor::refused());
    }
    let now = inbox.clock.now();
    let Page { items, next } = inbox
        .table
        .conversations(&Listing {
            bot_id: &on.bot_id,
            filter: params.filter(),
            search,
            limit: page_length(params.limit, 30)?,
            from: from.as_ref(),
            now,
        })
        .await?;
    let page = Conversations {
        items: items
            .into_iter()
            .map(|room| Conversation::of(room, now))
            .collect(),
        next: next.map(|place| cursor::write(&name, &place)),
    };
    etag::answer(&headers, &page)
}

/// One conversation, and what it waits for. One read: it may be asked for every other second.
#[utoipa::path(
    get, path = "/api/bots/{bot}/conversations/{contact}", tag = "conversations",
    params(("bot" = String, Path), ("contact" = String, Path),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of an answer that the caller has")),
    responses(
        (status = 200, body = OneConversation, headers(("ETag" = String))),
        (status = 304, description = "It has not changed", headers(("ETag" = String))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_conversation(
    on: OnBot<Viewer>,
    Shared(inbox): Shared<Arc<Inbox>>,
    Path((_, contact)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = on.conversation(&contact)?;
    let found = inbox.table.conversation(&id).await?;
    let (room, head) = found.ok_or_else(Problem::not_found)?;
    let one = OneConversation {
        conversation: Conversation::of(room, inbox.clock.now()),
        state: head.state(),
    };
    etag::answer(&headers, &one)
}

/// Notes that everything has been read.
#[utoipa::path(
    post, path = "/api/bots/{bot}/conversations/{contact}/read", tag = "conversations",
    params(("bot" = String, Path), ("contact" = String, Path)),
    responses(
        (status = 204, description = "Nothing is unread"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn mark_conversation_read(
    on: OnBot<Agent>,
    Shared(inbox): Shared<Arc<Inbox>>,
    Path((_, contact)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let id = on.conversation(&contact)?;
    match inbox.table.read(&id).await? {
        Read::Done => Ok(StatusCode::NO_CONTENT),
        Read::NoSuchConversation => Err(Problem::not_found()),
    }
}

/// The answer of what changes a conversation: as it is now.
pub fn changed(room: Room, now: EpochMs) -> Json<Conversation> {
    Json(Conversation::of(room, now))
}
