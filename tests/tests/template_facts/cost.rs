//! `docs/COST.md` and `docs/SCALE.md` are computed for what the template deploys.

use serde_json::{Value, json};
use tests::template::{Template, project_root};

use crate::{Faults, holds, is_seen};

const MAPPING: &str = "/Resources/Worker/Properties/Events/Triggers/Properties";

/// `infra/cost/assumptions.toml`.
fn assumptions() -> Value {
    let path = project_root().join("infra/cost/assumptions.toml");
    let text = std::fs::read_to_string(path).unwrap();
    toml::from_str(&text).unwrap()
}

fn pages_are_of_this_template(template: &Template) -> Faults {
    let assumed = &assumptions()["template"];
    let at = |pointer: &str| {
        template
            .document
            .pointer(pointer)
            .cloned()
            .unwrap_or_default()
    };
    let memory = |function: &str| at(&format!("/Resources/{function}/Properties/MemorySize"));
    let breaker = |name: &str| {
        at(&format!(
            "/Resources/Worker/Properties/Environment/Variables/BREAKER_{name}"
        ))
    };
    [
        ("webhook_memory_mb", memory("Webhook")),
        ("worker_memory_mb", memory("Worker")),
        ("sweeper_memory_mb", memory("Sweeper")),
        ("credits_memory_mb", memory("Credits")),
        ("inbox_memory_mb", memory("Inbox")),
        ("batch_size", at(&format!("{MAPPING}/BatchSize"))),
        (
            "log_retention_days",
            at("/Parameters/LogRetentionDays/Default"),
        ),
        (
            "message_retention_days",
            at("/Parameters/MessageRetentionDays/Default"),
        ),
        ("breaker_max_failures", breaker("MAX_FAILURES")),
        ("breaker_cooldown_seconds", breaker("COOLDOWN_SECONDS")),
    ]
    .into_iter()
    .filter(|(name, there)| assumed[name] != *there)
    .map(|(name, there)| {
        let here = &assumed[name];
        format!("{name} is {there} in the template, and {here} in infra/cost/assumptions.toml")
    })
    .collect()
}

/// Without a maximum the mapping would go down to two pollers when idle, and the page counts five.
fn pollers_are_those_of_the_page(template: &Template) -> Faults {
    let limit = format!("{MAPPING}/ScalingConfig/MaximumConcurrency");
    let is_limited = template.document.pointer(&limit).is_some();
    let expected = if is_limited { 5 } else { 2 };
    let pollers = &assumptions()["idle"]["pollers"];
    let seconds = &assumptions()["idle"]["poll_seconds"];
    let waits = template
        .document
        .pointer("/Resources/Queue/Properties/ReceiveMessageWaitTimeSeconds");
    let mut faults = Faults::new();
    if *pollers != expected {
        faults.push(format!(
            "{pollers} pollers on the page, {expected} by the template"
        ));
    }
    if waits != Some(seconds) {
        faults.push(format!(
            "a poll waits {seconds} s on the page, {waits:?} by the template"
        ));
    }
    faults
}

#[test]
fn the_pages_on_cost_and_scale_are_of_this_template() {
    holds(pages_are_of_this_template);
    let pointer = "/Resources/Worker/Properties/MemorySize";
    is_seen(
        pages_are_of_this_template,
        pointer,
        json!(1024),
        "worker_memory_mb",
    );
    let pointer = format!("{MAPPING}/BatchSize");
    is_seen(pages_are_of_this_template, &pointer, json!(1), "batch_size");
    let pointer = "/Parameters/MessageRetentionDays/Default";
    is_seen(
        pages_are_of_this_template,
        pointer,
        json!(30),
        "message_retention_days",
    );
}

#[test]
fn the_idle_cost_is_that_of_this_queue() {
    holds(pollers_are_those_of_the_page);
    let limit = format!("{MAPPING}/ScalingConfig/MaximumConcurrency");
    is_seen(
        pollers_are_those_of_the_page,
        &limit,
        Value::Null,
        "pollers",
    );
    let waits = "/Resources/Queue/Properties/ReceiveMessageWaitTimeSeconds";
    is_seen(
        pollers_are_those_of_the_page,
        waits,
        json!(1),
        "a poll waits",
    );
}
