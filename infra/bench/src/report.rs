//! The figures of a run, as they are written to JSON, and what they should be; `table` shows them.

use std::collections::BTreeMap;

use ::tests::measure::{machine, percentile};
use anyhow::Context;
use serde::Serialize;

use crate::calls::Called;
use crate::concurrency::Concurrency;
use crate::measure::{Measured, Round};
use crate::subjects::{Size, Subject};

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Processor, and how many of its cores this process may use.
    pub machine: String,
    /// Rounds.
    pub rounds: usize,
    /// Programs that waited for a core at the beginning and at the end, this bench included (the load of one minute).
    pub load: [f64; 2],
    /// One after the other.
    pub subjects: Vec<Row>,
    /// What the issue wants.
    pub targets: Vec<Target>,
    /// Instances with little memory, and batches.
    pub concurrency: Option<Concurrency>,
}

/// The figures of a subject: medians over all rounds, times in milliseconds, memory in MB of 1,000,000 bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// From the start of the process until it asks for an event.
    pub init_ms: f64,
    /// The processor time of that.
    pub init_cpu_ms: f64,
    /// The part of `init_ms` before its first connection.
    pub unconnected_ms: f64,
    /// The processor time of that.
    pub unconnected_cpu_ms: f64,
    /// The first event.
    pub cold_ms: f64,
    /// The processor time of that.
    pub cold_cpu_ms: f64,
    /// Half of the warm events took no longer.
    pub warm_p50_ms: f64,
    /// 99 of 100 warm events took no longer.
    pub warm_p99_ms: f64,
    /// The processor time of a warm event.
    pub warm_cpu_ms: f64,
    /// The most memory.
    pub peak_mb: f64,
    /// What is deployed.
    pub size: Option<Size>,
    /// Calls of AWS and their bytes, for one warm event.
    pub calls: BTreeMap<String, PerEvent>,
    /// Of every round, for whoever wants more than medians: init, its processor time, first event, warm median, processor
    /// time of a warm event.
    pub by_round: Vec<[f64; 5]>,
}

/// Calls for one warm event.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PerEvent {
    /// How many.
    pub times: f64,
    /// Bytes of a request's body, on average.
    pub bytes: f64,
}

/// What a figure should be, and what it is.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// What is compared.
    pub what: String,
    /// What it should be: at most, or at least where `is_least`.
    pub wanted: f64,
    /// Whether more is better.
    pub is_least: bool,
    /// What it is.
    pub got: f64,
}

impl Target {
    /// Whether it is reached.
    pub fn is_reached(&self) -> bool {
        if self.is_least {
            self.got >= self.wanted
        } else {
            self.got <= self.wanted
        }
    }
}

impl Report {
    /// Puts it together.
    pub fn new(
        subjects: &[Subject],
        measured: &[Measured],
        load: [f64; 2],
        concurrency: Option<Concurrency>,
    ) -> anyhow::Result<Self> {
        let rows: Vec<Row> = subjects
            .iter()
            .zip(measured)
            .map(|(subject, measured)| Row::new(subject, measured))
            .collect();
        let compared = Compared {
            rows: &rows,
            measured,
        };
        Ok(Self {
            machine: machine(),
            rounds: measured.first().map_or(0, |measured| measured.rounds.len()),
            load,
            targets: targets(&compared)?,
            subjects: rows,
            concurrency,
        })
    }
}

impl Row {
    fn new(subject: &Subject, measured: &Measured) -> Self {
        let rounds = &measured.rounds;
        let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
        let mut warm: Vec<f64> = rounds
            .iter()
            .flat_map(|round| round.warm.iter().copied())
            .collect();
        let (calls, events) = &measured.calls;
        Self {
            name: subject.name,
            init_ms: of(|round| round.init),
            init_cpu_ms: of(|round| round.init_cpu),
            unconnected_ms: of(|round| round.unconnected),
            unconnected_cpu_ms: of(|round| round.unconnected_cpu),
            cold_ms: of(|round| round.cold),
            cold_cpu_ms: of(|round| round.cold_cpu),
            warm_p50_ms: percentile(&mut warm, 0.5),
            warm_p99_ms: percentile(&mut warm, 0.99),
            warm_cpu_ms: of(|round| round.warm_cpu),
            peak_mb: of(|round| round.peak_mb),
            size: subject.size,
            calls: calls
                .iter()
                .map(|(name, called)| (name.clone(), PerEvent::of(*called, *events)))
                .collect(),
            by_round: rounds
                .iter()
                .map(|round| {
                    [
                        round.init,
                        round.init_cpu,
                        round.cold,
                        round.warm_median(),
                        round.warm_cpu,
                    ]
                })
                .collect(),
        }
    }
}

impl PerEvent {
    fn of(called: Called, events: usize) -> Self {
        Self {
            times: called.times as f64 / events as f64,
            bytes: called.bytes as f64 / called.times as f64,
        }
    }
}

impl Round {
    fn warm_median(&self) -> f64 {
        median(self.warm.iter().copied())
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    percentile(&mut values.collect::<Vec<_>>(), 0.5)
}

/// A figure of a round.
type Figure = fn(&Round) -> f64;

/// The subjects beside each other.
struct Compared<'a> {
    rows: &'a [Row],
    measured: &'a [Measured],
}

impl Compared<'_> {
    fn find(&self, name: &str) -> anyhow::Result<(&Row, &[Round])> {
        let found = self
            .rows
            .iter()
            .zip(self.measured)
            .find(|(row, _)| row.name == name);
        found
            .map(|(row, measured)| (row, measured.rounds.as_slice()))
            .with_context(|| format!("{name} was not measured"))
    }

    /// The median over the rounds of the ratio within a round: what else ran then was the same for both.
    fn ratio(&self, of: (&str, Figure), to: (&str, Figure)) -> anyhow::Result<f64> {
        let (_, these) = self.find(of.0)?;
        let (_, those) = self.find(to.0)?;
        Ok(median(
            these
                .iter()
                .zip(those)
                .map(|(this, that)| of.1(this) / to.1(that)),
        ))
    }
}

/// The twins, where they were measured.
const PEERS: [&str; 2] = ["Node 20, SDK v3", "Python 3.11, boto3"];

/// What the issue wants, in its order.
fn targets(compared: &Compared<'_>) -> anyhow::Result<Vec<Target>> {
    let mut all = starts(compared)?;
    all.extend(events(compared)?);
    all.extend(sizes(compared)?);
    for peer in PEERS.into_iter().filter(|peer| compared.find(peer).is_ok()) {
        all.extend(twin(compared, peer)?);
    }
    Ok(all)
}

fn at_most(what: impl Into<String>, wanted: f64, got: f64) -> Target {
    Target {
        what: what.into(),
        wanted,
        is_least: false,
        got,
    }
}

/// Init without and with its connections, beside a hello world's.
fn starts(compared: &Compared<'_>) -> anyhow::Result<Vec<Target>> {
    /// Part of init, its time and processor time, and how many times a hello world's whole init it may be.
    type Part = (&'static str, Figure, Figure, f64);
    const PARTS: [Part; 2] = [
        (
            "init before connections",
            |round| round.unconnected,
            |round| round.unconnected_cpu,
            2.0,
        ),
        (
            "init with its connections",
            |round| round.init,
            |round| round.init_cpu,
            4.0,
        ),
    ];
    let mut all = Vec::new();
    for (part, time, cpu, wanted) in PARTS {
        for (name, hello) in [("webhook", "hello_http"), ("worker", "hello_runtime")] {
            let what = format!("{name}: {part}, of {hello}'s init");
            let time = compared.ratio((name, time), (hello, |round| round.init))?;
            let cpu = compared.ratio((name, cpu), (hello, |round| round.init_cpu))?;
            all.push(at_most(format!("{what}, time"), wanted, time));
            all.push(at_most(format!("{what}, processor"), wanted, cpu));
        }
    }
    Ok(all)
}

/// First and warm events, beside each other and beside their calls alone.
fn events(compared: &Compared<'_>) -> anyhow::Result<Vec<Target>> {
    let mut all = Vec::new();
    for name in ["webhook", "worker"] {
        let got = compared.ratio((name, |round| round.cold), (name, Round::warm_median))?;
        let what = format!("{name}: first event, of its warm events");
        all.push(at_most(what, 2.0, got));
    }
    let warm: [(&str, Figure); 2] = [
        ("time", Round::warm_median),
        ("processor", |round| round.warm_cpu),
    ];
    for (kind, figure) in warm {
        let got = compared.ratio(("webhook", figure), ("raw_webhook", figure))?;
        let what = format!("webhook: warm event, of its calls alone, {kind}");
        all.push(at_most(what, 1.15, got));
    }
    let beyond =
        compared.find("worker")?.0.warm_cpu_ms - compared.find("raw_worker")?.0.warm_cpu_ms;
    let what = "worker: processor time of a turn beyond its calls, ms";
    all.push(at_most(what, 1.0, beyond));
    Ok(all)
}

/// Memory and archives.
fn sizes(compared: &Compared<'_>) -> anyhow::Result<Vec<Target>> {
    let (webhook, worker) = (compared.find("webhook")?.0, compared.find("worker")?.0);
    let batch = compared.find("worker, batches of 10")?.0;
    let mut all = vec![
        at_most("webhook: memory, MB", 12.0, webhook.peak_mb),
        at_most(
            "worker: memory with 10 turns at once, MB",
            24.0,
            batch.peak_mb,
        ),
    ];
    for (row, wanted) in [(webhook, 3.5), (worker, 4.5)] {
        let zip = row.size.context("no size")?.zip_bytes;
        let what = format!("{}: archive, MB", row.name);
        all.push(at_most(what, wanted, zip as f64 / 1e6));
    }
    Ok(all)
}

/// How many times the webhook's start and memory a twin needs.
fn twin(compared: &Compared<'_>, peer: &str) -> anyhow::Result<[Target; 2]> {
    let start: Figure = |round| round.init + round.cold;
    let memory: Figure = |round| round.peak_mb;
    let more = |what: &str, wanted, figure| {
        anyhow::Ok(Target {
            what: format!("{peer}: {what}, of the webhook's"),
            wanted,
            is_least: true,
            got: compared.ratio((peer, figure), ("webhook", figure))?,
        })
    };
    Ok([
        more("init and first event", 20.0, start)?,
        more("memory", 5.0, memory)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(is_least: bool, got: f64) -> Target {
        Target {
            what: String::new(),
            wanted: 2.0,
            is_least,
            got,
        }
    }

    #[test]
    fn a_target_is_a_ceiling_unless_more_is_better_and_a_figure_that_is_none_misses_it() {
        assert!(target(false, 2.0).is_reached() && !target(false, 2.1).is_reached());
        assert!(target(true, 2.0).is_reached() && !target(true, 1.9).is_reached());
        assert!(!target(false, f64::NAN).is_reached() && !target(true, f64::NAN).is_reached());
    }

    #[test]
    fn a_ratio_is_taken_within_each_round_so_that_a_busy_round_falls_on_both() {
        let rounds = |cold: [f64; 3]| Measured {
            rounds: cold
                .map(|cold| Round {
                    cold,
                    ..Round::default()
                })
                .to_vec(),
            ..Measured::default()
        };
        // The machine was ten times slower in the last round.
        let measured = [rounds([2.0, 2.2, 20.0]), rounds([1.0, 1.1, 10.0])];
        let rows: Vec<Row> = ["this", "that"]
            .into_iter()
            .zip(&measured)
            .map(|(name, measured)| row(name, measured))
            .collect();
        let compared = Compared {
            rows: &rows,
            measured: &measured,
        };
        let ratio = compared
            .ratio(("this", |round| round.cold), ("that", |round| round.cold))
            .unwrap();
        assert!((ratio - 2.0).abs() < 1e-9, "{ratio}");
        assert!(
            compared
                .ratio(("nobody", |round| round.cold), ("that", |round| round.cold))
                .is_err()
        );
    }

    fn row(name: &'static str, measured: &Measured) -> Row {
        let subject = Subject {
            name,
            start: crate::process::Start {
                program: "/bin/true".into(),
                arguments: Vec::new(),
                environment: Vec::new(),
                groups: Vec::new(),
            },
            event: crate::stage::Event::Message,
            answers: crate::subjects::Answers::Anything,
            timeout: std::time::Duration::ZERO,
            warm: 0,
            waits: std::time::Duration::ZERO,
            size: None,
        };
        Row::new(&subject, measured)
    }
}
