//! The report as people read it.

use std::fmt;

use crate::report::{Report, Row};

/// A column: its two lines of heading, and its figure.
type Column = (&'static str, &'static str, fn(&Row) -> String);

const COLUMNS: &[Column] = &[
    ("init", "ms", |row| format!("{:.2}", row.init_ms)),
    ("init", "cpu ms", |row| format!("{:.2}", row.init_cpu_ms)),
    ("unconn.", "ms", |row| format!("{:.2}", row.unconnected_ms)),
    ("unconn.", "cpu ms", |row| {
        format!("{:.2}", row.unconnected_cpu_ms)
    }),
    ("first", "ms", |row| format!("{:.2}", row.cold_ms)),
    ("first", "cpu ms", |row| format!("{:.2}", row.cold_cpu_ms)),
    ("warm p50", "ms", |row| format!("{:.2}", row.warm_p50_ms)),
    ("p99", "ms", |row| format!("{:.2}", row.warm_p99_ms)),
    ("warm", "cpu ms", |row| format!("{:.3}", row.warm_cpu_ms)),
    ("memory", "MB", |row| format!("{:.1}", row.peak_mb)),
    ("program", "MB", |row| {
        row.size
            .map_or_else(|| "-".to_owned(), |size| megabytes(size.bytes))
    }),
    ("archive", "MB", |row| {
        row.size
            .map_or_else(|| "-".to_owned(), |size| megabytes(size.zip_bytes))
    }),
];

fn megabytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1e6)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "machine: {}; {} rounds; load {:.1} at the beginning, {:.1} at the end\n",
            self.machine, self.rounds, self.load[0], self.load[1]
        )?;
        for line in [|column: &Column| column.0, |column: &Column| column.1] {
            write!(f, "{:<22}", "")?;
            for column in COLUMNS {
                write!(f, "{:>9}", line(column))?;
            }
            writeln!(f)?;
        }
        for row in &self.subjects {
            write!(f, "{:<22}", row.name)?;
            for (_, _, figure) in COLUMNS {
                write!(f, "{:>9}", figure(row))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "\ncalls of AWS for a warm event (bytes of each)")?;
        for row in &self.subjects {
            let calls: Vec<String> = row
                .calls
                .iter()
                .map(|(name, called)| format!("{name} {:.2} ({:.0})", called.times, called.bytes))
                .collect();
            writeln!(f, "{:<22}{}", row.name, calls.join(", "))?;
        }
        writeln!(f, "\n{:<72}{:>9}{:>9}", "target", "wanted", "got")?;
        for target in &self.targets {
            let sign = if target.is_least { ">=" } else { "<=" };
            let wanted = format!("{sign} {}", target.wanted);
            let missed = if target.is_reached() { "" } else { "  missed" };
            writeln!(
                f,
                "{:<72}{wanted:>9}{:>9.2}{missed}",
                target.what, target.got
            )?;
        }
        if let Some(concurrency) = &self.concurrency {
            write!(f, "\n{concurrency}")?;
        }
        Ok(())
    }
}
