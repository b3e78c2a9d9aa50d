//! The inbox's settings.

use std::time::Duration;

use clivy::config::{self, Reader, Stores};
use clivy::conversation::bot::ModelEntry;
use clivy::llm::LlmSettings;
use clivy::secrets::Rotating;

/// Everything the inbox reads at start.
#[derive(Clone)]
pub struct Settings {
    /// Table and queue.
    pub stores: Stores,
    /// `DLQ_URL`.
    pub dlq_url: String,
    /// `PSEUDONYM_KEY`.
    pub pseudonym_key: Rotating,
    /// `BOT_SECRETS_KEY`: seals the bots' secrets in the table; without it they are plain there.
    pub bot_secrets_key: Option<Rotating>,
    /// `MESSAGE_RETENTION_DAYS`.
    pub retention_days: u32,
    /// `LOG_LEVEL`.
    pub log_level: String,
    /// `METRICS_NAMESPACE` (Clivy).
    pub metrics_namespace: String,
    /// `TAKEOVER_PAUSE_MINUTES` (30), in milliseconds: how long the bot is quiet after a person has written.
    pub takeover_pause_ms: i64,
    /// `WEBHOOK_TIMEOUT_MS` (8000): how long a message may take from its trigger to the table. The worker waits that long
    /// for the message of a trigger.
    pub store_timeout: Duration,
    /// `DEBOUNCE_SECONDS` (3): silence after which a burst is answered, also when a pause ends.
    pub debounce_seconds: u32,
    /// `OUTCOME_DEADLINE_SECONDS` (300), in milliseconds: after which a customer without an outcome is counted.
    pub outcome_deadline_ms: i64,
    /// `ADMIN_SECRET`: opens the route that makes the first API key of an owner; each version while it changes. Without it there is no such route.
    pub admin_secret: Option<Rotating>,
    /// How to reach OpenRouter.
    pub openrouter: LlmSettings,
    /// `OPENROUTER_MODEL` and `OPENROUTER_CONTEXT_TOKENS`: the model of bots that name none.
    pub model: ModelEntry,
    /// `AI_MAX_TOKENS` (800): the longest answer.
    pub ai_max_tokens: u32,
    /// `BREAKER_COOLDOWN_SECONDS` (60), in milliseconds: how long a provider is left alone after a probe has failed.
    pub breaker_cooldown_ms: i64,
}

impl Settings {
    /// Reads them, leaving the faults in the reader.
    pub fn from(reader: &mut Reader) -> Self {
        Self {
            stores: Stores::read(reader),
            dlq_url: reader.url("DLQ_URL", None),
            pseudonym_key: config::pseudonym_key(reader),
            bot_secrets_key: config::bot_secrets_key(reader),
            retention_days: config::retention_days(reader),
            log_level: config::log_level(reader),
            metrics_namespace: config::metrics_namespace(reader),
            takeover_pause_ms: config::takeover_pause_ms(reader),
            store_timeout: Duration::from_millis(u64::from(config::webhook_timeout_ms(reader))),
            debounce_seconds: config::debounce_seconds(reader),
            outcome_deadline_ms: config::outcome_deadline_ms(reader),
            admin_secret: config::admin_secret(reader),
            openrouter: config::openrouter(reader),
            model: config::default_model(reader),
            ai_max_tokens: config::ai_max_tokens(reader),
            breaker_cooldown_ms: i64::from(config::breaker_cooldown_seconds(reader)) * 1000,
        }
    }
}
