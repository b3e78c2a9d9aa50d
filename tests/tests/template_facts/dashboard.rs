//! The dashboard: it is the one that the code would write, and everything on it exists.

use std::collections::BTreeSet;

use clivy::metrics::catalog;
use serde_json::{Value, json};
use tests::dashboard;
use tests::template::{Template, project_root};

use crate::measured::{self, Named, unsubbed};
use crate::{Check, Faults, holds, is_seen, project_template};

const BODY: &str = "/Resources/Dashboard/Properties/DashboardBody";

/// The dashboard of the template, as JSON whose texts still hold `${...}`.
fn body(template: &Template) -> Value {
    let text = template.document.pointer(BODY);
    let text = text.and_then(|body| body["Fn::Sub"].as_str());
    serde_json::from_str(text.unwrap_or_default()).unwrap_or_default()
}

fn properties(template: &Template) -> Vec<Value> {
    let widgets = body(template)["widgets"].as_array().cloned();
    let widgets = widgets.unwrap_or_default().into_iter();
    widgets.map(|widget| widget["properties"].clone()).collect()
}

/// The graphs' lines, each as it is written.
fn lines(template: &Template) -> Vec<Value> {
    properties(template)
        .iter()
        .filter_map(|properties| properties["metrics"].as_array().cloned())
        .flatten()
        .collect()
}

/// `SEARCH('{"namespace",dimension,...} MetricName="name"', ...)` as namespace, dimensions and name.
fn search(expression: &str) -> Option<(&str, Vec<&str>, &str)> {
    let (schema, rest) = expression.strip_prefix("SEARCH('{\"")?.split_once("} ")?;
    let (namespace, dimensions) = schema.split_once("\",")?;
    let (name, _) = rest.strip_prefix("MetricName=\"")?.split_once('"')?;
    Some((namespace, dimensions.split(',').collect(), name))
}

/// What is wrong with a line, and the name of its metric.
fn line_fault(template: &Template, line: &Value) -> (Option<String>, String) {
    if let Some(expression) = line[0]["expression"].as_str() {
        let Some((namespace, dimensions, name)) = search(expression) else {
            return (
                Some(format!("unknown expression {expression}")),
                String::new(),
            );
        };
        let known = catalog::all().into_iter().find(|entry| entry.name == name);
        let namespace = unsubbed(namespace);
        let own = template
            .document
            .pointer("/Globals/Function/Environment/Variables/METRICS_NAMESPACE");
        let is_right = known.is_some_and(|known| known.dimensions == dimensions);
        let is_right = is_right && own == Some(&namespace);
        let fault = (!is_right).then(|| format!("{name} of {dimensions:?} is searched for"));
        return (fault, name.to_owned());
    }
    let texts: Vec<&str> = line
        .as_array()
        .into_iter()
        .flatten()
        .map_while(Value::as_str)
        .collect();
    let (Some(namespace), Some(name)) = (texts.first(), texts.get(1)) else {
        return (Some(format!("{line} is no metric")), String::new());
    };
    let dimensions = texts[2..].chunks_exact(2);
    let named = Named {
        namespace: &unsubbed(namespace),
        name,
        dimensions: dimensions
            .map(|pair| (pair[0], unsubbed(pair[1])))
            .collect(),
    };
    (measured::fault(template, &named), (*name).to_owned())
}

fn everything_on_it_exists(template: &Template) -> Faults {
    let lines = lines(template);
    if lines.is_empty() {
        return vec!["the dashboard has no graphs".to_owned()];
    }
    lines
        .iter()
        .filter_map(|line| line_fault(template, line).0)
        .collect()
}

fn every_metric_and_function_is_on_it(template: &Template) -> Faults {
    let lines = lines(template);
    let shown: BTreeSet<String> = lines
        .iter()
        .map(|line| line_fault(template, line).1)
        .collect();
    let metrics = catalog::all()
        .into_iter()
        .map(|entry| entry.name.to_owned());
    let mut faults: Faults = metrics
        .filter(|name| !shown.contains(name))
        .map(|name| format!("{name} is on no graph"))
        .collect();
    for (id, _) in template.resources_of("AWS::Serverless::Function") {
        // It runs when somebody deploys, who sees its result there.
        if id == "Smoke" {
            continue;
        }
        for name in ["Errors", "Throttles", "Duration"] {
            let is_shown = lines
                .iter()
                .any(|line| line[1] == name && line[3] == format!("${{{id}}}"));
            if !is_shown {
                faults.push(format!("{name} of {id} are on no graph"));
            }
        }
    }
    faults
}

/// Within the 24 columns, and no widget over another.
fn widgets_have_their_own_places(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let mut taken = BTreeSet::new();
    for widget in body(template)["widgets"].as_array().into_iter().flatten() {
        let number = |name: &str| widget[name].as_u64().unwrap_or_default();
        let (x, y, width, height) = (number("x"), number("y"), number("width"), number("height"));
        let title = &widget["properties"]["title"];
        if width == 0 || height == 0 || x + width > 24 {
            faults.push(format!("{title} is not within the dashboard"));
        }
        for column in x..x + width {
            for row in y..y + height {
                if !taken.insert((column, row)) {
                    faults.push(format!("{title} covers another one"));
                }
            }
        }
    }
    faults
}

const ALL: [Check; 3] = [
    every_metric_and_function_is_on_it,
    everything_on_it_exists,
    widgets_have_their_own_places,
];

#[test]
fn the_dashboard_shows_what_exists_and_all_of_it() {
    ALL.into_iter().for_each(holds);
}

#[test]
fn the_dashboard_is_the_one_that_the_code_would_write() {
    let read = |path: &str| std::fs::read_to_string(project_root().join(path)).unwrap();
    let text = dashboard::text();
    let again = "cargo run -p tests --bin dashboard writes it anew";
    assert!(
        read("infra/dashboard.json") == text,
        "infra/dashboard.json is old: {again}"
    );
    let template = read("template.yaml");
    let written = dashboard::in_template(&template, &text).unwrap();
    assert!(
        written == template,
        "the template's dashboard is old: {again}"
    );
    // And it reads back as it was written.
    let parsed: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body(&project_template()), parsed);
}

#[test]
fn a_dashboard_that_shows_something_else_is_seen() {
    let text = dashboard::text();
    for (check, from, to, fault) in [
        (
            ALL[0],
            "oldest_owed_seconds",
            "oldest_owed",
            "oldest_owed_seconds is on no graph",
        ),
        (
            ALL[0],
            "${Credits}",
            "${Inbox}",
            "Errors of Credits are on no graph",
        ),
        (
            ALL[1],
            "oldest_owed_seconds",
            "oldest_owed",
            "no metric oldest_owed",
        ),
        (
            ALL[1],
            "type,user_tier",
            "user_tier,type",
            "is searched for",
        ),
        (ALL[1], "Clivy/${AWS::StackName}", "Clivy", "no metric"),
        (ALL[1], "\"openrouter\"", "\"openai\"", "provider is never"),
        (
            ALL[1],
            "${Queue.QueueName}",
            "${Queue.Arn}",
            "QueueName is not one of this stack",
        ),
        (
            ALL[1],
            "${InboxApi}",
            "${Inbox}",
            "ApiId is not one of this stack",
        ),
        (
            ALL[1],
            "\"Throttles\"",
            "\"Throttled\"",
            "no metric Throttled",
        ),
        (ALL[2], "\"width\":24", "\"width\":25", "not within"),
        (
            ALL[2],
            "\"x\":6,\"y\":1}",
            "\"x\":5,\"y\":1}",
            "covers another one",
        ),
    ] {
        assert!(text.contains(from), "{from} is not on the dashboard");
        let spoilt = json!({"Fn::Sub": text.replace(from, to)});
        is_seen(check, BODY, spoilt, fault);
    }
    is_seen(ALL[1], BODY, json!("{}"), "no graphs");
}
