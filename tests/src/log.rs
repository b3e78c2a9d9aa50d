//! What the functions log, as a test can read it.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;

/// Lines, kept where they were written.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Takes the bytes from here on: they are not kept any more.
    #[must_use]
    pub fn since(&self, mark: usize) -> Vec<u8> {
        self.0.lock().unwrap().split_off(mark)
    }

    /// How many bytes there are.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that this thread logs until the guard is dropped, as the functions would write it with `LOG_LEVEL=trace`; every
/// span besides, with its fields, which on AWS shows only where a line is in it.
#[derive(Clone, Default)]
pub struct Log {
    lines: Lines,
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
            .with_writer(log.lines.clone())
            .finish()
            .with(clivy::telemetry::filter("trace"));
        let guard = tracing::subscriber::set_default(subscriber);
        (log, guard)
    }

    /// What was written so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lines.0.lock().unwrap()).into_owned()
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
