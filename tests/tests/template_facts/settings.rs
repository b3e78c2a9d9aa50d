//! The settings that the functions read, and how they fit together.

use std::collections::{BTreeMap, BTreeSet};

use clivy::config::Reader;
use clivy::secrets;
use serde_json::{Value, json};
use tests::policy::allowed;
use tests::template::Template;

use crate::{Check, Faults, holds, is_seen};

/// A binary's name, and how it reads its settings.
type Binary = (&'static str, fn(&mut Reader));

/// The binaries, and what each reads at start: its own code is asked.
const BINARIES: [Binary; 6] = [
    ("webhook", |reader| {
        drop(webhook::settings::Settings::from(reader));
    }),
    ("worker", |reader| {
        drop(worker::settings::Settings::from(reader));
    }),
    ("sweeper", |reader| {
        drop(sweeper::settings::Settings::from(reader));
    }),
    ("credits", |reader| {
        drop(credits::settings::Settings::from(reader));
    }),
    ("inbox", |reader| {
        drop(inbox::settings::Settings::from(reader));
    }),
    ("smoke", |reader| {
        drop(smoke::settings::Settings::from(reader));
        drop(smoke::settings::codedeploy_url(reader));
    }),
];

/// What Lambda itself puts into every function's environment.
const SET_BY_LAMBDA: [&str; 1] = ["AWS_XRAY_DAEMON_ADDRESS"];

/// What a binary reads from its environment on AWS: where the secrets are, and everything but them.
fn names_read(read: fn(&mut Reader)) -> BTreeSet<String> {
    let mut reader = Reader::new(BTreeMap::new());
    read(&mut reader);
    let settings = reader.names().iter().copied();
    settings
        .filter(|name| !reader.secrets().contains(name) && !SET_BY_LAMBDA.contains(name))
        .chain([secrets::PATH])
        .map(str::to_owned)
        .collect()
}

/// The secrets of one binary, or of all.
pub fn secrets_read() -> Vec<&'static str> {
    BINARIES
        .iter()
        .flat_map(|(_, read)| secrets_of(*read))
        .collect()
}

fn secrets_of(read: fn(&mut Reader)) -> Vec<&'static str> {
    let mut reader = Reader::new(BTreeMap::new());
    read(&mut reader);
    reader.secrets().to_vec()
}

/// Each function may read its own secrets from SSM, and no other one's: GetParameters of one that it may not read fails for
/// all of them.
fn functions_may_read_their_secrets_and_no_others(template: &Template) -> Faults {
    let allowed = allowed(template);
    let mut faults = Faults::new();
    for (binary, read) in BINARIES {
        let read: BTreeSet<String> = secrets_of(read)
            .iter()
            .map(|name| format!("parameter/{name}"))
            .collect();
        let rights = allowed.get(binary).into_iter().flatten();
        let may: BTreeSet<String> = rights
            .filter(|(action, _)| action.starts_with("ssm:"))
            .map(|(_, resource)| resource.clone())
            .collect();
        let too_few = read
            .difference(&may)
            .map(|name| format!("{binary} may not read {name}"));
        faults.extend(too_few);
        let too_many = may.difference(&read);
        faults.extend(too_many.map(|name| format!("{binary} may read {name}, and does not")));
    }
    faults
}

/// A missing setting stops the start; one that nothing reads only looks as if it did something.
fn functions_are_given_what_they_read_and_no_more(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for (binary, read) in BINARIES {
        let Some((id, function)) = template.function_of_binary(binary) else {
            faults.push(format!("no function runs {binary}"));
            continue;
        };
        let read = names_read(read);
        let given: BTreeSet<String> = template.environment(function).into_keys().collect();
        faults.extend(
            read.difference(&given)
                .map(|name| format!("{id} reads {name}, which is not set")),
        );
        faults.extend(
            given
                .difference(&read)
                .map(|name| format!("{id} is given {name}, which it does not read")),
        );
    }
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        let binary = &function["Metadata"]["BuildProperties"]["Binary"];
        if !BINARIES.iter().any(|(known, _)| binary == known) {
            faults.push(format!("{id}: nobody says what it reads"));
        }
    }
    faults
}

/// Two functions that read one setting must agree on it.
fn a_setting_has_one_value(template: &Template) -> Faults {
    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    let mut faults = Faults::new();
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        for (name, value) in template.environment(function) {
            let first = values.entry(name.clone()).or_insert_with(|| value.clone());
            if *first != value {
                faults.push(format!("{id}: {name} differs from another function's"));
            }
        }
    }
    faults
}

/// The range of a numeric setting of a function, over everything that the parameters allow.
pub fn range(template: &Template, binary: &str, setting: &str) -> Result<(i64, i64), String> {
    let value = template
        .function_of_binary(binary)
        .and_then(|(_, function)| template.environment(function).remove(setting))
        .unwrap_or_default();
    template
        .number_range(&value)
        .ok_or_else(|| format!("{binary}: {setting} is not a number with bounds"))
}

/// The texts that a value may be in a deployment: itself, or what the parameter's limits allow. A reference to a
/// resource is an address.
fn texts(template: &Template, value: &Value) -> Vec<String> {
    let plain = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    if let Some(text) = value["Fn::Sub"].as_str() {
        // The longest name that a stack may have.
        return vec![text.replace("${AWS::StackName}", &"s".repeat(128))];
    }
    let name = match &value["Fn::If"][1]["Ref"] {
        Value::Null => &value["Ref"],
        inner => inner,
    };
    let Some(name) = name.as_str() else {
        return vec![plain(value)];
    };
    let parameter = &template.document["Parameters"][name];
    if parameter.is_null() {
        return vec!["https://address".to_owned()];
    }
    let mut texts: Vec<String> = ["Default", "MinValue", "MaxValue"]
        .into_iter()
        .filter_map(|limit| parameter.get(limit).map(plain))
        .chain(
            parameter["AllowedValues"]
                .as_array()
                .into_iter()
                .flatten()
                .map(plain),
        )
        .collect();
    if texts.is_empty() {
        let length = parameter["MinLength"]
            .as_u64()
            .and_then(|length| usize::try_from(length).ok());
        texts.push("x".repeat(length.unwrap_or_default()));
    }
    texts
}

/// A deployment whose parameters CloudFormation takes is one whose functions start.
fn every_value_that_parameters_allow_is_accepted(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for (binary, read) in BINARIES {
        let Some((id, function)) = template.function_of_binary(binary) else {
            faults.push(format!("no function runs {binary}"));
            continue;
        };
        let environment = template.environment(function);
        let secrets = secrets_of(read).into_iter();
        let secrets = secrets.map(|name| (name.to_owned(), "x".repeat(32)));
        let usual: BTreeMap<String, String> = environment
            .iter()
            .filter_map(|(name, value)| {
                Some((name.clone(), texts(template, value).into_iter().next()?))
            })
            .chain(secrets)
            .collect();
        for (name, value) in &environment {
            for text in texts(template, value) {
                let mut values = usual.clone();
                values.insert(name.clone(), text);
                let mut reader = Reader::new(values);
                read(&mut reader);
                if let Err(refused) = reader.finish() {
                    faults.push(format!("{id} does not start: {refused}"));
                }
            }
        }
    }
    faults
}

fn the_debounce_settings_fit(template: &Template) -> Faults {
    let check = || -> Result<Faults, String> {
        let mut faults = Faults::new();
        let (_, longest) = range(template, "webhook", "DEBOUNCE_SECONDS")?;
        let (shortest_wait, _) = range(template, "worker", "DEBOUNCE_MAX_WAIT_SECONDS")?;
        let (fewest, most) = range(template, "worker", "DEBOUNCE_MAX_MESSAGES")?;
        let (_, attempts) = range(template, "worker", "AI_MAX_ATTEMPTS")?;
        let (receives, _) = range(template, "worker", "QUEUE_MAX_RECEIVE_COUNT")?;
        if longest > 900 {
            faults.push(format!(
                "DEBOUNCE_SECONDS may be {longest}, a queue's delay 900 at most"
            ));
        }
        if longest > shortest_wait {
            faults.push(format!(
                "the debounce may be {longest} s, longer than the max wait of {shortest_wait} s"
            ));
        }
        // BatchGetItem takes 100 keys.
        if fewest < 1 || most > 100 {
            faults.push(format!(
                "a burst may close at {fewest} to {most} messages, not within 1 to 100"
            ));
        }
        // The fallback text must be reached before the queue gives the trigger up (I1).
        if attempts >= receives {
            faults.push(format!(
                "{attempts} LLM attempts do not fit in {receives} receives"
            ));
        }
        Ok(faults)
    };
    check().unwrap_or_else(|fault| vec![fault])
}

/// No allowed value of the one makes an allowed value of the other a fault.
fn a_critical_balance_is_never_above_the_warning(template: &Template) -> Faults {
    let check = || -> Result<Faults, String> {
        let (_, critical) = range(template, "credits", "CREDITS_CRITICAL_USD")?;
        let (warning, _) = range(template, "credits", "CREDITS_WARNING_USD")?;
        let fault =
            format!("a critical balance of {critical} USD is above a warning of {warning} USD");
        Ok((critical > warning).then_some(fault).into_iter().collect())
    };
    check().unwrap_or_else(|fault| vec![fault])
}

const ALL: [Check; 6] = [
    functions_may_read_their_secrets_and_no_others,
    a_critical_balance_is_never_above_the_warning,
    every_value_that_parameters_allow_is_accepted,
    functions_are_given_what_they_read_and_no_more,
    a_setting_has_one_value,
    the_debounce_settings_fit,
];

#[test]
fn settings_are_complete_and_fit_together() {
    ALL.into_iter().for_each(holds);
}

#[test]
fn a_setting_that_is_missing_or_read_by_nobody_is_seen() {
    let check = functions_are_given_what_they_read_and_no_more;
    for (id, binary, setting) in [
        ("Webhook", "webhook", "QUEUE_URL"),
        ("Worker", "worker", "DLQ_URL"),
        ("Sweeper", "sweeper", "SWEEPER_GRACE_SECONDS"),
        ("Credits", "credits", "ALERT_TOPIC_ARN"),
        ("Inbox", "inbox", "TAKEOVER_PAUSE_MINUTES"),
    ] {
        let variables = format!("/Resources/{id}/Properties/Environment/Variables");
        is_seen(
            check,
            &format!("{variables}/{setting}"),
            Value::Null,
            &format!("{id} reads {setting}"),
        );
        is_seen(
            check,
            &format!("{variables}/SURPRISE"),
            json!("1"),
            &format!("{id} is given SURPRISE"),
        );
        is_seen(
            check,
            &format!("/Resources/{id}"),
            Value::Null,
            &format!("no function runs {binary}"),
        );
    }
    is_seen(
        check,
        "/Globals/Function/Environment/Variables/LOG_LEVEL",
        Value::Null,
        "Credits reads LOG_LEVEL",
    );
    let stranger = json!({"Type": "AWS::Serverless::Function"});
    is_seen(
        check,
        "/Resources/Stranger",
        stranger,
        "Stranger: nobody says",
    );
}

#[test]
fn a_secret_that_cannot_be_read_or_need_not_be_is_seen() {
    let check = functions_may_read_their_secrets_and_no_others;
    let resources =
        "/Resources/WebhookRole/Properties/Policies/0/PolicyDocument/Statement/1/Resource";
    let of = |name: &str| json!({"Fn::Sub": format!("arn:aws:ssm:x:y:parameter/clivy/${{AWS::StackName}}/{name}")});
    is_seen(
        check,
        &format!("{resources}/0"),
        Value::Null,
        "webhook may not read parameter/BOT_SECRETS_KEY",
    );
    is_seen(
        check,
        &format!("{resources}/2"),
        of("OPENROUTER_API_KEY"),
        "webhook may read parameter/OPENROUTER_API_KEY",
    );
}

#[test]
fn functions_that_disagree_are_seen() {
    let setting = "/Resources/Worker/Properties/Environment/Variables/WEBHOOK_TIMEOUT_MS";
    is_seen(
        a_setting_has_one_value,
        setting,
        json!(7000),
        "WEBHOOK_TIMEOUT_MS differs",
    );
}

#[test]
fn debounce_settings_that_do_not_fit_are_seen() {
    let check = the_debounce_settings_fit;
    is_seen(
        check,
        "/Parameters/DebounceSeconds/MaxValue",
        json!(901),
        "900 at most",
    );
    is_seen(
        check,
        "/Parameters/DebounceMaxWaitSeconds/MinValue",
        json!(14),
        "longer than the max wait",
    );
    is_seen(
        check,
        "/Parameters/DebounceMaxMessages/MaxValue",
        json!(101),
        "1 to 100",
    );
    is_seen(
        check,
        "/Parameters/DebounceMaxMessages/MinValue",
        json!(0),
        "1 to 100",
    );
    is_seen(
        check,
        "/Parameters/AiMaxAttempts/MaxValue",
        json!(5),
        "do not fit",
    );
    is_seen(
        check,
        "/Parameters/DebounceSeconds/MaxValue",
        Value::Null,
        "not a number with bounds",
    );
}

#[test]
fn a_critical_balance_above_the_warning_is_seen() {
    let check = a_critical_balance_is_never_above_the_warning;
    let fault = "above a warning";
    is_seen(
        check,
        "/Parameters/CreditsCriticalUsd/MaxValue",
        json!(6),
        fault,
    );
    is_seen(
        check,
        "/Parameters/CreditsWarningUsd/MinValue",
        json!(4),
        fault,
    );
}

#[test]
fn a_value_that_would_stop_a_function_is_seen() {
    let check = every_value_that_parameters_allow_is_accepted;
    is_seen(
        check,
        "/Parameters/MessageRetentionDays/MinValue",
        json!(14),
        "MESSAGE_RETENTION_DAYS",
    );
    is_seen(
        check,
        "/Parameters/LogLevel/AllowedValues/0",
        json!("LOUD"),
        "Credits does not start",
    );
    is_seen(
        check,
        "/Parameters/OpenRouterBaseUrl/Default",
        json!("openrouter.ai"),
        "OPENROUTER_BASE_URL",
    );
    let setting = "/Resources/Credits/Properties/Environment/Variables/CREDITS_RUNWAY_HOURS";
    is_seen(check, setting, json!("6,24"), "CREDITS_RUNWAY_HOURS");
    let setting = "/Resources/Worker/Properties/Environment/Variables/AI_RETRY_SECONDS";
    is_seen(check, setting, json!("soon"), "AI_RETRY_SECONDS");
}
