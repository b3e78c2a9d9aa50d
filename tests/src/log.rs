//! What the functions log, as a test can read it.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;

/// Everything that this thread logs until the guard is dropped, as the functions would write it with `LOG_LEVEL=trace`; every
/// span besides, with its fields, which on AWS shows only where a line is in it.
#[derive(Clone, Default)]
pub struct Log {
    written: Arc<Mutex<Vec<u8>>>,
}

impl Log {
    /// Begins to keep.
    #[must_use]
    pub fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(true)
            .with_span_events(FmtSpan::FULL)
            .with_max_level(LevelFilter::TRACE)
            .with_writer(log.clone())
            .finish()
            .with(clivy::telemetry::filter("trace"));
        let guard = tracing::subscriber::set_default(subscriber);
        (log, guard)
    }

    /// What was written so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// The lines of a step so far.
    #[must_use]
    pub fn steps(&self, step: &str) -> Vec<String> {
        let word = format!("\"step\":\"{step}\"");
        let text = self.text();
        let lines = text.lines().filter(|line| line.contains(&word));
        lines.map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
