//! A person's message to a customer: stored here, sent by the worker.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use clivy::conversation::ids::{ConversationId, EpochMs, MessageId};
use clivy::conversation::message::{Author, Content, Delivery, Message, MessageKind};
use clivy::conversation::outgoing::{MAX_TEXT_CHARACTERS, Origin};
use clivy::conversation::trigger::{Errand, Trigger};
use clivy::random;
use clivy::table::{Outgoing, StoredMessage, StoredOutgoing, keys};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Inbox;
use crate::auth::{Agent, OnBot};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::time::Time;

/// What a person says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Saying {
    /// The text: 1 to 4,096 characters without the white space around it.
    #[schema(min_length = 1)]
    text: String,
}

/// A message of a conversation, as it is when it has just been accepted.
#[derive(Debug, Serialize, ToSchema)]
struct SaidMessage {
    /// Its place in the conversation; opaque.
    id: String,
    /// The id that the customer's WhatsApp will know.
    mid: String,
    /// `person`.
    author: &'static str,
    /// `text`.
    kind: &'static str,
    /// The text.
    text: String,
    /// When it was written, in whole seconds as WhatsApp tells it.
    at: Time,
    /// When it was accepted.
    received_at: Time,
    /// `sending`.
    delivery: &'static str,
    /// Null.
    edited_at: Option<Time>,
    /// Null: no turn is behind it.
    #[schema(value_type = Option<Object>)]
    turn: Option<()>,
}

impl SaidMessage {
    /// The answer is the one of the first time, however far the message has come since (I13).
    fn accepted(stored: &StoredMessage) -> Self {
        let StoredMessage { key, message } = stored;
        Self {
            id: key.as_str().to_owned(),
            mid: message.mid.as_str().to_owned(),
            author: message.author.as_str(),
            kind: message.content.kind.as_str(),
            text: message.content.text.clone(),
            at: Time(message.platform_at),
            received_at: Time(message.received_at),
            delivery: Delivery::Sending.as_str(),
            edited_at: None,
            turn: None,
        }
    }
}

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new().routes(routes!(say))
}

/// Answers a customer as a person. The message is accepted here and sent in a moment, exactly once; the bot is quiet in
/// this conversation from now on for `TAKEOVER_PAUSE_MINUTES`. Send an `Idempotency-Key` of your own: then the same request
/// again is the same message.
#[utoipa::path(
    post,
    path = "/api/bots/{bot}/conversations/{contact}/messages",
    tag = "conversations",
    params(
        ("bot" = String, Path, description = "The bot's id"),
        ("contact" = String, Path, description = "The customer"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 200 visible characters; the same key is the same message",
            min_length = 1, max_length = 200, pattern = "^[!-~]{1,200}$"),
    ),
    request_body = Saying,
    responses(
        (status = 202, description = "It will be sent", body = SaidMessage),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role is too small", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such bot or conversation", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The message of this key has expired", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The text or the key is not valid, or the key was used for another text", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Our own trouble", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn say(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Agent>,
    Path((_, contact)): Path<(String, String)>,
    headers: HeaderMap,
    Json(saying): Json<Saying>,
) -> Result<(StatusCode, Json<SaidMessage>), Problem> {
    let id = on.conversation(&contact)?;
    let text = sendable(&saying.text)?;
    let key = idempotency_key(&headers)?;
    let origin = match key {
        Some(key) => Origin::Asked(key),
        None => Origin::Once(random::bytes().map_err(|error| {
            tracing::error!(step = "trouble", %error, "a message could not be named");
            Problem::unavailable()
        })?),
    };
    let said = say_to(&inbox, &id, text, origin).await?;
    Ok((StatusCode::ACCEPTED, Json(SaidMessage::accepted(&said))))
}

/// A person's text as it may be sent: without white space around it.
///
/// # Errors
/// 422: nothing, too much, or control characters in it.
pub fn sendable(text: &str) -> Result<&str, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::invalid("the text is empty"));
    }
    if text.chars().count() > MAX_TEXT_CHARACTERS {
        return Err(Problem::invalid(format!(
            "the text is longer than {MAX_TEXT_CHARACTERS} characters"
        )));
    }
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        return Err(Problem::invalid("the text holds control characters"));
    }
    Ok(text)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let invalid = || Problem::invalid("an Idempotency-Key is 1 to 200 visible characters");
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value.to_str().map_err(|_| invalid())?;
    let is_visible = key.chars().all(|c| c.is_ascii_graphic());
    if !is_visible || !(1..=200).contains(&key.chars().count()) {
        return Err(invalid());
    }
    Ok(Some(key))
}

/// A person says something in a conversation, once, however often it is asked for with the same origin (I13).
///
/// # Errors
/// 404: there is no such conversation. 409: the turn that it answers is not parked, or its message has expired. 422: the
/// same was said with another text. 503: our own trouble; it may be said all the same.
pub async fn say_to(
    inbox: &Inbox,
    id: &ConversationId,
    text: &str,
    origin: Origin<'_>,
) -> Result<StoredMessage, Problem> {
    let head = inbox.table.head(id).await?;
    let head = head.ok_or_else(Problem::not_found)?;
    let mid = id.outgoing_id(origin, head.born_at);
    let mid = mid.ok_or_else(Problem::unavailable)?;
    let is_named = !matches!(origin, Origin::Once(_));
    if is_named && let Some(before) = inbox.table.outgoing(id, &mid).await? {
        return same(before, text, origin);
    }
    let message = message(mid, text, inbox.clock.now());
    let stored = trigger_and_store(inbox, id, &message, origin);
    // The worker waits this long for the message of a trigger (I3).
    let Ok(stored) = tokio::time::timeout(inbox.settings.store_timeout, stored).await else {
        tracing::error!(
            step = "not_stored",
            conversation = inbox.pseudonyms.conversation(id),
            "a message took too long"
        );
        return Err(Problem::unavailable());
    };
    match stored? {
        StoredOutgoing::New => Ok(StoredMessage {
            key: keys::message(message.platform_at, &message.mid),
            message,
        }),
        // A twin of this request was faster.
        StoredOutgoing::Duplicate => match inbox.table.outgoing(id, &message.mid).await? {
            Some(before) => same(before, text, origin),
            None => Err(Problem::conflict("the message of this key has expired")),
        },
        StoredOutgoing::NotParked => {
            Err(Problem::conflict("the turn is not failed or undelivered"))
        }
        StoredOutgoing::NoConversation => Err(Problem::not_found()),
    }
}

/// The trigger goes first, so that no message is ever stored without one (I3); a trigger whose message is never stored
/// finds nothing to do.
async fn trigger_and_store(
    inbox: &Inbox,
    id: &ConversationId,
    message: &Message,
    origin: Origin<'_>,
) -> Result<StoredOutgoing, Problem> {
    let trigger = Trigger {
        conversation: id.clone(),
        key: keys::message(message.platform_at, &message.mid),
        first_at: message.received_at,
        errand: Errand::Send,
    };
    inbox.queue.send(&trigger, 0, None).await?;
    let pause_ms = inbox.settings.takeover_pause_ms;
    let outgoing = Outgoing {
        id,
        message,
        pause_until: (pause_ms > 0).then(|| message.received_at.plus_ms(pause_ms)),
        instead_of: match origin {
            Origin::InsteadOf(turn) => Some(turn),
            Origin::Asked(_) | Origin::Once(_) => None,
        },
    };
    let stored = inbox.table.store_outgoing(outgoing).await?;
    tracing::info!(
        step = "person_said",
        conversation = inbox.pseudonyms.conversation(id),
        outcome = ?stored,
        "a person has the conversation"
    );
    Ok(stored)
}

/// The message that was said before with this origin, if it is this one.
fn same(before: StoredMessage, text: &str, origin: Origin<'_>) -> Result<StoredMessage, Problem> {
    if before.message.content.text == text {
        return Ok(before);
    }
    Err(match origin {
        Origin::InsteadOf(_) => Problem::conflict("the turn was answered with another text"),
        Origin::Asked(_) | Origin::Once(_) => {
            Problem::invalid("the Idempotency-Key was used for another text")
        }
    })
}

/// A message on its way. Its time is whole seconds, as WhatsApp's times are: what a customer writes in the same second is
/// before or after it by when it reached us.
fn message(mid: MessageId, text: &str, now: EpochMs) -> Message {
    Message {
        mid,
        author: Author::Person,
        content: Content {
            kind: MessageKind::Text,
            text: text.to_owned(),
        },
        platform_at: EpochMs(now.0.div_euclid(1000) * 1000),
        received_at: now,
        delivered: false,
        delivery: Some(Delivery::Sending),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_trimmed_and_counted_in_characters() {
        assert_eq!(sendable(" siap kak \n").unwrap(), "siap kak");
        let longest = "é".repeat(MAX_TEXT_CHARACTERS);
        assert_eq!(sendable(&format!(" {longest} ")).unwrap(), longest);
        assert_eq!(sendable("satu\ndua\t🙏").unwrap(), "satu\ndua\t🙏");
        let too_long = format!("{longest}é");
        for bad in ["", " \n\u{2003}", "a\0b", "\u{1b}[31m", too_long.as_str()] {
            assert_eq!(
                sendable(bad).unwrap_err().status,
                StatusCode::UNPROCESSABLE_ENTITY
            );
        }
    }

    #[test]
    fn an_idempotency_key_is_visible_and_not_too_long() {
        let with = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(
                "idempotency-key",
                axum::http::HeaderValue::from_bytes(value).unwrap(),
            );
            idempotency_key(&headers).map(|key| key.map(str::to_owned))
        };
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
        assert_eq!(with(b"a-1_~!").unwrap().unwrap(), "a-1_~!");
        assert!(with(&[b'x'; 200]).is_ok());
        for bad in [&b""[..], b"a b", b"\xc3\xa9", &[b'x'; 201]] {
            assert_eq!(
                with(bad).unwrap_err().status,
                StatusCode::UNPROCESSABLE_ENTITY
            );
        }
    }
}
