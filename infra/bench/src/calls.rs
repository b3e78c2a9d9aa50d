//! What functions have asked of AWS: how often, and how many bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;

/// Calls of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Called {
    /// How often.
    pub times: u64,
    /// Bytes of all requests' bodies.
    pub bytes: u64,
}

/// Calls by operation. The bench starts from nothing with [`Calls::take`].
#[derive(Debug, Default)]
pub struct Calls(Mutex<BTreeMap<String, Called>>);

impl Calls {
    /// A layer in front of the services.
    pub async fn count(State(calls): State<Arc<Self>>, request: Request, next: Next) -> Response {
        calls.note(&request);
        next.run(request).await
    }

    fn note(&self, request: &Request) {
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let operation = header("x-amz-target").and_then(|target| target.rsplit('.').next());
        let bytes = header("content-length").and_then(|bytes| bytes.parse::<u64>().ok());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let called = all.entry(operation.unwrap_or("?").to_owned()).or_default();
        called.times += 1;
        called.bytes += bytes.unwrap_or_default();
    }

    /// What was called since the last time.
    pub fn take(&self) -> BTreeMap<String, Called> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
