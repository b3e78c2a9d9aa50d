//! Runs the simulation from the command line. Exits with 1 when something was found.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sim::exhaustive::AtOnce;
use sim::runner::{self, Seed, Until};
use sim::seeds;

/// How often the runner tells of its progress. A terminal shows each line, a log gets one a minute.
const LINES_A_MINUTE: u32 = 120;

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
    /// Run this one of `--exhaustive` or `--pairs` alone and show its transcript.
    #[arg(long)]
    case: Option<usize>,
    /// End at the first failure.
    #[arg(long)]
    stop: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let is_terminal = std::io::stderr().is_terminal();
    let lines = Cell::new(0_u32);
    let progress = |line: &str| {
        lines.set(lines.get() + 1);
        if is_terminal {
            eprint!("\r{line}");
            let _ = std::io::stderr().flush();
        } else if lines.get().is_multiple_of(LINES_A_MINUTE) {
            eprintln!("{line}");
        }
    };
    let at_once = match (args.exhaustive, args.pairs) {
        (true, _) => Some(AtOnce::One),
        (_, true) => Some(AtOnce::Two),
        _ => None,
    };
    let report = if let Some(at_once) = at_once {
        let cases = match at_once.cases() {
            Ok(cases) => cases,
            Err(what) => {
                eprintln!("{what}");
                return ExitCode::FAILURE;
            }
        };
        match args.case.map(|number| cases.get(number).cloned()) {
            Some(Some(case)) => runner::show(case),
            Some(None) => {
                eprintln!("there are {} cases, from 0 on", cases.len());
                return ExitCode::FAILURE;
            }
            None => {
                let some = cases.into_iter().step_by(args.every.max(1));
                let of = some.len();
                runner::on_threads(args.threads, some, args.stop, |line| {
                    progress(&format!("{line}  of {of}"));
                })
            }
        }
    } else if let Some(seed) = args.seed {
        runner::show(Seed(seed))
    } else {
        let until = match (args.seeds, args.seconds) {
            (Some(seeds), _) => Until::Seeds(seeds),
            (None, seconds) => Until::Passed(Duration::from_secs(seconds.unwrap_or(60))),
        };
        let old = seeds::kept();
        runner::run(old, args.first, until, args.threads, args.stop, progress)
    };
    println!("{report}");
    if report.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
