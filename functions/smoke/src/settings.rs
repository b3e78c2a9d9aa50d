//! The smoke test's settings.

use clivy::config::{self, Reader};
use clivy::secrets::Rotating;

/// Everything the smoke test reads at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `TABLE_NAME`.
    pub table_name: String,
    /// `PSEUDONYM_KEY`: seals the contact in the trigger that the worker is given.
    pub pseudonym_key: Rotating,
    /// `BOT_SECRETS_KEY`: the test bot has secrets too.
    pub bot_secrets_key: Option<Rotating>,
    /// `SMOKE_GATEWAY_URL`: where this function is the test bot's gateway. It is read where the secrets are, because the
    /// template cannot say it in the environment (the API refers to this function).
    pub gateway_url: String,
    /// `SMOKE_TEST` (true): `false` lets every version through.
    pub is_on: bool,
    /// `DEBOUNCE_SECONDS` (3): when the queue brings the trigger that the webhook has sent.
    pub debounce_seconds: u32,
    /// `INVOKE_URL`: Lambda's own API.
    pub invoke_url: String,
    /// `WEBHOOK_VERSION_ARN`: the version of the webhook to test.
    pub webhook_version: String,
    /// `WORKER_VERSION_ARN`: the version of the worker to test.
    pub worker_version: String,
    /// `LOG_LEVEL`.
    pub log_level: String,
    /// `METRICS_NAMESPACE` (Clivy). Every function is given it; a test of a deployment has nothing to measure.
    pub metrics_namespace: String,
}

impl Settings {
    /// Reads them, leaving the faults in the reader.
    pub fn from(reader: &mut Reader) -> Self {
        Self {
            table_name: reader.required("TABLE_NAME"),
            pseudonym_key: config::pseudonym_key(reader),
            bot_secrets_key: config::bot_secrets_key(reader),
            gateway_url: reader.required_secret("SMOKE_GATEWAY_URL"),
            is_on: reader.switch("SMOKE_TEST", true),
            debounce_seconds: config::debounce_seconds(reader),
            invoke_url: reader.url("INVOKE_URL", None),
            webhook_version: reader.required("WEBHOOK_VERSION_ARN"),
            worker_version: reader.required("WORKER_VERSION_ARN"),
            log_level: config::log_level(reader),
            metrics_namespace: config::metrics_namespace(reader),
        }
    }
}

/// `CODEDEPLOY_URL`: where a deployment is told how it went. Read by itself, so that it is known when everything else is wrong.
pub fn codedeploy_url(reader: &mut Reader) -> String {
    reader.url("CODEDEPLOY_URL", None)
}
