//! The sweeper's settings.

use clivy::config::{self, Reader, Stores};
use clivy::secrets::Rotating;

/// Everything the sweeper reads at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Table and queue.
    pub stores: Stores,
    /// `PSEUDONYM_KEY`.
    pub pseudonym_key: Rotating,
    /// `LOG_LEVEL`.
    pub log_level: String,
    /// `METRICS_NAMESPACE` (Clivy).
    pub metrics_namespace: String,
    /// The longer one of `DEBOUNCE_MAX_WAIT_SECONDS` (15) and the worker's lease
    /// (`WORKER_TIMEOUT_SECONDS`, 180), plus `SWEEPER_GRACE_SECONDS` (30), in milliseconds.
    pub patience_ms: i64,
    /// `OUTCOME_DEADLINE_SECONDS` (300) plus the same grace, in milliseconds.
    pub outcome_patience_ms: i64,
}

impl Settings {
    /// Reads them, leaving the faults in the reader.
    pub fn from(reader: &mut Reader) -> Self {
        let longest_wait =
            config::debounce_max_wait_seconds(reader).max(config::worker_timeout_seconds(reader));
        let grace = reader.number("SWEEPER_GRACE_SECONDS", 30, 0..=3_600);
        Self {
            stores: Stores::read(reader),
            pseudonym_key: config::pseudonym_key(reader),
            log_level: config::log_level(reader),
            metrics_namespace: config::metrics_namespace(reader),
            patience_ms: i64::from(longest_wait + grace) * 1000,
            outcome_patience_ms: config::outcome_deadline_ms(reader)
                .saturating_add(i64::from(grace) * 1000),
        }
    }
}
