//! Turns: how each burst came to its reply, and another try at one that failed.

mod shapes;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use clivy::conversation::outcome::Attempt;
use clivy::conversation::outgoing::Origin;
use clivy::conversation::trigger::{Errand, ModelName, Trigger};
use clivy::table::{self, ListedTurn, keys};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use shapes::{
    AttemptOfTurn, BurstMessage, RetryAccepted, Retrying, TurnInFull, TurnPage, TurnSummary, Wanted,
};

use super::say::{say_to, sendable};
use crate::Inbox;
use crate::auth::{Agent, AtLeast, OnBot, Viewer};
use crate::cursor;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::time::Time;

/// Turns of a page, unless the caller wants another number.
const PAGE: u16 = 25;
/// The most.
const LONGEST_PAGE: u16 = 100;

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new()
        .routes(routes!(list_turns))
        .routes(routes!(get_turn))
        .routes(routes!(retry_turn))
}

/// The turns of a bot that stand so, the one that ended last first.
#[utoipa::path(
    get,
    path = "/api/bots/{bot}/turns",
    tag = "turns",
    params(("bot" = String, Path, description = "The bot's id"), Wanted),
    responses(
        (status = 200, description = "A page of them", body = TurnPage),
        (status = 400, description = "The query or the cursor is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role is too small", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such bot", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Our own trouble", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_turns(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<TurnPage>, Problem> {
    let status = wanted.status.into();
    let limit = wanted.limit.unwrap_or(PAGE);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        return Err(Problem::bad_request("limit is not within 1 and 100"));
    }
    // A cursor is good for this bot and this status alone (I12).
    let name = keys::turns(&on.bot_id, status);
    let from = wanted
        .cursor
        .map(|cursor| cursor::read(&name, &cursor))
        .transpose()?;
    if from
        .as_ref()
        .is_some_and(|from| !from.is_in_turns_of(&on.bot_id))
    {
        return Err(cursor::refused());
    }
    let page = inbox
        .table
        .turns(&on.bot_id, status, limit, from.as_ref())
        .await?;
    Ok(Json(TurnPage {
        items: page.items.iter().map(summary).collect(),
        next: page.next.map(|next| cursor::write(&name, &next)),
    }))
}

/// One turn, with the texts of its messages and of its reply.
#[utoipa::path(
    get,
    path = "/api/bots/{bot}/turns/{turn}",
    tag = "turns",
    params(
        ("bot" = String, Path, description = "The bot's id"),
        ("turn" = String, Path, description = "`<contact>.<number>`"),
    ),
    responses(
        (status = 200, description = "The turn", body = TurnInFull),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role is too small", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such bot or turn", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Our own trouble", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_turn(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Viewer>,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<TurnInFull>, Problem> {
    let listed = find(&inbox, &on, &name).await?;
    let reply_key = listed.turn.reply_key();
    let wanted = listed.turn.keys.iter().cloned().chain(reply_key.clone());
    let wanted = wanted.collect();
    let mut messages = inbox.table.messages(&listed.id, &wanted).await?;
    let reply = messages
        .iter()
        .position(|stored| Some(&stored.key) == reply_key.as_ref())
        .map(|reply| messages.swap_remove(reply).message.content.text);
    messages.sort_by(|a, b| a.message.order().cmp(&b.message.order()));
    let burst = messages.into_iter().map(|stored| BurstMessage {
        text: stored.message.content.text,
        kind: stored.message.content.kind.as_str(),
        at: Time(stored.message.platform_at),
    });
    Ok(Json(TurnInFull {
        summary: summary(&listed),
        burst: burst.collect(),
        reply,
    }))
}

/// Tries a parked turn again: by the bot's own models, by one that is named, or with a person's text instead. What a
/// person has answered since stays answered by them.
#[utoipa::path(
    post,
    path = "/api/bots/{bot}/turns/{turn}/retry",
    tag = "turns",
    params(
        ("bot" = String, Path, description = "The bot's id"),
        ("turn" = String, Path, description = "`<contact>.<number>`"),
    ),
    request_body = Retrying,
    responses(
        (status = 202, description = "It will be tried", body = RetryAccepted),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role is too small", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such bot or turn", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The turn is not parked, or the bot may not answer this contact now", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The model or the text is not valid, or there are both", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Our own trouble", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn retry_turn(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Agent>,
    Path((_, name)): Path<(String, String)>,
    Json(retrying): Json<Retrying>,
) -> Result<(StatusCode, Json<RetryAccepted>), Problem> {
    let status = match (retrying.model, retrying.text) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid(
                "a model and a text are two ways of retrying",
            ));
        }
        (None, Some(text)) => {
            let text = sendable(&text)?;
            let ListedTurn { id, turn } = find(&inbox, &on, &name).await?;
            say_to(&inbox, &id, text, Origin::InsteadOf(turn.burst)).await?;
            "sending"
        }
        (model, None) => {
            let model = model.map(|model| ModelName::new(&model)).transpose();
            let model = model.map_err(|invalid| Problem::invalid(invalid.to_string()))?;
            let listed = find(&inbox, &on, &name).await?;
            ask_again(&inbox, listed, model).await?;
            "queued"
        }
    };
    Ok((StatusCode::ACCEPTED, Json(RetryAccepted { status })))
}

/// Sends the trigger that puts a parked turn's messages back. Twice is once (I13).
async fn ask_again(
    inbox: &Inbox,
    listed: ListedTurn,
    model: Option<ModelName>,
) -> Result<(), Problem> {
    let ListedTurn { id, turn } = listed;
    let newest = turn.keys.iter().max().filter(|_| turn.status.is_parked());
    let key = newest.ok_or_else(|| Problem::conflict("the turn is not failed or undelivered"))?;
    let now = inbox.clock.now();
    let head = inbox.table.head(&id).await?;
    let head = head.ok_or_else(Problem::not_found)?;
    if head.paused(now).is_some() {
        // The burst would wait for the pause to end, and then be left to whoever has paused it.
        return Err(Problem::conflict("the bot is paused here: resume it first"));
    }
    if head.opted_out_at.is_some() {
        return Err(Problem::conflict("the contact wants no answers of the bot"));
    }
    let trigger = Trigger {
        key: key.clone(),
        first_at: now,
        errand: Errand::Retry {
            turn: turn.burst,
            model,
        },
        conversation: id,
    };
    inbox.queue.send(&trigger, 0, None).await?;
    tracing::info!(
        step = "retry_wanted",
        conversation = inbox.pseudonyms.conversation(&trigger.conversation),
        "a person wants a turn to be tried again"
    );
    Ok(())
}

/// The turn of this bot with this id.
async fn find<R: AtLeast>(inbox: &Inbox, on: &OnBot<R>, name: &str) -> Result<ListedTurn, Problem> {
    // A contact may hold dots.
    let (contact, number) = name.rsplit_once('.').ok_or_else(Problem::not_found)?;
    let id = on.conversation(contact)?;
    let burst: u64 = number.parse().map_err(|_| Problem::not_found())?;
    // A turn has one id: "+7" and "07" are none.
    let turn = match burst.to_string() == number {
        true => inbox.table.turn(&id, burst).await?,
        false => None,
    };
    let turn = turn.ok_or_else(Problem::not_found)?;
    Ok(ListedTurn { id, turn })
}

fn summary(listed: &ListedTurn) -> TurnSummary {
    let table::ListedTurn { id, turn } = listed;
    let contact = id.contact.as_str();
    TurnSummary {
        id: format!("{contact}.{}", turn.burst),
        contact: contact.to_owned(),
        number: turn.burst,
        status: turn.status.as_str(),
        model: turn.model.clone(),
        messages: turn.keys.len(),
        attempts: turn.attempts.iter().map(attempt).collect(),
        tries: turn.tries,
        tokens_in: turn.tokens_in,
        tokens_out: turn.tokens_out,
        tokens_cached: turn.tokens_cached,
        cost_usd: turn.cost_usd,
        llm_calls: turn.llm_calls,
        llm_latency_ms: turn.llm_latency_ms,
        wasted: turn.wasted,
        tokens_saved: turn.tokens_saved,
        prompt_tokens: turn.tokens_in,
        began_at: turn.began_at.map(Time),
        ended_at: turn.ended_at.map(Time),
        reply_id: turn.reply_id.as_ref().map(|id| id.as_str().to_owned()),
        error: turn.last_error().map(str::to_owned),
    }
}

fn attempt(attempt: &Attempt) -> AttemptOfTurn {
    AttemptOfTurn {
        number: attempt.number,
        model: attempt.model.clone(),
        class: attempt.class.clone(),
        message: attempt.message.clone(),
        started_at: Time(attempt.started_at),
        ended_at: Time(attempt.ended_at),
    }
}
