//! The webhook function: what a gateway posts becomes a stored message and a trigger.
//!
//! Path of a message: [`Webhook::handle`] -> [`admit`] (whose is it, may it come in) -> [`accept`] (trigger,
//! then store). The worker takes it from there.

mod accept;
mod admit;
mod answer;
pub mod settings;

use std::sync::Arc;
use std::time::Duration;

use clivy::bots::Bots;
use clivy::clock::Clock;
use clivy::metrics::{Metrics, RequestServed};
use clivy::pseudonym::{CannotOpen, Pseudonyms};
use clivy::queue::Queue;
use clivy::table::Table;
use clivy::vault::Vault;
use lambda_http::{Body, Request, Response};

pub use admit::{Admitted, admit};
pub use answer::Answer;
use settings::Settings;

/// Bodies above this are refused with 413: 6 MB, what Lambda itself takes.
pub const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// Everything the webhook needs, built once per instance.
#[derive(Debug)]
pub struct Webhook {
    /// The table.
    pub table: Table,
    /// The queue of triggers.
    pub queue: Queue,
    /// Bots, cached.
    pub bots: Bots,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where metrics go.
    pub metrics: Metrics,
    /// Names for logs.
    pub pseudonyms: Pseudonyms,
    /// The delay of a trigger, in seconds.
    pub debounce_seconds: u32,
    /// How long one request may take. The worker counts on it: a message that is not stored by then,
    /// plus some slack, never will be (own-message rule).
    pub timeout: Duration,
    /// How long a person's message keeps the bot quiet, in milliseconds; 0 does not.
    pub takeover_pause_ms: i64,
    /// Serve bots that have neither a signing key nor a secret path. Only the one-machine run does.
    pub allow_open_bots: bool,
}

impl Webhook {
    /// The webhook over the clients given. Bots that require neither a signature nor a secret path are refused.
    ///
    /// # Errors
    /// A key is not usable.
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        sqs: aws_sdk_sqs::Client,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        settings: Settings,
    ) -> Result<Self, CannotOpen> {
        let Settings { stores, .. } = settings;
        let pseudonyms = Pseudonyms::new(&settings.pseudonym_key)?;
        let vault = Vault::of(settings.bot_secrets_key.as_ref())?;
        let table =
            Table::new(dynamodb, stores.table_name, settings.retention_days).with_vault(vault);
        Ok(Self {
            bots: Bots::new(table.clone(), Arc::clone(&clock), settings.bot_cache),
            queue: Queue::new(sqs, stores.queue_url, pseudonyms.clone()),
            table,
            clock,
            metrics,
            pseudonyms,
            debounce_seconds: settings.debounce_seconds,
            timeout: settings.timeout,
            takeover_pause_ms: settings.takeover_pause_ms,
            allow_open_bots: false,
        })
    }

    /// Opens every connection that a request needs, during init.
    pub async fn warm_up(&self) {
        let (table, ()) = futures_util::join!(self.table.warm_up(), self.queue.warm_up());
        if let Err(error) = table {
            tracing::warn!(%error, "the table could not be reached during init");
        }
    }

    /// Answers one request. Never fails: what goes wrong on our side is a 503, after which gateways try
    /// again.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        let began_at = self.clock.now();
        let answer = match tokio::time::timeout(self.timeout, self.serve(request)).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::error!(step = "timed_out", "the webhook ran out of time");
                Answer::Unavailable
            }
        };
        let now = self.clock.now();
        let served = RequestServed {
            function: "webhook",
            status: answer.status(),
            duration_ms: now.since_ms(began_at),
            route: None,
        };
        self.metrics.emit(now, &served);
        answer.into_response()
    }

    async fn serve(&self, request: Request) -> Answer {
        let received_at = self.clock.now();
        match admit::admit(self, request).await {
            Ok(admitted) => accept::accept(self, admitted, received_at).await,
            Err(refused) => refused,
        }
    }
}
