//! Runs many seeds on all cores: one runtime a thread, the seeds handed out one after another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clivy::clock::{Clock, SystemClock};

use crate::report::{Report, replay};
use crate::schedule;

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

struct Run {
    seeds: Vec<u64>,
    first: u64,
    next: AtomicU64,
    until: Until,
    is_over: AtomicBool,
    stops_at_once: bool,
    watch: Watch,
}

impl Run {
    /// The next seed: first those that have failed before.
    fn next_seed(&self) -> Option<u64> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let old = self.seeds.len() as u64;
        if number < old {
            return self.seeds.get(usize::try_from(number).ok()?).copied();
        }
        let goes_on = match self.until {
            Until::Seeds(count) => number - old < count,
            Until::Passed(time) => self.watch.passed() < time,
        };
        (goes_on && !self.is_over.load(Ordering::Relaxed)).then_some(self.first + number - old)
    }

    fn work(&self, report: &Mutex<Report>) {
        while let Some(seed) = self.next_seed() {
            let ran = schedule::run(seed);
            let again = (seed % TWICE == 0).then(|| schedule::run(seed));
            let mut report = locked(report);
            report.add(&ran);
            if let Some(failure) = &ran.failure {
                println!(
                    "\nseed {seed}: {}\n  replay: {}",
                    failure.what,
                    replay(seed)
                );
                for line in &failure.last {
                    println!("  {line}");
                }
            }
            if let Some(again) = again {
                report.repeated += 1;
                if again.hash != ran.hash {
                    let what = "two runs of this seed differ".to_owned();
                    println!("\nseed {seed}: {what}");
                    report.fail(seed, what);
                }
            }
            if report.failed > 0 && self.stops_at_once {
                self.is_over.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Runs `seeds`, then the seeds from `first` on, with `threads` threads. `progress` gets a line now and then.
#[must_use]
pub fn run(
    seeds: Vec<u64>,
    first: u64,
    until: Until,
    threads: usize,
    stops_at_once: bool,
    progress: impl Fn(&str),
) -> Report {
    let run = Run {
        seeds,
        first,
        next: AtomicU64::new(0),
        until,
        is_over: AtomicBool::new(false),
        stops_at_once,
        watch: Watch::start(),
    };
    on_threads(threads, |report| run.work(report), progress)
}

/// Has so many threads do the work, each on a stack that is deep enough, and collects what they report. `progress` gets a line
/// now and then.
#[must_use]
pub fn on_threads(
    threads: usize,
    work: impl Fn(&Mutex<Report>) + Sync,
    progress: impl Fn(&str),
) -> Report {
    schedule::count_panics();
    let report = Mutex::new(Report::default());
    let watch = Watch::start();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1))
            .map(|_| {
                let worker = std::thread::Builder::new().stack_size(STACK_BYTES);
                worker.spawn_scoped(scope, || work(&report)).unwrap()
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

/// The report, for one schedule.
pub fn locked(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}
