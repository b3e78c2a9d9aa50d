//! Runs many schedules on all cores: one runtime a thread, the schedules handed out one after another.

use std::fmt::{self, Display};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clivy::clock::{Clock, SystemClock};

use crate::report::{self, Report};
use crate::schedule::{self, Ran};

/// One seed in so many runs twice.
const TWICE: u64 = 100;
/// What one schedule may need: its futures are deep.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// How long to run.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// So many seeds.
    Seeds(u64),
    /// So long, by the wall clock.
    Passed(Duration),
}

/// Counts the time that has passed.
struct Watch {
    clock: SystemClock,
    began_ms: i64,
}

impl Watch {
    fn start() -> Self {
        let clock = SystemClock;
        Self {
            clock,
            began_ms: clock.now().0,
        }
    }

    fn passed(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.clock.now().0 - self.began_ms).unwrap_or(0))
    }
}

/// A schedule that options of the command line name: its `Display` gives them, as in `--seed 7`.
pub trait Schedule: Display + Send {
    /// Runs it.
    fn run(&self) -> Ran;
}

/// The schedule that a seed decides. One in [`TWICE`] runs twice.
pub struct Seed(pub u64);

impl Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--seed {}", self.0)
    }
}

impl Schedule for Seed {
    fn run(&self) -> Ran {
        let mut ran = schedule::run(self.0);
        if self.0.is_multiple_of(TWICE) {
            ran.was_repeated = true;
            if schedule::run(self.0).hash != ran.hash {
                ran.fails("two runs of this seed differ".to_owned());
            }
        }
        ran
    }
}

/// Runs `seeds`, those that have found something before, then the seeds from `first` on. `progress` gets a line now and then.
#[must_use]
pub fn run(
    seeds: Vec<u64>,
    first: u64,
    until: Until,
    threads: usize,
    stops_at_once: bool,
    progress: impl Fn(&str),
) -> Report {
    let watch = Watch::start();
    let (end, longest) = match until {
        Until::Seeds(count) => (first + count, Duration::MAX),
        Until::Passed(time) => (u64::MAX, time),
    };
    let new = (first..end).take_while(move |_| watch.passed() < longest);
    let all = seeds.into_iter().chain(new).map(Seed);
    on_threads(threads, all, stops_at_once, progress)
}

/// Runs one schedule and shows its transcript.
#[must_use]
pub fn show(schedule: impl Schedule) -> Report {
    report::show_transcripts();
    on_threads(1, std::iter::once(schedule), false, |_| {})
}

/// Has so many threads run schedules, each on a stack that is deep enough, until there are no more, or one has failed and that
/// is to be the end. What fails is printed. `progress` gets a line now and then.
#[must_use]
pub fn on_threads<S: Schedule>(
    threads: usize,
    schedules: impl Iterator<Item = S> + Send,
    stops_at_once: bool,
    progress: impl Fn(&str),
) -> Report {
    schedule::count_panics();
    let schedules = Mutex::new(schedules);
    let report = Mutex::new(Report::default());
    let is_over = AtomicBool::new(false);
    let work = || {
        while !is_over.load(Ordering::Relaxed)
            && let Some(schedule) = next(&schedules)
        {
            let ran = schedule.run();
            locked(&report).add(&schedule, &ran);
            if ran.failure.is_some() && stops_at_once {
                is_over.store(true, Ordering::Relaxed);
            }
        }
    };
    let watch = Watch::start();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1))
            .map(|_| {
                let worker = std::thread::Builder::new().stack_size(STACK_BYTES);
                worker.spawn_scoped(scope, work).unwrap()
            })
            .collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(500));
            let line = locked(&report).progress(watch.passed());
            progress(&line);
        }
        for worker in workers {
            assert!(worker.join().is_ok(), "a thread of the simulation panicked");
        }
    });
    let _ = std::panic::take_hook();
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The next one; the others may take theirs while it runs.
fn next<S>(schedules: &Mutex<impl Iterator<Item = S>>) -> Option<S> {
    locked(schedules).next()
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
