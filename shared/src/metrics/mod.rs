//! Metrics in CloudWatch's Embedded Metric Format (EMF): a line of JSON on standard output, of which CloudWatch makes
//! metrics. Nothing is sent, kept for later or run in the background, so it costs a request nothing and survives a Lambda
//! that is frozen. What there is to measure is in [`catalog`], what one event says in [`events`]; `docs/METRICS.md` is
//! for readers.
//!
//! Our own writer, because the kept libraries do not fit: `metrique` is 45 crates more than we have, for a sink that we do
//! not need; `metrics_cloudwatch_embedded` has one recorder and one dimension set a process, and tests run many worlds in one.

pub mod catalog;
mod events;
mod record;

use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::conversation::ids::EpochMs;

pub use events::{
    BatchEnded, CallMade, CreditsChecked, PayingKey, ProviderSeen, RequestServed, SweepDone,
    TurnEnded,
};
pub use record::Record;

/// What metrics are filed under where nothing else is wished. Several installations in one account must not share it.
pub const NAMESPACE: &str = "Clivy";

/// Lines that the memory keeps; older ones are forgotten.
pub const KEPT_LINES: usize = 1_000;

/// Something that happened and can be measured.
pub trait Event {
    /// What it says: one record, or several where one metric has several values of a dimension.
    fn records(&self) -> Vec<Record>;
}

/// Where metrics go. Clones share it.
#[derive(Clone)]
pub struct Metrics {
    sink: Sink,
    namespace: Arc<str>,
}

#[derive(Clone)]
enum Sink {
    Stdout,
    Memory(Arc<Mutex<VecDeque<String>>>),
}

/// Without the lines, which are many.
impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.sink {
            Sink::Stdout => "Metrics(stdout)",
            Sink::Memory(_) => "Metrics(memory)",
        })
    }
}

impl Metrics {
    /// Standard output, which Lambda hands to CloudWatch. `namespace` is what CloudWatch files them under.
    #[must_use]
    pub fn stdout(namespace: &str) -> Self {
        Self {
            sink: Sink::Stdout,
            namespace: namespace.into(),
        }
    }

    /// The last [`KEPT_LINES`] lines, in memory: for one machine, whose terminal is for people, and for tests.
    #[must_use]
    pub fn memory() -> Self {
        Self {
            sink: Sink::Memory(Arc::default()),
            namespace: NAMESPACE.into(),
        }
    }

    /// Writes down what happened at `at`. Never fails and waits for nobody: metrics are worth no request.
    pub fn emit(&self, at: EpochMs, event: &impl Event) {
        let records = event.records();
        for line in records
            .iter()
            .filter_map(|record| record.line(&self.namespace, at))
        {
            match &self.sink {
                Sink::Stdout => print(&mut std::io::stdout().lock(), line),
                Sink::Memory(kept) => keep(kept, line),
            }
        }
    }

    /// The lines that are kept, oldest first; none where they went to standard output.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match &self.sink {
            Sink::Stdout => Vec::new(),
            Sink::Memory(kept) => {
                let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.iter().cloned().collect()
            }
        }
    }
}

/// In one write, so that a log line of another task cannot fall into it. `println!` would panic on a broken pipe.
fn print(out: &mut impl Write, mut line: String) {
    line.push('\n');
    // There is nobody to tell: a log line would go the same way.
    let _ = out.write_all(line.as_bytes());
}

fn keep(kept: &Mutex<VecDeque<String>>, line: String) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() == KEPT_LINES {
        kept.pop_front();
    }
    kept.push_back(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_whole_and_a_broken_pipe_is_no_trouble() {
        #[derive(Default)]
        struct Pipe {
            writes: Vec<String>,
            is_broken: bool,
        }
        impl Write for Pipe {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                if self.is_broken {
                    return Err(std::io::ErrorKind::BrokenPipe.into());
                }
                self.writes.push(String::from_utf8(bytes.to_vec()).unwrap());
                Ok(bytes.len())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut pipe = Pipe::default();
        print(&mut pipe, "{}".to_owned());
        assert_eq!(pipe.writes, ["{}\n"]);
        pipe.is_broken = true;
        print(&mut pipe, "{}".to_owned());
        assert_eq!(pipe.writes.len(), 1);
    }

    #[test]
    fn the_memory_keeps_the_newest_lines_and_no_more() {
        let metrics = Metrics::memory();
        for again in 0..KEPT_LINES + 5 {
            let batch = BatchEnded {
                records: again,
                again: 0,
            };
            metrics.clone().emit(EpochMs(7), &batch);
        }
        let lines = metrics.lines();
        assert_eq!(lines.len(), KEPT_LINES);
        assert!(
            lines[0].contains("\"worker_records_total\":5"),
            "{}",
            lines[0]
        );
    }
}
