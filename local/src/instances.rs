//! Instances of the functions, over the engines of one world.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_dynamodb::config::{
    Credentials, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use clivy::clock::Clock;
use clivy::config::Reader;
use clivy::http::Http;
use clivy::metrics::Metrics;
use credits::Credits;
use inbox::Inbox;
use sweeper::Sweeper;
use webhook::Webhook;
use worker::Worker;

use crate::engines::{Engines, Intercept, Wire};

/// Makes instances of the functions over one world's engines. Lambda runs many of each, every one with its caches and its
/// clock for itself.
#[derive(Clone)]
pub struct Instances {
    pub(crate) engines: Engines,
    pub(crate) intercept: Arc<dyn Intercept>,
    pub(crate) http: Arc<dyn Http>,
    pub(crate) metrics: Metrics,
    pub(crate) settings: BTreeMap<String, String>,
}

impl Instances {
    /// The same with other settings, as after a deployment.
    #[must_use]
    pub fn deployed_with(&self, settings: &BTreeMap<String, String>) -> Self {
        let mut all = self.settings.clone();
        all.extend(settings.clone());
        Self {
            settings: all,
            ..self.clone()
        }
    }

    /// A webhook.
    ///
    /// # Errors
    /// A setting is bad.
    pub fn webhook(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Webhook> {
        let settings = self.read(webhook::settings::Settings::from)?;
        let (dynamodb, sqs) = self.clients();
        Ok(Webhook {
            // Nobody but this machine reaches it.
            allow_open_bots: true,
            ..Webhook::new(dynamodb, sqs, clock, self.metrics.clone(), settings)?
        })
    }

    /// A worker.
    ///
    /// # Errors
    /// A setting is bad.
    pub fn worker(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Worker> {
        let settings = self.read(worker::settings::Settings::from)?;
        let (dynamodb, sqs) = self.clients();
        let http = Arc::clone(&self.http);
        Worker::new(dynamodb, sqs, http, clock, self.metrics.clone(), settings)
    }

    /// A sweeper.
    ///
    /// # Errors
    /// A setting is bad.
    pub fn sweeper(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Sweeper> {
        let settings = self.read(sweeper::settings::Settings::from)?;
        let (dynamodb, sqs) = self.clients();
        let metrics = self.metrics.clone();
        Ok(Sweeper::new(dynamodb, sqs, clock, metrics, settings)?)
    }

    /// The credits function.
    ///
    /// # Errors
    /// A setting is bad.
    pub fn credits(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Credits> {
        let settings = self.read(credits::settings::Settings::from)?;
        let (dynamodb, _) = self.clients();
        let sns = aws_sdk_sns::Client::new(&self.sdk());
        let metrics = self.metrics.clone();
        Ok(Credits::new(
            dynamodb, sns, &self.http, clock, metrics, settings,
        ))
    }

    /// An inbox.
    ///
    /// # Errors
    /// A setting is bad.
    pub fn inbox(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Inbox> {
        let settings = self.read(inbox::settings::Settings::from)?;
        let (dynamodb, sqs) = self.clients();
        let http = Arc::clone(&self.http);
        Ok(Inbox {
            // The owner of the bots is the owner of this machine.
            allow_private_gateways: true,
            ..Inbox::new(dynamodb, sqs, http, clock, self.metrics.clone(), settings)?
        })
    }

    fn read<T>(&self, settings: impl FnOnce(&mut Reader) -> T) -> anyhow::Result<T> {
        let reader = Reader::new(self.settings.clone());
        Ok(clivy::config::read(reader, settings)?)
    }

    fn sdk(&self) -> SdkConfig {
        sdk(Wire::new(self.engines.clone(), Arc::clone(&self.intercept)))
    }

    fn clients(&self) -> (aws_sdk_dynamodb::Client, aws_sdk_sqs::Client) {
        clients(&self.sdk())
    }
}

/// The SDK's configuration over a wire. It insists on a region and on signing, though nobody here checks either.
pub fn sdk(wire: Wire) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "local");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(crate::sqs::REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url("http://127.0.0.1")
        .http_client(wire)
        .timeout_config(clivy::aws::timeouts())
        // It watches answers that come in pieces; these come whole.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

/// The clients of one instance. The SDK's allowance of retries is one per process and service; here many instances
/// share a process, so each brings its own.
pub(crate) fn clients(sdk: &SdkConfig) -> (aws_sdk_dynamodb::Client, aws_sdk_sqs::Client) {
    let own = |name| {
        let allowance = TokenBucket::new(RETRY_ALLOWANCE);
        RetryPartition::custom(name).token_bucket(allowance).build()
    };
    let dynamodb = aws_sdk_dynamodb::config::Builder::from(sdk)
        .retry_partition(own("dynamodb"))
        .build();
    let sqs = aws_sdk_sqs::config::Builder::from(sdk)
        .retry_partition(own("sqs"))
        .build();
    (
        aws_sdk_dynamodb::Client::from_conf(dynamodb),
        aws_sdk_sqs::Client::from_conf(sqs),
    )
}

/// The SDK's own default.
const RETRY_ALLOWANCE: usize = 500;
