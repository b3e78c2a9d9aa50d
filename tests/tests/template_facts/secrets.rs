//! Where secrets go, and what the logs may hold.

use std::collections::BTreeSet;

use clivy::secrets::PATH;
use serde_json::{Value, json};
use tests::template::Template;

use crate::{Check, Faults, arn_target, holds, is_seen, strings};

/// What a secret is called, as a parameter or in an environment.
fn is_secret(name: &str) -> bool {
    let plain = name.to_uppercase().replace('_', "");
    ["KEY", "SECRET", "TOKEN", "PASSWORD"]
        .iter()
        .any(|word| plain.ends_with(word))
}

/// Whoever may read the stack or the functions' configuration reads no secret (I11): there is none. The environment says where
/// they are, and nothing else does.
fn secrets_are_not_in_the_stack(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for (name, parameter) in template.section("Parameters") {
        if is_secret(name) || parameter["NoEcho"] == true {
            faults.push(format!("{name} is a secret of the stack"));
        }
    }
    let secrets: BTreeSet<&str> = crate::settings::secrets_read().into_iter().collect();
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        let environment = template.environment(function);
        for name in environment.keys() {
            if is_secret(name) || secrets.contains(name.as_str()) {
                faults.push(format!("{id} has {name} in its environment"));
            }
        }
        if environment.get(PATH) != Some(&json!({"Fn::Sub": "/clivy/${AWS::StackName}"})) {
            faults.push(format!("{id} is not told where its stack's secrets are"));
        }
    }
    if template.document.to_string().contains("{{resolve:") {
        faults.push("a secret is resolved into the stack".to_owned());
    }
    faults
}

/// Everything that holds customers' words is encrypted with the stack's own key, and the table cannot be deleted by mistake.
fn what_is_kept_is_encrypted(template: &Template) -> Faults {
    let kinds = [
        ("AWS::SQS::Queue", "/KmsMasterKeyId"),
        ("AWS::SNS::Topic", "/KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "/KmsKeyId"),
        ("AWS::DynamoDB::Table", "/SSESpecification/KMSMasterKeyId"),
    ];
    let mut faults = Faults::new();
    for (kind, pointer) in kinds {
        let mut some = template.resources_of(kind).peekable();
        if some.peek().is_none() {
            faults.push(format!("there is no {kind}"));
        }
        for (id, resource) in some {
            let key = resource["Properties"]
                .pointer(pointer)
                .unwrap_or(&Value::Null);
            if arn_target(key) != Some("Key") {
                faults.push(format!("{id} is not encrypted with the stack's key"));
            }
        }
    }
    for (id, table) in template.resources_of("AWS::DynamoDB::Table") {
        let properties = &table["Properties"];
        let sse = &properties["SSESpecification"];
        if sse["SSEEnabled"] != true || sse["SSEType"] != "KMS" {
            faults.push(format!("{id} is not encrypted with the stack's key"));
        }
        if properties["DeletionProtectionEnabled"] != true {
            faults.push(format!("{id} may be deleted by one call"));
        }
        if properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] != true {
            faults.push(format!("{id} cannot be restored"));
        }
    }
    faults
}

/// The key outlives the stack, changes every year, and is used by nobody whom its policy does not have to name.
fn the_key_is_kept_and_narrow(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let key = &template.document["Resources"]["Key"];
    if key["DeletionPolicy"] != "Retain" || key["UpdateReplacePolicy"] != "Retain" {
        faults.push("the key goes with the stack, and the retained table with it".to_owned());
    }
    if key["Properties"]["EnableKeyRotation"] != true {
        faults.push("the key never changes".to_owned());
    }
    let root = json!({"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}});
    let logs = json!({"Service": {"Fn::Sub": "logs.${AWS::Region}.${AWS::URLSuffix}"}});
    let alarms = json!({"Service": "cloudwatch.amazonaws.com"});
    let statements = key["Properties"]["KeyPolicy"]["Statement"].as_array();
    let mut has_root = false;
    for statement in statements.into_iter().flatten() {
        let (who, actions) = (&statement["Principal"], strings(&statement["Action"]));
        has_root |= *who == root && actions == ["kms:*"];
        if *who == root {
            continue;
        }
        if *who != logs && *who != alarms {
            faults.push(format!("the key is open to {who}"));
        }
        if actions.iter().any(|action| action.contains('*')) {
            faults.push(format!("{who} may do more with the key than it needs"));
        }
        let log_groups = &statement["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"];
        let of_this_stack = log_groups["Fn::Sub"].as_str().unwrap_or_default();
        if *who == logs && !of_this_stack.ends_with(":log-group:${AWS::StackName}-*") {
            faults.push("log groups of others may use the key".to_owned());
        }
    }
    if !has_root {
        faults.push("nobody could change the key's policy any more".to_owned());
    }
    // In a role the key is for what the services do for the function, and for nothing else.
    for (id, role) in template.resources_of("AWS::IAM::Role") {
        let statements = &role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
        for statement in statements.as_array().into_iter().flatten() {
            let is_of_key = arn_target(&statement["Resource"]) == Some("Key");
            let via = &statement["Condition"]["StringEquals"]["kms:ViaService"];
            if is_of_key && via["Fn::Sub"].is_null() {
                faults.push(format!("{id} may use the key past the services"));
            }
        }
    }
    faults
}

/// What the API may write down about a request: nothing of its path (it may hold a bot's secret), headers or body.
const LOGGED: [&str; 7] = [
    "requestId",
    "routeKey",
    "status",
    "responseLatency",
    "integrationLatency",
    "integrationErrorMessage",
    "responseLength",
];

fn logs_are_bounded_and_hold_no_secret(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for (id, api) in template.resources_of("AWS::Serverless::HttpApi") {
        let format = api["Properties"]["AccessLogSettings"]["Format"]
            .as_str()
            .unwrap_or_default();
        if format.is_empty() {
            faults.push(format!("{id}: no access log"));
        }
        for part in format.split('$').skip(1) {
            let name = part
                .trim_start_matches("context.")
                .split(|c: char| !(c.is_alphanumeric() || c == '.'))
                .next();
            if !part.starts_with("context.") || !name.is_some_and(|name| LOGGED.contains(&name)) {
                faults.push(format!(
                    "{id}: the access log holds ${}",
                    name.unwrap_or_default()
                ));
            }
        }
        if serde_json::from_str::<Value>(format).is_err() {
            faults.push(format!("{id}: the access log is not JSON"));
        }
    }
    for (id, group) in template.resources_of("AWS::Logs::LogGroup") {
        if group["Properties"]["RetentionInDays"].is_null() {
            faults.push(format!("{id}: kept for ever"));
        }
    }
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        let logging = &function["Properties"]["LoggingConfig"];
        if logging["LogFormat"] != "JSON" {
            faults.push(format!("{id}: does not log JSON"));
        }
        // Lambda takes a line without a level for INFO and drops it above that. Metrics are such lines; our own lines are
        // filtered by LOG_LEVEL.
        let is_filtered = template.environment(function).contains_key("LOG_LEVEL");
        if !is_filtered || logging["ApplicationLogLevel"] != "TRACE" {
            faults.push(format!("{id}: metrics may be dropped"));
        }
    }
    faults
}

const ALL: [Check; 4] = [
    secrets_are_not_in_the_stack,
    what_is_kept_is_encrypted,
    the_key_is_kept_and_narrow,
    logs_are_bounded_and_hold_no_secret,
];

#[test]
fn secrets_and_customers_words_are_not_written_down() {
    ALL.into_iter().for_each(holds);
}

#[test]
fn a_secret_that_could_be_read_is_seen() {
    let check = secrets_are_not_in_the_stack;
    let parameter = json!({"Type": "String", "NoEcho": true});
    is_seen(
        check,
        "/Parameters/OpenRouterApiKey",
        parameter.clone(),
        "is a secret of the stack",
    );
    is_seen(
        check,
        "/Parameters/Phrase",
        parameter,
        "Phrase is a secret of the stack",
    );
    for name in ["OPENROUTER_API_KEY", "ADMIN_SECRET", "GATEWAY_TOKEN"] {
        let variable = format!("/Resources/Inbox/Properties/Environment/Variables/{name}");
        is_seen(check, &variable, json!("x"), &format!("Inbox has {name}"));
    }
    let path = "/Globals/Function/Environment/Variables/SECRETS_PATH";
    is_seen(check, path, json!("/clivy"), "Worker is not told");
    is_seen(check, path, Value::Null, "Worker is not told");
    let description = "/Resources/Worker/Properties/Description";
    let resolved = json!("{{resolve:ssm-secure:/clivy/key}}");
    is_seen(check, description, resolved, "resolved into the stack");
}

#[test]
fn what_is_not_encrypted_or_could_be_deleted_is_seen() {
    let check = what_is_kept_is_encrypted;
    let fault = |id: &str| format!("{id} is not encrypted with the stack's key");
    for (id, property) in [
        ("Queue", "KmsMasterKeyId"),
        ("DeadLetterQueue", "KmsMasterKeyId"),
        ("Alerts", "KmsMasterKeyId"),
        ("InboxApiLogs", "KmsKeyId"),
        ("Table", "SSESpecification"),
    ] {
        let pointer = format!("/Resources/{id}/Properties/{property}");
        is_seen(check, &pointer, Value::Null, &fault(id));
        is_seen(check, &pointer, json!("alias/aws/sqs"), &fault(id));
    }
    let table = "/Resources/Table/Properties";
    let sse = format!("{table}/SSESpecification/SSEEnabled");
    is_seen(check, &sse, json!(false), &fault("Table"));
    let protection = format!("{table}/DeletionProtectionEnabled");
    is_seen(check, &protection, Value::Null, "deleted by one call");
    let recovery = format!("{table}/PointInTimeRecoverySpecification");
    is_seen(check, &recovery, Value::Null, "cannot be restored");
}

#[test]
fn a_key_that_is_lost_or_open_is_seen() {
    let check = the_key_is_kept_and_narrow;
    let key = "/Resources/Key";
    is_seen(
        check,
        &format!("{key}/DeletionPolicy"),
        json!("Delete"),
        "goes with the stack",
    );
    let rotation = format!("{key}/Properties/EnableKeyRotation");
    is_seen(check, &rotation, json!(false), "never changes");
    let statement = format!("{key}/Properties/KeyPolicy/Statement");
    is_seen(
        check,
        &format!("{statement}/0"),
        Value::Null,
        "nobody could change",
    );
    let anybody = json!({"AWS": "*"});
    is_seen(
        check,
        &format!("{statement}/1/Principal"),
        anybody,
        "the key is open to",
    );
    let context = format!("{statement}/1/Condition");
    is_seen(check, &context, Value::Null, "log groups of others");
    is_seen(
        check,
        &format!("{statement}/2/Action"),
        json!("kms:*"),
        "more with the key",
    );
    let role = "/Resources/InboxRole/Properties/Policies/0/PolicyDocument/Statement/2/Condition";
    is_seen(check, role, Value::Null, "InboxRole may use the key past");
}

#[test]
fn logs_that_hold_or_keep_too_much_are_seen() {
    let check = logs_are_bounded_and_hold_no_secret;
    let format = "/Resources/Api/Properties/AccessLogSettings/Format";
    is_seen(
        check,
        format,
        json!(r#"{"path":"$context.path"}"#),
        "holds $path",
    );
    is_seen(
        check,
        format,
        json!(r#"{"s":"$request.path.secret"}"#),
        "the access log holds",
    );
    is_seen(
        check,
        format,
        json!("$context.requestId $context.status"),
        "not JSON",
    );
    is_seen(
        check,
        "/Resources/Api/Properties/AccessLogSettings",
        Value::Null,
        "no access log",
    );
    is_seen(
        check,
        "/Resources/WorkerLogs/Properties/RetentionInDays",
        Value::Null,
        "kept for ever",
    );
    is_seen(
        check,
        "/Resources/Worker/Properties/LoggingConfig/LogFormat",
        json!("Text"),
        "does not log JSON",
    );
    let level = "/Resources/Worker/Properties/LoggingConfig/ApplicationLogLevel";
    is_seen(check, level, json!("WARN"), "metrics may be dropped");
}
