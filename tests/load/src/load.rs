//! Many conversations at once against the release build of the one-machine run: what is lost, how long replies take, what the
//! process uses.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tests::measure::{Latency, machine};
use tests::process::build;
use tests::process::folder::Folder;
use tests::process::one_machine::{OneMachine, Wish};
use tests::process::usage::{self, Cpu};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::customers::{Customers, Habits};
use crate::outside::{Outside, Pace};
use crate::report::{Conditions, Figures, Report};
use crate::samples::Samples;
use crate::{rest, system};

/// What the system has to bear.
#[derive(Args, Clone, Debug)]
pub struct Load {
    /// Conversations at once; several numbers are several runs, each on data of its own
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "100,1000,5000",
        value_name = "N"
    )]
    pub conversations: Vec<u32>,
    /// How long customers write, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub seconds: u64,
    /// The median time between an answer and the customer's next burst, in seconds
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    pub pause: u64,
    /// The median time the model takes, in milliseconds; the tail is cut at ten times that
    #[arg(long, default_value_t = 2_000, value_name = "MS")]
    pub model_ms: u64,
    /// The silence before an answer, in whole seconds, as `DEBOUNCE_SECONDS`
    #[arg(long, default_value_t = 3, value_name = "SECONDS")]
    pub debounce: u64,
    /// Batches that the worker answers at once at most; as deployed on AWS when absent
    #[arg(long, value_name = "N")]
    pub max_concurrency: Option<usize>,
    /// What everything random comes from
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Measure this program of `local` instead of building one
    #[arg(long, value_name = "FILE")]
    pub local: Option<PathBuf>,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Bots of the run. The same contacts write to each.
const BOTS: u32 = 5;
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// How long the last customers may wait after everybody has stopped writing. Beyond what a turn has, its fallback
/// text included (`OUTCOME_DEADLINE_SECONDS` is 300).
const PATIENCE: Duration = Duration::from_secs(330);

impl Load {
    /// Does it all, one number of conversations after the other.
    ///
    /// # Errors
    /// The program does not build, or the system is gone.
    pub async fn run(&self) -> anyhow::Result<Report> {
        let program = match &self.local {
            Some(program) => program.clone(),
            None => build::shipped_local()?,
        };
        let mut report = Report {
            machine: machine(),
            conditions: Conditions {
                seconds: self.seconds,
                pause_seconds: self.pause,
                model_median_ms: self.model_ms,
                debounce_seconds: self.debounce,
                max_concurrency: self.max_concurrency,
                bots: BOTS,
            },
            runs: Vec::new(),
        };
        for conversations in &self.conversations {
            let figures = self.one(&program, *conversations).await?;
            report.runs.push(figures);
            // After each: what was measured stays when a later run is broken off.
            println!("\n{report}");
            self.write(&report)?;
        }
        Ok(report)
    }

    fn write(&self, report: &Report) -> anyhow::Result<()> {
        let Some(file) = &self.json else {
            return Ok(());
        };
        let json = serde_json::to_string_pretty(report)?;
        std::fs::write(file, json + "\n")
            .with_context(|| format!("{} cannot be written", file.display()))
    }

    fn wish(&self, program: &Path, folder: &Folder, outside: SocketAddr) -> Wish {
        let wish = system::wish(folder, BOTS, outside)
            .program(program)
            .set("DEBOUNCE_SECONDS", &self.debounce.to_string());
        match self.max_concurrency {
            Some(most) => wish.arg("--max-concurrency").arg(&most.to_string()),
            None => wish,
        }
    }

    fn habits(&self) -> Habits {
        Habits {
            typing: Latency {
                median: Duration::from_millis(900),
                sigma: 0.5,
                most: Duration::from_millis(2_500),
            },
            pause: Latency {
                median: Duration::from_secs(self.pause),
                sigma: 0.5,
                most: Duration::from_secs(self.pause * 6),
            },
            patient_every: 1,
            // Sooner would look like a machine that answers (the loop brake).
            reading_least: Duration::from_millis(2_500),
            repeated_percent: 0,
            // Over a pause, so that they come as often as they will write from then on, and not in one wave.
            ramp: Duration::from_secs(self.pause.min(self.seconds / 2)),
        }
    }

    async fn one(&self, program: &Path, conversations: u32) -> anyhow::Result<Figures> {
        println!("{conversations} conversations: starting ...");
        let folder = Folder::new();
        let outside = Outside::new(Pace::of(Duration::from_millis(self.model_ms)), self.seed);
        let wish = self.wish(program, &folder, outside.serve().await);
        let run = wish.start().await;
        let idle_mb = usage::memory(run.process.id())?.resident_mb;
        let (_moved, address) = watch::channel(run.base_url.clone());
        let (stop, stopped) = watch::channel(false);
        let customers = Customers::new(&outside, address, self.habits(), self.seed);
        let writers = customers.start(conversations, BOTS, &stopped);
        let counted_from = outside.now() + self.habits().ramp;
        let samples = self.watch(conversations, &run, &outside).await?;
        let counted = counted_from..outside.now();
        stop.send_replace(true);
        rest::until_posted(writers, PATIENCE).await;
        println!(
            "  {conversations} conversations: nobody writes any more; until all are answered ..."
        );
        let drained_seconds = self.drained(&outside).await;
        let parked = rest::parked(&run, &outside).await;
        let debounce = Duration::from_secs(self.debounce);
        Ok(Figures {
            conversations,
            drained_seconds,
            idle_mb,
            peak_mb: usage::memory(run.process.id())?.peak_mb,
            samples,
            ..outside.ledger(|ledger| Figures::of(ledger, counted, debounce, &parked))
        })
    }

    /// Waits until all are answered, and for what should not come; gives how long the former took, in seconds.
    async fn drained(&self, outside: &Outside) -> f64 {
        let began = Instant::now();
        rest::until_answered(outside, PATIENCE, |waiting| {
            println!("  {waiting} customers wait");
        })
        .await;
        let seconds = began.elapsed().as_secs_f64();
        // It would come within a debounce.
        tokio::time::sleep(Duration::from_secs(self.debounce + 2)).await;
        seconds
    }

    /// Looks at the system while customers write; says every few seconds how it goes.
    async fn watch(
        &self,
        conversations: u32,
        run: &OneMachine,
        outside: &Outside,
    ) -> anyhow::Result<Samples> {
        let pid = run.process.id();
        let (began, mut samples) = (Instant::now(), Samples::default());
        let end = began + Duration::from_secs(self.seconds);
        let mut told = (began, 0);
        let before = Cpu::read(pid)?;
        while Instant::now() < end {
            let next = (Instant::now() + Duration::from_secs(1)).min(end);
            tokio::time::sleep_until(next).await;
            samples.take(run, outside).await?;
            let since = told.0.elapsed();
            if since >= PROGRESS_EVERY {
                let replies = outside.ledger(|ledger| ledger.sends.len());
                let rate = (replies - told.1) as f64 / since.as_secs_f64();
                let seconds = began.elapsed().as_secs();
                println!(
                    "  {conversations} conversations, {seconds:>3} of {} s: {replies} replies, {rate:.1} a second now, {samples}",
                    self.seconds
                );
                told = (Instant::now(), replies);
            }
        }
        samples.cpu(&Cpu::read(pid)?.since(&before), began.elapsed());
        Ok(samples)
    }
}
