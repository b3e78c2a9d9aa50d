//! A demo wuzapi: the part of its HTTP API that Clivy uses, in its wire format, with nobody behind it but the
//! phone page and the tests.

mod wire;

pub(crate) use wire::new_id;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use tokio::sync::broadcast;

use crate::faults::{GatewayFault, Switch};
use crate::steps::now_ms;

/// Accepted sends that are remembered, for `sends` and to recognise a repeated id.
const SENDS_KEPT: usize = 20_000;
/// Ids of messages marked as read that are remembered.
const READS_KEPT: usize = 5_000;
/// Events a slow reader may be behind.
const LIVE: usize = 1_024;

/// What a customer's phone would show. `session` is the place of the caller's token in the list that was given to
/// [`Gateway::new`]: one number per token, as one wuzapi serves several WhatsApp numbers.
#[derive(Clone, PartialEq, Eq)]
pub enum GatewayEvent {
    /// A bubble from the bot.
    Text {
        /// Which of the gateway's numbers wrote.
        session: usize,
        /// To whom: digits, or a full JID where it is no phone number.
        phone: String,
        /// The WhatsApp message id.
        id: String,
        /// The text, in WhatsApp's formatting.
        body: String,
    },
    /// "typing…" begins or ends.
    Presence {
        /// Which of the gateway's numbers types.
        session: usize,
        /// Who sees it.
        phone: String,
        /// `composing` or `paused`.
        state: String,
    },
    /// The blue ticks.
    Read {
        /// Which of the gateway's numbers has read.
        session: usize,
        /// Whose messages.
        phone: String,
        /// Their ids.
        ids: Vec<String>,
    },
}

impl GatewayEvent {
    /// The conversation it belongs to: the session and the phone.
    #[must_use]
    pub fn conversation(&self) -> (usize, &str) {
        match self {
            Self::Text { session, phone, .. }
            | Self::Presence { session, phone, .. }
            | Self::Read { session, phone, .. } => (*session, phone),
        }
    }
}

impl fmt::Debug for GatewayEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // I11: neither phone nor text.
        match self {
            Self::Text { id, .. } => write!(f, "Text({id})"),
            Self::Presence { state, .. } => write!(f, "Presence({state})"),
            Self::Read { ids, .. } => write!(f, "Read({ids:?})"),
        }
    }
}

/// One accepted call of `/chat/send/text`.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    /// Which of the gateway's numbers wrote: the place of its token.
    pub session: usize,
    /// To whom: digits, or a full JID where it is no phone number.
    pub phone: String,
    /// The WhatsApp message id.
    pub id: String,
    /// The text as it came.
    pub body: String,
    /// When it came, in milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// The id was known already: the customer sees the first one only.
    pub repeated: bool,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // I11: neither phone nor text.
        f.debug_struct("Sent")
            .field("session", &self.session)
            .field("id", &self.id)
            .field("at_ms", &self.at_ms)
            .field("repeated", &self.repeated)
            .finish_non_exhaustive()
    }
}

/// The keyed hash of a conversation, for a session and a phone as [`GatewayEvent`] has them.
pub type ConversationOf = Arc<dyn Fn(usize, &str) -> String + Send + Sync>;

/// The demo gateway. Clones share one, and its faults.
#[derive(Clone)]
pub struct Gateway(Arc<Shared>);

struct Shared {
    tokens: Vec<String>,
    faults: Switch<GatewayFault>,
    /// For the log.
    conversation_of: ConversationOf,
    log: Mutex<Log>,
    live: broadcast::Sender<GatewayEvent>,
}

#[derive(Default)]
struct Log {
    sends: VecDeque<Sent>,
    /// The moment of the first send of an id: a repeated call gets the same answer (I5).
    sent_at_ms: HashMap<(usize, String), i64>,
    reads: VecDeque<(usize, String)>,
}

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    /// When the first call with its id came, in milliseconds since 1970 (UTC).
    first_ms: i64,
    /// This was not the first.
    repeated: bool,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("sessions", &self.0.tokens.len())
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway with one WhatsApp number per token. Its log lines name no conversation.
    #[must_use]
    pub fn new(tokens: Vec<String>) -> Self {
        Self::with_names(tokens, Arc::new(|_, _| String::new()))
    }

    /// A gateway whose log lines name their conversation: what it did wrong is then a step of that conversation.
    #[must_use]
    pub fn with_names(tokens: Vec<String>, conversation_of: ConversationOf) -> Self {
        Self(Arc::new(Shared {
            tokens,
            faults: Switch::default(),
            conversation_of,
            log: Mutex::default(),
            live: broadcast::channel(LIVE).0,
        }))
    }

    /// What its next calls of `/chat/send/text` meet.
    #[must_use]
    pub fn faults(&self) -> Switch<GatewayFault> {
        self.0.faults.clone()
    }

    /// `POST /chat/send/text`, `/chat/presence` and `/chat/markread`.
    pub fn router(&self) -> Router {
        wire::router(self.clone())
    }

    /// What customers see from now on. A receiver that lags has missed events; `sends` has the texts.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<GatewayEvent> {
        self.0.live.subscribe()
    }

    /// Every accepted send, oldest first, repeated ones included; the last 20,000.
    #[must_use]
    pub fn sends(&self) -> Vec<Sent> {
        self.log().sends.iter().cloned().collect()
    }

    /// What one customer was sent, oldest first, each message once.
    #[must_use]
    pub fn texts(&self, session: usize, phone: &str) -> Vec<Sent> {
        let log = self.log();
        let mine = |s: &&Sent| !s.repeated && s.session == session && s.phone == phone;
        log.sends.iter().filter(mine).cloned().collect()
    }

    /// The customers' messages that one number has marked as read; the last 5,000 over all numbers.
    #[must_use]
    pub fn read_ids(&self, session: usize) -> HashSet<String> {
        let log = self.log();
        let mine = log.reads.iter().filter(|(of, _)| *of == session);
        mine.map(|(_, id)| id.clone()).collect()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number behind a token. Plain comparison: these tokens guard a demo on this machine.
    fn session(&self, token: &str) -> Option<usize> {
        self.0.tokens.iter().position(|known| known == token)
    }

    /// Takes a text. What is told is the first call with this id, as WhatsApp shows an id once (I5).
    fn text(&self, session: usize, phone: String, id: String, body: String) -> Taken {
        let mut log = self.log();
        let key = (session, id.clone());
        let at_ms = now_ms();
        let first_ms = log.sent_at_ms.get(&key).copied();
        if log.sends.len() == SENDS_KEPT
            && let Some(old) = log.sends.pop_front()
            && !old.repeated
        {
            log.sent_at_ms.remove(&(old.session, old.id));
        }
        log.sends.push_back(Sent {
            session,
            phone: phone.clone(),
            id: id.clone(),
            body: body.clone(),
            at_ms,
            repeated: first_ms.is_some(),
        });
        if first_ms.is_none() {
            log.sent_at_ms.insert(key, at_ms);
            // Told under the lock, so that events come in the order of `sends`.
            self.tell(GatewayEvent::Text {
                session,
                phone,
                id,
                body,
            });
        }
        Taken {
            first_ms: first_ms.unwrap_or(at_ms),
            repeated: first_ms.is_some(),
        }
    }

    fn read(&self, session: usize, phone: String, ids: Vec<String>) {
        let mut log = self.log();
        for id in &ids {
            if log.reads.len() == READS_KEPT {
                log.reads.pop_front();
            }
            log.reads.push_back((session, id.clone()));
        }
        self.tell(GatewayEvent::Read {
            session,
            phone,
            ids,
        });
    }

    fn tell(&self, event: GatewayEvent) {
        // An error means: nobody looks.
        let _ = self.0.live.send(event);
    }
}

#[cfg(test)]
mod tests;
