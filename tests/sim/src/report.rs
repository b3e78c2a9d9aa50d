//! What a run has done so far, for people.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    /// What went wrong, by seed; the first few.
    pub failures: Vec<(u64, String)>,
    /// How many went wrong.
    pub failed: u64,
}

/// Failures that are kept.
const KEPT: usize = 20;

impl Report {
    /// Adds a schedule.
    pub fn add(&mut self, ran: &Ran) {
        self.schedules += 1;
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
            self.fail(ran.seed, failure.what.clone());
        }
    }

    /// Notes a failure.
    pub fn fail(&mut self, seed: u64, what: String) {
        self.failed += 1;
        if self.failures.len() < KEPT {
            self.failures.push((seed, what));
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
            writeln!(f, "\n{title}")?;
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
        for (seed, what) in &self.failures {
            writeln!(
                f,
                "\nfailed: seed {seed}: {what}\n  replay: {}",
                replay(*seed)
            )?;
        }
        f.write_char('\n')
    }
}

/// The command that runs a seed again.
#[must_use]
pub fn replay(seed: u64) -> String {
    format!("cargo run --profile sim -p sim -- --seed {seed}")
}
