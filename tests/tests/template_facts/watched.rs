//! What must be watched, and from which value on.

use std::collections::BTreeSet;

use clivy::llm::Provider;
use serde_json::{Value, json};
use tests::template::Template;

use crate::alarms::{alarms, of, watched};
use crate::{Check, Faults, holds, is_seen, measured, ref_target, strings};

/// Whether an alarm watches this metric of what `dimension` names: the last one of a metric's, since those before it only say
/// where that is.
fn is_watched(template: &Template, namespace: &str, name: &str, dimension: (&str, &Value)) -> bool {
    alarms(template).iter().any(|(_, alarm)| {
        watched(alarm).iter().any(|(metric, _)| {
            let last = metric.dimensions.last();
            metric.namespace == namespace
                && metric.name == name
                && last.is_some_and(|(name, value)| (*name, value) == dimension)
        })
    })
}

/// Of our own metrics: statistic, name, words of the dimensions.
const OURS: [&str; 10] = [
    "Maximum turns_without_outcome",
    "Sum sweeper_hits_total",
    "Maximum sweeper_failed_total",
    "Maximum sweeper_incomplete",
    "SampleCount sweeper_incomplete",
    "Minimum credits_remaining_usd",
    "SampleCount credits_alerts_total",
    "Sum webhook_unauthorized_total",
    "Sum webhook_turned_away_total",
    "SampleCount chatbot_http_request_duration_seconds webhook 2xx",
];

/// What an operator must not have to look for: of every function, API, provider, queue and index.
fn everything_is_watched(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let mut expect = |namespace: &str, name: &str, dimension: &str, value: Value| {
        if !is_watched(template, namespace, name, (dimension, &value)) {
            faults.push(format!("nobody watches {name} of {value}"));
        }
    };
    for (id, _) in template.resources_of("AWS::Serverless::Function") {
        // When it fails, so does the deployment that has asked it.
        if id == "Smoke" {
            continue;
        }
        for name in ["Errors", "Duration"] {
            expect("AWS/Lambda", name, "FunctionName", json!({"Ref": id}));
        }
    }
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        if !function["Properties"]["DeploymentPreference"].is_null() {
            let version = json!({"Fn::GetAtt": [id, "Version.Version"]});
            expect("AWS/Lambda", "Errors", "ExecutedVersion", version);
        }
    }
    for id in ["Webhook", "Worker"] {
        expect(
            "AWS/Lambda",
            "Throttles",
            "FunctionName",
            json!({"Ref": id}),
        );
    }
    for (id, _) in template.resources_of("AWS::Serverless::HttpApi") {
        expect("AWS/ApiGateway", "5xx", "ApiId", json!({"Ref": id}));
    }
    let name_of = |id: &str| json!({"Fn::GetAtt": [id, "QueueName"]});
    let (age, number) = (
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesVisible",
    );
    expect("AWS/SQS", age, "QueueName", name_of("Queue"));
    expect("AWS/SQS", number, "QueueName", name_of("DeadLetterQueue"));
    for name in ["ReadThrottleEvents", "WriteThrottleEvents"] {
        expect("AWS/DynamoDB", name, "TableName", json!({"Ref": "Table"}));
        for index in measured::indexes(template) {
            expect(
                "AWS/DynamoDB",
                name,
                "GlobalSecondaryIndexName",
                json!(index),
            );
        }
    }
    for operation in operations(template) {
        expect(
            "AWS/DynamoDB",
            "SystemErrors",
            "Operation",
            json!(operation),
        );
    }
    let watched: Vec<String> = alarms(template)
        .into_iter()
        .flat_map(|(_, alarm)| watched(alarm))
        .map(|(metric, statistic)| {
            let words = metric
                .dimensions
                .iter()
                .filter_map(|(_, word)| word.as_str());
            let first = [statistic.as_str().unwrap_or_default(), metric.name];
            first.into_iter().chain(words).collect::<Vec<_>>().join(" ")
        })
        .collect();
    let providers = [Provider::OpenRouter, Provider::Second];
    let breakers = providers.map(|provider| format!("Maximum breaker_state {}", provider.as_str()));
    let missing = OURS.map(str::to_owned).into_iter().chain(breakers);
    let missing = missing.filter(|wanted| !watched.contains(wanted));
    faults.extend(missing.map(|name| format!("nobody watches {name}")));
    faults
}

/// DynamoDB's operations that the functions' roles allow. A condition check is a part of a transaction, whose operation is
/// allowed by those of its parts.
fn operations(template: &Template) -> BTreeSet<String> {
    let mut operations: BTreeSet<String> = template
        .resources_of("AWS::Serverless::Function")
        .flat_map(|(_, function)| crate::access::statements(template, function))
        .flat_map(|statement| strings(&statement["Action"]))
        .filter_map(|action| action.strip_prefix("dynamodb:"))
        .map(str::to_owned)
        .collect();
    operations.remove("ConditionCheckItem");
    operations.insert("TransactWriteItems".to_owned());
    operations
}

/// 90 % of the function's timeout: late enough that it is no usual day, early enough that Lambda has not killed it yet.
fn durations_are_near_the_timeouts(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for (id, alarm) in alarms(template) {
        if alarm["MetricName"] != "Duration" {
            continue;
        }
        let function = ref_target(&alarm["Dimensions"][0]["Value"]).unwrap_or_default();
        let function = &template.document["Resources"][function];
        let timeout = template.function_property(function, "Timeout").as_i64();
        let expected = timeout.map(|seconds| seconds * 900);
        if alarm["Statistic"] != "Maximum" || alarm["Threshold"].as_i64() != expected {
            faults.push(format!("{id}: is not at 90 % of {timeout:?} s"));
        }
    }
    faults
}

const ALL: [Check; 2] = [everything_is_watched, durations_are_near_the_timeouts];

#[test]
fn alarms_watch_everything_that_can_fail() {
    ALL.into_iter().for_each(holds);
}

#[test]
fn what_nobody_watches_is_seen() {
    let check = everything_is_watched;
    for (id, _) in alarms(&crate::project_template()) {
        let alarm = format!("/Resources/{id}");
        is_seen(check, &alarm, Value::Null, "nobody watches");
    }
    let stranger = json!({"Type": "AWS::Serverless::Function"});
    is_seen(
        check,
        "/Resources/Stranger",
        stranger,
        "nobody watches Errors of {\"Ref\":\"Stranger\"}",
    );
    let index = "/Resources/Table/Properties/GlobalSecondaryIndexes/0/IndexName";
    is_seen(
        check,
        index,
        json!("by_name"),
        "nobody watches WriteThrottleEvents of \"by_name\"",
    );
    let one_more = "/Resources/SweeperRole/Properties/Policies/0/PolicyDocument/Statement/-";
    is_seen(
        check,
        one_more,
        json!({"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": "*"}),
        "nobody watches SystemErrors of \"Scan\"",
    );
}

#[test]
fn a_duration_that_does_not_follow_from_the_timeout_is_seen() {
    let check = durations_are_near_the_timeouts;
    for id in ["Webhook", "Worker", "Sweeper", "Credits", "Inbox"] {
        let timeout = format!("/Resources/{id}/Properties/Timeout");
        is_seen(check, &timeout, json!(7), &format!("{id}DurationAlarm"));
    }
    is_seen(
        check,
        &of("InboxDurationAlarm", "Statistic"),
        json!("Average"),
        "InboxDuration",
    );
}
