//! Logs: JSON on Lambda, readable locally; one line a step.

use tracing_subscriber::EnvFilter;

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
        .with_env_filter(filter(level))
        .init();
}

/// Our own lines at `level`, everybody else's warnings.
#[must_use]
pub fn filter(level: &str) -> EnvFilter {
    let ours = [
        "clivy", "webhook", "worker", "sweeper", "credits", "inbox", "smoke", "local",
    ]
    .map(|name| format!("{name}={level}"))
    .join(",");
    EnvFilter::new(format!("warn,{ours}"))
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
