//! The functions' release binaries, as Lambda runs them, beside the least that they could be and beside the same job in Node
//! and Python. One command builds everything and runs this:
//!
//! ```text
//! infra/bench.sh
//! ```
//!
//! It plays Lambda's Runtime API, and the AWS services, the model and the gateway behind TLS, all on loopback and in this
//! process. It asserts no times: it fails only when a function does not do its job. `docs/PERFORMANCE.md` says how to read
//! its figures.

mod calls;
mod concurrency;
mod instance;
mod limits;
mod measure;
mod process;
mod report;
mod runtime;
mod stage;
mod subjects;
mod table;
mod tls;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use crate::report::Report;
use crate::stage::Stage;
use crate::subjects::{Programs, Subject};

/// Everything ends within this, whatever hangs.
const LIMIT: Duration = Duration::from_secs(1_500);

/// Measures the functions.
#[derive(Parser)]
struct Args {
    /// The folder of the release binaries
    #[arg(long, default_value = "target/release", value_name = "FOLDER")]
    release: PathBuf,
    /// Where infra/bench/peers/install.sh has put the twins; without it they are left out
    #[arg(long, value_name = "FOLDER")]
    peers: Option<PathBuf>,
    /// How often every function is started
    #[arg(long, default_value_t = 25, value_name = "NUMBER")]
    rounds: usize,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave out the instances with little memory
    #[arg(long)]
    no_concurrency: bool,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    clivy::aws::install_crypto();
    let folder = std::env::temp_dir().join(format!("clivy-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let report = tokio::time::timeout(LIMIT, Box::pin(run(&args, &folder))).await;
    std::fs::remove_dir_all(&folder)?;
    let report = report.context("the bench did not end in time")??;
    println!("\n{report}");
    if let Some(file) = &args.json {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, json + "\n")
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}

async fn run(args: &Args, folder: &Path) -> anyhow::Result<Report> {
    let began = load()?;
    let stage = Stage::new(folder).await?;
    let programs = Programs {
        release: args.release.clone(),
        peers: args.peers.clone(),
    };
    let subjects = programs.subjects(&stage, folder)?;
    let concurrency = match args.no_concurrency {
        true => None,
        false => Some(concurrency::measure(&stage, worker(&subjects)?, folder).await?),
    };
    stage.model_takes(stage::MODEL);
    let measured = measure::measure(&stage, &subjects, args.rounds, folder).await?;
    Report::new(&subjects, &measured, [began, load()?], concurrency)
}

fn worker(subjects: &[Subject]) -> anyhow::Result<&Subject> {
    subjects
        .iter()
        .find(|subject| subject.name == "worker")
        .context("no worker")
}

/// Programs that run or wait for a core, on average over the last minute.
fn load() -> anyhow::Result<f64> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(load.split_whitespace().next().context("no load")?.parse()?)
}
