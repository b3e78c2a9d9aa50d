//! The one-machine run has the queue and the mapping of the template.

use local::world::as_deployed;
use serde_json::{Value, json};
use tests::template::Template;

use crate::{Faults, holds, is_seen};

const QUEUE: &str = "/Resources/Queue/Properties";
const DLQ: &str = "/Resources/DeadLetterQueue/Properties";
const MAPPING: &str = "/Resources/Worker/Properties/Events/Triggers/Properties";

fn as_on_one_machine(template: &Template) -> Faults {
    let concurrency = "/Parameters/MaximumConcurrency/Default".to_owned();
    [
        (
            format!("{QUEUE}/VisibilityTimeout"),
            json!(as_deployed::VISIBILITY_TIMEOUT_SECONDS),
        ),
        (
            format!("{QUEUE}/MessageRetentionPeriod"),
            json!(as_deployed::RETENTION_SECONDS),
        ),
        (
            format!("{QUEUE}/RedrivePolicy/maxReceiveCount"),
            json!(as_deployed::MAX_RECEIVE_COUNT),
        ),
        (
            format!("{DLQ}/MessageRetentionPeriod"),
            json!(as_deployed::DLQ_RETENTION_SECONDS),
        ),
        (
            format!("{MAPPING}/BatchSize"),
            json!(as_deployed::BATCH_SIZE),
        ),
        (concurrency, json!(as_deployed::MAXIMUM_CONCURRENCY)),
    ]
    .into_iter()
    .filter_map(|(pointer, here)| {
        let there = template.document.pointer(&pointer).unwrap_or(&Value::Null);
        (*there != here).then(|| format!("{pointer} is {there}, and {here} on one machine"))
    })
    .collect()
}

#[test]
fn the_one_machine_run_has_the_queue_and_the_mapping_of_the_template() {
    holds(as_on_one_machine);
    for pointer in [
        format!("{QUEUE}/VisibilityTimeout"),
        format!("{MAPPING}/BatchSize"),
        "/Parameters/MaximumConcurrency/Default".to_owned(),
    ] {
        is_seen(as_on_one_machine, &pointer, json!(7), &pointer);
    }
}
