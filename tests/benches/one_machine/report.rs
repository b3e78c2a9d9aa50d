//! The figures, as a table and as JSON.

use std::fmt;

use serde::Serialize;

use crate::gateway::Faults;

/// HTTP round trips that one burst costs: three webhooks, one question to the model, and four calls of the gateway
/// (read, typing, text, no longer typing).
const HTTP_PER_BURST: f64 = 8.0;
/// Conditional writes that one burst costs: three bubbles of two, three claims (the two that are superseded are
/// refused), the draft, and four in the commit.
const WRITES_PER_BURST: f64 = 14.0;

/// What this machine can do at most.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Floor {
    /// HTTP round trips of this client with a server that does nothing.
    pub http_per_second: f64,
    /// Conditional puts of the embedded DynamoDB, in memory.
    pub puts_in_memory_per_second: f64,
    /// The same in a file.
    pub puts_in_a_file_per_second: f64,
}

/// The closed loop.
#[derive(Clone, Debug, Serialize)]
pub struct Sustained {
    /// How long.
    pub seconds: f64,
    /// Bursts that waited for their reply at once.
    pub in_flight: usize,
    /// Bursts answered.
    pub bursts: usize,
    /// Bursts answered in a second.
    pub bursts_per_second: f64,
    /// Half of the replies came within this after last bubble and debounce.
    pub latency_p50_ms: f64,
    /// The system's processor time for a burst.
    pub system_cpu_ms_per_burst: f64,
    /// This client's.
    pub client_cpu_ms_per_burst: f64,
    /// Cores that both kept busy.
    pub cores_used: f64,
}

/// The open loop. All latencies: reply at the gateway - answer to the last bubble - debounce.
#[derive(Clone, Debug, Serialize)]
pub struct Steady {
    /// How long.
    pub seconds: f64,
    /// Bursts that came.
    pub bursts: usize,
    /// Bursts that came in a second.
    pub bursts_per_second: f64,
    /// Half of the replies.
    pub p50_ms: f64,
    /// 95 of 100.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// 95 of 100 bursts: the slowest webhook of its three.
    pub webhook_p95_ms: f64,
    /// How late this client began a burst, at most.
    pub client_late_ms: f64,
    /// Cores that both kept busy.
    pub cores_used: f64,
}

/// One start of the system.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Where the table was.
    pub storage: &'static str,
    /// From the start of the process to its greeting.
    pub start_ms: f64,
    /// The same on the data of this run, after a kill.
    pub restart_ms: Option<f64>,
    /// Resident memory before any load, MB.
    pub idle_mb: f64,
    /// The most resident memory, MB.
    pub peak_mb: f64,
    /// The closed loop.
    pub sustained: Sustained,
    /// The open loop.
    pub steady: Steady,
    /// What must be 0.
    pub faults: Faults,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Processor, and how many of its cores this process may use.
    pub machine: String,
    /// What this machine can do at most.
    pub floor: Floor,
    /// In memory, then in a file.
    pub runs: Vec<Run>,
}

impl Report {
    /// A report about this machine.
    pub fn new(floor: Floor, runs: Vec<Run>) -> Self {
        Self {
            machine: machine(),
            floor,
            runs,
        }
    }

    /// Every burst was answered, once.
    ///
    /// # Errors
    /// One was not.
    pub fn check(&self) -> anyhow::Result<()> {
        for Run {
            storage, faults, ..
        } in &self.runs
        {
            anyhow::ensure!(
                *faults == Faults::default(),
                "{storage}: not every burst got one answer: {faults:?}"
            );
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Floor {
            http_per_second: http,
            puts_in_memory_per_second: memory,
            puts_in_a_file_per_second: file,
        } = self.floor;
        writeln!(
            f,
            "machine: {}; the client and the gateway of this bench share it\n",
            self.machine
        )?;
        let mut line = |what: &str, aim: &str, value: &dyn Fn(&Run) -> String| {
            write!(f, "{what:<52} {aim:>8}")?;
            for run in &self.runs {
                write!(f, " {:>11}", value(run))?;
            }
            writeln!(f)
        };
        line("", "aim", &|run| run.storage.to_owned())?;
        line(
            "bursts of 3 bubbles answered a second, sustained",
            ">= 200",
            &|r| format!("{:.0}", r.sustained.bursts_per_second),
        )?;
        line("  replies there, p50 after the debounce, ms", "", &|r| {
            format!("{:.0}", r.sustained.latency_p50_ms)
        })?;
        line("  processor time of the system for a burst, ms", "", &|r| {
            format!("{:.2}", r.sustained.system_cpu_ms_per_burst)
        })?;
        line(
            "  processor time of this client for a burst, ms",
            "",
            &|r| format!("{:.2}", r.sustained.client_cpu_ms_per_burst),
        )?;
        line("  cores kept busy by both", "", &|r| {
            format!("{:.2}", r.sustained.cores_used)
        })?;
        line("bursts a second that come, open loop", "50", &|r| {
            format!("{:.1}", r.steady.bursts_per_second)
        })?;
        line("  reply - last bubble - debounce, p50, ms", "", &|r| {
            format!("{:.1}", r.steady.p50_ms)
        })?;
        line(
            "  reply - last bubble - debounce, p95, ms",
            "<= 100",
            &|r| format!("{:.1}", r.steady.p95_ms),
        )?;
        line("  reply - last bubble - debounce, p99, ms", "", &|r| {
            format!("{:.1}", r.steady.p99_ms)
        })?;
        line("  reply - last bubble - debounce, slowest, ms", "", &|r| {
            format!("{:.1}", r.steady.max_ms)
        })?;
        line("  webhook, slowest of three, p95, ms", "", &|r| {
            format!("{:.1}", r.steady.webhook_p95_ms)
        })?;
        line("  this client at most late, ms", "", &|r| {
            format!("{:.1}", r.steady.client_late_ms)
        })?;
        line("  cores kept busy by both", "", &|r| {
            format!("{:.2}", r.steady.cores_used)
        })?;
        line("memory idle, MB", "<= 80", &|r| format!("{:.1}", r.idle_mb))?;
        line("memory under load, at most, MB", "<= 200", &|r| {
            format!("{:.1}", r.peak_mb)
        })?;
        line("start, ms", "<= 1000", &|r| format!("{:.0}", r.start_ms))?;
        line("start on the data of the run, after a kill, ms", "", &|r| {
            r.restart_ms
                .map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}"))
        })?;
        line(
            "lost, refused, repeated, second or other replies",
            "0",
            &|r| {
                let Faults {
                    lost,
                    refused,
                    repeated,
                    second,
                    unanswered,
                    strangers,
                } = r.faults;
                (lost + refused + repeated + second + unanswered + strangers).to_string()
            },
        )?;
        line("share of the HTTP floor", "", &|r| {
            percent(r.sustained.bursts_per_second * HTTP_PER_BURST / http)
        })?;
        line("share of the DynamoDB floor", "", &|r| {
            let puts = if r.restart_ms.is_none() { memory } else { file };
            percent(r.sustained.bursts_per_second * WRITES_PER_BURST / puts)
        })?;
        writeln!(
            f,
            "\nfloor: {http:.0} bare HTTP round trips a second ({HTTP_PER_BURST} a burst); conditional puts of the \
             DynamoDB engine\nalone, a second ({WRITES_PER_BURST} writes a burst): {memory:.0} in memory, {file:.0} in a file"
        )
    }
}

/// The smallest value that `share` of all are not above; sorts them. NaN without values.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "{}, {cores} cores",
        name.map_or("unknown processor", |(_, name)| name)
    )
}
