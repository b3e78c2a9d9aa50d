//! How much the one-machine run answers, how fast, and in how much memory. One command:
//!
//! ```text
//! cargo bench -p tests --bench one_machine
//! ```
//!
//! It builds the release binary of `local`, starts it twice as a process of its own (`--ephemeral`, then with its
//! data in a file), plays customers and gateway against it over HTTP, and prints a table; `--json FILE` writes the
//! same as JSON. It asserts no times: it fails only when a burst is not answered, or answered more than once. This
//! client shares the machine's cores with the system, so the figures are a little worse than the system's own.
//! `docs/PERFORMANCE.md` says how to read them.

mod floor;
mod gateway;
mod load;
mod report;
mod system;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use tests::process::build;

use crate::gateway::Gateway;
use crate::load::Customers;
use crate::report::{Report, Run};
use crate::system::{Storage, System};

/// The whole seconds of silence before an answer. One, not the default three, to keep the bench short: it is
/// subtracted from every latency.
const DEBOUNCE: Duration = Duration::from_secs(1);
/// Everything after the build ends within this, whatever hangs.
const LIMIT: Duration = Duration::from_secs(150);
/// Memory is called idle this long after the start.
const SETTLED: Duration = Duration::from_secs(2);

/// Measures the one-machine run.
#[derive(Parser)]
struct Args {
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure this binary of `local` instead of building one
    #[arg(long, value_name = "FILE")]
    local: Option<PathBuf>,
    /// How long each load lasts, in seconds
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    seconds: u64,
    /// `cargo bench` passes it to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

// One thread: the client leaves as much as possible of the two cores to the system.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    clivy::aws::install_crypto();
    let binary = match &args.local {
        Some(binary) => binary.clone(),
        None => build::shipped_local()?,
    };
    let report = tokio::time::timeout(LIMIT, measure(&binary, Duration::from_secs(args.seconds)))
        .await
        .context("the bench did not end in time")??;
    println!("\n{report}");
    if let Some(file) = &args.json {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, json + "\n")
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    report.check()
}

async fn measure(binary: &std::path::Path, lasting: Duration) -> anyhow::Result<Report> {
    let folder = system::fresh_folder()?;
    println!("floor: bare HTTP and the bare DynamoDB engine ...");
    let floor = floor::measure(&folder).await?;
    let gateway = Gateway::start().await?;
    let mut runs = Vec::new();
    for storage in [Storage::Memory, Storage::File(folder.join("data"))] {
        runs.push(run(binary, storage, &gateway, lasting).await?);
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(Report::new(floor, runs))
}

/// One start of the system, its idle memory, both loads; with a file, also a second start on what is in it.
async fn run(
    binary: &std::path::Path,
    storage: Storage,
    gateway: &Gateway,
    lasting: Duration,
) -> anyhow::Result<Run> {
    println!("{}: starting ...", storage.name());
    let mut system = System::start(binary, &storage, gateway.url()).await?;
    let start_ms = system.start_ms();
    tokio::time::sleep(SETTLED).await;
    let idle_mb = system.memory()?.resident_mb;
    let customers = Customers::new(system.url(), gateway.clone())?;
    let sustained = customers.closed_loop(&system, lasting).await?;
    let steady = customers.open_loop(&system, lasting).await?;
    gateway.silence().await;
    let memory = system.memory()?;
    system.kill().await?;
    let restart_ms = match storage {
        Storage::Memory => None,
        Storage::File(_) => {
            let mut again = System::start(binary, &storage, gateway.url()).await?;
            again.kill().await?;
            Some(again.start_ms())
        }
    };
    Ok(Run {
        storage: storage.name(),
        start_ms,
        restart_ms,
        idle_mb,
        peak_mb: memory.peak_mb,
        sustained,
        steady,
        faults: gateway.take_faults(),
    })
}
