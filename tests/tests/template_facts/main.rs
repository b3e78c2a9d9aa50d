//! Facts about `template.yaml` that `sam validate` and `cfn-lint` do not see.
//!
//! A check is a function from the template to its faults. Each has one test on the project's template and, beside it,
//! tests that spoil the template in memory and see the check name the fault.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there; an index of JSON answers null"
)]

mod access;
mod alarm_entries;
mod alarms;
mod api;
mod as_deployed;
mod cost;
mod dashboard;
mod deployments;
mod functions;
mod inbox_day;
mod measured;
mod operators;
mod permissions;
mod queues;
mod references;
mod samconfig;
mod secrets;
mod settings;
mod table;
mod tracing;
mod watched;

use serde_json::Value;
use tests::template::Template;

/// What a check found wrong, one sentence each; empty when the fact holds.
type Faults = Vec<String>;
type Check = fn(&Template) -> Faults;

fn project_template() -> Template {
    match Template::load() {
        Ok(template) => template,
        Err(error) => panic!("template.yaml: {error:#}"),
    }
}

/// The project's template has no fault.
fn holds(check: Check) {
    assert_eq!(check(&project_template()), Faults::new());
}

/// With `value` put at `pointer` (null removes what is there), the check names a fault that contains `fault`.
fn is_seen(check: Check, pointer: &str, value: Value, fault: &str) {
    are_seen(check, &[(pointer, value)], fault);
}

fn are_seen(check: Check, changes: &[(&str, Value)], fault: &str) {
    let mut template = project_template();
    for (pointer, value) in changes {
        put(&mut template.document, pointer, value.clone());
    }
    let faults = check(&template);
    assert!(
        faults.iter().any(|found| found.contains(fault)),
        "expected a fault about {fault:?} after {changes:?}, found {faults:?}"
    );
}

/// Sets the value at a JSON pointer whose parent exists; null removes it.
fn put(document: &mut Value, pointer: &str, value: Value) {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        panic!("{pointer} is no JSON pointer");
    };
    match document.pointer_mut(parent) {
        Some(Value::Object(object)) if value.is_null() => {
            assert!(object.remove(key).is_some(), "nothing at {pointer}");
        }
        Some(Value::Object(object)) => {
            object.insert(key.to_owned(), value);
        }
        Some(Value::Array(items)) => match key.parse::<usize>() {
            Ok(index) if index < items.len() && value.is_null() => drop(items.remove(index)),
            Ok(index) if index < items.len() => items[index] = value,
            _ => items.push(value),
        },
        _ => panic!("nothing at {parent}"),
    }
}

/// The id that `{"Ref": id}` names.
fn ref_target(value: &Value) -> Option<&str> {
    value["Ref"].as_str()
}

/// The resource whose ARN `{"Fn::GetAtt": [id, "Arn"]}` names.
fn arn_target(value: &Value) -> Option<&str> {
    let path = &value["Fn::GetAtt"];
    (path[1] == "Arn").then(|| path[0].as_str()).flatten()
}

/// The topic whose ARN a value is: of topics, `Ref` gives it.
fn topic_target<'a>(template: &Template, value: &'a Value) -> Option<&'a str> {
    let id = ref_target(value)?;
    let is_topic = template.document["Resources"][id]["Type"] == "AWS::SNS::Topic";
    is_topic.then_some(id)
}

/// A string or a list of strings as a list.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
