//! Traces: on for who is on a message's way, off by one parameter.

use serde_json::{Value, json};
use tests::policy::allowed;
use tests::template::Template;

use crate::alarms::of;
use crate::{Faults, holds, is_seen};

/// Who is on a message's way.
const TRACED: [&str; 2] = ["webhook", "worker"];
const RIGHTS: [&str; 2] = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];

/// Without Lambda's own tracing there is no trace to join; without the rights its daemon sends nothing.
fn traces_are_on_together_and_off_together(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let switch = json!({"Ref": "Tracing"});
    let allowed = allowed(template);
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        let binary = function["Metadata"]["BuildProperties"]["Binary"].as_str();
        let binary = binary.unwrap_or_default();
        let is_traced = TRACED.contains(&binary);
        if is_traced != (*template.function_property(function, "Tracing") == switch) {
            faults.push(format!("{id}: Tracing is not by the parameter"));
        }
        let told = template.environment(function).remove("TRACING");
        if told.is_some_and(|told| told != switch) {
            faults.push(format!("{id} is told something else about Tracing"));
        }
        let rights = allowed.get(binary).into_iter().flatten();
        let of_xray: Vec<&str> = rights
            .map(|(action, _)| action.as_str())
            .filter(|action| action.starts_with("xray:"))
            .collect();
        let expected: &[&str] = if is_traced { &RIGHTS } else { &[] };
        if of_xray != expected {
            faults.push(format!("{id} may {of_xray:?}"));
        }
        for statement in statements(template, function) {
            let text = statement.to_string();
            if text.contains("xray:") && statement["Fn::If"][0] != "IsTraced" {
                faults.push(format!("{id} may send traces while they are off"));
            }
        }
    }
    if template.document["Conditions"]["IsTraced"]["Fn::Equals"] != json!([switch, "Active"]) {
        faults.push("IsTraced is not about Tracing".to_owned());
    }
    let values = &template.document["Parameters"]["Tracing"]["AllowedValues"];
    if *values != json!(["Active", "PassThrough"]) {
        faults.push("Tracing cannot be switched off".to_owned());
    }
    faults
}

/// As they are written, with their conditions.
fn statements<'a>(template: &'a Template, function: &Value) -> Vec<&'a Value> {
    let role = crate::arn_target(&function["Properties"]["Role"]).unwrap_or_default();
    let document = &template.properties(role)["Policies"][0]["PolicyDocument"];
    document["Statement"]
        .as_array()
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn a_trace_can_be_had_and_switched_off() {
    holds(traces_are_on_together_and_off_together);
}

#[test]
fn traces_that_are_half_on_are_seen() {
    let check = traces_are_on_together_and_off_together;
    let statements = of("WorkerRole", "Policies/0/PolicyDocument/Statement");
    let last = crate::project_template();
    let last = last
        .document
        .pointer(&statements)
        .unwrap()
        .as_array()
        .unwrap()
        .len()
        - 1;
    let always = json!({"Effect": "Allow", "Action": RIGHTS, "Resource": "*"});
    for (place, value, fault) in [
        (
            of("Webhook", "Tracing"),
            Value::Null,
            "Webhook: Tracing is not by",
        ),
        (
            of("Sweeper", "Tracing"),
            json!({"Ref": "Tracing"}),
            "Sweeper: Tracing is not by",
        ),
        (
            of("Worker", "Environment/Variables/TRACING"),
            json!("Active"),
            "Worker is told something else",
        ),
        (format!("{statements}/{last}"), Value::Null, "Worker may []"),
        (
            format!("{statements}/{last}"),
            always,
            "Worker may send traces while",
        ),
        (
            "/Conditions/IsTraced/Fn::Equals/1".to_owned(),
            json!("PassThrough"),
            "IsTraced is not",
        ),
        (
            "/Parameters/Tracing/AllowedValues".to_owned(),
            json!(["Active"]),
            "switched off",
        ),
    ] {
        is_seen(check, &place, value, fault);
    }
}
