//! Every name that the template uses is the name of something, and of the right kind.

use serde_json::{Value, json};
use tests::template::Template;

use crate::{Check, Faults, are_seen, arn_target, holds, is_seen, ref_target};

/// What `Fn::GetAtt` may ask of a type, from the types' reference pages. A type that is not here has to be added before
/// the template may ask it for anything.
const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("AWS::DynamoDB::Table", &["Arn", "StreamArn"]),
    ("AWS::IAM::Role", &["Arn", "RoleId"]),
    ("AWS::KMS::Key", &["Arn", "KeyId"]),
    ("AWS::Logs::LogGroup", &["Arn"]),
    ("AWS::SNS::Topic", &["TopicArn", "TopicName"]),
    ("AWS::SQS::Queue", &["Arn", "QueueName", "QueueUrl"]),
    // Version and its number are SAM's, of a function that has an alias.
    (
        "AWS::Serverless::Function",
        &["Arn", "Version", "Version.Version"],
    ),
    ("AWS::Serverless::HttpApi", &["ApiEndpoint", "ApiId"]),
];

/// CodeDeploy's application of the stack, which SAM adds as soon as one function has a DeploymentPreference.
const SAMS_APPLICATION: &str = "ServerlessDeploymentApplication";

const PSEUDO_PARAMETERS: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Calls `visit` with every object of the template.
fn each_object<'a>(value: &'a Value, visit: &mut impl FnMut(&'a serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            object.values().for_each(|inner| each_object(inner, visit));
        }
        Value::Array(items) => items.iter().for_each(|inner| each_object(inner, visit)),
        _ => {}
    }
}

/// The `${...}` names of a `Fn::Sub`, without its own variables and without `${!Literal}`.
fn sub_names(value: &Value) -> Vec<String> {
    let (text, own) = match value {
        Value::Array(parts) => (parts.first().and_then(Value::as_str), parts.get(1)),
        text => (text.as_str(), None),
    };
    text.unwrap_or_default()
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name.to_owned()))
        .filter(|name| !name.starts_with('!') && own.is_none_or(|own| own.get(name).is_none()))
        .collect()
}

/// Every id that a value refers to, by `Ref`, `Fn::GetAtt` or `Fn::Sub`; attributes stay on as `Id.Attribute`.
pub fn names_used(value: &Value) -> Vec<String> {
    let mut names = Vec::new();
    each_object(value, &mut |object| {
        for (key, argument) in object {
            match key.as_str() {
                "Ref" => names.extend(argument.as_str().map(str::to_owned)),
                "Fn::Sub" => names.extend(sub_names(argument)),
                "Fn::GetAtt" => {
                    let part = |index: usize| argument[index].as_str().unwrap_or_default();
                    names.push(format!("{}.{}", part(0), part(1)));
                }
                _ => {}
            }
        }
    });
    names
}

fn every_reference_resolves(template: &Template) -> Faults {
    let resources = &template.document["Resources"];
    names_used(&template.document)
        .into_iter()
        .filter_map(|name| {
            if PSEUDO_PARAMETERS.contains(&name.as_str()) || name == SAMS_APPLICATION {
                return None;
            }
            let Some((id, attribute)) = name.split_once('.') else {
                let known = resources.get(&name).is_some()
                    || template.document["Parameters"].get(&name).is_some();
                return (!known).then(|| format!("{name} is neither a resource nor a parameter"));
            };
            let kind = resources[id]["Type"].as_str();
            let known = ATTRIBUTES.iter().find(|(listed, _)| Some(*listed) == kind);
            match known {
                Some((_, attributes)) if attributes.contains(&attribute) => None,
                _ => Some(format!(
                    "{id} ({}) has no attribute {attribute}",
                    kind.unwrap_or("no resource")
                )),
            }
        })
        .collect()
}

fn every_condition_exists(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let conditions = &template.document["Conditions"];
    each_object(&template.document["Resources"], &mut |object| {
        let of_if = object.get("Fn::If").map(|arguments| &arguments[0]);
        // A policy statement's Condition is an object; a resource's is a name.
        let named = object
            .get("Condition")
            .filter(|condition| condition.is_string());
        for name in [of_if, named]
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if conditions.get(name).is_none() {
                faults.push(format!("condition {name} does not exist"));
            }
        }
    });
    faults
}

fn every_parameter_and_condition_is_used(template: &Template) -> Faults {
    let used = names_used(&template.document);
    let text = template.document["Resources"].to_string();
    let parameters = template
        .section("Parameters")
        .filter(|(name, _)| !used.iter().any(|one| one == name));
    let conditions = template
        .section("Conditions")
        .filter(|(name, _)| !text.contains(&format!("\"{name}\"")));
    parameters
        .chain(conditions)
        .map(|(name, _)| format!("{name} is never used"))
        .collect()
}

/// Linting takes any ARN or any name where a certain one is meant.
fn references_are_of_the_right_kind(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let mut expect = |what: String, target: Option<&str>, kind: &str| {
        let found = &template.document["Resources"][target.unwrap_or_default()]["Type"];
        if *found != kind {
            faults.push(format!("{what} is not a reference to a {kind}"));
        }
    };
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        let properties = &function["Properties"];
        expect(
            format!("{id}.Role"),
            arn_target(&properties["Role"]),
            "AWS::IAM::Role",
        );
        expect(
            format!("{id}.LogGroup"),
            ref_target(&properties["LoggingConfig"]["LogGroup"]),
            "AWS::Logs::LogGroup",
        );
        for (name, event) in properties["Events"].as_object().into_iter().flatten() {
            let source = &event["Properties"];
            match event["Type"].as_str() {
                Some("SQS") => expect(
                    format!("{id}.{name}.Queue"),
                    arn_target(&source["Queue"]),
                    "AWS::SQS::Queue",
                ),
                Some("HttpApi") => {
                    expect(
                        format!("{id}.{name}.ApiId"),
                        ref_target(&source["ApiId"]),
                        "AWS::Serverless::HttpApi",
                    );
                }
                _ => {}
            }
        }
        for (name, value) in template.environment(function) {
            // Ref gives a table's name, a queue's URL and a topic's ARN; anything else would only fail in a running function.
            match name.as_str() {
                "TABLE_NAME" => expect(
                    format!("{id}.{name}"),
                    ref_target(&value),
                    "AWS::DynamoDB::Table",
                ),
                "ALERT_TOPIC_ARN" => expect(
                    format!("{id}.{name}"),
                    ref_target(&value),
                    "AWS::SNS::Topic",
                ),
                "QUEUE_URL" | "DLQ_URL" => expect(
                    format!("{id}.{name}"),
                    ref_target(&value),
                    "AWS::SQS::Queue",
                ),
                _ => {}
            }
        }
    }
    for (id, subscription) in template.resources_of("AWS::SNS::Subscription") {
        expect(
            format!("{id}.TopicArn"),
            ref_target(&subscription["Properties"]["TopicArn"]),
            "AWS::SNS::Topic",
        );
    }
    for (id, api) in template.resources_of("AWS::Serverless::HttpApi") {
        let destination = &api["Properties"]["AccessLogSettings"]["DestinationArn"];
        expect(
            format!("{id}.DestinationArn"),
            arn_target(destination),
            "AWS::Logs::LogGroup",
        );
    }
    faults
}

/// Triggers go to the queue that is consumed, dead turns to the DLQ of that queue.
fn urls_are_of_the_consumed_queue_and_its_dlq(template: &Template) -> Faults {
    let Some((_, worker)) = template.function_of_binary("worker") else {
        return vec!["no worker".to_owned()];
    };
    let consumed = arn_target(&worker["Properties"]["Events"]["Triggers"]["Properties"]["Queue"])
        .unwrap_or_default();
    let redrive = &template.properties(consumed)["RedrivePolicy"];
    let dead_letters = arn_target(&redrive["deadLetterTargetArn"]).unwrap_or_default();
    let mut faults = Faults::new();
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        for (setting, queue) in [("QUEUE_URL", consumed), ("DLQ_URL", dead_letters)] {
            let value = template.environment(function).remove(setting);
            if value.is_some_and(|value| ref_target(&value) != Some(queue)) {
                faults.push(format!("{id}: {setting} is not {queue}"));
            }
        }
    }
    faults
}

const ALL: [Check; 5] = [
    every_reference_resolves,
    every_condition_exists,
    every_parameter_and_condition_is_used,
    references_are_of_the_right_kind,
    urls_are_of_the_consumed_queue_and_its_dlq,
];

#[test]
fn every_name_is_the_name_of_the_right_thing() {
    ALL.into_iter().for_each(holds);
    // The walk does find the references of each form.
    let used = names_used(&crate::project_template().document);
    for name in ["LogLevel", "Queue.Arn", "Table.Arn", "Api", "AWS::Region"] {
        assert!(used.iter().any(|one| one == name), "{name} was not found");
    }
}

#[test]
fn a_name_of_nothing_is_seen() {
    let check = every_reference_resolves;
    let policy = "/Resources/SweeperRole/Properties/Policies/0/PolicyDocument/Statement/3/Resource";
    let url = "/Resources/Worker/Properties/Environment/Variables/QUEUE_URL";
    is_seen(check, url, json!({"Ref": "Quue"}), "Quue is neither");
    is_seen(
        check,
        policy,
        json!({"Fn::Sub": "${Tabel.Arn}/index/owed"}),
        "Tabel",
    );
    is_seen(
        check,
        policy,
        json!({"Fn::Sub": "${Table.Arm}/index/owed"}),
        "no attribute Arm",
    );
    is_seen(
        check,
        policy,
        json!({"Fn::Sub": ["${mine}${Yours}", {"mine": 1}]}),
        "Yours is neither",
    );
    let queue = "/Resources/Worker/Properties/Events/Triggers/Properties/Queue";
    is_seen(
        check,
        queue,
        json!({"Fn::GetAtt": ["Queue", "QueueArn"]}),
        "no attribute QueueArn",
    );
    is_seen(
        check,
        queue,
        json!({"Fn::GetAtt": ["Nothing", "Arn"]}),
        "Nothing (no resource)",
    );
    is_seen(
        check,
        "/Outputs/TableName/Value",
        json!({"Ref": "Tables"}),
        "Tables is neither",
    );
}

#[test]
fn a_condition_that_does_not_exist_is_seen() {
    is_seen(
        every_condition_exists,
        "/Conditions/HasHttpReferer",
        Value::Null,
        "HasHttpReferer",
    );
    is_seen(
        every_condition_exists,
        "/Conditions/HasAlertEmail",
        Value::Null,
        "HasAlertEmail",
    );
    is_seen(
        every_condition_exists,
        "/Resources/Credits/Condition",
        json!("IsProd"),
        "IsProd",
    );
}

#[test]
fn a_parameter_that_changes_nothing_is_seen() {
    let check = every_parameter_and_condition_is_used;
    is_seen(
        check,
        "/Parameters/Forgotten",
        json!({"Type": "String"}),
        "Forgotten",
    );
    is_seen(
        check,
        "/Conditions/Never",
        json!({"Fn::Equals": [1, 2]}),
        "Never",
    );
}

#[test]
fn a_reference_to_the_wrong_kind_is_seen() {
    let check = references_are_of_the_right_kind;
    let worker = "/Resources/Worker/Properties";
    let arn = |id: &str| json!({"Fn::GetAtt": [id, "Arn"]});
    is_seen(
        check,
        &format!("{worker}/Role"),
        arn("Queue"),
        "Worker.Role",
    );
    is_seen(
        check,
        &format!("{worker}/LoggingConfig/LogGroup"),
        arn("WorkerLogs"),
        "Worker.LogGroup",
    );
    is_seen(
        check,
        &format!("{worker}/Events/Triggers/Properties/Queue"),
        arn("Table"),
        "Triggers.Queue",
    );
    is_seen(
        check,
        &format!("{worker}/Environment/Variables/QUEUE_URL"),
        arn("Queue"),
        "Worker.QUEUE_URL",
    );
    is_seen(
        check,
        "/Resources/Webhook/Properties/Environment/Variables/TABLE_NAME",
        arn("Table"),
        "Webhook.TABLE_NAME",
    );
    is_seen(
        check,
        "/Resources/Credits/Properties/Environment/Variables/ALERT_TOPIC_ARN",
        json!({"Fn::GetAtt": ["Alerts", "TopicArn"]}),
        "Credits.ALERT_TOPIC_ARN",
    );
    is_seen(
        check,
        "/Resources/AlertsByMail/Properties/TopicArn",
        json!({"Ref": "Queue"}),
        "AlertsByMail.TopicArn",
    );
    let api = "/Resources/Webhook/Properties/Events/Signed/Properties/ApiId";
    is_seen(check, api, json!({"Ref": "Queue"}), "Signed.ApiId");
    is_seen(
        check,
        "/Resources/Api/Properties/AccessLogSettings/DestinationArn",
        arn("Queue"),
        "Api.DestinationArn",
    );
}

#[test]
fn a_trigger_sent_to_the_wrong_queue_is_seen() {
    let check = urls_are_of_the_consumed_queue_and_its_dlq;
    let dead = json!({"Ref": "DeadLetterQueue"});
    let queue = json!({"Ref": "Queue"});
    is_seen(
        check,
        "/Resources/Webhook/Properties/Environment/Variables/QUEUE_URL",
        dead,
        "Webhook: QUEUE_URL",
    );
    let dlq = "/Resources/Worker/Properties/Environment/Variables/DLQ_URL";
    are_seen(check, &[(dlq, queue)], "Worker: DLQ_URL");
    is_seen(check, "/Resources/Worker", Value::Null, "no worker");
}
