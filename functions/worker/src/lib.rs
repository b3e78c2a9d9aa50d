//! The worker function: a batch of triggers becomes at most one reply per burst.
//!
//! Path of a burst: [`batch`] (records side by side, each for itself) -> [`record`] (K1: claim, decide or
//! take over) -> [`answer`] (limits, a kept answer, K4: draft) with [`ask`] and [`rung`] (K3: the models) ->
//! [`deliver`] (K5: [`send`], K6: commit). What a failure means is in [`failure`], how a claim is left in [`release`].
//! Writes that must not be lost go through [`insist`].
//! What persons write in the inbox is sent by [`outgoing`].

mod answer;
mod ask;
mod batch;
mod burst;
mod deliver;
mod failure;
mod insist;
mod keep;
pub mod observe;
mod outgoing;
mod record;
mod release;
mod rung;
mod send;
pub mod settings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use clivy::bots::Bots;
use clivy::breakers::Breakers;
use clivy::channel::wuzapi::Sender;
use clivy::clock::{Clock, SystemClock};
use clivy::conversation::bot::ModelEntry;
use clivy::conversation::ids::EpochMs;
use clivy::http::{Http, Network};
use clivy::llm::LlmClient;
use clivy::metrics::Metrics;
use clivy::pseudonym::Pseudonyms;
use clivy::queue::Queue;
use clivy::table::Table;
use clivy::trace::Daemon;
use clivy::vault::Vault;

use settings::{Rules, Settings};

/// Everything the worker needs, built once per instance.
pub struct Worker {
    /// The table.
    pub table: Table,
    /// The queue of triggers.
    pub queue: Queue,
    /// Where failed turns are parked.
    pub dlq_url: String,
    /// Bots, cached.
    pub bots: Bots,
    /// The breakers of the models' providers, as this instance sees them.
    pub breakers: Breakers,
    /// OpenRouter with the key that pays for bots without one of their own.
    pub llm: LlmClient,
    /// The provider below OpenRouter, where there is one.
    pub second: Option<Second>,
    /// The gateways.
    pub sender: Sender,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where metrics go.
    pub metrics: Metrics,
    /// How the last call to each provider went.
    pub outcomes: observe::Outcomes,
    /// Where traces go; none where they are off.
    pub xray: Option<Daemon>,
    /// Names for logs and for the model's provider.
    pub pseudonyms: Pseudonyms,
    /// The thresholds.
    pub rules: Rules,
}

/// The provider below OpenRouter on every ladder.
pub struct Second {
    /// Its client.
    pub client: LlmClient,
    /// The model to ask there.
    pub model: ModelEntry,
}

impl Worker {
    /// The worker over the AWS SDK and the network.
    ///
    /// # Errors
    /// The machine's TLS roots cannot be read.
    pub fn on_aws(sdk: &SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        let http = Arc::new(Network::new()?);
        Self::new(
            aws_sdk_dynamodb::Client::new(sdk),
            aws_sdk_sqs::Client::new(sdk),
            http,
            Arc::new(SystemClock),
            Metrics::stdout(&settings.metrics_namespace),
            settings,
        )
    }

    /// The worker over the clients given.
    ///
    /// # Errors
    /// A key is not usable.
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        sqs: aws_sdk_sqs::Client,
        http: Arc<dyn Http>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        /// "typing…" and read ticks are not worth a longer wait.
        const BEST_EFFORT: Duration = Duration::from_secs(5);
        let pseudonyms = Pseudonyms::new(&settings.pseudonym_key)?;
        let table = Table::new(
            dynamodb,
            settings.stores.table_name,
            settings.retention_days,
        )
        .with_vault(Vault::of(settings.bot_secrets_key.as_ref())?);
        Ok(Self {
            bots: Bots::new(table.clone(), Arc::clone(&clock), settings.bot_cache),
            table,
            queue: Queue::new(sqs, settings.stores.queue_url, pseudonyms.clone()),
            dlq_url: settings.dlq_url,
            breakers: Breakers::default(),
            llm: LlmClient::new(Arc::clone(&http), settings.openrouter),
            second: settings.second.map(|second| Second {
                client: LlmClient::new(Arc::clone(&http), second.settings),
                model: second.model,
            }),
            sender: Sender {
                http,
                timeout: settings.gateway_timeout,
                best_effort_timeout: BEST_EFFORT,
            },
            clock,
            metrics,
            outcomes: observe::Outcomes::default(),
            xray: settings.xray.and_then(daemon),
            pseudonyms,
            rules: settings.rules,
        })
    }

    /// Opens every connection that a turn needs, during init. The gateways' are opened by the first send:
    /// which ones there are is not known before.
    pub async fn warm_up(&self) {
        /// A slow model must not hold up the init.
        const PATIENCE: Duration = Duration::from_secs(3);
        let (table, (), _) = futures_util::join!(
            self.table.warm_up(),
            self.queue.warm_up(),
            // Any answer means that the connection is open.
            self.llm.key(PATIENCE)
        );
        if let Err(error) = table {
            tracing::warn!(%error, "the table could not be reached during init");
        }
    }

    /// Handles a batch. Records that must come again are named in the answer; all others are done.
    /// `deadline` is when Lambda ends the invocation.
    pub async fn handle(
        &self,
        event: SqsEvent,
        request_id: &str,
        deadline: EpochMs,
    ) -> SqsBatchResponse {
        batch::handle(self, event, request_id, self.trusted(deadline)).await
    }

    /// Some runtimes give no real deadline (`cargo lambda watch` says ten minutes after 1970). Then it is
    /// the function's own timeout from now.
    fn trusted(&self, deadline: EpochMs) -> EpochMs {
        let now = self.clock.now();
        let latest = now.plus_ms(self.rules.worker_timeout_ms);
        if deadline > now {
            deadline.min(latest)
        } else {
            latest
        }
    }
}

/// The worker answers customers without traces too.
fn daemon(address: SocketAddr) -> Option<Daemon> {
    let daemon = Daemon::open(address);
    let warn = |error: &std::io::Error| {
        tracing::warn!(step = "no_traces", %error, "X-Ray's daemon cannot be told anything");
    };
    daemon.inspect_err(warn).ok()
}
