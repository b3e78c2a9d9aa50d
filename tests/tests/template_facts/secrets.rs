//! Where secrets go, and what the logs may hold.

use serde_json::{Value, json};
use tests::template::Template;

use crate::references::names_used;
use crate::{Check, Faults, are_seen, holds, is_seen};

fn is_secret(name: &str) -> bool {
    ["Key", "Secret", "Token", "Password"]
        .iter()
        .any(|word| name.ends_with(word))
}

/// Secrets are NoEcho, have no default, and leave the template only as a function's environment (I11).
fn secrets_stay_secret(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let secrets: Vec<&str> = template
        .section("Parameters")
        .map(|(name, _)| name)
        .filter(|name| is_secret(name))
        .collect();
    if secrets.is_empty() {
        faults.push("no parameter is a secret".to_owned());
    }
    for secret in secrets {
        let parameter = &template.document["Parameters"][secret];
        if parameter["NoEcho"] != true {
            faults.push(format!("{secret} is not NoEcho"));
        }
        if !matches!(parameter["Default"].as_str(), None | Some("")) {
            faults.push(format!("{secret} has a default"));
        }
        let mut elsewhere = template.document.clone();
        for holder in ["Resources", "Globals"] {
            remove_environments(&mut elsewhere[holder]);
        }
        if let Some(object) = elsewhere.as_object_mut() {
            object.remove("Conditions");
        }
        if names_used(&elsewhere).iter().any(|name| name == secret) {
            faults.push(format!(
                "{secret} is used outside of a function's environment"
            ));
        }
    }
    faults
}

fn remove_environments(value: &mut Value) {
    if let Value::Object(object) = value {
        object.remove("Environment");
        object.values_mut().for_each(remove_environments);
    }
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

const ALL: [Check; 2] = [secrets_stay_secret, logs_are_bounded_and_hold_no_secret];

#[test]
fn secrets_and_customers_words_are_not_written_down() {
    ALL.into_iter().for_each(holds);
}

#[test]
fn a_secret_that_could_be_read_is_seen() {
    let check = secrets_stay_secret;
    is_seen(
        check,
        "/Parameters/OpenRouterApiKey/NoEcho",
        Value::Null,
        "not NoEcho",
    );
    is_seen(
        check,
        "/Parameters/PseudonymKey/NoEcho",
        json!(false),
        "not NoEcho",
    );
    is_seen(
        check,
        "/Parameters/PseudonymKey/Default",
        json!("0123456789"),
        "has a default",
    );
    let output = json!({"Value": {"Fn::Sub": "key ${OpenRouterApiKey}"}});
    is_seen(
        check,
        "/Outputs/Key",
        output,
        "outside of a function's environment",
    );
    let description = "/Resources/Worker/Properties/Description";
    is_seen(
        check,
        description,
        json!({"Ref": "PseudonymKey"}),
        "outside of a function's environment",
    );
    are_seen(
        check,
        &[("/Parameters", json!({}))],
        "no parameter is a secret",
    );
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
