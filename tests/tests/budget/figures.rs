//! What something cost, and how it is written down.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use tests::meter::{Asked, Place};

/// What something cost.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct Figures {
    /// Requests to AWS that our code makes, by operation. What Lambda itself asks of the queue is not among them.
    pub requests: BTreeMap<String, u64>,
    /// Write capacity units by the kind of key they are consumed at.
    pub write_units: BTreeMap<String, f64>,
    /// Read capacity units by the kind of key.
    pub read_units: BTreeMap<String, f64>,
    /// Invocations of the worker, and the records in them.
    pub invocations: u64,
    pub records: u64,
    /// Records that must come again.
    pub records_again: u64,
    /// Calls of a model, and the bytes of their bodies.
    pub model_calls: u64,
    pub model_bytes: u64,
    /// Tokens of the prompts, four characters a token.
    pub prompt_tokens: u64,
    /// Calls of the gateway: texts, read ticks, "typing…".
    pub gateway_calls: u64,
    /// Lines of log at INFO, and of metrics.
    pub log_lines: u64,
    pub log_bytes: u64,
    pub metric_lines: u64,
    pub metric_bytes: u64,
    /// Metrics that CloudWatch makes of those lines.
    pub metric_series: u64,
    /// By how much the table grew, where it was looked at; in bytes as AWS bills them.
    pub stored_bytes: i64,
}

impl Figures {
    /// The requests and units of these.
    pub fn of(asked: &[Asked]) -> Self {
        let mut figures = Self::default();
        for request in asked {
            *figures
                .requests
                .entry(request.operation.clone())
                .or_default() += 1;
            for charge in &request.charges {
                let units = match charge.is_write {
                    true => &mut figures.write_units,
                    false => &mut figures.read_units,
                };
                *units.entry(kind(&charge.place).to_owned()).or_default() += charge.units;
            }
        }
        figures
    }
}

/// What a key is of.
fn kind(place: &Place) -> &'static str {
    let prefix = place.partition.split('#').next().unwrap_or_default();
    match (place.index.as_deref(), prefix) {
        (None, "C") => "conversation",
        (None, "U") => "usage",
        (None, "B" | "G") => "settings",
        (None, "X") => "provider",
        (None, "A" | "O") => "access",
        (Some("by_activity"), "B") => "list of conversations",
        (Some("by_activity"), "T") => "list of turns",
        (Some("owed"), "W") => "owed shard",
        _ => panic!("a key of no known kind: {place:?}"),
    }
}

/// The text of `tests/budget.toml`.
pub fn written(all: &[(&str, Figures)]) -> String {
    let mut text = "# What each way of a message costs, measured by tests/tests/budget. Written by\n\
        # `CLIVY_WRITE_BUDGET=1 cargo test -p tests --test budget`; asserted without it. The scenes are described in\n\
        # tests/tests/budget/scenes.rs. Units are DynamoDB's capacity units, by the kind of key they are consumed at.\n"
        .to_owned();
    for (name, figures) in all {
        let counts = [
            ("invocations", figures.invocations),
            ("records", figures.records),
            ("records_again", figures.records_again),
            ("model_calls", figures.model_calls),
            ("model_bytes", figures.model_bytes),
            ("prompt_tokens", figures.prompt_tokens),
            ("gateway_calls", figures.gateway_calls),
            ("log_lines", figures.log_lines),
            ("log_bytes", figures.log_bytes),
            ("metric_lines", figures.metric_lines),
            ("metric_bytes", figures.metric_bytes),
            ("metric_series", figures.metric_series),
        ];
        writeln!(text, "\n[{name}]").unwrap();
        for (name, count) in counts {
            writeln!(text, "{name} = {count}").unwrap();
        }
        writeln!(text, "stored_bytes = {}", figures.stored_bytes).unwrap();
        let requests = figures
            .requests
            .iter()
            .map(|(name, n)| (name, n.to_string()));
        table(&mut text, "requests", requests);
        let units = |units: &BTreeMap<String, f64>| -> Vec<_> {
            let units = units.iter().map(|(k, n)| (k.clone(), format!("{n:.1}")));
            units.collect()
        };
        for (name, units) in [
            ("write_units", units(&figures.write_units)),
            ("read_units", units(&figures.read_units)),
        ] {
            table(&mut text, name, units.iter().map(|(k, n)| (k, n.clone())));
        }
    }
    text
}

fn table<'a>(text: &mut String, name: &str, rows: impl Iterator<Item = (&'a String, String)>) {
    let rows: Vec<String> = rows
        .map(|(key, value)| format!("{key:?} = {value}"))
        .collect();
    let rows = rows.join(", ");
    let space = if rows.is_empty() { "" } else { " " };
    writeln!(text, "{name} = {{{space}{rows}{space}}}").unwrap();
}
