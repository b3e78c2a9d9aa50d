//! The figures as a table of Markdown.

use crate::Measured;
use crate::point::Point;

/// What it is called, its digits after the point, and where it stands.
type Row = (&'static str, usize, fn(&Point) -> f64);

const ROWS: [Row; 13] = [
    ("requests to AWS a message", 1, |at| at.requests),
    ("write units a message", 1, |at| at.write_units),
    ("read units a message", 1, |at| at.read_units),
    ("calls of the model a message", 2, |at| at.model_calls),
    ("tokens of prompts a message", 0, |at| at.prompt_tokens),
    ("DynamoDB and SQS, USD for 1,000 messages", 4, |at| {
        at.requests_usd
    }),
    ("the model, USD for 1,000 messages", 4, |at| at.tokens_usd),
    ("processor time a message, ms", 2, |at| at.cpu_ms),
    ("messages a second and core", 0, |at| 1_000.0 / at.cpu_ms),
    ("… in conditional puts of the engine alone", 1, |at| {
        at.cpu_ms / at.put_ms
    }),
    ("read units of a page of the list", 1, |at| {
        at.list_read_units
    }),
    ("read units of a page of the conversation", 1, |at| {
        at.thread_read_units
    }),
    ("read units of a sweep", 1, |at| at.sweep_read_units),
];

/// The table of one axis.
pub fn of(measured: &Measured) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let cells = |name: &str, of: &dyn Fn(&Point) -> String| -> Vec<String> {
        let values = measured.points.iter().map(of);
        std::iter::once(name.to_owned()).chain(values).collect()
    };
    let mut text = line(cells(measured.axis.label, &|point| {
        (measured.axis.place)(&point.size).to_string()
    }));
    text += &line(cells("---", &|_| "---".to_owned()));
    for (name, digits, of) in ROWS {
        text += &line(cells(name, &|point| format!("{:.digits$}", of(point))));
    }
    text
}
