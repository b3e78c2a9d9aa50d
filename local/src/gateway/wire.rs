//! wuzapi's wire format: field names in any case (Go's decoder), `token` header, `{code, success, data|error}`.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use clivy::conversation::ids::hex;
use futures_util::stream;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Gateway, GatewayEvent};
use crate::faults::{Fault, GatewayFault, Met};
use crate::steps::now_ms;

pub(super) fn router(gateway: Gateway) -> Router {
    Router::new()
        .route("/chat/send/text", post(send_text))
        .route("/chat/presence", post(presence))
        .route("/chat/markread", post(mark_read))
        .with_state(gateway)
}

/// A refused call: the status and wuzapi's words for it.
struct Refused(StatusCode, &'static str);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, error) = self;
        (
            status,
            Json(json!({"code": status.as_u16(), "error": error, "success": false})),
        )
            .into_response()
    }
}

fn bad(error: &'static str) -> Refused {
    Refused(StatusCode::BAD_REQUEST, error)
}

fn done(data: &Value) -> Json<Value> {
    Json(json!({"code": 200, "data": data, "success": true}))
}

async fn send_text(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let call = Call::new(&gateway, &headers, &body)?;
    let phone = call.text("Phone").ok_or(bad("missing Phone in Payload"))?;
    let text = call.text("Body").ok_or(bad("missing Body in Payload"))?;
    let phone = recipient(phone)?;
    let id = call.text("Id").map_or_else(new_id, str::to_owned);
    let conversation = (gateway.0.conversation_of)(call.session, &phone);
    let met = gateway.0.faults.meet();
    if let Some(met) = &met {
        tell_of(met, &conversation);
    }
    if met.as_ref().map(|met| met.fault) == Some(GatewayFault::Refused) {
        return Err(NO_SESSION);
    }
    let taken = gateway.text(call.session, phone, id.clone(), text.to_owned());
    if taken.repeated {
        tracing::info!(
            step = "demo_repeat",
            conversation,
            "the demo gateway knows the id: the customer sees one message"
        );
    }
    let answer = done(&json!({"Details": "Sent", "Id": id, "Timestamp": taken.first_ms / 1_000}));
    Ok(match met.map(|met| met.fault) {
        Some(GatewayFault::AnswerLost) => broken_off(&answer.0.to_string()),
        Some(GatewayFault::Refused) | None => answer.into_response(),
    })
}

/// wuzapi's words when its WhatsApp connection is down. It says 500 for what was not sent and for what perhaps was.
const NO_SESSION: Refused = Refused(StatusCode::INTERNAL_SERVER_ERROR, "no session");

fn tell_of(met: &Met<GatewayFault>, conversation: &str) {
    tracing::warn!(
        step = "demo_fault",
        conversation,
        target = "gateway",
        fault = met.fault.name(),
        calls_left = met.calls_left,
        "the demo gateway fails as the fault panel says"
    );
}

/// An answer whose connection breaks in the middle: its beginning, then the error that makes the server hang up.
fn broken_off(answer: &str) -> Response {
    let half: String = answer.chars().take(answer.chars().count() / 2).collect();
    let pieces = [Ok(half), Err(io::ErrorKind::ConnectionReset.into())];
    let body = Body::from_stream(stream::iter::<[io::Result<String>; 2]>(pieces));
    let length = answer.len().to_string();
    let kind = "application/json".to_owned();
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_LENGTH, length),
        ],
        body,
    )
        .into_response()
}

async fn presence(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    let call = Call::new(&gateway, &headers, &body)?;
    let phone = call.text("Phone").ok_or(bad("missing Phone in Payload"))?;
    let state = call.text("State").ok_or(bad("missing State in Payload"))?;
    if !matches!(state, "composing" | "paused") {
        return Err(bad("invalid State in Payload"));
    }
    gateway.tell(GatewayEvent::Presence {
        session: call.session,
        phone: recipient(phone)?,
        state: state.to_owned(),
    });
    Ok(done(&json!({"Details": "Chat presence set successfuly"})))
}

async fn mark_read(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    let call = Call::new(&gateway, &headers, &body)?;
    let chat = call.text("Chat").ok_or(bad("missing Chat in Payload"))?;
    let ids = call
        .field("Id")
        .and_then(Value::as_array)
        .ok_or(bad("missing Id in Payload"))?;
    let ids: Vec<String> = ids
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if ids.is_empty() {
        return Err(bad("missing Id in Payload"));
    }
    gateway.read(call.session, recipient(chat)?, ids);
    Ok(done(&json!({"Details": "Message(s) marked as read"})))
}

/// A call of a known session with a JSON object as its body.
struct Call {
    session: usize,
    fields: Map<String, Value>,
}

impl Call {
    fn new(gateway: &Gateway, headers: &HeaderMap, body: &[u8]) -> Result<Self, Refused> {
        let token = headers.get("token").and_then(|value| value.to_str().ok());
        let session = token
            .and_then(|token| gateway.session(token))
            .ok_or(Refused(StatusCode::UNAUTHORIZED, "unauthorized"))?;
        let fields = serde_json::from_slice(body).map_err(|_| bad("could not decode Payload"))?;
        Ok(Self { session, fields })
    }

    fn field(&self, name: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.field(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }
}

/// The customer behind a phone number or JID: digits, or the JID where it is no phone number.
fn recipient(phone: &str) -> Result<String, Refused> {
    let phone = phone.strip_prefix('+').unwrap_or(phone);
    let (user, server) = phone.split_once('@').unwrap_or((phone, "s.whatsapp.net"));
    if user.is_empty() || server.is_empty() {
        return Err(bad("could not parse Phone"));
    }
    if user.contains(':') {
        return Err(Refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            "error sending message: message recipient must be a user JID with no device part",
        ));
    }
    Ok(match server {
        "s.whatsapp.net" => user.to_owned(),
        _ => phone.to_owned(),
    })
}

/// An id like those that whatsmeow makes: `3EB0` and 18 hex digits. The counter keeps two of one millisecond apart.
pub(crate) fn new_id() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let digest = Sha256::digest(format!(
        "{}|{}",
        now_ms(),
        MADE.fetch_add(1, Ordering::Relaxed)
    ));
    let tail: String = hex(&digest).chars().take(18).collect();
    format!("3EB0{}", tail.to_uppercase())
}
