//! What no engine does at will, put before the embedded one: conflicts that go on, refusals, answers that do not come.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use clivy::conversation::ids::ConversationId;
use clivy::table::{Cause, Stored, TableError};
use futures_util::future::BoxFuture;
use local::engines::{Call, Engines, Intercept, Lost, Reply};
use serde_json::{Value, json};
use tests::refusal::{self, Refusal};

use crate::endpoint::{Endpoint, message};

/// What comes instead of an answer.
#[derive(Clone, Copy)]
pub enum Trouble {
    Refused(Refusal),
    /// A transaction is cancelled, its first writes for these reasons.
    Cancelled(&'static [&'static str]),
    Error(&'static str),
    /// Nothing of a batch is done.
    Unprocessed,
    /// Whatever it is, it is wrong.
    Wrong,
    /// Nothing: the engine answers.
    None,
    Garbage,
    Lost,
    Hangs,
}

/// Has one trouble with each of the next calls of an operation, and counts all calls.
#[derive(Default)]
pub struct Troubles {
    next: Mutex<(&'static str, VecDeque<Trouble>)>,
    calls: AtomicU32,
}

impl Troubles {
    /// From now on, whatever the calls are.
    pub fn begin(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.begin_with("", troubles);
    }

    /// From now on, with the calls of this operation.
    pub fn begin_with(&self, operation: &'static str, troubles: impl IntoIterator<Item = Trouble>) {
        *self.next.lock().unwrap() = (operation, troubles.into_iter().collect());
        self.calls.store(0, Ordering::Relaxed);
    }

    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Intercept for Troubles {
    fn intercept<'a>(
        &'a self,
        call: Call,
        engines: &'a Engines,
    ) -> BoxFuture<'a, Result<Reply, Lost>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let trouble = {
            let mut next = self.next.lock().unwrap();
            match call.target.ends_with(next.0) {
                true => next.1.pop_front(),
                false => None,
            }
        };
        Box::pin(async move {
            match trouble {
                None | Some(Trouble::None) => Ok(engines.call(&call).await),
                Some(Trouble::Refused(refusal)) => Ok(refusal.reply(&call)),
                Some(Trouble::Cancelled(codes)) => Ok(refusal::cancelled(&call, codes)),
                Some(Trouble::Error(name)) => Ok(refusal::error(400, name)),
                Some(Trouble::Unprocessed) => {
                    let request: Value = serde_json::from_slice(&call.body).unwrap();
                    let left = match call.target.ends_with("BatchGetItem") {
                        true => "UnprocessedKeys",
                        false => "UnprocessedItems",
                    };
                    let body = json!({left: request["RequestItems"]});
                    Ok(Reply::json(200, body.to_string()))
                }
                Some(Trouble::Wrong) if call.target.ends_with("TransactWriteItems") => {
                    Ok(refusal::cancelled(&call, &["ValidationError"]))
                }
                Some(Trouble::Wrong) => Ok(refusal::error(400, "ValidationException")),
                Some(Trouble::Garbage) => Ok(Reply::json(200, "<html>".to_owned())),
                Some(Trouble::Lost) => Err(Lost),
                Some(Trouble::Hangs) => std::future::pending().await,
            }
        })
    }
}

pub async fn troubled() -> (Endpoint, Arc<Troubles>) {
    let troubles = Arc::new(Troubles::default());
    let endpoint = Endpoint::behind(Arc::clone(&troubles) as _).await;
    (endpoint, troubles)
}

/// Stores a message.
pub async fn store(e: &Endpoint, id: &ConversationId, mid: &str) -> Result<Stored, TableError> {
    e.table.store(id, &message(mid, 0), None, true).await
}

pub fn failed(result: Result<Stored, TableError>) -> (Cause, String) {
    let TableError { cause, code, .. } = result.unwrap_err();
    (cause, code)
}
