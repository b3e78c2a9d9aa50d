//! How what something cost is written down.

use std::collections::BTreeMap;
use std::fmt::Write;

use figures::budget::Scene;

/// The text of `tests/budget.toml`.
pub fn written(all: &[(&str, Scene)]) -> String {
    let mut text = "# What each way of a message costs, measured by tests/tests/budget. Written by\n\
        # `CLIVY_WRITE_BUDGET=1 cargo test -p tests --test budget`; asserted without it. The scenes are described in\n\
        # tests/tests/budget/scenes.rs. Units are DynamoDB's capacity units, by the kind of key they are consumed at.\n"
        .to_owned();
    for (name, scene) in all {
        let counts = [
            ("invocations", scene.invocations),
            ("records", scene.records),
            ("records_again", scene.records_again),
            ("model_calls", scene.model_calls),
            ("model_bytes", scene.model_bytes),
            ("prompt_characters", scene.prompt_characters),
            ("gateway_calls", scene.gateway_calls),
            ("log_lines", scene.log_lines),
            ("log_bytes", scene.log_bytes),
            ("metric_lines", scene.metric_lines),
            ("metric_bytes", scene.metric_bytes),
            ("metric_series", scene.metric_series),
        ];
        writeln!(text, "\n[{name}]").unwrap();
        for (name, count) in counts {
            writeln!(text, "{name} = {count}").unwrap();
        }
        writeln!(text, "stored_bytes = {}", scene.stored_bytes).unwrap();
        let requests = scene.requests.iter().map(|(name, n)| (name, n.to_string()));
        table(&mut text, "requests", requests);
        let units = |units: &BTreeMap<String, f64>| -> Vec<_> {
            let units = units.iter().map(|(k, n)| (k.clone(), format!("{n:.1}")));
            units.collect()
        };
        for (name, units) in [
            ("write_units", units(&scene.write_units)),
            ("read_units", units(&scene.read_units)),
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
