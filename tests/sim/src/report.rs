//! What a run has done so far, for people.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::runner::Schedule;
use crate::schedule::Ran;

static TRANSCRIPTS: AtomicBool = AtomicBool::new(false);

/// From now on every schedule prints its transcript.
pub fn show_transcripts() {
    TRANSCRIPTS.store(true, Ordering::Relaxed);
}

/// Whether it does.
#[must_use]
pub fn shows_transcripts() -> bool {
    TRANSCRIPTS.load(Ordering::Relaxed)
}

/// The schedules of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// How many there were.
    pub schedules: u64,
    /// How many of them ran twice.
    pub repeated: u64,
    /// The longest time until nothing was owed, in milliseconds.
    pub longest_ms: u64,
    /// Effects of all functions.
    pub effects: u64,
    faults: BTreeMap<&'static str, u64>,
    arms: BTreeMap<String, u64>,
    turns: BTreeMap<&'static str, u64>,
    failures: Vec<String>,
    /// How many went wrong.
    pub failed: u64,
}

/// Failures that are said again in the end.
const KEPT: usize = 20;
/// What runs a schedule again, before its options.
const REPLAY: &str = "cargo run --profile sim -p sim --";

impl Report {
    /// Adds a schedule. What went wrong in it is printed, with the command that runs it again.
    pub fn add(&mut self, schedule: &impl Schedule, ran: &Ran) {
        self.schedules += 1;
        self.repeated += u64::from(ran.was_repeated);
        self.effects += ran.effects;
        self.longest_ms = self.longest_ms.max(ran.settled_ms);
        for (all, one) in [
            (&mut self.faults, &ran.faults),
            (&mut self.turns, &ran.turns),
        ] {
            for (name, count) in one {
                *all.entry(name).or_default() += count;
            }
        }
        for (name, count) in &ran.arms {
            *self.arms.entry(name.clone()).or_default() += count;
        }
        if let Some(failure) = &ran.failure {
            self.failed += 1;
            let found = format!(
                "found by {schedule}: {}\n  replay: {REPLAY} {schedule}",
                failure.what
            );
            println!("\n{found}");
            for line in &failure.last {
                println!("  {line}");
            }
            if self.failures.len() < KEPT {
                self.failures.push(found);
            }
        }
    }

    /// How often a step was logged.
    #[must_use]
    pub fn arm(&self, name: &str) -> u64 {
        self.arms.get(name).copied().unwrap_or(0)
    }

    /// How often a fault happened.
    #[must_use]
    pub fn fault(&self, name: &str) -> u64 {
        self.faults.get(name).copied().unwrap_or(0)
    }

    /// One line of progress.
    #[must_use]
    pub fn progress(&self, took: Duration) -> String {
        let per_second = self.schedules as f64 / took.as_secs_f64().max(0.001);
        format!(
            "{:>9} schedules  {per_second:>7.1} per second  {:>11} effects  {} found",
            self.schedules, self.effects, self.failed
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = |title: &str, rows: &mut dyn Iterator<Item = (&str, u64)>| -> fmt::Result {
            let mut rows = rows.peekable();
            if rows.peek().is_some() {
                writeln!(f, "\n{title}")?;
            }
            for (name, count) in rows {
                writeln!(f, "  {name:<44} {count:>12}")?;
            }
            Ok(())
        };
        let totals = [
            ("schedules", self.schedules),
            ("of them run twice, with the same transcript", self.repeated),
            ("effects", self.effects),
            ("longest until nothing was owed, ms", self.longest_ms),
            ("failures", self.failed),
        ];
        table("Schedules", &mut totals.into_iter())?;
        table(
            "Faults",
            &mut self.faults.iter().map(|(name, count)| (*name, *count)),
        )?;
        table(
            "Steps of the functions",
            &mut self
                .arms
                .iter()
                .map(|(name, count)| (name.as_str(), *count)),
        )?;
        table(
            "Turns by how they ended",
            &mut self.turns.iter().map(|(name, count)| (*name, *count)),
        )?;
        for found in &self.failures {
            writeln!(f, "\n{found}")?;
        }
        f.write_char('\n')
    }
}
