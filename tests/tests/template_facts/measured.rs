//! Which metrics there are: ours, those that the template makes of log lines, and those of AWS that are watched.

use clivy::metrics::catalog;
use serde_json::{Value, json};
use tests::template::Template;

use crate::{arn_target, ref_target};

/// A metric as an alarm or a graph names it; dimensions in the template's long forms.
pub struct Named<'a> {
    pub namespace: &'a Value,
    pub name: &'a str,
    pub dimensions: Vec<(&'a str, Value)>,
}

/// AWS's metrics that are watched, from the services' reference pages: namespace, dimensions, names.
const OF_AWS: &[(&str, &[&str], &[&str])] = &[
    (
        "AWS/SQS",
        &["QueueName"],
        &[
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesVisible",
        ],
    ),
    (
        "AWS/Lambda",
        &["FunctionName"],
        &["ConcurrentExecutions", "Duration", "Errors", "Throttles"],
    ),
    // Of one version, as an alias runs it. By FunctionName alone all versions and aliases are counted together.
    (
        "AWS/Lambda",
        &["FunctionName", "Resource", "ExecutedVersion"],
        &["Errors"],
    ),
    ("AWS/ApiGateway", &["ApiId"], &["4xx", "5xx", "Latency"]),
    (
        "AWS/DynamoDB",
        &["TableName"],
        &[
            "ConsumedReadCapacityUnits",
            "ConsumedWriteCapacityUnits",
            "ReadThrottleEvents",
            "WriteThrottleEvents",
        ],
    ),
    (
        "AWS/DynamoDB",
        &["TableName", "GlobalSecondaryIndexName"],
        &["ReadThrottleEvents", "WriteThrottleEvents"],
    ),
    (
        "AWS/DynamoDB",
        &["TableName", "Operation"],
        &["SystemErrors"],
    ),
];

/// The words that a dimension of ours may have; those of other dimensions are not known here, and nothing may name one.
const WORDS: [(&str, &[&str]); 3] = [
    ("function", &["inbox", "webhook"]),
    ("provider", &["openrouter", "second"]),
    ("status_class", &["2xx", "3xx", "4xx", "5xx"]),
];

/// What is wrong with it, if anything: CloudWatch takes any name, and watches nothing for ever.
pub fn fault(template: &Template, named: &Named) -> Option<String> {
    let own =
        &template.document["Globals"]["Function"]["Environment"]["Variables"]["METRICS_NAMESPACE"];
    let name = named.name;
    if named.namespace == own {
        return own_fault(template, own, named);
    }
    let dimensions: Vec<&str> = named.dimensions.iter().map(|(name, _)| *name).collect();
    let is_known = OF_AWS.iter().any(|(namespace, known, names)| {
        named.namespace == namespace && dimensions == **known && names.contains(&name)
    });
    if !is_known {
        let namespace = named.namespace;
        return Some(format!("no metric {name} of {dimensions:?} in {namespace}"));
    }
    named.dimensions.iter().find_map(|(dimension, value)| {
        let is_right = is_of_stack(template, dimension, value);
        (!is_right).then(|| format!("{name}: {dimension} is not one of this stack"))
    })
}

fn own_fault(template: &Template, own: &Value, named: &Named) -> Option<String> {
    let name = named.name;
    let of_logs = template
        .resources_of("AWS::Logs::MetricFilter")
        .filter_map(|(_, filter)| filter["Properties"]["MetricTransformations"].as_array())
        .flatten()
        .any(|made| made["MetricName"] == name && made["MetricNamespace"] == *own);
    let known = catalog::all().into_iter().find(|entry| entry.name == name);
    let dimensions: Vec<&str> = named.dimensions.iter().map(|(name, _)| *name).collect();
    match known {
        None if of_logs && dimensions.is_empty() => None,
        None => Some(format!("no metric {name} in the catalog")),
        Some(known) if known.dimensions != dimensions => Some(format!(
            "{name} has the dimensions {:?}, not {dimensions:?}",
            known.dimensions
        )),
        Some(_) => named.dimensions.iter().find_map(|(dimension, word)| {
            let words = WORDS.iter().find(|(known, _)| known == dimension);
            let is_known = words.is_some_and(|(_, words)| words.iter().any(|known| word == known));
            (!is_known).then(|| format!("{name}: {dimension} is never {word}"))
        }),
    }
}

/// Whether a dimension of AWS's names something of this stack, by reference.
fn is_of_stack(template: &Template, dimension: &str, value: &Value) -> bool {
    let is_ref_to = |kind: &str| {
        let target = ref_target(value).unwrap_or_default();
        template.document["Resources"][target]["Type"] == kind
    };
    match dimension {
        "FunctionName" => is_ref_to("AWS::Serverless::Function"),
        "Resource" => value["Fn::Sub"].as_str().is_some_and(|text| {
            let id = text
                .strip_prefix("${")
                .and_then(|text| text.strip_suffix("}:live"));
            is_function(template, id.unwrap_or_default())
        }),
        "ExecutedVersion" => {
            let [id, attribute] = [0, 1].map(|part| value["Fn::GetAtt"][part].as_str());
            attribute == Some("Version.Version") && is_function(template, id.unwrap_or_default())
        }
        "ApiId" => is_ref_to("AWS::Serverless::HttpApi"),
        "TableName" => is_ref_to("AWS::DynamoDB::Table"),
        "QueueName" => {
            let [id, attribute] = [0, 1].map(|part| value["Fn::GetAtt"][part].as_str());
            attribute == Some("QueueName")
                && template.document["Resources"][id.unwrap_or_default()]["Type"]
                    == "AWS::SQS::Queue"
        }
        "GlobalSecondaryIndexName" => {
            indexes(template).contains(&value.as_str().unwrap_or_default())
        }
        "Operation" => value.is_string(),
        _ => false,
    }
}

fn is_function(template: &Template, id: &str) -> bool {
    template.document["Resources"][id]["Type"] == "AWS::Serverless::Function"
}

/// The names of the table's indexes.
pub fn indexes(template: &Template) -> Vec<&str> {
    template
        .resources_of("AWS::DynamoDB::Table")
        .filter_map(|(_, table)| table["Properties"]["GlobalSecondaryIndexes"].as_array())
        .flatten()
        .filter_map(|index| index["IndexName"].as_str())
        .collect()
}

/// What `${...}` of a `Fn::Sub` stands for, in the long forms; any other text is itself.
pub fn unsubbed(text: &str) -> Value {
    let inner = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .filter(|inner| !inner.contains('$'));
    match inner.map(|inner| inner.split_once('.').ok_or(inner)) {
        Some(Ok((id, attribute))) => json!({"Fn::GetAtt": [id, attribute]}),
        Some(Err(id)) => json!({"Ref": id}),
        None if text.contains("${") => json!({"Fn::Sub": text}),
        None => json!(text),
    }
}

/// The resources that an alarm's or a graph's metric filter reads must be the API's access log: it holds no path and no
/// body (I11), and its statuses are texts.
pub fn filter_faults(template: &Template) -> Vec<String> {
    let logs: Vec<&str> = template
        .resources_of("AWS::Serverless::HttpApi")
        .filter_map(|(_, api)| {
            arn_target(&api["Properties"]["AccessLogSettings"]["DestinationArn"])
        })
        .collect();
    template
        .resources_of("AWS::Logs::MetricFilter")
        .filter_map(|(id, filter)| {
            let properties = &filter["Properties"];
            let group = ref_target(&properties["LogGroupName"]).unwrap_or_default();
            let pattern = properties["FilterPattern"].as_str().unwrap_or_default();
            let is_status = pattern
                .strip_prefix("{ $.status = \"")
                .and_then(|rest| rest.strip_suffix("\" }"))
                .is_some_and(|status| status.len() == 3 && status.parse::<u16>().is_ok());
            let is_right = logs.contains(&group) && is_status;
            (!is_right).then(|| format!("{id}: does not count a status of an API's access log"))
        })
        .collect()
}
