//! Queues, their dead-letter queues and what consumes them.

use serde_json::{Value, json};
use tests::template::Template;

use crate::{Check, Faults, arn_target, holds, is_seen};

/// A function that consumes a queue, by an event source mapping.
struct Consumer<'a> {
    function_id: &'a str,
    function: &'a Value,
    /// `Properties` of the event.
    mapping: &'a Value,
}

impl<'a> Consumer<'a> {
    fn all(template: &'a Template) -> Vec<Self> {
        template
            .resources_of("AWS::Serverless::Function")
            .flat_map(|(function_id, function)| {
                let events = function["Properties"]["Events"]
                    .as_object()
                    .into_iter()
                    .flatten();
                events
                    .filter(|(_, event)| event["Type"] == "SQS")
                    .map(move |(_, event)| Self {
                        function_id,
                        function,
                        mapping: &event["Properties"],
                    })
            })
            .collect()
    }

    fn queue<'t>(&self, template: &'t Template) -> &'t Value {
        template.properties(arn_target(&self.mapping["Queue"]).unwrap_or_default())
    }
}

/// A check of every consumer, which must be at least one: a fact about nothing would always hold.
fn of_each_consumer(template: &Template, check: impl Fn(&Consumer<'_>, &mut Faults)) -> Faults {
    let consumers = Consumer::all(template);
    let mut faults = Faults::new();
    if consumers.is_empty() {
        faults.push("no function consumes a queue".to_owned());
    }
    for consumer in &consumers {
        check(consumer, &mut faults);
    }
    faults
}

/// Lambda refuses a visibility timeout below the function's; AWS recommends six times it, for throttled batches.
fn visibility_is_six_times_the_consumers_timeout(template: &Template) -> Faults {
    of_each_consumer(template, |consumer, faults| {
        let timeout = template
            .function_property(consumer.function, "Timeout")
            .as_i64();
        let visibility = consumer.queue(template)["VisibilityTimeout"].as_i64();
        let (Some(timeout), Some(visibility)) = (timeout, visibility) else {
            faults.push(format!(
                "{}: timeout or visibility timeout is not a number",
                consumer.function_id
            ));
            return;
        };
        if visibility < 6 * timeout {
            faults.push(format!(
                "{}: visibility timeout {visibility} s is below six times the function's {timeout} s",
                consumer.function_id
            ));
        }
    })
}

/// A moved message keeps its age, so a DLQ with the queue's own retention would drop it early. Five receives at least:
/// throttled polls count too (I10).
fn dead_letters_are_kept_longer_than_triggers(template: &Template) -> Faults {
    of_each_consumer(template, |consumer, faults| {
        let queue = consumer.queue(template);
        let redrive = &queue["RedrivePolicy"];
        if redrive["maxReceiveCount"].as_i64().unwrap_or_default() < 5 {
            faults.push(format!(
                "{}: maxReceiveCount is below 5",
                consumer.function_id
            ));
        }
        let dead_letters = arn_target(&redrive["deadLetterTargetArn"]).unwrap_or_default();
        if template.document["Resources"][dead_letters]["Type"] != "AWS::SQS::Queue" {
            faults.push(format!(
                "{}: its queue has no dead-letter queue",
                consumer.function_id
            ));
        }
        let kept = template.properties(dead_letters)["MessageRetentionPeriod"].as_i64();
        let source = queue["MessageRetentionPeriod"].as_i64();
        if kept.is_none() || source.is_none() || kept <= source {
            faults.push(format!(
                "{}: dead letters are not kept longer than triggers",
                consumer.function_id
            ));
        }
    })
}

/// The worker counts on the queue's own limit to know its last receive.
fn the_worker_knows_the_receive_limit(template: &Template) -> Faults {
    of_each_consumer(template, |consumer, faults| {
        let told = template
            .environment(consumer.function)
            .remove("QUEUE_MAX_RECEIVE_COUNT");
        if told.as_ref() != Some(&consumer.queue(template)["RedrivePolicy"]["maxReceiveCount"]) {
            faults.push(format!(
                "{}: QUEUE_MAX_RECEIVE_COUNT is not maxReceiveCount",
                consumer.function_id
            ));
        }
    })
}

/// Without `ReportBatchItemFailures` returned failures are ignored, and the records with them (I1).
fn mappings_report_failures_and_limit_concurrency(template: &Template) -> Faults {
    of_each_consumer(template, |consumer, faults| {
        let mapping = consumer.mapping;
        if mapping["FunctionResponseTypes"] != json!(["ReportBatchItemFailures"]) {
            faults.push(format!(
                "{}: ReportBatchItemFailures is not set",
                consumer.function_id
            ));
        }
        let concurrency = template.number_range(&mapping["ScalingConfig"]["MaximumConcurrency"]);
        if !concurrency.is_some_and(|(least, most)| least >= 2 && most <= 1000) {
            faults.push(format!(
                "{}: MaximumConcurrency is not set within 2 to 1000",
                consumer.function_id
            ));
        }
        if !mapping["BatchSize"]
            .as_i64()
            .is_some_and(|size| (1..=10).contains(&size))
        {
            faults.push(format!(
                "{}: BatchSize is not 1 to 10",
                consumer.function_id
            ));
        }
        if mapping["MaximumBatchingWindowInSeconds"] != 0 {
            faults.push(format!(
                "{}: a batching window adds to the debounce",
                consumer.function_id
            ));
        }
    })
}

/// What customers wrote outlives a mistake with the stack (I1).
fn state_outlives_its_stack(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for kind in ["AWS::DynamoDB::Table", "AWS::SQS::Queue"] {
        if template.resources_of(kind).next().is_none() {
            faults.push(format!("no {kind}"));
        }
        for (id, resource) in template.resources_of(kind) {
            for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
                if resource[policy] != "Retain" {
                    faults.push(format!("{id}: {policy} is not Retain"));
                }
            }
        }
    }
    for (id, table) in template.resources_of("AWS::DynamoDB::Table") {
        let properties = &table["Properties"];
        if properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] != true {
            faults.push(format!("{id}: point-in-time recovery is off"));
        }
        if properties["TimeToLiveSpecification"]
            != json!({"AttributeName": "expires_at", "Enabled": true})
        {
            faults.push(format!("{id}: items do not expire by expires_at"));
        }
        if properties["BillingMode"] != "PAY_PER_REQUEST" {
            faults.push(format!("{id}: not on demand"));
        }
    }
    faults
}

const ALL: [Check; 5] = [
    visibility_is_six_times_the_consumers_timeout,
    dead_letters_are_kept_longer_than_triggers,
    the_worker_knows_the_receive_limit,
    mappings_report_failures_and_limit_concurrency,
    state_outlives_its_stack,
];

#[test]
fn queues_and_their_consumers_fit() {
    ALL.into_iter().for_each(holds);
}

#[test]
fn a_visibility_timeout_that_is_too_short_is_seen() {
    let check = visibility_is_six_times_the_consumers_timeout;
    is_seen(
        check,
        "/Resources/Queue/Properties/VisibilityTimeout",
        json!(1079),
        "below six times",
    );
    is_seen(
        check,
        "/Resources/Worker/Properties/Timeout",
        json!(181),
        "below six times",
    );
    is_seen(
        check,
        "/Resources/Queue/Properties/VisibilityTimeout",
        Value::Null,
        "not a number",
    );
}

#[test]
fn dead_letters_that_would_be_lost_are_seen() {
    let check = dead_letters_are_kept_longer_than_triggers;
    let retention = "/Resources/DeadLetterQueue/Properties/MessageRetentionPeriod";
    is_seen(check, retention, json!(345_600), "kept longer");
    is_seen(check, retention, Value::Null, "kept longer");
    is_seen(
        check,
        "/Resources/Queue/Properties/RedrivePolicy/maxReceiveCount",
        json!(4),
        "below 5",
    );
    is_seen(
        check,
        "/Resources/Queue/Properties/RedrivePolicy",
        Value::Null,
        "no dead-letter queue",
    );
}

#[test]
fn a_receive_limit_that_the_worker_does_not_know_is_seen() {
    let check = the_worker_knows_the_receive_limit;
    is_seen(
        check,
        "/Resources/Queue/Properties/RedrivePolicy/maxReceiveCount",
        json!(6),
        "QUEUE_MAX_RECEIVE_COUNT",
    );
    let setting = "/Resources/Worker/Properties/Environment/Variables/QUEUE_MAX_RECEIVE_COUNT";
    is_seen(check, setting, Value::Null, "QUEUE_MAX_RECEIVE_COUNT");
}

#[test]
fn a_mapping_that_loses_failures_is_seen() {
    let check = mappings_report_failures_and_limit_concurrency;
    let mapping = "/Resources/Worker/Properties/Events/Triggers/Properties";
    is_seen(
        check,
        &format!("{mapping}/FunctionResponseTypes"),
        Value::Null,
        "ReportBatchItemFailures",
    );
    is_seen(
        check,
        &format!("{mapping}/ScalingConfig"),
        Value::Null,
        "MaximumConcurrency",
    );
    is_seen(
        check,
        "/Parameters/MaximumConcurrency/MaxValue",
        json!(1001),
        "MaximumConcurrency",
    );
    is_seen(
        check,
        "/Parameters/MaximumConcurrency/MinValue",
        json!(1),
        "MaximumConcurrency",
    );
    is_seen(
        check,
        &format!("{mapping}/BatchSize"),
        json!(11),
        "BatchSize",
    );
    is_seen(
        check,
        &format!("{mapping}/MaximumBatchingWindowInSeconds"),
        json!(1),
        "batching window",
    );
}

#[test]
fn a_template_whose_queue_nobody_consumes_is_seen() {
    for check in &ALL[..4] {
        is_seen(
            *check,
            "/Resources/Worker/Properties/Events",
            json!({}),
            "no function consumes",
        );
    }
}

#[test]
fn state_that_a_stack_deletion_would_take_along_is_seen() {
    let check = state_outlives_its_stack;
    for id in ["Table", "Queue", "DeadLetterQueue"] {
        is_seen(
            check,
            &format!("/Resources/{id}/DeletionPolicy"),
            json!("Delete"),
            id,
        );
        is_seen(
            check,
            &format!("/Resources/{id}/UpdateReplacePolicy"),
            Value::Null,
            id,
        );
    }
    let table = "/Resources/Table/Properties";
    is_seen(
        check,
        &format!("{table}/PointInTimeRecoverySpecification"),
        Value::Null,
        "recovery",
    );
    is_seen(
        check,
        &format!("{table}/TimeToLiveSpecification/AttributeName"),
        json!("ttl"),
        "expire",
    );
    is_seen(
        check,
        &format!("{table}/BillingMode"),
        json!("PROVISIONED"),
        "on demand",
    );
    is_seen(
        check,
        "/Resources/Table",
        Value::Null,
        "no AWS::DynamoDB::Table",
    );
}
