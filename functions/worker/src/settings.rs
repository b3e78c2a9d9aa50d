//! The worker's settings.

use std::net::SocketAddr;
use std::time::Duration;

use clivy::breaker::Limits as BreakerLimits;
use clivy::config::{self, Reader, SecondProvider, Stores};
use clivy::conversation::bot::ModelEntry;
use clivy::conversation::decide::Debounce;
use clivy::conversation::rate::RateLimit;
use clivy::llm::LlmSettings;
use clivy::prompt::Limits;
use clivy::secrets::Rotating;

/// The thresholds of a turn.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The debounce.
    pub debounce: Debounce,
    /// `AI_TIMEOUT_MS` (120000): the longest wait for an answer of the model.
    pub ai_timeout: Duration,
    /// `AI_MAX_ATTEMPTS` (3): attempts before the fallback text.
    pub ai_max_attempts: u32,
    /// `AI_RETRY_SECONDS` (30): the first backoff; it doubles, with full jitter.
    pub ai_retry_seconds: u32,
    /// `AI_MAX_TOKENS` (800): the longest answer.
    pub ai_max_tokens: u32,
    /// `OUTCOME_DEADLINE_SECONDS` (300), in milliseconds: after it a burst without an answer gets the fallback text,
    /// whatever the reason.
    pub outcome_deadline_ms: i64,
    /// `BREAKER_MAX_FAILURES` (5) and `BREAKER_COOLDOWN_SECONDS` (60): when the provider's breaker opens.
    pub breaker: BreakerLimits,
    /// `RATE_LIMIT_MAX_MESSAGES` (10) of a contact that are answered per `RATE_LIMIT_WINDOW_SECONDS` (60); the rest
    /// waits (I9).
    pub rate_limit: RateLimit,
    /// `RATE_LIMIT_BOT_MAX_MESSAGES` (0: none) of all contacts of a bot, in the same window.
    pub bot_rate_limit: Option<RateLimit>,
    /// `TAKEOVER_PAUSE_MINUTES` (30) is more than 0: what a person's words follow is answered by them, and not by the bot.
    pub yields_to_persons: bool,
    /// `LOOP_PAUSE_MINUTES` (60), in milliseconds: how long a contact that looks like another bot is left alone.
    pub loop_pause_ms: i64,
    /// `RESPONSE_CACHE_HISTORY_FREE_MINUTES` (30), in milliseconds: how long nothing must have been said before an
    /// answer is kept, or a kept one is given.
    pub cache_history_free_ms: i64,
    /// `GATEWAY_MAX_ATTEMPTS` (5): sends of one draft before it is parked.
    pub gateway_max_attempts: u32,
    /// `QUEUE_MAX_RECEIVE_COUNT` (5): receives after which the queue gives a record up.
    pub queue_max_receive_count: u32,
    /// `WORKER_TIMEOUT_SECONDS` (180), in milliseconds: the function's own timeout.
    pub worker_timeout_ms: i64,
    /// `OPENROUTER_MODEL` and `OPENROUTER_CONTEXT_TOKENS`: the model of bots that name none.
    pub model: ModelEntry,
    /// How much of the conversation and the documents the model sees.
    pub prompt: Limits,
}

/// Everything the worker reads at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Table and queue.
    pub stores: Stores,
    /// `DLQ_URL`.
    pub dlq_url: String,
    /// `PSEUDONYM_KEY`.
    pub pseudonym_key: Rotating,
    /// `BOT_SECRETS_KEY`: seals the bots' secrets in the table; without it they are plain there.
    pub bot_secrets_key: Option<Rotating>,
    /// `BOT_CACHE_SECONDS`.
    pub bot_cache: Duration,
    /// `MESSAGE_RETENTION_DAYS`.
    pub retention_days: u32,
    /// `LOG_LEVEL`.
    pub log_level: String,
    /// `METRICS_NAMESPACE` (Clivy).
    pub metrics_namespace: String,
    /// `GATEWAY_TIMEOUT_MS` (30000): after it, a send's outcome is unknown.
    pub gateway_timeout: Duration,
    /// How to reach OpenRouter.
    pub openrouter: LlmSettings,
    /// The provider below it, where there is one.
    pub second: Option<SecondProvider>,
    /// X-Ray's daemon, where records are traced.
    pub xray: Option<SocketAddr>,
    /// The thresholds.
    pub rules: Rules,
}

impl Settings {
    /// Reads them, leaving the faults in the reader.
    pub fn from(reader: &mut Reader) -> Self {
        Self {
            stores: Stores::read(reader),
            dlq_url: reader.url("DLQ_URL", None),
            pseudonym_key: config::pseudonym_key(reader),
            bot_secrets_key: config::bot_secrets_key(reader),
            bot_cache: config::bot_cache(reader),
            retention_days: config::retention_days(reader),
            log_level: config::log_level(reader),
            metrics_namespace: config::metrics_namespace(reader),
            gateway_timeout: milliseconds(reader.number(
                "GATEWAY_TIMEOUT_MS",
                30_000,
                100..=120_000,
            )),
            openrouter: config::openrouter(reader),
            second: config::second_provider(reader),
            xray: config::xray(reader),
            rules: Rules::from(reader),
        }
    }
}

impl Rules {
    fn from(reader: &mut Reader) -> Self {
        let rate_limit = RateLimit {
            max_messages: reader.number("RATE_LIMIT_MAX_MESSAGES", 10, 1..=100_000),
            window_ms: i64::from(reader.number("RATE_LIMIT_WINDOW_SECONDS", 60, 1..=900)) * 1000,
        };
        let bot_max_messages = reader.number("RATE_LIMIT_BOT_MAX_MESSAGES", 0, 0..=1_000_000);
        Self {
            debounce: config::debounce(reader),
            ai_timeout: milliseconds(reader.number("AI_TIMEOUT_MS", 120_000, 100..=600_000)),
            ai_max_attempts: reader.number("AI_MAX_ATTEMPTS", 3, 1..=10),
            ai_retry_seconds: reader.number("AI_RETRY_SECONDS", 30, 1..=900),
            ai_max_tokens: config::ai_max_tokens(reader),
            outcome_deadline_ms: config::outcome_deadline_ms(reader),
            breaker: BreakerLimits {
                max_failures: reader.number("BREAKER_MAX_FAILURES", 5, 1..=1_000),
                cooldown_ms: i64::from(config::breaker_cooldown_seconds(reader)) * 1000,
            },
            gateway_max_attempts: reader.number("GATEWAY_MAX_ATTEMPTS", 5, 1..=20),
            queue_max_receive_count: reader.number("QUEUE_MAX_RECEIVE_COUNT", 5, 3..=1_000),
            worker_timeout_ms: i64::from(config::worker_timeout_seconds(reader)) * 1000,
            rate_limit,
            bot_rate_limit: (bot_max_messages > 0).then_some(RateLimit {
                max_messages: bot_max_messages,
                ..rate_limit
            }),
            yields_to_persons: config::takeover_pause_ms(reader) > 0,
            loop_pause_ms: minutes_ms(reader.number("LOOP_PAUSE_MINUTES", 60, 1..=10_080)),
            cache_history_free_ms: minutes_ms(reader.number(
                "RESPONSE_CACHE_HISTORY_FREE_MINUTES",
                30,
                0..=1_440,
            )),
            model: config::default_model(reader),
            prompt: Limits::default(),
        }
    }
}

fn minutes_ms(minutes: u32) -> i64 {
    i64::from(minutes) * 60_000
}

fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(u64::from(number))
}
