//! The dashboard of `template.yaml`, made from the catalog of metrics: what is renamed there is renamed here.
//!
//! Its text holds `${...}` of CloudFormation's `Fn::Sub`: names and the region are each stack's own. It is written inline
//! into the template, and to `infra/dashboard.json` for readers, by `cargo run -p tests --bin dashboard`.

mod graphs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The line of the template after which the dashboard begins, and how far its lines are indented.
const OPENING: &str = "      DashboardBody: !Sub |\n";
const INDENT: &str = "        ";
/// A dashboard is so wide; four widgets a row.
const COLUMNS: usize = 24;
const WIDTH: usize = 6;
const HEIGHT: usize = 6;

/// The widgets, row by row, each section under its heading.
#[must_use]
pub fn widgets() -> Vec<Value> {
    let sections = [
        ("Traffic", graphs::traffic()),
        ("Outcome", graphs::outcome()),
        ("Latency", graphs::latency()),
        ("Cost and tokens", graphs::cost()),
        ("Queue", graphs::queue()),
        ("Breaker and credits", graphs::providers()),
        ("Errors", graphs::errors()),
    ];
    let mut placed = Vec::new();
    let mut y = 0;
    for (heading, widgets) in sections {
        let text = json!({"type": "text", "properties": {"markdown": format!("## {heading}")}});
        placed.push(at(text, [0, y, COLUMNS, 1]));
        y += 1;
        let rows = widgets.len().div_ceil(COLUMNS / WIDTH);
        for (index, widget) in widgets.into_iter().enumerate() {
            let (row, column) = (index * WIDTH / COLUMNS, index * WIDTH % COLUMNS);
            placed.push(at(widget, [column, y + row * HEIGHT, WIDTH, HEIGHT]));
        }
        y += rows * HEIGHT;
    }
    placed
}

fn at(mut widget: Value, [x, y, width, height]: [usize; 4]) -> Value {
    if let Some(widget) = widget.as_object_mut() {
        for (name, number) in [("x", x), ("y", y), ("width", width), ("height", height)] {
            widget.insert(name.to_owned(), json!(number));
        }
    }
    widget
}

/// The dashboard's text: JSON, a widget a line, so that a change shows as the lines it changes.
#[must_use]
pub fn text() -> String {
    let widgets: Vec<String> = widgets().iter().map(Value::to_string).collect();
    format!("{{\"widgets\": [\n{}\n]}}\n", widgets.join(",\n"))
}

/// The template with `dashboard` in the place of the one that it has.
///
/// # Errors
/// It has no place for one.
pub fn in_template(template: &str, dashboard: &str) -> Result<String> {
    let (before, after) = template
        .split_once(OPENING)
        .context("the template has no DashboardBody: !Sub |")?;
    let mut written = format!("{before}{OPENING}");
    for line in dashboard.lines() {
        written.push_str(&format!("{INDENT}{line}\n"));
    }
    let rest = after
        .split_inclusive('\n')
        .skip_while(|line| line.starts_with(INDENT));
    written.extend(rest);
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "Resources:\n  D:\n    Properties:\n      DashboardBody: !Sub |\n        old\n        old\n\nOutputs: {}\n";

    #[test]
    fn the_old_dashboard_is_replaced_and_the_rest_stays() {
        let written = in_template(TEMPLATE, "{\n}\n").unwrap();
        let expected = TEMPLATE.replace("        old\n        old\n", "        {\n        }\n");
        assert_eq!(written, expected);
        assert_eq!(in_template(&written, "{\n}\n").unwrap(), expected);
    }

    #[test]
    fn a_template_without_a_place_for_it_is_an_error() {
        assert!(in_template("Resources: {}\n", "{}").is_err());
    }
}
