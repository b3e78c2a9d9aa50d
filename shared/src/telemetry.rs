//! Logs: JSON on Lambda, readable locally; one line a step.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{self, Reader};

/// [`init_json`] at the environment's `LOG_LEVEL`. A bad one is told with the other settings.
pub fn init_from_env() {
    init_json(&config::log_level(&mut Reader::from_env()));
}

/// Writes JSON lines to standard output, as CloudWatch wants them. Call once, at the start of `main`.
pub fn init_json(level: &str) {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_current_span(false)
        // The filter decides.
        .with_max_level(LevelFilter::TRACE)
        .finish()
        .with(filter(level))
        .init();
}

/// Our own lines at `level`, everybody else's warnings. A level that is none says nothing about our own lines.
///
/// Not `EnvFilter`: it links a regex engine, a tenth of a function's program, for directives that nobody writes here.
#[must_use]
pub fn filter(level: &str) -> Targets {
    let ours = [
        "clivy", "webhook", "worker", "sweeper", "credits", "inbox", "smoke", "local",
    ];
    let level = level.parse().unwrap_or(LevelFilter::WARN);
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets(ours.map(|name| (name, level)))
}

/// Logs one step of the protocol. The first argument names the step; the fields that every line of a turn
/// carries come from a [`TurnFields`](crate::telemetry::TurnFields), the others follow.
#[macro_export]
macro_rules! step {
    ($level:ident, $step:literal, $turn:expr, { $($fields:tt)* }, $message:literal) => {{
        let turn = &$turn;
        tracing::$level!(
            step = $step,
            conversation = %turn.conversation,
            trace_id = turn.trace_id,
            turn = %turn.turn,
            fence = turn.fence,
            attempt = turn.attempt,
            burst_size = turn.burst_size,
            $($fields)*
            $message
        );
    }};
}

/// What every line of a turn carries. No name or number of a person (I11).
#[derive(Clone, Debug, Default)]
pub struct TurnFields {
    /// Keyed hash of the conversation.
    pub conversation: String,
    /// The trace of the message that the turn's trigger was sent for, where there is one.
    pub trace_id: Option<String>,
    /// The turn: the conversation and the number of the burst.
    pub turn: String,
    /// The claim's fence.
    pub fence: u64,
    /// The try at this burst, from 1.
    pub attempt: u32,
    /// Messages in the burst.
    pub burst_size: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn our_own_lines_are_written_at_the_level_and_everybody_elses_warnings() {
        let filter = filter("info");
        for ours in ["clivy::table::claim", "worker::batch", "webhook"] {
            assert!(filter.would_enable(ours, &Level::INFO), "{ours}");
            assert!(!filter.would_enable(ours, &Level::DEBUG), "{ours}");
        }
        for others in ["hyper_util::client", "aws_smithy_runtime", "rustls"] {
            assert!(filter.would_enable(others, &Level::WARN), "{others}");
            assert!(!filter.would_enable(others, &Level::INFO), "{others}");
        }
    }

    #[test]
    fn a_level_that_is_none_leaves_the_warnings() {
        let filter = filter("loud");
        assert!(filter.would_enable("worker", &Level::WARN));
        assert!(!filter.would_enable("worker", &Level::INFO));
    }
}
