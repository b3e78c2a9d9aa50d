//! The phone page: a chat window in which a person writes as a customer, and beside it what happens inside.
//!
//! The page plays the customer's phone and the part of wuzapi that posts webhooks; [`crate::gateway`] plays the part that
//! sends. Everything it shows about the inside comes from [`crate::steps`] and from the status of the local queue.

mod chats;
mod feed;
mod status;
mod webhook;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use clivy::conversation::ids::{Contact, MessageId};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::gateway::{Gateway, new_id};
use crate::steps::{Steps, now_ms};
use chats::{Bubble, BubbleState, Chats, Conversation};

/// Posts a webhook body to the webhook function, as wuzapi would.
pub trait Deliver: Send + Sync {
    /// Posts `body` for a bot; answers the function's status and body.
    fn deliver(&self, bot_id: &str, body: Value) -> BoxFuture<'_, (u16, String)>;
}

/// What the world tells a page of a bot and a contact: `{queue: {visible, in_flight, delayed, triggers: [{due_in_ms, state,
/// receive_count}]}, dlq: {visible}, breaker: {state, failures, max_failures, open_until_ms, cooldown_ms, probing},
/// retry_at_ms, faults}`.
pub type Status = Arc<dyn Fn(&str, &str) -> Value + Send + Sync>;

/// The keyed hash that steps carry, for a bot and a contact.
pub type ConversationOf = Arc<dyn Fn(&str, &str) -> String + Send + Sync>;

/// What the page needs of the world around it.
#[derive(Clone)]
pub struct PhoneState {
    /// The feed of steps.
    pub steps: Steps,
    /// The demo gateway, for the bot's bubbles.
    pub gateway: Gateway,
    /// The bots one can write to, in the order of the gateway's tokens.
    pub bot_ids: Vec<String>,
    /// Their names, in the same order; where a name is missing or empty, the id stands for it.
    pub bot_names: Vec<String>,
    /// The way to the webhook function.
    pub deliver: Arc<dyn Deliver>,
    /// The state of queues, breaker and faults.
    pub status: Status,
    /// The hash by which a conversation's steps are known.
    pub conversation_of: ConversationOf,
}

impl fmt::Debug for PhoneState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneState")
            .field("bot_ids", &self.bot_ids)
            .finish_non_exhaustive()
    }
}

struct Phone {
    world: PhoneState,
    chats: Chats,
}

/// The page at `/`, its files under `/assets/` and its API under `/phone/`.
pub fn router(state: PhoneState) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/assets/{name}", get(asset))
        .route("/phone/setup", get(setup))
        .route("/phone/messages", post(write))
        .route("/phone/events", get(feed::events))
        .layer(map_response(guarded))
        .with_state(Arc::new(Phone {
            world: state,
            chats: Chats::default(),
        }))
}

/// No script, style or connection but the page's own, whatever text a bubble holds.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        // Without it, proxies hold the events back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn page() -> Response {
    file(
        "text/html; charset=utf-8",
        include_str!("../../assets/phone.html"),
    )
}

async fn asset(Path(name): Path<String>) -> Response {
    const CSS: &str = "text/css; charset=utf-8";
    const JS: &str = "text/javascript; charset=utf-8";
    match name.as_str() {
        "phone.css" => file(CSS, include_str!("../../assets/phone.css")),
        "faults.css" => file(CSS, include_str!("../../assets/faults.css")),
        "inside.css" => file(CSS, include_str!("../../assets/inside.css")),
        "phone.js" => file(JS, include_str!("../../assets/phone.js")),
        "chat.js" => file(JS, include_str!("../../assets/chat.js")),
        "bursts.js" => file(JS, include_str!("../../assets/bursts.js")),
        "faults.js" => file(JS, include_str!("../../assets/faults.js")),
        "inside.js" => file(JS, include_str!("../../assets/inside.js")),
        "words.js" => file(JS, include_str!("../../assets/words.js")),
        "icon.svg" => file("image/svg+xml", include_str!("../../assets/icon.svg")),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn setup(State(phone): State<Arc<Phone>>) -> Json<Value> {
    let names = phone
        .world
        .bot_names
        .iter()
        .map(String::as_str)
        .chain(std::iter::repeat(""));
    let bots = phone.world.bot_ids.iter().zip(names);
    let bots =
        bots.map(|(id, name)| json!({"id": id, "name": if name.is_empty() { id } else { name }}));
    Json(json!({"bots": bots.collect::<Vec<_>>()}))
}

/// Why the page's own API says no.
struct Refused(StatusCode, &'static str);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

impl Phone {
    /// The conversation of a bot that is here and a contact as WhatsApp writes them.
    fn conversation(&self, bot: &str, contact: &str) -> Result<Conversation, Refused> {
        let session = self.world.bot_ids.iter().position(|known| known == bot);
        let session = session.ok_or(Refused(StatusCode::NOT_FOUND, "no such bot"))?;
        let contact = contact.strip_prefix('+').unwrap_or(contact);
        let contact = Contact::new(contact)
            .map_err(|_| Refused(StatusCode::BAD_REQUEST, "the contact is no phone number"))?;
        Ok(Conversation {
            session,
            contact: contact.as_str().to_owned(),
        })
    }
}

/// The longest text that WhatsApp takes, in characters.
const LONGEST_TEXT: usize = 65_536;

#[derive(Deserialize)]
struct Written {
    bot: String,
    contact: String,
    name: String,
    text: String,
    /// The id that the page gave the bubble: a second try of one bubble is the same message.
    id: Option<String>,
}

async fn write(
    State(phone): State<Arc<Phone>>,
    Json(written): Json<Written>,
) -> Result<Json<Bubble>, Refused> {
    let conversation = phone.conversation(&written.bot, &written.contact)?;
    let length = written.text.chars().count();
    if written.text.trim().is_empty() || length > LONGEST_TEXT {
        return Err(Refused(
            StatusCode::BAD_REQUEST,
            "a bubble holds 1 to 65,536 characters",
        ));
    }
    let id = written.id.unwrap_or_else(new_id);
    MessageId::new(&id).map_err(|_| Refused(StatusCode::BAD_REQUEST, "that is no message id"))?;
    let typed = Bubble::typed(id, written.text, now_ms());
    let bubble = phone.chats.open(&conversation, typed);
    let bubble = bubble.ok_or(Refused(
        StatusCode::CONFLICT,
        "this bubble is on its way or has arrived",
    ))?;
    let body = webhook::body(&written.bot, &conversation.contact, &written.name, &bubble);
    Ok(Json(
        deliver(phone, written.bot, conversation, bubble.id, body).await,
    ))
}

/// Posts the webhook and settles the bubble. In a task of its own: a page that is closed meanwhile must not take back a
/// message that its customer has sent.
#[expect(
    clippy::disallowed_methods,
    reason = "not on Lambda; the process lives on"
)]
async fn deliver(
    phone: Arc<Phone>,
    bot: String,
    conversation: Conversation,
    id: String,
    body: Value,
) -> Bubble {
    let task = {
        let (phone, conversation, id) = (Arc::clone(&phone), conversation.clone(), id.clone());
        tokio::spawn(async move {
            let (status, answer) = phone.world.deliver.deliver(&bot, body).await;
            let state = if (200..300).contains(&status) {
                BubbleState::Accepted
            } else {
                BubbleState::Failed
            };
            phone
                .chats
                .settle(&conversation, &id, state, Some(status), &answer)
        })
    };
    match task.await {
        Ok(bubble) => bubble,
        Err(_) => phone
            .chats
            .settle(&conversation, &id, BubbleState::Failed, None, ""),
    }
}

#[cfg(test)]
mod tests;
