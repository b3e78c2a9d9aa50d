//! How many turns one instance of the worker carries, by its memory and the size of its batches, and what that costs.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use figures::inputs::{Inputs, number};
use serde::Serialize;
use tests::measure::{Latency, Random, milliseconds, percentile};

use crate::instance::Instance;
use crate::limits::Limits;
use crate::stage::{Event, Stage, says_after};
use crate::subjects::Subject;

/// Memory of a function, in MB of 1,048,576 bytes.
const MEMORIES_MB: [u64; 3] = [128, 256, 512];
/// Records of a batch. More than 10 need a batching window on AWS.
const BATCHES: [usize; 7] = [1, 2, 5, 10, 20, 50, 100];
/// Batches of each size; the first one, in which the instance grows, does not count.
const REPEATED: usize = 4;
/// How long the model takes here: what a batch takes beyond it is ours.
const MODEL: Duration = Duration::from_secs(1);
/// How long it takes with the one customer whose answer is slow.
const SLOW_MODEL: Duration = Duration::from_secs(8);
/// Batches that are drawn for the mean of the slowest of a batch.
const DRAWN: usize = 20_000;

/// All of it.
#[derive(Debug, Serialize)]
pub struct Concurrency {
    /// By memory, then by size of batch.
    pub batches: Vec<Batch>,
    /// The slow turn.
    pub slow: Slow,
    /// The model's median and the mean of the slowest of a batch are from `infra/cost/assumptions.toml`: milliseconds.
    pub model_ms: f64,
}

/// A size of batch at a size of memory.
#[derive(Debug, Serialize)]
pub struct Batch {
    /// The function's memory.
    pub memory_mb: u64,
    /// Records, each of them a turn.
    pub turns: usize,
    /// What a batch takes beyond the model's time, in milliseconds.
    pub beyond_model_ms: f64,
    /// Processor time of a turn, in milliseconds of a whole core.
    pub cpu_ms: f64,
    /// The most memory the process has had, in MB of 1,000,000 bytes.
    pub peak_mb: f64,
    /// Turns that one instance ends in a second, with the model's times of the assumptions and full batches.
    pub turns_a_second: f64,
    /// What Lambda takes for 1,000 turns in full batches, in USD: time and requests.
    pub usd_per_1000: f64,
}

/// One slow turn among others in a batch.
#[derive(Debug, Serialize)]
pub struct Slow {
    /// Turns in the batch.
    pub turns: usize,
    /// The model's time with the slow one, in milliseconds.
    pub model_ms: f64,
    /// When the last reply of the others came, counted from the beginning of the batch.
    pub others_ms: f64,
    /// When the slow one's came.
    pub slow_ms: f64,
}

/// Measures `worker`. Needs control groups.
pub async fn measure(
    stage: &Stage,
    worker: &Subject,
    folder: &Path,
) -> anyhow::Result<Concurrency> {
    let inputs = Inputs::read(&figures::inputs::root())?;
    let wait = |name: &str| number(&inputs.assumed.waits, name);
    let model = Latency {
        median: Duration::from_secs_f64(wait("model")? / 1_000.0),
        sigma: wait("model_sigma")?,
        // The worker's own limit.
        most: Duration::from_secs(120),
    };
    stage.model_takes(MODEL);
    let mut batches = Vec::new();
    for memory_mb in MEMORIES_MB {
        for turns in BATCHES {
            eprint!("\rworker with {memory_mb} MB, batches of {turns}   ");
            let seen = batch(stage, worker, memory_mb, turns, folder).await?;
            let beyond_model_ms = percentile(&mut seen.beyond_ms.clone(), 0.5);
            let seconds = slowest_of(&model, turns) + beyond_model_ms / 1_000.0;
            batches.push(Batch {
                memory_mb,
                turns,
                beyond_model_ms,
                cpu_ms: seen.cpu_ms,
                peak_mb: seen.peak_mb,
                turns_a_second: turns as f64 / seconds,
                usd_per_1000: usd(&inputs, memory_mb, turns, seconds)?,
            });
        }
    }
    eprintln!();
    let slow = slow(stage, worker, folder).await?;
    Ok(Concurrency {
        batches,
        slow,
        model_ms: wait("model")?,
    })
}

/// The mean of the slowest of so many answers, in seconds.
fn slowest_of(model: &Latency, turns: usize) -> f64 {
    let mut random = Random::new(7);
    let mut slowest = || {
        (0..turns)
            .map(|_| model.draw(&mut random))
            .max()
            .unwrap_or_default()
            .as_secs_f64()
    };
    (0..DRAWN).map(|_| slowest()).sum::<f64>() / DRAWN as f64
}

/// What Lambda takes for 1,000 turns, beyond what is free.
fn usd(inputs: &Inputs, memory_mb: u64, turns: usize, seconds: f64) -> anyhow::Result<f64> {
    let invocations = 1_000.0 / turns as f64;
    let region = &inputs.prices.region;
    let time = region.cost(
        "lambda_gb_seconds_arm64",
        invocations * seconds * memory_mb as f64 / 1_024.0,
    )?;
    Ok(time + region.cost("lambda_requests", invocations)?)
}

struct Seen {
    beyond_ms: Vec<f64>,
    cpu_ms: f64,
    peak_mb: f64,
}

async fn batch(
    stage: &Stage,
    worker: &Subject,
    memory_mb: u64,
    turns: usize,
    folder: &Path,
) -> anyhow::Result<Seen> {
    let limits = Limits::new(memory_mb)?;
    let mut start = worker.start.clone();
    start.groups = limits.groups();
    let mut instance = Instance::start(&start, worker.timeout, &stage.trust, folder).await?;
    let (mut beyond_ms, mut cpu) = (Vec::new(), Duration::ZERO);
    for number in 0..REPEATED {
        let (customers, event) = stage.event(Event::Turns(turns)).await?;
        let (_, spent) = instance.invoke(event).await?;
        anyhow::ensure!(
            stage.are_answered(&customers),
            "not every customer has got one reply"
        );
        if number > 0 {
            beyond_ms.push(milliseconds(spent.time.saturating_sub(MODEL)));
            cpu += spent.cpu;
        }
    }
    let peak_mb = instance.peak_mb()?;
    instance.end().await?;
    let cpu_ms = milliseconds(cpu) / (turns * (REPEATED - 1)) as f64;
    Ok(Seen {
        beyond_ms,
        cpu_ms,
        peak_mb,
    })
}

/// A batch as deployed, in which the model is slow with one customer.
async fn slow(stage: &Stage, worker: &Subject, folder: &Path) -> anyhow::Result<Slow> {
    const TURNS: usize = crate::subjects::BATCH;
    let is_first = AtomicBool::new(true);
    stage.outside.model_follows(move |_| {
        let is_slow = is_first.swap(false, Ordering::Relaxed);
        Some(says_after(if is_slow { SLOW_MODEL } else { MODEL }))
    });
    let mut instance = Instance::start(&worker.start, worker.timeout, &stage.trust, folder).await?;
    let (_, event) = stage.event(Event::Turns(TURNS)).await?;
    let began = stage.since.elapsed();
    instance.invoke(event).await?;
    instance.end().await?;
    let mut replies: Vec<f64> = stage
        .outside
        .take_sends()
        .iter()
        .map(|reply| milliseconds(reply.at.saturating_sub(began)))
        .collect();
    anyhow::ensure!(
        replies.len() == TURNS,
        "not every customer has got one reply"
    );
    replies.sort_by(f64::total_cmp);
    let slow_ms = replies.pop().context("no reply")?;
    let others_ms = replies.pop().context("one reply")?;
    Ok(Slow {
        turns: TURNS,
        model_ms: milliseconds(SLOW_MODEL),
        others_ms,
        slow_ms,
    })
}

impl fmt::Display for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "one instance of the worker, with the memory and the share of a core that Lambda gives it"
        )?;
        writeln!(
            f,
            "{:>7}{:>7}{:>17}{:>13}{:>10}{:>9}{:>15}",
            "MB", "turns", "beyond model ms", "cpu ms/turn", "peak MB", "turns/s", "USD/1000 turns"
        )?;
        for batch in &self.batches {
            writeln!(
                f,
                "{:>7}{:>7}{:>17.0}{:>13.2}{:>10.1}{:>9.2}{:>15.5}",
                batch.memory_mb,
                batch.turns,
                batch.beyond_model_ms,
                batch.cpu_ms,
                batch.peak_mb,
                batch.turns_a_second,
                batch.usd_per_1000
            )?;
        }
        let slow = &self.slow;
        writeln!(
            f,
            "\na batch of {} with one answer that takes {:.0} ms: the others' last reply after {:.0} ms, the slow one's after {:.0} ms",
            slow.turns, slow.model_ms, slow.others_ms, slow.slow_ms
        )
    }
}
