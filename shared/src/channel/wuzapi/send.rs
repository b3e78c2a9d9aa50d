//! The way back: text, "typing…" and blue ticks through wuzapi's API.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::fields;
use crate::conversation::bot::Gateway;
use crate::conversation::ids::{Contact, MessageId};
use crate::error::Class;
use crate::http::{Http, HttpError};

/// Why a call to the gateway did not end well. Carries the status, never a body (I11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Certain: nothing was sent. No connection, a wrong token or address, too many requests.
    #[error("the gateway did not send it ({status:?})")]
    NotSent {
        /// The gateway's answer, where there was one.
        status: Option<u16>,
    },
    /// It may have been sent: no answer, or one that says both. Only the same id and text may follow (I5).
    #[error("the gateway may have sent it ({status:?})")]
    Unknown {
        /// The gateway's answer, where there was one.
        status: Option<u16>,
    },
    /// The gateway does not take this message, now or later.
    #[error("the gateway refuses it ({status})")]
    Rejected {
        /// The gateway's answer.
        status: u16,
    },
}

impl SendError {
    /// What the caller should do.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::NotSent { status: Some(429) } => Class::Wait,
            Self::NotSent { .. } | Self::Unknown { .. } => Class::Retry,
            Self::Rejected { .. } => Class::Permanent,
        }
    }
}

/// What the customer sees above the chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// "typing…"
    Composing,
    /// Nothing any more.
    Paused,
}

/// Calls wuzapi instances. The instance and its token come with each call.
#[derive(Clone)]
pub struct Sender {
    /// The way out.
    pub http: Arc<dyn Http>,
    /// For a text. wuzapi itself gives up after about 75 s.
    pub timeout: Duration,
    /// For what must not hold up a reply.
    pub best_effort_timeout: Duration,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("timeout", &self.timeout)
            .field("best_effort_timeout", &self.best_effort_timeout)
            .finish_non_exhaustive()
    }
}

impl Sender {
    /// Sends `text` under `reply_id`, which becomes WhatsApp's message id: the same call again is the same
    /// message again (I5).
    ///
    /// # Errors
    /// See [`SendError`]. After `Unknown` nothing else may be sent in its place.
    pub async fn send_text(
        &self,
        gateway: &Gateway,
        contact: &Contact,
        reply_id: &MessageId,
        text: &str,
    ) -> Result<(), SendError> {
        let body = json!({"Phone": contact.as_str(), "Body": text, "Id": reply_id.as_str()});
        self.post(gateway, "/chat/send/text", &body, self.timeout)
            .await
    }

    /// Shows or ends "typing…". Best effort.
    ///
    /// # Errors
    /// See [`SendError`]; nothing depends on it.
    pub async fn presence(
        &self,
        gateway: &Gateway,
        contact: &Contact,
        presence: Presence,
    ) -> Result<(), SendError> {
        let state = match presence {
            Presence::Composing => "composing",
            Presence::Paused => "paused",
        };
        let body = json!({"Phone": contact.as_str(), "State": state});
        self.post(gateway, "/chat/presence", &body, self.best_effort_timeout)
            .await
    }

    /// Marks the customer's messages as read. Best effort; no call when there are none.
    ///
    /// # Errors
    /// See [`SendError`]; nothing depends on it.
    pub async fn mark_read(
        &self,
        gateway: &Gateway,
        contact: &Contact,
        ids: &[MessageId],
    ) -> Result<(), SendError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = ids.iter().map(MessageId::as_str).collect();
        // These two fields are read as JIDs, where `Phone` may be bare digits.
        let jid = jid(contact);
        let body = json!({"Id": ids, "Chat": jid, "Sender": jid});
        self.post(gateway, "/chat/markread", &body, self.best_effort_timeout)
            .await
    }

    async fn post(
        &self,
        gateway: &Gateway,
        path: &str,
        body: &Value,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let not_sent = SendError::NotSent { status: None };
        let mut token = HeaderValue::from_str(&gateway.token).map_err(|_| not_sent)?;
        token.set_sensitive(true);
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", gateway.url.trim_end_matches('/')))
            .header(http::header::CONTENT_TYPE, "application/json")
            .header("token", token)
            .body(Bytes::from(body.to_string()))
            .map_err(|_| not_sent)?;
        match self.http.send(request, timeout).await {
            Ok(response) => outcome(&response),
            Err(HttpError::Connect | HttpError::Request) => Err(not_sent),
            Err(HttpError::Timeout | HttpError::Broken | HttpError::TooLarge) => {
                Err(SendError::Unknown { status: None })
            }
        }
    }
}

fn jid(contact: &Contact) -> String {
    let contact = contact.as_str();
    if contact.contains('@') {
        contact.to_owned()
    } else {
        format!("{contact}@s.whatsapp.net")
    }
}

fn outcome(response: &Response<Bytes>) -> Result<(), SendError> {
    if !response.status().is_success() {
        return Err(failure(response.status().as_u16()));
    }
    // Some proxies turn every answer into a 200; wuzapi repeats the status inside.
    let Ok(Value::Object(answer)) = serde_json::from_slice(response.body()) else {
        return Ok(());
    };
    let code = fields::get(&answer, "code").and_then(Value::as_u64);
    let code = code.and_then(|code| u16::try_from(code).ok());
    let success = fields::get(&answer, "success").and_then(Value::as_bool);
    match (code, success) {
        (Some(code), _) if code >= 400 => Err(failure(code)),
        (_, Some(false)) => Err(SendError::Unknown {
            status: Some(response.status().as_u16()),
        }),
        _ => Ok(()),
    }
}

fn failure(status: u16) -> SendError {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match code {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            SendError::Rejected { status }
        }
        // The gateway gave up waiting, or says nothing about what it did: wuzapi answers 500 both before and
        // after the message has left.
        StatusCode::REQUEST_TIMEOUT => SendError::Unknown {
            status: Some(status),
        },
        code if code.is_client_error() || code.is_redirection() => SendError::NotSent {
            status: Some(status),
        },
        _ => SendError::Unknown {
            status: Some(status),
        },
    }
}

#[cfg(test)]
mod tests;
