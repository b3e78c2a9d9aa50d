//! `cargo run -p local`: the whole system on one machine.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use clivy::config::Reader;
use clivy::{aws, telemetry};
use local::args::{Args, Command};
use local::key;
use local::run::Run;
use local::steps::Steps;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    aws::install_crypto();
    let args = Args::parse();
    if let Some(Command::Key { action }) = args.command {
        let done = key::run(action, Reader::from_env().optional("ADMIN_SECRET")).await;
        return Ok(done.map_or_else(|error| refused(&error), |()| ExitCode::SUCCESS));
    }
    // A bad level is named together with all other faults, when the run opens.
    let level = clivy::config::log_level(&mut Reader::from_env());
    let settings = Reader::from_env().into_values()?;
    let steps = Steps::new();
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_filter(telemetry::filter(&level));
    tracing_subscriber::registry()
        .with(lines)
        // The phone page shows every step, however quiet the terminal is.
        .with(steps.layer().with_filter(telemetry::filter("info")))
        .init();
    let run = Run::open(&args, settings, steps).await?;
    // Before it is said that this runs: whoever reads that may end it at once.
    let stop = stop_signal().context("the signals to stop cannot be heard")?;
    println!("{}", run.greeting());
    run.serve(stop).await?;
    println!("Stopped; nothing is lost.");
    Ok(ExitCode::SUCCESS)
}

/// A command that did not do what it was asked says why in one line.
fn refused(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

/// Ctrl-C, or the polite signal of whoever started us. Heard from now on, not only once it is waited for.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
