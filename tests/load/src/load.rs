//! Many conversations at once against the release build of the one-machine run: what is lost, how long replies take, what the
//! process uses.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tests::measure::{Latency, machine};
use tests::process::build;
use tests::process::folder::Folder;
use tests::process::one_machine::{OneMachine, Wish};
use tests::process::usage::Cpu;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::customers::{Customers, Habits};
use crate::outside::{Outside, Pace, bots_file};
use crate::report::{Conditions, Figures, Report};
use crate::rest;
use crate::samples::Samples;
use crate::verdict::Verdict;

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
/// Customers come one after the other over this time at most, so that they do not come in one wave.
const RAMP_MOST: Duration = Duration::from_secs(30);
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
        let mut runs = Vec::new();
        for conversations in &self.conversations {
            runs.push(self.one(&program, *conversations).await?);
        }
        let report = Report {
            machine: machine(),
            conditions: Conditions {
                seconds: self.seconds,
                pause_seconds: self.pause,
                model_median_ms: self.model_ms,
                debounce_seconds: self.debounce,
                max_concurrency: self.max_concurrency,
                bots: BOTS,
            },
            runs,
        };
        if let Some(file) = &self.json {
            let json = serde_json::to_string_pretty(&report)?;
            std::fs::write(file, json + "\n")
                .with_context(|| format!("{} cannot be written", file.display()))?;
        }
        Ok(report)
    }

    fn wish(&self, program: &Path, folder: &Folder, outside: &str) -> Wish {
        let bots = folder.write("bots.toml", &bots_file(BOTS));
        let wish = Wish::demo(&folder.path().join("data"))
            .program(program)
            .arg("--bots")
            .arg(&bots.to_string_lossy())
            .arg("--gateway-url")
            .arg(&format!("http://{outside}"))
            .set("OPENROUTER_BASE_URL", &format!("http://{outside}/api/v1"))
            .set("OPENROUTER_API_KEY", "sk-or-v1-load")
            .set("DEBOUNCE_SECONDS", &self.debounce.to_string())
            .set("LOG_LEVEL", "error")
            // A customer here may write more than ten bubbles a minute, and what is to be measured is not the limit.
            .set("RATE_LIMIT_MAX_MESSAGES", "100000");
        match self.max_concurrency {
            Some(most) => wish.arg("--max-concurrency").arg(&most.to_string()),
            None => wish,
        }
    }

    fn pace(&self) -> Pace {
        Pace {
            model: Latency {
                median: Duration::from_millis(self.model_ms),
                // 5 % take longer than 3.7 times the median, 1 % longer than 6.4 times.
                sigma: 0.8,
                most: Duration::from_millis(self.model_ms * 10),
            },
            gateway: Latency {
                median: Duration::from_millis(150),
                sigma: 0.6,
                most: Duration::from_secs(2),
            },
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
            ramp: RAMP_MOST.min(Duration::from_secs(self.seconds) / 4),
        }
    }

    async fn one(&self, program: &Path, conversations: u32) -> anyhow::Result<Figures> {
        println!("{conversations} conversations: starting ...");
        let folder = Folder::new();
        let outside = Outside::new(self.pace(), self.seed);
        let address = outside.serve().await.to_string();
        let run = self.wish(program, &folder, &address).start().await;
        let idle_mb = tests::process::usage::memory(run.process.id())?.resident_mb;
        let (_moved, address) = watch::channel(run.base_url.clone());
        let (stop, stopped) = watch::channel(false);
        let customers = Customers::new(&outside, address, self.habits(), self.seed);
        let writers = customers.start(conversations, BOTS, &stopped);
        let counted_from = outside.now() + self.habits().ramp;
        let samples = self.watch(conversations, &run, &outside).await?;
        let counted_to = outside.now();
        stop.send_replace(true);
        writers.join_all().await;
        println!(
            "  {conversations} conversations: nobody writes any more; until all are answered ..."
        );
        let stopped_at = Instant::now();
        rest::until_answered(&outside, PATIENCE).await;
        let drained_seconds = stopped_at.elapsed().as_secs_f64();
        // What should not come would come within a debounce.
        tokio::time::sleep(Duration::from_secs(self.debounce + 2)).await;
        let parked = rest::parked(&run, &outside).await;
        let peak_mb = tests::process::usage::memory(run.process.id())?.peak_mb;
        let debounce = Duration::from_secs(self.debounce);
        let figures = outside.ledger(|ledger| {
            let mut figures = Figures::of(ledger, counted_from..counted_to, debounce);
            figures.repeated_posts = ledger.repeated_posts();
            figures.verdict = Verdict::of(ledger, &parked);
            figures
        });
        Ok(Figures {
            conversations,
            drained_seconds,
            idle_mb,
            peak_mb,
            samples,
            ..figures
        })
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
