//! The figures as a table of Markdown.

use crate::Measured;
use crate::point::Point;

type Row = (&'static str, fn(&Point) -> String);

const ROWS: [Row; 13] = [
    ("requests to AWS a message", |point| {
        rounded(point.requests, 1)
    }),
    ("write units a message", |point| {
        rounded(point.write_units, 1)
    }),
    ("read units a message", |point| rounded(point.read_units, 1)),
    ("calls of the model a message", |point| {
        rounded(point.model_calls, 2)
    }),
    ("tokens of prompts a message", |point| {
        rounded(point.prompt_tokens, 0)
    }),
    ("DynamoDB and SQS, USD for 1,000 messages", |point| {
        rounded(point.requests_usd, 4)
    }),
    ("the model, USD for 1,000 messages", |point| {
        rounded(point.tokens_usd, 4)
    }),
    ("processor time a message, ms", |point| {
        rounded(point.cpu_ms, 2)
    }),
    ("messages a second and core", |point| {
        rounded(1_000.0 / point.cpu_ms, 0)
    }),
    ("… in conditional puts of the engine alone", |point| {
        rounded(point.cpu_ms / point.put_ms, 1)
    }),
    ("read units of a page of the list", |point| {
        rounded(point.list_read_units, 1)
    }),
    ("read units of a page of the conversation", |point| {
        rounded(point.thread_read_units, 1)
    }),
    ("read units of a sweep", |point| {
        rounded(point.sweep_read_units, 1)
    }),
];

fn rounded(value: f64, digits: usize) -> String {
    format!("{value:.digits$}")
}

/// The table of one axis.
pub fn of(measured: &Measured) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let cells = |name: &str, of: &dyn Fn(&Point) -> String| -> Vec<String> {
        let values = measured.points.iter().map(of);
        std::iter::once(name.to_owned()).chain(values).collect()
    };
    let mut text = line(cells(measured.label, &|point| {
        (measured.place)(&point.size).to_string()
    }));
    text += &line(cells("---", &|_| "---".to_owned()));
    for (name, of) in ROWS {
        text += &line(cells(name, &of));
    }
    text
}
