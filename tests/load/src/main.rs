//! Two commands around the one-machine run: `chaos` kills it again and again, `load` lets thousands write at once.
//!
//! ```text
//! cargo run -p load -- chaos
//! cargo run -p load -- load --conversations 100,1000,5000
//! ```

use clap::{Parser, Subcommand};
use load::chaos::Chaos;
use load::load::Load;

/// Proves the one-machine run under kills and under load
#[derive(Parser)]
#[command(name = "load")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Kills it with `kill -9` at random moments, and counts at the gateway what became of every message
    Chaos(Chaos),
    /// Lets many conversations go on at once, and measures the release build
    Load(Load),
}

// One thread: everybody outside leaves as much as possible of the machine to the system.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Chaos(chaos) => {
            let summary = chaos.run().await;
            println!("\n{summary}");
            summary.check()
        }
        Command::Load(load) => load.run().await?.check(),
    }
}
