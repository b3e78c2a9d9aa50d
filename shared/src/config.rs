//! Settings: read once at start, checked, and every fault named at once.
//!
//! A function's `main` makes a [`Reader`], lets each concern read its part, and calls
//! [`Reader::finish`]. Nothing else in the project reads the environment.

mod credits;
mod models;
mod secrets;
mod trace;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::conversation::decide::Debounce;
use crate::llm::{Dialect, LlmSettings};
use crate::metrics::NAMESPACE;
use crate::secrets::Rotating;

pub use models::{SecondProvider, default_model, second_provider};
pub use secrets::{admin_secret, bot_secrets_key, pseudonym_key};

pub use credits::credits;
pub use trace::xray;

/// Reads settings and collects what is wrong with them.
pub struct Reader {
    values: BTreeMap<String, String>,
    faults: Vec<Fault>,
    names: Vec<&'static str>,
    secrets: Vec<&'static str>,
}

/// One setting that stops the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The setting.
    pub name: &'static str,
    /// What is wrong with it. Never holds its value: it may be a secret (I11).
    pub what: String,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bad or missing settings", self.0.len())?;
        for fault in &self.0 {
            write!(f, "; {}: {}", fault.name, fault.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl Reader {
    /// Reads the process's environment.
    #[must_use]
    pub fn from_env() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where the environment is read"
        )]
        let values = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::new(values)
    }

    /// Reads the settings given.
    #[must_use]
    pub fn new(values: BTreeMap<String, String>) -> Self {
        Self {
            values,
            faults: Vec::new(),
            names: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// The secrets among the settings that were asked for: what must never be in the environment on AWS.
    #[must_use]
    pub fn secrets(&self) -> &[&'static str] {
        &self.secrets
    }

    /// The settings that were asked for, in order.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The result, or every fault found.
    ///
    /// # Errors
    /// One or more settings are missing or bad.
    pub fn finish(self) -> Result<(), Faults> {
        self.into_values().map(|_| ())
    }

    /// The settings themselves, for a process that hands them on; or every fault found so far.
    ///
    /// # Errors
    /// One or more settings are missing or bad.
    pub fn into_values(self) -> Result<BTreeMap<String, String>, Faults> {
        if self.faults.is_empty() {
            Ok(self.values)
        } else {
            Err(Faults(self.faults))
        }
    }

    fn fault(&mut self, name: &'static str, what: impl Into<String>) {
        let fault = Fault {
            name,
            what: what.into(),
        };
        // Several concerns read some settings; a fault is one fault all the same.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// A text that may be absent. Blank counts as absent.
    pub fn optional(&mut self, name: &'static str) -> Option<String> {
        self.names.push(name);
        self.values
            .get(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// A text that must be there.
    pub fn required(&mut self, name: &'static str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.fault(name, "is missing");
            String::new()
        })
    }

    /// A secret of one version that may be absent: on AWS a parameter of its name, elsewhere a setting.
    pub fn secret(&mut self, name: &'static str) -> Option<String> {
        self.secrets.push(name);
        let secret = self.optional(name)?;
        // It would fit into no header, and every call would fail.
        if secret.chars().any(char::is_control) {
            self.fault(name, "is more than one line");
        }
        Some(secret)
    }

    /// A secret that must be there.
    pub fn required_secret(&mut self, name: &'static str) -> String {
        self.secret(name).unwrap_or_else(|| {
            self.fault(name, "is missing");
            String::new()
        })
    }

    /// The versions of a secret, each of at least `shortest` characters; none when it is absent.
    fn rotating(&mut self, name: &'static str, shortest: usize) -> Option<Rotating> {
        self.secrets.push(name);
        let secret = Rotating::new(&self.optional(name)?)?;
        if secret.all().any(|one| one.chars().count() < shortest) {
            self.fault(name, format!("is shorter than {shortest} characters"));
        }
        Some(secret)
    }

    /// A text with a default.
    pub fn text(&mut self, name: &'static str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    /// An `http://` or `https://` address, without its trailing slash.
    pub fn url(&mut self, name: &'static str, default: Option<&str>) -> String {
        let value = match default {
            Some(default) => self.text(name, default),
            None => self.required(name),
        };
        let is_url = value
            .strip_prefix("https://")
            .or_else(|| value.strip_prefix("http://"))
            .is_some_and(|rest| !rest.is_empty());
        if !value.is_empty() && !is_url {
            self.fault(name, "is not an http:// or https:// address");
        }
        value.trim_end_matches('/').to_owned()
    }

    /// A whole number within a range.
    pub fn number(&mut self, name: &'static str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let Some(text) = self.optional(name) else {
            return default;
        };
        match text.parse::<u32>() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.fault(
                    name,
                    format!(
                        "is not a whole number from {} to {}",
                        range.start(),
                        range.end()
                    ),
                );
                default
            }
        }
    }

    /// A decimal number within a range; never infinite, never not a number.
    pub fn decimal(&mut self, name: &'static str, default: f64, range: RangeInclusive<f64>) -> f64 {
        let Some(text) = self.optional(name) else {
            return default;
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && range.contains(&number) => number,
            _ => {
                self.fault(
                    name,
                    format!("is not a number from {} to {}", range.start(), range.end()),
                );
                default
            }
        }
    }

    /// A switch: `true` or `false`.
    pub fn switch(&mut self, name: &'static str, default: bool) -> bool {
        match self.optional(name).as_deref() {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(_) => {
                self.fault(name, "is neither true nor false");
                default
            }
        }
    }
}

/// Reads a function's settings whole.
///
/// # Errors
/// Every setting that is missing or bad, at once.
pub fn read<T>(mut reader: Reader, settings: impl FnOnce(&mut Reader) -> T) -> Result<T, Faults> {
    let settings = settings(&mut reader);
    reader.finish()?;
    Ok(settings)
}

/// Where the system keeps its state.
#[derive(Clone, Debug)]
pub struct Stores {
    /// `TABLE_NAME`.
    pub table_name: String,
    /// `QUEUE_URL`.
    pub queue_url: String,
}

impl Stores {
    /// Reads the stores' names.
    pub fn read(reader: &mut Reader) -> Self {
        Self {
            table_name: reader.required("TABLE_NAME"),
            queue_url: reader.url("QUEUE_URL", None),
        }
    }
}

/// `AI_MAX_TOKENS` (800): the longest answer of a model.
pub fn ai_max_tokens(reader: &mut Reader) -> u32 {
    reader.number("AI_MAX_TOKENS", 800, 16..=16_000)
}

/// Reads the debounce: `DEBOUNCE_SECONDS` (3), `DEBOUNCE_MAX_WAIT_SECONDS` (15), `DEBOUNCE_MAX_MESSAGES`
/// (50), `WEBHOOK_TIMEOUT_MS` (8000).
pub fn debounce(reader: &mut Reader) -> Debounce {
    let debounce = Debounce {
        seconds: debounce_seconds(reader),
        max_wait_seconds: debounce_max_wait_seconds(reader),
        max_messages: reader.number("DEBOUNCE_MAX_MESSAGES", 50, 1..=100),
        webhook_timeout_ms: i64::from(webhook_timeout_ms(reader)),
    };
    if debounce.max_wait_seconds < debounce.seconds {
        reader.fault("DEBOUNCE_MAX_WAIT_SECONDS", "is less than DEBOUNCE_SECONDS");
    }
    debounce
}

/// `DEBOUNCE_SECONDS` (3): silence after which a burst is answered.
pub fn debounce_seconds(reader: &mut Reader) -> u32 {
    reader.number("DEBOUNCE_SECONDS", 3, 0..=900)
}

/// `DEBOUNCE_MAX_WAIT_SECONDS` (15): the longest a steady typist waits.
pub fn debounce_max_wait_seconds(reader: &mut Reader) -> u32 {
    reader.number("DEBOUNCE_MAX_WAIT_SECONDS", 15, 1..=900)
}

/// `WEBHOOK_TIMEOUT_MS` (8000): how long a webhook may take.
pub fn webhook_timeout_ms(reader: &mut Reader) -> u32 {
    reader.number("WEBHOOK_TIMEOUT_MS", 8_000, 100..=29_000)
}

/// `WORKER_TIMEOUT_SECONDS` (180): the worker function's timeout, as the template sets it.
pub fn worker_timeout_seconds(reader: &mut Reader) -> u32 {
    reader.number("WORKER_TIMEOUT_SECONDS", 180, 30..=900)
}

/// `OUTCOME_DEADLINE_SECONDS` (300), in milliseconds: how long a customer may wait for an answer before the fallback
/// text is sent.
pub fn outcome_deadline_ms(reader: &mut Reader) -> i64 {
    i64::from(reader.number("OUTCOME_DEADLINE_SECONDS", 300, 10..=3_600)) * 1000
}

/// `TAKEOVER_PAUSE_MINUTES` (30), in milliseconds: how long the bot is quiet after a person has written. 0: it never is.
pub fn takeover_pause_ms(reader: &mut Reader) -> i64 {
    i64::from(reader.number("TAKEOVER_PAUSE_MINUTES", 30, 0..=10_080)) * 60_000
}

/// `BREAKER_COOLDOWN_SECONDS` (60): how long a provider that fails is left alone.
pub fn breaker_cooldown_seconds(reader: &mut Reader) -> u32 {
    reader.number("BREAKER_COOLDOWN_SECONDS", 60, 1..=900)
}

/// The model of bots that name none.
pub const DEFAULT_MODEL: &str = "openai/gpt-4o-mini";

/// `OPENROUTER_API_KEY`, `OPENROUTER_BASE_URL` (OpenRouter's own), `OPENROUTER_HTTP_REFERER` and
/// `OPENROUTER_X_TITLE`.
pub fn openrouter(reader: &mut Reader) -> LlmSettings {
    LlmSettings {
        dialect: Dialect::OpenRouter,
        api_key: reader.required_secret("OPENROUTER_API_KEY"),
        base_url: reader.url("OPENROUTER_BASE_URL", Some("https://openrouter.ai/api/v1")),
        http_referer: reader.text("OPENROUTER_HTTP_REFERER", "https://clivy.app"),
        x_title: reader.text("OPENROUTER_X_TITLE", "Clivy"),
    }
}

/// `BOT_CACHE_SECONDS` (30): how long an instance may use a bot's settings it has read.
pub fn bot_cache(reader: &mut Reader) -> Duration {
    Duration::from_secs(u64::from(reader.number("BOT_CACHE_SECONDS", 30, 0..=3600)))
}

/// `MESSAGE_RETENTION_DAYS` (90): how long messages and turns are kept.
pub fn retention_days(reader: &mut Reader) -> u32 {
    reader.number("MESSAGE_RETENTION_DAYS", 90, 15..=3650)
}

/// `METRICS_NAMESPACE` (Clivy): what CloudWatch files the metrics under.
pub fn metrics_namespace(reader: &mut Reader) -> String {
    let namespace = reader.text("METRICS_NAMESPACE", NAMESPACE);
    // CloudWatch throws records of any other name away, without a word; the names of `AWS/` are its own.
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#: ".contains(c);
    if namespace.len() > 255 || !namespace.chars().all(is_allowed) || namespace.starts_with("AWS/")
    {
        reader.fault(
            "METRICS_NAMESPACE",
            "is no name that CloudWatch takes for a namespace",
        );
    }
    namespace
}

/// `LOG_LEVEL` (info): `error`, `warn`, `info`, `debug` or `trace`.
pub fn log_level(reader: &mut Reader) -> String {
    let level = reader.text("LOG_LEVEL", "info").to_lowercase();
    if !["error", "warn", "info", "debug", "trace"].contains(&level.as_str()) {
        reader.fault("LOG_LEVEL", "is not error, warn, info, debug or trace");
        // Whoever takes it as a filter would print it.
        return "info".to_owned();
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(values: &[(&str, &str)]) -> Reader {
        Reader::new(
            values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn every_fault_is_named_at_once_and_no_value_is_shown() {
        let mut reader = reader(&[
            ("QUEUE_URL", "hunter2"),
            ("DEBOUNCE_SECONDS", "soon"),
            ("DEBOUNCE_MAX_WAIT_SECONDS", "0"),
            ("PSEUDONYM_KEY", "hunter2"),
            ("LOG_LEVEL", "loud"),
        ]);
        Stores::read(&mut reader);
        debounce(&mut reader);
        pseudonym_key(&mut reader);
        log_level(&mut reader);
        let faults = reader.finish().unwrap_err();
        let names: Vec<_> = faults.0.iter().map(|fault| fault.name).collect();
        assert_eq!(
            names,
            [
                "TABLE_NAME",
                "QUEUE_URL",
                "DEBOUNCE_SECONDS",
                "DEBOUNCE_MAX_WAIT_SECONDS",
                "PSEUDONYM_KEY",
                "LOG_LEVEL"
            ]
        );
        assert!(!faults.to_string().contains("hunter2"));
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let mut reader = reader(&[]);
        assert_eq!(
            debounce(&mut reader),
            Debounce {
                seconds: 3,
                max_wait_seconds: 15,
                max_messages: 50,
                webhook_timeout_ms: 8_000
            }
        );
        assert_eq!(retention_days(&mut reader), 90);
        assert!(reader.finish().is_ok());
    }

    #[test]
    fn a_blank_setting_is_a_missing_one() {
        let mut reader = reader(&[("TABLE_NAME", "  "), ("QUEUE_URL", "http://q/")]);
        assert_eq!(Stores::read(&mut reader).queue_url, "http://q");
        assert_eq!(reader.finish().unwrap_err().0[0].name, "TABLE_NAME");
    }

    #[test]
    fn a_maximum_wait_below_the_debounce_is_a_fault() {
        let mut reader = reader(&[
            ("DEBOUNCE_SECONDS", "20"),
            ("DEBOUNCE_MAX_WAIT_SECONDS", "15"),
        ]);
        debounce(&mut reader);
        assert!(reader.finish().is_err());
    }
}
