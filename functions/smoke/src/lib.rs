//! The smoke function: CodeDeploy asks it before a new version of the webhook or the worker gets traffic.
//!
//! [`Hooks::handle`] takes two kinds of events: the hook, which runs [`check`] and reports the result, and what the worker under
//! test sends to the test [`bot`]'s [`gateway`], which is this function too. docs/decisions/0013-smoke-test.md says why.

mod aws;
pub mod bot;
mod check;
mod gateway;
pub mod settings;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use clivy::clock::{Clock, SystemClock};
use clivy::config::{self, Reader};
use clivy::conversation::ids::EpochMs;
use clivy::http::Network;
use clivy::pseudonym::{CannotOpen, Pseudonyms};
use clivy::random::NoRandomness;
use clivy::secrets::{MakeError, Renewing, StartError};
use clivy::table::{Table, TableError};
use clivy::vault::Vault;
use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::Value;

pub use aws::{Aws, AwsError, Status};
use settings::Settings;

/// What is kept of the invocation for the report: its tries and their pauses.
const REPORT_MS: i64 = 20_000;
/// Messages and turns of the test bot are kept as long as the worker and the webhook keep them; this function keeps none.
const RETENTION_DAYS: u32 = 15;

/// A version under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The webhook.
    Webhook,
    /// The worker.
    Worker,
}

/// Why a version gets no traffic. Says neither what was sent nor what was answered (I11).
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The smoke test itself cannot start.
    #[error("the smoke test cannot start: {0}")]
    NotStarted(String),
    /// The test bot cannot be made: somebody else has its id, or keeps changing it.
    #[error("the test bot cannot be used")]
    Bot,
    /// The table does not answer the test.
    #[error(transparent)]
    Table(#[from] TableError),
    /// No random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// A version could not be invoked, or died.
    #[error("{0:?}: {1}")]
    Version(Part, #[source] AwsError),
    /// The webhook answered with this status, or 200 and something else than that it has the message.
    #[error("the webhook did not take the message ({0})")]
    NotAccepted(u64),
    /// The webhook said that it has the message, and it is not in the table.
    #[error("the webhook did not store the message")]
    NotStored,
    /// The old worker has answered first.
    #[error("the queue's worker was faster")]
    Overtaken,
    /// The worker gave the record back: it wants to try again, because of the model or the gateway.
    #[error("the worker gave the record back")]
    GivenBack,
    /// The worker has taken the record, and the gateway was sent nothing.
    #[error("there was no reply")]
    NoReply,
    /// More than one.
    #[error("there were {0} replies")]
    Replies(usize),
    /// A reply that is not the model's.
    #[error("the turn ended as {0}")]
    NotAnswered(&'static str),
    /// The test panicked.
    #[error("the test panicked")]
    Panicked,
    /// The invocation is nearly over.
    #[error("there was no time left")]
    TimedOut,
}

impl Failure {
    /// Whether another customer may have more luck: a race that was lost, a model or a network that failed once.
    fn may_pass(&self) -> bool {
        match self {
            Self::Overtaken
            | Self::GivenBack
            | Self::NoReply
            | Self::NotAnswered(_)
            | Self::Table(_)
            | Self::Version(_, AwsError::NoAnswer(_) | AwsError::Refused(_)) => true,
            Self::NotAccepted(status) => *status >= 500,
            _ => false,
        }
    }
}

/// Everything the test needs, built once per instance.
#[derive(Debug)]
pub struct Smoke {
    table: Table,
    pseudonyms: Pseudonyms,
    aws: Aws,
    clock: Arc<dyn Clock>,
    settings: Settings,
}

impl Smoke {
    /// The test over the clients given.
    ///
    /// # Errors
    /// A key is not usable.
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        aws: Aws,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self, CannotOpen> {
        let vault = Vault::of(settings.bot_secrets_key.as_ref())?;
        Ok(Self {
            table: Table::new(dynamodb, settings.table_name.clone(), RETENTION_DAYS)
                .with_vault(vault),
            pseudonyms: Pseudonyms::new(&settings.pseudonym_key)?,
            aws,
            clock,
            settings,
        })
    }

    /// Whether the versions may have traffic, in time for a report. Never fails otherwise and never panics.
    async fn verdict(&self, deadline: EpochMs) -> Result<(), Failure> {
        if !self.settings.is_on {
            tracing::warn!(
                step = "smoke_off",
                "the smoke test is off: any version passes"
            );
            return Ok(());
        }
        let left_ms = deadline.since_ms(self.clock.now()) - REPORT_MS;
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or_default());
        let checked = AssertUnwindSafe(check::check(self)).catch_unwind();
        match tokio::time::timeout(left, checked).await {
            Ok(Ok(checked)) => checked,
            Ok(Err(_)) => Err(Failure::Panicked),
            Err(_) => Err(Failure::TimedOut),
        }
    }
}

/// What CodeDeploy says when it invokes a hook. It does not say what is deployed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Hook {
    deployment_id: String,
    lifecycle_event_hook_execution_id: String,
}

/// An event that is neither a hook nor a request of the worker.
#[derive(Debug, thiserror::Error)]
#[error("the event is neither a hook nor a request to the gateway")]
pub struct UnknownEvent;

/// The function: what is tested, and whom to tell. It can tell also when the test itself could not be made.
pub struct Hooks {
    /// Where the report goes.
    pub codedeploy_url: String,
    /// AWS.
    pub aws: Aws,
    /// The test, or why there is none.
    pub smoke: Result<Renewing<Settings, Smoke>, StartError>,
}

impl Hooks {
    /// The function over the AWS SDK and the network, with the process's environment.
    ///
    /// # Errors
    /// Nobody could be told anything: no address of CodeDeploy, no credentials, no roots for TLS.
    pub async fn on_aws() -> Result<Self, MakeError> {
        /// Lambda gives init 10 s; a deployment has to be told about secrets that do not come, too.
        const PATIENCE: Duration = Duration::from_secs(8);
        let codedeploy_url = config::read(Reader::from_env(), settings::codedeploy_url)?;
        let http = Arc::new(Network::new()?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let aws = Aws::new(&clivy::aws::load().await?, http, Arc::clone(&clock));
        let aws = aws.ok_or(AwsError::NotSigned)?;
        let of_smoke = aws.clone();
        let make = move |sdk: &_, settings| {
            let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
            Ok(Smoke::new(
                dynamodb,
                of_smoke.clone(),
                Arc::clone(&clock),
                settings,
            )?)
        };
        let smoke = Renewing::on_aws(Settings::from, make);
        let smoke = tokio::time::timeout(PATIENCE, smoke).await;
        Ok(Self {
            codedeploy_url,
            aws,
            smoke: smoke.unwrap_or_else(|late| Err(StartError::Make(late.into()))),
        })
    }

    /// Handles one event; `deadline` is when Lambda ends the invocation.
    ///
    /// # Errors
    /// The event is of neither kind, or CodeDeploy cannot be told: it then waits for an hour, and takes the hook for failed.
    pub async fn handle(&self, event: Value, deadline: EpochMs) -> Result<Value, MakeError> {
        if let Ok(hook) = Hook::deserialize(&event) {
            self.hook(&hook, deadline).await?;
            return Ok(Value::Null);
        }
        let request = gateway::Request::deserialize(&event).map_err(|_| UnknownEvent)?;
        match &self.smoke {
            Ok(smoke) => Ok(gateway::serve(smoke.current().await.as_ref(), &request).await),
            // The API makes a 500 of it.
            Err(error) => Err(Failure::NotStarted(error.to_string()).into()),
        }
    }

    /// Tests, and reports whatever comes of it.
    async fn hook(&self, hook: &Hook, deadline: EpochMs) -> Result<(), AwsError> {
        let verdict = match &self.smoke {
            Ok(smoke) => smoke.current().await.verdict(deadline).await,
            Err(error) => Err(Failure::NotStarted(error.to_string())),
        };
        let deployment = hook.deployment_id.as_str();
        let status = match &verdict {
            Ok(()) => {
                tracing::info!(
                    step = "smoke_passed",
                    deployment,
                    "the versions may have traffic"
                );
                Status::Succeeded
            }
            Err(failure) => {
                tracing::error!(step = "smoke_failed", deployment, %failure, "the deployment is stopped");
                Status::Failed
            }
        };
        let execution = hook.lifecycle_event_hook_execution_id.as_str();
        self.aws
            .report(&self.codedeploy_url, deployment, execution, status)
            .await
            .inspect_err(|error| {
                tracing::error!(step = "not_reported", deployment, %error, "CodeDeploy waits for an hour now");
            })
    }
}
