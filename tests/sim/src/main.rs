//! Runs the simulation from the command line. Exits with 1 when something was found.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sim::exhaustive::{self, Scenario};
use sim::runner::{self, Until};
use sim::{report, seeds};

/// The real functions in a world where everything goes wrong, one seed a schedule.
#[derive(Parser)]
struct Args {
    /// Run for so long.
    #[arg(long, conflicts_with_all = ["seeds", "seed"])]
    seconds: Option<u64>,
    /// Run so many seeds.
    #[arg(long)]
    seeds: Option<u64>,
    /// Run this seed alone and show its transcript.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Every fault at every effect of the scripted scenarios, instead of seeds.
    #[arg(long)]
    exhaustive: bool,
    /// Every two faults at every two effects of the core scenarios, instead of seeds; `--every 20` runs a twentieth.
    #[arg(long)]
    pairs: bool,
    /// Run one in so many of the pairs.
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// End at the first failure.
    #[arg(long)]
    stop: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let is_terminal = std::io::stderr().is_terminal();
    let progress = |line: &str| {
        if is_terminal {
            eprint!("\r{line}");
            let _ = std::io::stderr().flush();
        }
    };
    let report = if args.exhaustive || args.pairs {
        let scenarios: &[Scenario] = if args.pairs {
            &Scenario::CORE
        } else {
            &Scenario::ALL
        };
        let cases = |scenario: &Scenario| {
            if args.pairs {
                scenario.pairs()
            } else {
                scenario.singles()
            }
        };
        let cases: Result<Vec<_>, String> = scenarios.iter().map(cases).collect();
        match cases {
            Ok(cases) => {
                let cases: Vec<_> = cases
                    .into_iter()
                    .flatten()
                    .step_by(args.every.max(1))
                    .collect();
                exhaustive::run(&cases, args.threads, args.stop, progress)
            }
            Err(what) => {
                eprintln!("{what}");
                return ExitCode::FAILURE;
            }
        }
    } else if let Some(seed) = args.seed {
        report::show_transcripts();
        runner::run(vec![seed], 0, Until::Seeds(0), 1, false, |_| {})
    } else {
        let until = match (args.seeds, args.seconds) {
            (Some(seeds), _) => Until::Seeds(seeds),
            (None, seconds) => Until::Passed(Duration::from_secs(seconds.unwrap_or(60))),
        };
        runner::run(
            seeds::kept(),
            args.first,
            until,
            args.threads,
            args.stop,
            progress,
        )
    };
    println!("{report}");
    if report.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
