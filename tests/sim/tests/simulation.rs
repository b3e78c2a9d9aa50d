//! The simulation as a test: old finds first, then new seeds for a minute, and every single fault of the scripted scenarios.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should end right there"
)]

use std::time::Duration;

use sim::exhaustive::AtOnce;
use sim::plan::{MAX_SKEW_MS, Plan};
use sim::runner::{self, Until};
use sim::{schedule, seeds};

/// How long new seeds are run. They are the same ones every time, as far as the time allows.
const BUDGET: Duration = Duration::from_secs(60);
/// Both cores.
const THREADS: usize = 2;
/// One in so many pairs of faults is run here, all of them by `--pairs`.
const EVERY: usize = 40;

#[test]
fn random_schedules_lose_nothing_and_double_nothing() {
    let report = runner::run(
        seeds::kept(),
        1,
        Until::Passed(BUDGET),
        THREADS,
        true,
        |_| {},
    );
    println!("{report}");
    assert_eq!(
        report.failed, 0,
        "see above for the command that replays it"
    );
    assert!(report.repeated > 0, "no seed was run twice");
    // A simulation in which nothing happens proves nothing.
    for fault in [
        "crash before",
        "crash after",
        "answer lost",
        "late",
        "batch delivered twice",
    ] {
        assert!(report.fault(fault) > 0, "{fault} never happened");
    }
    for step in [
        "taken_over",
        "repended",
        "swept",
        "rearmed Busy",
        "rearmed NotYetStored",
    ] {
        assert!(report.arm(step) > 0, "{step} was never reached");
    }
}

#[test]
fn every_single_fault_of_every_scenario_is_survived() {
    let cases = AtOnce::One.cases().unwrap();
    let count = cases.len();
    let report = runner::on_threads(THREADS, cases.into_iter(), false, |_| {});
    println!("{report}");
    assert_eq!(report.failed, 0, "see above");
    assert_eq!(report.schedules, count as u64);
    assert!(count > 2_000, "only {count} cases");
}

#[test]
fn two_faults_at_once_are_survived() {
    let cases = AtOnce::Two.cases().unwrap().into_iter().step_by(EVERY);
    let count = cases.len();
    let report = runner::on_threads(THREADS, cases, false, |_| {});
    assert_eq!(report.failed, 0, "see above");
    assert!(count > 1_000, "only {count} cases");
}

#[test]
fn a_seed_has_one_transcript_whatever_ran_before_it() {
    let seed =
        (1..).find(|seed| Plan::of(*seed).skew_ms == MAX_SKEW_MS && Plan::of(*seed).has_faults());
    let seed = seed.unwrap();
    let alone = schedule::run(seed);
    let _ = schedule::run(seed + 1);
    let elsewhere = std::thread::Builder::new()
        .stack_size(16 * 1024 * 1024)
        .spawn(move || schedule::run(seed))
        .unwrap();
    let elsewhere = elsewhere.join().unwrap();
    assert_eq!(alone.hash, elsewhere.hash);
    assert_eq!(alone.effects, elsewhere.effects);
    assert_ne!(alone.hash, schedule::run(seed + 1).hash);
}
