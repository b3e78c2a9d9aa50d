//! What happened in a schedule, line by line, on its virtual clock.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use tokio::time::Instant;

/// The lines so far, and what is counted of them.
#[derive(Debug)]
pub struct Transcript {
    started: Instant,
    lines: String,
    /// Effects of the functions.
    pub effects: u64,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Transcript {
    /// An empty one that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            lines: String::with_capacity(32 * 1024),
            effects: 0,
            faults: BTreeMap::new(),
        }
    }

    /// Milliseconds since the beginning.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Adds a line.
    pub fn say(&mut self, line: fmt::Arguments<'_>) {
        let at = self.now_ms();
        // Writing into a String does not fail.
        let _ = writeln!(self.lines, "{:>9.3} {line}", at as f64 / 1000.0);
    }

    /// Counts a fault.
    pub fn count(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// The same lines have the same hash (FNV-1a).
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.lines
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
    }

    /// The last lines.
    #[must_use]
    pub fn last(&self, count: usize) -> Vec<String> {
        let mut last: Vec<String> = self
            .lines
            .lines()
            .rev()
            .take(count)
            .map(str::to_owned)
            .collect();
        last.reverse();
        last
    }

    /// All of it.
    #[must_use]
    pub fn lines(&self) -> &str {
        &self.lines
    }
}

impl Default for Transcript {
    fn default() -> Self {
        Self::new()
    }
}
