//! The inbox function: the business's side. Every chat, the bots, what it costs, and the page that shows them.
//!
//! Path of a request: [`raw_path`] (on AWS) -> [`router`] -> [`auth`] (who, and whose bot) -> one handler of [`api`] -> the
//! table. [`page`] serves the web page, which uses the same API.

pub mod api;
pub mod auth;
pub mod cursor;
pub mod etag;
mod extract;
mod headers;
pub mod if_match;
mod measure;
mod page;
mod problem;
pub mod raw_path;
pub mod settings;
mod time;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Router;
use clivy::breakers::Breakers;
use clivy::clock::{Clock, SystemClock};
use clivy::http::{Http, Network};
use clivy::llm::LlmClient;
use clivy::metrics::Metrics;
use clivy::pseudonym::Pseudonyms;
use clivy::queue::Queue;
use clivy::table::Table;
use clivy::vault::Vault;
use settings::Settings;

pub use problem::Problem;
pub use time::Time;

/// Everything the inbox needs, built once per instance.
pub struct Inbox {
    /// The table.
    pub table: Table,
    /// The queue of triggers.
    pub queue: Queue,
    /// The network.
    pub http: Arc<dyn Http>,
    /// OpenRouter with the key that pays for bots without one of their own.
    pub llm: LlmClient,
    /// The breakers of the models' providers, as this instance sees them.
    pub breakers: Breakers,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where metrics go.
    pub metrics: Metrics,
    /// Names for logs and for the model's provider.
    pub pseudonyms: Pseudonyms,
    /// The settings.
    pub settings: Settings,
    /// Whether a bot's gateway may be in a private network. On AWS it never may: the address would be a way into ours.
    pub allow_private_gateways: bool,
}

impl Inbox {
    /// The inbox over the AWS SDK and the network.
    ///
    /// # Errors
    /// The machine's TLS roots cannot be read, or a key is not usable.
    pub fn on_aws(sdk: &SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        Self::new(
            aws_sdk_dynamodb::Client::new(sdk),
            aws_sdk_sqs::Client::new(sdk),
            Arc::new(Network::new()?),
            Arc::new(SystemClock),
            Metrics::stdout(&settings.metrics_namespace),
            settings,
        )
    }

    /// The inbox over the clients given.
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
        let pseudonyms = Pseudonyms::new(&settings.pseudonym_key)?;
        let vault = Vault::of(settings.bot_secrets_key.as_ref())?;
        let stores = &settings.stores;
        Ok(Self {
            table: Table::new(dynamodb, stores.table_name.clone(), settings.retention_days)
                .with_vault(vault),
            queue: Queue::new(sqs, stores.queue_url.clone(), pseudonyms.clone()),
            llm: LlmClient::new(Arc::clone(&http), settings.openrouter.clone()),
            http,
            breakers: Breakers::default(),
            clock,
            metrics,
            pseudonyms,
            settings,
            allow_private_gateways: false,
        })
    }

    /// Opens the connection that every request needs, during init.
    pub async fn warm_up(&self) {
        if let Err(error) = self.table.warm_up().await {
            tracing::warn!(%error, "the table could not be reached during init");
        }
    }
}

/// All routes: the API, the health and metrics routes, the page.
pub fn router(inbox: Arc<Inbox>) -> Router {
    let (api, document) = api::routes().split_for_parts();
    let routes = headers::with_fallbacks(api.merge(api::document(&document)).merge(page::routes()))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&inbox),
            measure::measure,
        ))
        .with_state(inbox);
    headers::around(routes)
}
