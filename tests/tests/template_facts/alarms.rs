//! Alarms: they watch what exists, and tell somebody. What must be watched is in `watched.rs`.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::template::Template;

use crate::measured::{self, Named};
use crate::{Check, Faults, holds, is_seen, ref_target, strings, topic_target};

/// All alarms, by id, with their properties.
pub fn alarms(template: &Template) -> Vec<(&str, &Value)> {
    template
        .section("Resources")
        .filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm")
        .map(|(id, alarm)| (id, &alarm["Properties"]))
        .collect()
}

/// The metrics that an alarm watches: its own, or those under its expression. The statistic is with them.
pub fn watched(alarm: &Value) -> Vec<(Named<'_>, &Value)> {
    let of_math = alarm["Metrics"].as_array().into_iter().flatten();
    let of_math = of_math
        .map(|part| &part["MetricStat"])
        .filter(|stat| !stat.is_null())
        .map(|stat| (named(&stat["Metric"]), &stat["Stat"]));
    let own = (!alarm["MetricName"].is_null()).then(|| (named(alarm), &alarm["Statistic"]));
    of_math.chain(own).collect()
}

fn named(metric: &Value) -> Named<'_> {
    let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
    Named {
        namespace: &metric["Namespace"],
        name: metric["MetricName"].as_str().unwrap_or_default(),
        dimensions: dimensions
            .map(|pair| {
                (
                    pair["Name"].as_str().unwrap_or_default(),
                    pair["Value"].clone(),
                )
            })
            .collect(),
    }
}

fn each_alarm_watches_what_exists(template: &Template) -> Faults {
    let mut faults = measured::filter_faults(template);
    for (id, alarm) in alarms(template) {
        let metrics = watched(alarm);
        if metrics.is_empty() {
            faults.push(format!("{id} watches nothing"));
        }
        for (metric, _) in metrics {
            faults.extend(measured::fault(template, &metric).map(|fault| format!("{id}: {fault}")));
        }
        let shown = alarm["Metrics"].as_array().into_iter().flatten();
        let shown = shown.filter(|part| part["ReturnData"] != false);
        let expressions: Vec<&Value> = shown.map(|part| &part["Expression"]).collect();
        if !alarm["Metrics"].is_null() && expressions != [&json!("SUM(METRICS())")] {
            faults.push(format!("{id}: is not about the sum of its metrics alone"));
        }
    }
    faults
}

/// Somebody is told when it begins and when it is over, and it is said on purpose what a missing value means.
fn each_alarm_tells_somebody(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let mut names = BTreeSet::new();
    for (id, alarm) in alarms(template) {
        for actions in ["AlarmActions", "OKActions"] {
            let told = alarm[actions].as_array();
            let is_told =
                |told: &Vec<Value>| told.len() == 1 && topic_target(template, &told[0]).is_some();
            if !told.is_some_and(is_told) || alarm["ActionsEnabled"] == false {
                faults.push(format!("{id}: {actions} tell nobody"));
            }
        }
        let missing = alarm["TreatMissingData"].as_str().unwrap_or_default();
        // A value that is the sign of life is counted, and its absence is the alarm; nothing else is alarming when absent.
        let is_sign_of_life = watched(alarm)
            .iter()
            .all(|(_, statistic)| *statistic == "SampleCount")
            && alarm["ComparisonOperator"] == "LessThanThreshold";
        let is_right = match missing {
            "breaching" => is_sign_of_life,
            "ignore" | "notBreaching" => !is_sign_of_life,
            _ => false,
        };
        if !is_right {
            faults.push(format!("{id}: a missing value is taken for {missing:?}"));
        }
        let name = alarm["AlarmName"]["Fn::Sub"].as_str().unwrap_or_default();
        if !name.starts_with("${AWS::StackName}-") || !names.insert(name) {
            faults.push(format!("{id}: has no name of its own under the stack's"));
        }
    }
    faults
}

/// CloudWatch looks back one day, or seven if the periods are of an hour or more.
fn no_alarm_looks_back_too_far(template: &Template) -> Faults {
    const DAY: i64 = 86_400;
    let fault = |(id, alarm): (&str, &Value)| {
        let of_math = alarm["Metrics"].as_array().into_iter().flatten();
        let of_math = of_math.filter_map(|part| part["MetricStat"]["Period"].as_i64());
        let period = alarm["Period"].as_i64().into_iter().chain(of_math).max()?;
        let (_, periods) = template.number_range(&alarm["EvaluationPeriods"])?;
        let longest = if period < 3_600 { DAY } else { 7 * DAY };
        (period * periods > longest).then(|| format!("{id} looks back {} s", period * periods))
    };
    alarms(template).into_iter().filter_map(fault).collect()
}

/// Any account's alarms are CloudWatch's: the policy says that only this stack's are meant.
fn is_narrow(document: &Value) -> bool {
    let statements = document["Statement"].as_array();
    statements.is_some_and(|statements| {
        statements.iter().all(|statement| {
            let alarms = statement["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].as_str();
            alarms.is_some_and(|alarms| {
                alarms.ends_with(":${AWS::AccountId}:alarm:${AWS::StackName}-*")
            })
        })
    })
}

/// CloudWatch is a service, not a role of this account: the topic's own policy must let it in, and so must the policy of
/// a key that the topic is encrypted with. AWS's own key for SNS has none that could.
fn alarms_may_publish(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let topics: BTreeSet<&str> = alarms(template)
        .into_iter()
        .filter_map(|(_, alarm)| topic_target(template, &alarm["AlarmActions"][0]))
        .collect();
    for topic in topics {
        let lets = |document: &Value, action: &str| {
            let statements = document["Statement"].as_array().into_iter().flatten();
            statements.into_iter().any(|statement| {
                statement["Effect"] == "Allow"
                    && strings(&statement["Principal"]["Service"])
                        .contains(&"cloudwatch.amazonaws.com")
                    && strings(&statement["Action"]).contains(&action)
            })
        };
        let has_policy = template
            .resources_of("AWS::SNS::TopicPolicy")
            .any(|(_, policy)| {
                let policy = &policy["Properties"];
                let topics = policy["Topics"].as_array().into_iter().flatten();
                let is_of_topic = topics.filter_map(ref_target).any(|one| one == topic);
                is_of_topic
                    && is_narrow(&policy["PolicyDocument"])
                    && lets(&policy["PolicyDocument"], "sns:Publish")
            });
        if !has_policy {
            faults.push(format!("{topic}: alarms may not publish there"));
        }
        let key = &template.properties(topic)["KmsMasterKeyId"];
        if key.is_null() {
            continue;
        }
        let key = ref_target(key).or_else(|| crate::arn_target(key));
        let policy = &template.properties(key.unwrap_or_default())["KeyPolicy"];
        let uses = ["kms:Decrypt", "kms:GenerateDataKey"];
        if !uses.into_iter().all(|action| lets(policy, action)) {
            faults.push(format!("{topic}: alarms may not use its key"));
        }
    }
    faults
}

const ALL: [Check; 4] = [
    each_alarm_watches_what_exists,
    each_alarm_tells_somebody,
    no_alarm_looks_back_too_far,
    alarms_may_publish,
];

#[test]
fn alarms_watch_what_exists_and_tell_somebody() {
    ALL.into_iter().for_each(holds);
}

pub fn of(alarm: &str, rest: &str) -> String {
    format!("/Resources/{alarm}/Properties/{rest}")
}

#[test]
fn an_alarm_on_nothing_is_seen() {
    let check = each_alarm_watches_what_exists;
    for (alarm, rest, value, fault) in [
        (
            "SweeperHitsAlarm",
            "MetricName",
            json!("sweeper_hits"),
            "no metric sweeper_hits",
        ),
        (
            "SweeperHitsAlarm",
            "Namespace",
            json!("Clivy"),
            "no metric sweeper_hits_total",
        ),
        (
            "SweeperHitsAlarm",
            "MetricName",
            Value::Null,
            "watches nothing",
        ),
        (
            "BreakerOpenAlarm",
            "Dimensions",
            Value::Null,
            "has the dimensions [\"provider\"]",
        ),
        (
            "BreakerOpenAlarm",
            "Dimensions/0/Value",
            json!("openai"),
            "provider is never",
        ),
        (
            "QuietAlarm",
            "Dimensions/1/Name",
            json!("status"),
            "has the dimensions",
        ),
        (
            "DeadLettersAlarm",
            "Namespace",
            json!("AWS/SNS"),
            "no metric Approx",
        ),
        (
            "DeadLettersAlarm",
            "Dimensions/0/Value",
            json!({"Ref": "Queue"}),
            "QueueName is not",
        ),
        (
            "WorkerErrorsAlarm",
            "Dimensions/0/Value",
            json!("worker"),
            "FunctionName is not",
        ),
        (
            "WorkerErrorsAlarm",
            "MetricName",
            json!("Error"),
            "no metric Error",
        ),
        (
            "TableThrottledAlarm",
            "Metrics/2/MetricStat/Metric/Dimensions/1/Value",
            json!("by_name"),
            "GlobalSecondaryIndexName is not",
        ),
        (
            "TableThrottledAlarm",
            "Metrics/0/Expression",
            json!("m0"),
            "sum of its metrics",
        ),
        (
            "TableThrottledAlarm",
            "Metrics/1/ReturnData",
            json!(true),
            "sum of its metrics",
        ),
        (
            "UnauthorizedWebhooks",
            "FilterPattern",
            json!("401"),
            "does not count a status",
        ),
        (
            "UnauthorizedWebhooks",
            "LogGroupName",
            json!({"Ref": "WebhookLogs"}),
            "does not count",
        ),
        (
            "UnauthorizedWebhooks",
            "MetricTransformations/0/MetricName",
            json!("unauthorized"),
            "no metric webhook_unauthorized_total",
        ),
        (
            "UnauthorizedWebhooks",
            "MetricTransformations/0/MetricNamespace",
            json!("Clivy"),
            "no metric webhook_unauthorized_total",
        ),
    ] {
        is_seen(check, &of(alarm, rest), value, fault);
    }
}

#[test]
fn an_alarm_that_tells_nobody_is_seen() {
    let check = each_alarm_tells_somebody;
    for (rest, value, fault) in [
        ("AlarmActions", Value::Null, "AlarmActions tell nobody"),
        ("OKActions", json!([]), "OKActions tell nobody"),
        (
            "AlarmActions/0",
            json!({"Ref": "Queue"}),
            "AlarmActions tell nobody",
        ),
        ("ActionsEnabled", json!(false), "tell nobody"),
        (
            "TreatMissingData",
            Value::Null,
            "a missing value is taken for \"\"",
        ),
        (
            "TreatMissingData",
            json!("breaching"),
            "taken for \"breaching\"",
        ),
        ("AlarmName", Value::Null, "no name of its own"),
        (
            "AlarmName/Fn::Sub",
            json!("${AWS::StackName}-queue-age"),
            "no name of its own",
        ),
    ] {
        is_seen(check, &of("DeadLettersAlarm", rest), value, fault);
    }
    let silent = of("SweeperSilentAlarm", "TreatMissingData");
    is_seen(
        check,
        &silent,
        json!("notBreaching"),
        "taken for \"notBreaching\"",
    );
}

#[test]
fn an_alarm_that_looks_back_too_far_is_seen() {
    let check = no_alarm_looks_back_too_far;
    is_seen(
        check,
        "/Parameters/QuietHours/MaxValue",
        json!(169),
        "QuietAlarm looks back",
    );
    is_seen(
        check,
        &of("QueueAgeAlarm", "EvaluationPeriods"),
        json!(1441),
        "QueueAgeAlarm",
    );
}

#[test]
fn a_topic_that_alarms_may_not_use_is_seen() {
    let check = alarms_may_publish;
    let statement = "PolicyDocument/Statement/0";
    for (rest, value) in [
        ("Principal/Service", json!("events.amazonaws.com")),
        ("Action", json!("sns:Subscribe")),
        ("Effect", json!("Deny")),
        ("Condition", Value::Null),
        ("Condition/ArnLike/aws:SourceArn", json!("*")),
    ] {
        let place = of("AlertsPolicy", &format!("{statement}/{rest}"));
        is_seen(check, &place, value, "may not publish");
    }
    is_seen(
        check,
        &of("AlertsPolicy", "Topics"),
        json!([]),
        "may not publish",
    );
    for key in [json!("alias/aws/sns"), json!({"Ref": "Queue"})] {
        is_seen(
            check,
            &of("Alerts", "KmsMasterKeyId"),
            key,
            "may not use its key",
        );
    }
}
