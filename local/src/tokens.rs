//! `ClientRequestToken`s: a transaction that is sent twice happens once, for ten minutes.
//!
//! The embedded engine has this too, but looks through all tokens of the last ten minutes at every transaction: at 200
//! bursts a second that is half a million of them, and a turn becomes slower by the minute. So its tokens are taken off
//! the requests, and kept here, where each costs the same however many there are.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::engines::Reply;

/// How long DynamoDB remembers a token.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The tokens of the last ten minutes. Clones share them.
#[derive(Clone, Default)]
pub struct Tokens(Arc<Mutex<Remembered>>);

#[derive(Default)]
struct Remembered {
    by_token: HashMap<Arc<str>, Once>,
    /// Oldest first.
    by_age: VecDeque<(Instant, Arc<str>)>,
}

/// A transaction that has happened.
struct Once {
    /// Of the request, whatever the order of its fields.
    digest: [u8; 32],
    reply: Reply,
}

impl Tokens {
    /// Runs a transaction with its token taken off, unless it has happened already: then gives the answer of that time.
    /// A failed one is not remembered, so that it can be tried again.
    pub(crate) fn once(&self, body: &[u8], run: impl FnOnce(&[u8]) -> Reply) -> Reply {
        // What is no JSON object is refused by the engine.
        let Ok(Value::Object(mut request)) = serde_json::from_slice(body) else {
            return run(body);
        };
        let Some(Value::String(token)) = request.remove("ClientRequestToken") else {
            return run(body);
        };
        if token.is_empty() || token.len() > 36 {
            return run(body);
        }
        // Keys are sorted in `Value`: a map in another order is the same request.
        let body = Value::Object(request).to_string();
        let digest = Sha256::digest(&body).into();
        // Held while the transaction runs, so that its twin waits for it; the engine runs one at a time anyway.
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.forget(Instant::now());
        match remembered.by_token.get(token.as_str()) {
            Some(once) if once.digest == digest => return once.reply.clone(),
            Some(_) => return mismatch(),
            None => {}
        }
        let reply = run(body.as_bytes());
        if reply.status == 200 {
            let once = Once {
                digest,
                reply: reply.clone(),
            };
            remembered.keep(token.into(), once, Instant::now());
        }
        reply
    }
}

impl Remembered {
    fn keep(&mut self, token: Arc<str>, once: Once, now: Instant) {
        self.by_age.push_back((now, Arc::clone(&token)));
        self.by_token.insert(token, once);
    }

    fn forget(&mut self, now: Instant) {
        while let Some((_, token)) = self
            .by_age
            .pop_front_if(|(since, _)| now.duration_since(*since) >= REMEMBERED)
        {
            self.by_token.remove(&token);
        }
    }
}

fn mismatch() -> Reply {
    Reply::json(
        400,
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException","message":"The request uses the same client token as a previous, but non-identical request."}"#
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Engine {
        tokens: Tokens,
        runs: Cell<u32>,
        status: Cell<u16>,
    }

    impl Engine {
        fn new() -> Self {
            Self {
                tokens: Tokens::default(),
                runs: Cell::new(0),
                status: Cell::new(200),
            }
        }

        fn send(&self, body: &str) -> u16 {
            let reply = self.tokens.once(body.as_bytes(), |asked| {
                assert!(!String::from_utf8_lossy(asked).contains("ClientRequestToken\":\"t"));
                self.runs.set(self.runs.get() + 1);
                Reply::json(self.status.get(), "{}".to_owned())
            });
            reply.status
        }
    }

    const FIRST: &str = r#"{"ClientRequestToken":"t","TransactItems":[{"Put":{"a":1,"b":2}}]}"#;
    const IN_ANOTHER_ORDER: &str =
        r#"{"TransactItems":[{"Put":{"b":2,"a":1}}],"ClientRequestToken":"t"}"#;
    const OTHER: &str = r#"{"ClientRequestToken":"t","TransactItems":[{"Put":{"a":1,"b":3}}]}"#;

    #[tokio::test(start_paused = true)]
    async fn a_transaction_that_is_sent_twice_happens_once_for_ten_minutes() {
        let engine = Engine::new();
        assert_eq!((engine.send(FIRST), engine.runs.get()), (200, 1));
        tokio::time::advance(Duration::from_secs(599)).await;
        assert_eq!((engine.send(IN_ANOTHER_ORDER), engine.runs.get()), (200, 1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((engine.send(FIRST), engine.runs.get()), (200, 2));
        assert_eq!((engine.send(FIRST), engine.runs.get()), (200, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn another_request_with_the_same_token_is_refused() {
        let engine = Engine::new();
        engine.send(FIRST);
        assert_eq!((engine.send(OTHER), engine.runs.get()), (400, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_transaction_can_be_tried_again() {
        let engine = Engine::new();
        engine.status.set(400);
        assert_eq!(engine.send(FIRST), 400);
        engine.status.set(200);
        assert_eq!((engine.send(FIRST), engine.runs.get()), (200, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_without_a_token_happen_each_time() {
        let engine = Engine::new();
        for body in ["{}", r#"{"ClientRequestToken":null}"#, "no JSON"] {
            engine.send(body);
            engine.send(body);
        }
        assert_eq!(engine.runs.get(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_old_is_forgotten() {
        let engine = Engine::new();
        for n in 0..100 {
            engine.send(&FIRST.replace("\"t\"", &format!("\"t{n}\"")));
        }
        tokio::time::advance(REMEMBERED).await;
        engine.send(FIRST);
        let remembered = engine.tokens.0.lock().unwrap();
        assert_eq!((remembered.by_token.len(), remembered.by_age.len()), (1, 1));
    }
}
