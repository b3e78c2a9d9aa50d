//! The webhook's settings.

use std::time::Duration;

use clivy::config::{self, Reader, Stores};
use clivy::secrets::Rotating;

/// Everything the webhook reads at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Table and queue.
    pub stores: Stores,
    /// `PSEUDONYM_KEY`.
    pub pseudonym_key: Rotating,
    /// `BOT_SECRETS_KEY`: seals the bots' secrets in the table; without it they are plain there.
    pub bot_secrets_key: Option<Rotating>,
    /// `DEBOUNCE_SECONDS`.
    pub debounce_seconds: u32,
    /// `WEBHOOK_TIMEOUT_MS`.
    pub timeout: Duration,
    /// `BOT_CACHE_SECONDS`.
    pub bot_cache: Duration,
    /// `TAKEOVER_PAUSE_MINUTES`, in milliseconds; 0 pauses nothing.
    pub takeover_pause_ms: i64,
    /// `MESSAGE_RETENTION_DAYS`.
    pub retention_days: u32,
    /// `LOG_LEVEL`.
    pub log_level: String,
    /// `METRICS_NAMESPACE` (Clivy).
    pub metrics_namespace: String,
}

impl Settings {
    /// Reads them, leaving the faults in the reader.
    pub fn from(reader: &mut Reader) -> Self {
        Self {
            stores: Stores::read(reader),
            pseudonym_key: config::pseudonym_key(reader),
            bot_secrets_key: config::bot_secrets_key(reader),
            debounce_seconds: config::debounce_seconds(reader),
            timeout: Duration::from_millis(u64::from(config::webhook_timeout_ms(reader))),
            bot_cache: config::bot_cache(reader),
            takeover_pause_ms: config::takeover_pause_ms(reader),
            retention_days: config::retention_days(reader),
            log_level: config::log_level(reader),
            metrics_namespace: config::metrics_namespace(reader),
        }
    }
}
