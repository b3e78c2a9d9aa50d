//! How a batch reaches the worker: in this process, or over HTTP where `cargo lambda watch` serves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use bytes::Bytes;
use clivy::clock::Clock;
use clivy::http::Http;
use futures_util::future::BoxFuture;
use worker::Worker;

use crate::mapping::{Invoke, InvokeError};

/// The worker in this process, ended at its deadline as Lambda would.
pub struct InProcess {
    worker: Arc<Worker>,
    clock: Arc<dyn Clock>,
    invocations: AtomicU64,
    started_ms: i64,
}

impl InProcess {
    /// Invokes `worker`.
    pub fn new(worker: Arc<Worker>, clock: Arc<dyn Clock>) -> Self {
        Self {
            started_ms: clock.now().0,
            worker,
            clock,
            invocations: AtomicU64::new(0),
        }
    }
}

impl Invoke for InProcess {
    fn invoke(&self, event: SqsEvent) -> BoxFuture<'_, Result<SqsBatchResponse, InvokeError>> {
        Box::pin(async move {
            let number = self.invocations.fetch_add(1, Ordering::Relaxed);
            // Unique over restarts too: the table outlives the process.
            let request_id = format!("local-{}-{number}", self.started_ms);
            let timeout_ms = self.worker.rules.worker_timeout_ms;
            let deadline = self.clock.now().plus_ms(timeout_ms);
            let limit = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or_default());
            tokio::time::timeout(limit, self.worker.handle(event, &request_id, deadline))
                .await
                .map_err(|_| InvokeError::TimedOut { after: limit })
        })
    }
}

/// A function that `cargo lambda watch` serves.
pub struct Remote {
    /// The network.
    pub http: Arc<dyn Http>,
    /// Where the functions are served.
    pub base_url: String,
    /// How long an invocation may take.
    pub timeout: Duration,
}

impl Remote {
    /// Invokes a function with a JSON event.
    ///
    /// # Errors
    /// It cannot be reached, or it failed.
    pub async fn call(
        &self,
        function: &str,
        event: &impl serde::Serialize,
    ) -> Result<Bytes, InvokeError> {
        let unreachable =
            |error: Box<dyn std::error::Error + Send + Sync>| InvokeError::Unreachable(error);
        let body = serde_json::to_vec(event).map_err(|error| unreachable(error.into()))?;
        let request = http::Request::post(format!(
            "{}/2015-03-31/functions/{function}/invocations",
            self.base_url
        ))
        .header("content-type", "application/json")
        .body(Bytes::from(body))
        .map_err(|error| unreachable(error.into()))?;
        let response = self
            .http
            .send(request, self.timeout)
            .await
            .map_err(|error| unreachable(error.into()))?;
        if !response.status().is_success() {
            let status = response.status();
            return Err(InvokeError::Function(
                format!("{function} answered {status}").into(),
            ));
        }
        Ok(response.into_body())
    }
}

impl Invoke for Remote {
    fn invoke(&self, event: SqsEvent) -> BoxFuture<'_, Result<SqsBatchResponse, InvokeError>> {
        Box::pin(async move {
            let answer = self.call("worker", &event).await?;
            serde_json::from_slice(&answer).map_err(|error| InvokeError::Unreachable(error.into()))
        })
    }
}
