//! The figures of a load, as a table in Markdown and as JSON.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;
use tests::measure::percentile;

use crate::ledger::{Ledger, Turn};
use crate::samples::Samples;
use crate::verdict::{Parked, Verdict};

/// Some times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Half of all.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
    /// The longest.
    pub most: f64,
}

impl Spread {
    fn of(seconds: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = seconds.map(|seconds| seconds * 1_000.0).collect();
        let mut at = |share| percentile(&mut values, share);
        Self {
            p50: at(0.50),
            p95: at(0.95),
            p99: at(0.99),
            most: at(1.0),
        }
    }
}

/// One number of conversations.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// At once.
    pub conversations: u32,
    /// Turns that were counted: those begun between ramp and end.
    pub turns: usize,
    /// Of these in a second.
    pub turns_per_second: f64,
    /// Reply - last bubble - debounce - the model's time.
    pub overhead_ms: Spread,
    /// The part of it before the model is asked: how long a trigger that was due waited, and the claim.
    pub queue_age_ms: Spread,
    /// The part of it after the model's answer: draft and send.
    pub to_gateway_ms: Spread,
    /// The model's own time.
    pub model_ms: Spread,
    /// From the webhook's first post to its 200.
    pub webhook_ms: Spread,
    /// Webhooks that were posted again.
    pub repeated_posts: u64,
    /// After everybody had stopped writing, until the last was answered.
    pub drained_seconds: f64,
    /// Resident memory before any load, MB.
    pub idle_mb: f64,
    /// The most resident memory of the process, MB.
    pub peak_mb: f64,
    /// What was seen on the way.
    pub samples: Samples,
    /// Whether it adds up.
    pub verdict: Verdict,
}

impl Figures {
    /// What a run at rest has seen: the times of what began within `counted`, and whether all of it adds up.
    #[must_use]
    pub fn of(
        ledger: &Ledger,
        counted: Range<Duration>,
        debounce: Duration,
        parked: &Parked,
    ) -> Self {
        let turns: Vec<Turn> = ledger
            .turns()
            .filter(|turn| counted.contains(&turn.began))
            .collect();
        let spread = |time: fn(&Turn) -> f64, without: f64| {
            Spread::of(turns.iter().map(|turn| time(turn) - without))
        };
        let debounce = debounce.as_secs_f64();
        let bubbles = ledger.bubbles.values();
        let counted_bubbles = bubbles.filter(|bubble| counted.contains(&bubble.written));
        let webhooks = counted_bubbles.filter_map(|bubble| {
            let accepted = bubble.accepted?;
            Some(accepted.saturating_sub(bubble.written).as_secs_f64())
        });
        let seconds = counted.end.saturating_sub(counted.start).as_secs_f64();
        Self {
            turns: turns.len(),
            turns_per_second: turns.len() as f64 / seconds,
            overhead_ms: spread(|turn| turn.to_question + turn.to_gateway, debounce),
            queue_age_ms: spread(|turn| turn.to_question, debounce),
            to_gateway_ms: spread(|turn| turn.to_gateway, 0.0),
            model_ms: spread(|turn| turn.model, 0.0),
            webhook_ms: Spread::of(webhooks),
            repeated_posts: ledger.repeated_posts(),
            verdict: Verdict::of(ledger, parked),
            ..Self::default()
        }
    }
}

/// What the runs have in common.
#[derive(Clone, Debug, Serialize)]
pub struct Conditions {
    /// How long customers wrote.
    pub seconds: u64,
    /// Between an answer and the next burst, median.
    pub pause_seconds: u64,
    /// The model, median.
    pub model_median_ms: u64,
    /// `DEBOUNCE_SECONDS`.
    pub debounce_seconds: u64,
    /// Batches at once at most, where it is not as deployed.
    pub max_concurrency: Option<usize>,
    /// Bots that share the conversations.
    pub bots: u32,
}

/// All runs.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Processor, and how many of its cores this process may use.
    pub machine: String,
    /// What they have in common.
    pub conditions: Conditions,
    /// Each number of conversations.
    pub runs: Vec<Figures>,
}

impl Report {
    /// Nothing was lost, doubled or sent to somebody else.
    ///
    /// # Errors
    /// Something was.
    pub fn check(&self) -> anyhow::Result<()> {
        self.runs.iter().try_for_each(|run| run.verdict.check())
    }
}

type Row = (&'static str, fn(&Figures) -> String);

const ROWS: &[Row] = &[
    ("bubbles accepted", |run| run.verdict.accepted.to_string()),
    ("of these in exactly one answer", |run| {
        run.verdict.answered.to_string()
    }),
    ("of these met with one fallback text", |run| {
        run.verdict.parked.to_string()
    }),
    ("**lost**", |run| run.verdict.lost().to_string()),
    ("**doubled, changed, misdirected, out of order**", |run| {
        run.verdict.wrong().to_string()
    }),
    ("bubbles that never got 200", |run| {
        run.verdict.refused.to_string()
    }),
    ("sends repeated under their id", |run| {
        run.verdict.repeated_sends.to_string()
    }),
    ("webhooks posted again", |run| {
        run.repeated_posts.to_string()
    }),
    ("turns counted", |run| run.turns.to_string()),
    ("turns a second", |run| {
        format!("{:.1}", run.turns_per_second)
    }),
    (
        "**reply - last bubble - debounce - model, p50, ms**",
        |run| ms(run.overhead_ms.p50),
    ),
    ("p95, ms", |run| ms(run.overhead_ms.p95)),
    ("p99, ms", |run| ms(run.overhead_ms.p99)),
    ("longest, ms", |run| ms(run.overhead_ms.most)),
    ("queue age (due until the model is asked), p50, ms", |run| {
        ms(run.queue_age_ms.p50)
    }),
    ("p95, ms", |run| ms(run.queue_age_ms.p95)),
    ("p99, ms", |run| ms(run.queue_age_ms.p99)),
    ("longest, ms", |run| ms(run.queue_age_ms.most)),
    ("model's answer until the gateway, p95, ms", |run| {
        ms(run.to_gateway_ms.p95)
    }),
    ("model, p50 / p99, ms", |run| {
        format!("{} / {}", ms(run.model_ms.p50), ms(run.model_ms.p99))
    }),
    ("webhook until its 200, p50 / p99, ms", |run| {
        format!("{} / {}", ms(run.webhook_ms.p50), ms(run.webhook_ms.p99))
    }),
    ("triggers waiting, mean / most", |run| {
        let Samples {
            triggers_waiting_mean: mean,
            triggers_waiting_most: most,
            ..
        } = &run.samples;
        format!("{mean:.0} / {most}")
    }),
    ("triggers in flight, most", |run| {
        run.samples.triggers_in_flight_most.to_string()
    }),
    ("questions at the model at once, most", |run| {
        run.samples.questions_open_most.to_string()
    }),
    ("until the last was answered, s", |run| {
        format!("{:.1}", run.drained_seconds)
    }),
    ("memory idle / most, MB", |run| {
        format!("{:.0} / {:.0}", run.idle_mb, run.peak_mb)
    }),
    ("cores that the system wanted and did not get", |run| {
        format!("{:.2}", run.samples.cores_system_waited_for)
    }),
    ("cores: system / this client / others", |run| {
        let Samples {
            cores_system,
            cores_client,
            cores_others,
            ..
        } = &run.samples;
        format!("{cores_system:.2} / {cores_client:.2} / {cores_others:.2}")
    }),
];

fn ms(ms: f64) -> String {
    format!("{ms:.0}")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conditions {
            seconds,
            pause_seconds,
            model_median_ms,
            debounce_seconds,
            max_concurrency,
            bots,
        } = &self.conditions;
        let most = max_concurrency.map_or("as deployed".to_owned(), |most| most.to_string());
        writeln!(
            f,
            "Machine: {}, shared with this client. {bots} bots; bursts of 1-4 bubbles for {seconds} s, each after the answer to \
             the one before and a pause of {pause_seconds} s (median); model {model_median_ms} ms (median, lognormal, cut \
             at ten times that); debounce {debounce_seconds} s; batches at once: {most}.\n",
            self.machine
        )?;
        write!(f, "| conversations |")?;
        for run in &self.runs {
            write!(f, " {} |", run.conversations)?;
        }
        writeln!(f, "\n|---|{}", "---:|".repeat(self.runs.len()))?;
        for (what, figure) in ROWS {
            write!(f, "| {what} |")?;
            for run in &self.runs {
                write!(f, " {} |", figure(run))?;
            }
            writeln!(f)?;
        }
        let faults = self.runs.iter().flat_map(|run| &run.verdict.faults);
        faults
            .take(FAULTS_SHOWN)
            .try_for_each(|fault| writeln!(f, "\n{fault}"))
    }
}

const FAULTS_SHOWN: usize = 20;
