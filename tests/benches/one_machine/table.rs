//! The report as people read it.

use std::fmt;

use crate::gateway::Faults;
use crate::report::{Floor, Report, Run};
use crate::system::Storage;

/// HTTP round trips that one burst costs: three webhooks, one question to the model, and four calls of the gateway
/// (read, typing, text, no longer typing).
const HTTP_PER_BURST: f64 = 8.0;
/// Conditional writes that one burst costs: three bubbles of two, three claims (the two that are superseded are
/// refused), the draft, and four in the commit.
const WRITES_PER_BURST: f64 = 14.0;

/// What is measured, the aim, and the figure of a run.
type Row = (&'static str, &'static str, fn(&Run, &Floor) -> String);

const ROWS: &[Row] = &[
    ("", "aim", |run, _| run.storage.to_owned()),
    (
        "bursts of 3 bubbles answered a second, sustained",
        ">= 200",
        |run, _| format!("{:.0}", run.sustained.bursts_per_second),
    ),
    (
        "  replies there, p50 after the debounce, ms",
        "",
        |run, _| format!("{:.0}", run.sustained.latency_p50_ms),
    ),
    (
        "  processor time of the system for a burst, ms",
        "",
        |run, _| format!("{:.2}", run.sustained.system_cpu_ms_per_burst),
    ),
    (
        "  processor time of this client for a burst, ms",
        "",
        |run, _| format!("{:.2}", run.sustained.client_cpu_ms_per_burst),
    ),
    ("  cores kept busy by both", "", |run, _| {
        format!("{:.2}", run.sustained.cores_used)
    }),
    ("  cores kept busy by other programs", "~ 0", |run, _| {
        format!("{:.2}", run.sustained.cores_of_others)
    }),
    ("  share of the HTTP floor", "", |run, floor| {
        percent(run.sustained.bursts_per_second * HTTP_PER_BURST / floor.http_per_second)
    }),
    ("  share of the DynamoDB floor", "", |run, floor| {
        percent(run.sustained.bursts_per_second * WRITES_PER_BURST / puts(run, floor))
    }),
    (
        "bursts of 3 bubbles that come a second, open loop",
        "50",
        |run, _| format!("{:.1}", run.steady.bursts_per_second),
    ),
    ("  reply - last bubble - debounce, p50, ms", "", |run, _| {
        format!("{:.1}", run.steady.p50_ms)
    }),
    (
        "  reply - last bubble - debounce, p95, ms",
        "<= 100",
        |run, _| format!("{:.1}", run.steady.p95_ms),
    ),
    ("  reply - last bubble - debounce, p99, ms", "", |run, _| {
        format!("{:.1}", run.steady.p99_ms)
    }),
    (
        "  reply - last bubble - debounce, slowest, ms",
        "",
        |run, _| format!("{:.1}", run.steady.max_ms),
    ),
    ("  webhook, slowest of three, p95, ms", "", |run, _| {
        format!("{:.1}", run.steady.webhook_p95_ms)
    }),
    ("  this client late by at most, ms", "", |run, _| {
        format!("{:.1}", run.steady.client_late_ms)
    }),
    ("  cores kept busy by both", "", |run, _| {
        format!("{:.2}", run.steady.cores_used)
    }),
    ("  cores kept busy by other programs", "~ 0", |run, _| {
        format!("{:.2}", run.steady.cores_of_others)
    }),
    ("memory idle, MB", "<= 80", |run, _| {
        format!("{:.1}", run.idle_mb)
    }),
    ("memory under load, at most, MB", "<= 200", |run, _| {
        format!("{:.1}", run.peak_mb)
    }),
    ("start, ms", "<= 1000", |run, _| {
        format!("{:.0}", run.start_ms)
    }),
    (
        "start on the data of the run, after a kill, ms",
        "",
        |run, _| {
            run.restart_ms
                .map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}"))
        },
    ),
    (
        "bursts lost, refused, or answered twice or wrongly",
        "0",
        |run, _| total(&run.faults).to_string(),
    ),
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "machine: {}; the client and the gateway of this bench share it\n",
            self.machine
        )?;
        for (what, aim, figure) in ROWS {
            write!(f, "{what:<50} {aim:>8}")?;
            for run in &self.runs {
                write!(f, " {:>10}", figure(run, &self.floor))?;
            }
            writeln!(f)?;
        }
        let Floor {
            http_per_second,
            puts_in_memory_per_second,
            puts_in_a_file_per_second,
        } = self.floor;
        writeln!(
            f,
            "\nfloor, a second: {http_per_second:.0} bare HTTP round trips ({HTTP_PER_BURST} a burst); conditional \
             puts of the bare\nDynamoDB engine ({WRITES_PER_BURST} writes a burst): \
             {puts_in_memory_per_second:.0} in memory, {puts_in_a_file_per_second:.0} in a file"
        )
    }
}

fn puts(run: &Run, floor: &Floor) -> f64 {
    if run.storage == Storage::Memory.name() {
        floor.puts_in_memory_per_second
    } else {
        floor.puts_in_a_file_per_second
    }
}

fn total(faults: &Faults) -> u64 {
    let Faults {
        lost,
        refused,
        repeated,
        second,
        unanswered,
        strangers,
    } = faults;
    lost + refused + repeated + second + unanswered + strangers
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
