//! The credits function's settings.

use clivy::config::{self, Reader};
use clivy::credits::Thresholds;
use clivy::llm::LlmSettings;

/// Everything the credits function reads at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `TABLE_NAME`.
    pub table_name: String,
    /// `ALERT_TOPIC_ARN`: the SNS topic of the alerts.
    pub alert_topic_arn: String,
    /// How to reach OpenRouter.
    pub openrouter: LlmSettings,
    /// The same with `OPENROUTER_MANAGEMENT_KEY`, where it is set.
    pub management: Option<LlmSettings>,
    /// From where on the owner is told.
    pub thresholds: Thresholds,
    /// `BREAKER_COOLDOWN_SECONDS` (60), in milliseconds: how long an empty account pauses the calls before one may probe.
    pub cooldown_ms: i64,
    /// `LOG_LEVEL`.
    pub log_level: String,
    /// `METRICS_NAMESPACE` (Clivy).
    pub metrics_namespace: String,
}

impl Settings {
    /// Reads them, leaving the faults in the reader.
    pub fn from(reader: &mut Reader) -> Self {
        let openrouter = config::openrouter(reader);
        let management = reader.secret("OPENROUTER_MANAGEMENT_KEY");
        Self {
            table_name: reader.required("TABLE_NAME"),
            alert_topic_arn: reader.required("ALERT_TOPIC_ARN"),
            management: management.map(|api_key| LlmSettings {
                api_key,
                ..openrouter.clone()
            }),
            openrouter,
            thresholds: config::credits(reader),
            cooldown_ms: i64::from(config::breaker_cooldown_seconds(reader)) * 1000,
            log_level: config::log_level(reader),
            metrics_namespace: config::metrics_namespace(reader),
        }
    }
}
