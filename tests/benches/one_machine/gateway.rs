//! The gateway of the bench: takes what wuzapi takes, and stamps every reply with the moment it came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Json;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::DEBOUNCE;

/// How every answer of the demo model ends. The bot's fallback text does not: it is no answer.
const SIGNED: &str = "_Dijawab model demo dari dokumen toko._";

/// The gateway. Clones share one.
#[derive(Clone)]
pub struct Gateway {
    seen: Arc<Mutex<Seen>>,
    url: Arc<str>,
}

#[derive(Default)]
struct Seen {
    customers: HashMap<String, Customer>,
    faults: Faults,
}

/// A customer who writes one burst and is owed one reply.
struct Customer {
    waiting: Option<oneshot::Sender<Instant>>,
    reply_id: Option<String>,
}

/// What must not happen. The bench fails when any of it is not 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// Bursts without a reply in time.
    pub lost: u64,
    /// Bubbles that the webhook did not queue.
    pub refused: u64,
    /// Replies that came again with the same id.
    pub repeated: u64,
    /// Second replies to one burst.
    pub second: u64,
    /// Replies that were not the model's: the fallback text.
    pub unanswered: u64,
    /// Replies to nobody we know.
    pub strangers: u64,
}

impl Gateway {
    /// Listens on a port of its own, until the bench ends.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let gateway = Self {
            seen: Arc::default(),
            url: url.into(),
        };
        let router = Router::new()
            .route("/chat/send/text", post(send_text))
            .route("/chat/presence", post(best_effort))
            .route("/chat/markread", post(best_effort))
            .with_state(gateway.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "the gateway serves beside the customers"
        )]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(gateway)
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The moment at which this customer's one reply comes.
    pub fn expect(&self, phone: &str) -> oneshot::Receiver<Instant> {
        let (waiting, reply) = oneshot::channel();
        let customer = Customer {
            waiting: Some(waiting),
            reply_id: None,
        };
        self.seen().customers.insert(phone.to_owned(), customer);
        reply
    }

    /// A burst got no reply.
    pub fn lost(&self) {
        self.seen().faults.lost += 1;
    }

    /// A bubble was not queued.
    pub fn refused(&self) {
        self.seen().faults.refused += 1;
    }

    /// Waits for what should not come: a reply too many would come within a debounce of the last one.
    pub async fn silence(&self) {
        tokio::time::sleep(DEBOUNCE + Duration::from_millis(500)).await;
    }

    /// The faults since the last call; forgets the customers.
    pub fn take_faults(&self) -> Faults {
        std::mem::take(&mut *self.seen()).faults
    }

    fn take(&self, text: &Text, at: Instant) {
        let mut seen = self.seen();
        let Seen { customers, faults } = &mut *seen;
        let Some(customer) = customers.get_mut(&text.phone) else {
            faults.strangers += 1;
            return;
        };
        match &customer.reply_id {
            Some(known) if *known == text.id => faults.repeated += 1,
            Some(_) => faults.second += 1,
            None => customer.reply_id = Some(text.id.clone()),
        }
        if !text.body.ends_with(SIGNED) {
            faults.unanswered += 1;
        }
        if let Some(waiting) = customer.waiting.take() {
            // An error means that the customer has given up, and is counted as lost.
            let _ = waiting.send(at);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of `/chat/send/text`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    phone: String,
    id: String,
    body: String,
}

async fn send_text(State(gateway): State<Gateway>, Json(text): Json<Text>) -> Json<Value> {
    gateway.take(&text, Instant::now());
    Json(
        json!({"code": 200, "success": true, "data": {"Details": "Sent", "Id": text.id, "Timestamp": 0}}),
    )
}

async fn best_effort(_: axum::body::Bytes) -> Json<Value> {
    Json(json!({"code": 200, "success": true, "data": {}}))
}
