//! Deployments: who invokes what, how traffic moves, what rolls it back.

use serde_json::{Value, json};
use tests::template::{Template, project_root};

use crate::alarms::{alarms, of, watched};
use crate::references::names_used;
use crate::{Check, Faults, arn_target, holds, is_seen, ref_target};

/// Who serves customers and people, and so gets its traffic step by step.
const STEP_BY_STEP: [&str; 3] = ["webhook", "worker", "inbox"];
/// A tenth of the traffic for five minutes.
const CANARY: &str = "Canary10Percent5Minutes";
/// Who is tested with a message first.
const TESTED: [&str; 2] = ["webhook", "worker"];

/// SAM leads events to the alias of their function, and to the function itself where it has none. Without all properties counting
/// only code would make a version, and a changed timeout or right would never go live.
fn every_function_is_published(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        if template.function_property(function, "AutoPublishAlias") != "live" {
            faults.push(format!("{id} has no alias live"));
        }
        if function["Properties"]["AutoPublishAliasAllProperties"] != true {
            faults.push(format!("{id}: what is not code makes no version"));
        }
    }
    // What is written by hand would lead past the alias.
    for kind in [
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
        "AWS::Events::Rule",
        "AWS::ApiGatewayV2::Integration",
    ] {
        let by_hand = template.resources_of(kind);
        faults.extend(by_hand.map(|(id, _)| format!("{id} may lead past the alias")));
    }
    faults
}

fn function<'a>(template: &'a Template, binary: &str) -> (&'a str, &'a Value) {
    template
        .function_of_binary(binary)
        .map_or(("", &Value::Null), |(id, function)| {
            (id, &function["Properties"]["DeploymentPreference"])
        })
}

fn traffic_moves_as_the_environment_says(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let by_type = json!({"Fn::If": ["IsCanary", "Canary10Percent5Minutes", "AllAtOnce"]});
    for binary in STEP_BY_STEP {
        let (id, preference) = function(template, binary);
        if preference["Type"] != by_type {
            faults.push(format!(
                "{id}: its traffic does not move as DeploymentType says"
            ));
        }
        if arn_target(&preference["Role"]) != Some("DeploymentRole") {
            faults.push(format!("{id}: is deployed with a role that SAM makes up"));
        }
        let hook = ref_target(&preference["Hooks"]["PreTraffic"]);
        if TESTED.contains(&binary) && hook != Some("Smoke") {
            faults.push(format!("{id}: nothing is tested before it gets traffic"));
        }
    }
    let condition = &template.document["Conditions"]["IsCanary"]["Fn::Equals"];
    if *condition != json!([{"Ref": "DeploymentType"}, "Canary10Percent5Minutes"]) {
        faults.push("IsCanary is not about DeploymentType".to_owned());
    }
    // The test is told which versions: those of this deployment, not what the alias leads to.
    let smoke = template.function_of_binary("smoke").map(|(_, smoke)| smoke);
    let environment = smoke
        .map(|smoke| template.environment(smoke))
        .unwrap_or_default();
    for (setting, binary) in [
        ("WEBHOOK_VERSION_ARN", "webhook"),
        ("WORKER_VERSION_ARN", "worker"),
    ] {
        let (id, _) = function(template, binary);
        if environment.get(setting) != Some(&json!({"Ref": format!("{id}.Version")})) {
            faults.push(format!("{setting} is not the version that is deployed"));
        }
    }
    faults
}

/// The alarm that an entry of a deployment's list names: by reference, or by the name that it gives itself.
fn alarm_of<'a>(template: &'a Template, entry: &'a Value) -> Option<&'a str> {
    let by_name = |id: &str| template.properties(id)["AlarmName"] == *entry;
    let mut all = alarms(template).into_iter().map(|(id, _)| id);
    ref_target(entry).or_else(|| all.find(|id| by_name(id)))
}

/// A deployment group waits for the alarms that it refers to, and the alias for the group: an alarm on an API would wait for the
/// alias, because the API refers to it.
fn bad_versions_are_rolled_back(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for binary in STEP_BY_STEP {
        let (id, preference) = function(template, binary);
        let list = &preference["Alarms"]["Fn::If"];
        if list[0] != "AlarmsOnDeployments" {
            faults.push(format!(
                "{id}: its alarms do not depend on AlarmsOnDeployments"
            ));
        }
        let mut has_own = false;
        for entry in list[1].as_array().into_iter().flatten() {
            let Some(alarm) = alarm_of(template, entry) else {
                faults.push(format!("{id}: {entry} is no alarm"));
                continue;
            };
            let properties = template.properties(alarm);
            let apis = template.resources_of("AWS::Serverless::HttpApi");
            let names = names_used(properties);
            let is_of_api = apis
                .into_iter()
                .any(|(api, _)| names.iter().any(|name| name == api));
            if is_of_api && ref_target(entry).is_some() {
                faults.push(format!("{id} waits for {alarm}, which waits for {id}"));
            }
            has_own |= is_of_new_version(properties, id);
        }
        if !has_own {
            faults.push(format!("{id}: errors of its new version roll nothing back"));
        }
    }
    let conditions = &template.document["Conditions"]["AlarmsOnDeployments"]["Fn::And"];
    if *conditions != json!([{"Condition": "HasAlarms"}, {"Condition": "IsCanary"}]) {
        faults.push("alarms that are not there would be watched".to_owned());
    }
    faults
}

/// Each minute, the errors of exactly the version that this deployment brings, as the alias runs it.
fn is_of_new_version(alarm: &Value, id: &str) -> bool {
    let expected = [
        ("FunctionName", json!({"Ref": id})),
        ("Resource", json!({"Fn::Sub": format!("${{{id}}}:live")})),
        (
            "ExecutedVersion",
            json!({"Fn::GetAtt": [id, "Version.Version"]}),
        ),
    ];
    let is_it = |metric: &crate::measured::Named<'_>| {
        metric.name == "Errors" && metric.dimensions == expected
    };
    let mut metrics = watched(alarm).into_iter();
    alarm["Period"] == 60 && metrics.any(|(metric, _)| is_it(&metric))
}

/// CodeDeploy moves the aliases of these functions and invokes the test, and may do nothing else.
fn codedeploys_role_is_narrow(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let role = template.properties("DeploymentRole");
    let trusted = &role["AssumeRolePolicyDocument"]["Statement"];
    let is_trusted = trusted[0]["Principal"] == json!({"Service": "codedeploy.amazonaws.com"});
    if !is_trusted || trusted.as_array().map(Vec::len) != Some(1) {
        faults.push("DeploymentRole is not for CodeDeploy alone".to_owned());
    }
    if !role["ManagedPolicyArns"].is_null() {
        faults.push("DeploymentRole has a managed policy".to_owned());
    }
    let statements = role["Policies"][0]["PolicyDocument"]["Statement"].as_array();
    let mut allowed: Vec<String> = Vec::new();
    for statement in statements.into_iter().flatten() {
        for action in crate::strings(&statement["Action"]) {
            let mut names = names_used(&statement["Resource"]);
            names.retain(|name| !name.starts_with("AWS::"));
            allowed.extend(names.iter().map(|name| format!("{action} {name}")));
            if names.is_empty() {
                allowed.push(action.to_owned());
            }
        }
    }
    allowed.sort_unstable();
    let mut expected = vec![
        "cloudwatch:DescribeAlarms".to_owned(),
        "lambda:InvokeFunction Smoke.Arn".to_owned(),
    ];
    for binary in STEP_BY_STEP {
        let (id, _) = function(template, binary);
        for action in ["GetAlias", "GetProvisionedConcurrencyConfig", "UpdateAlias"] {
            expected.push(format!("lambda:{action} {id}.Arn"));
        }
    }
    expected.sort_unstable();
    if allowed != expected {
        faults.push(format!("CodeDeploy may {allowed:?}"));
    }
    faults
}

/// A deployment that removes the stack, or replaces what holds customers' words, leaves these behind.
fn what_is_kept_outlives_the_stack(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for kind in ["AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::KMS::Key"] {
        for (id, resource) in template.resources_of(kind) {
            for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
                if resource[policy] != "Retain" {
                    faults.push(format!("{id} has not {policy}: Retain"));
                }
            }
        }
    }
    faults
}

/// Customers are in prod, and staging is where it is rehearsed; in dev nobody waits five minutes.
fn environments_move_traffic(samconfig: &str) -> Faults {
    let config: toml::Value = toml::from_str(samconfig).unwrap();
    let of = |environment: &str| {
        let overrides =
            config[environment]["deploy"]["parameters"]["parameter_overrides"].as_array();
        let mut overrides = overrides
            .into_iter()
            .flatten()
            .filter_map(toml::Value::as_str);
        overrides.find_map(|text| text.strip_prefix("DeploymentType="))
    };
    [("dev", "AllAtOnce"), ("staging", CANARY), ("prod", CANARY)]
        .into_iter()
        .filter(|(environment, kind)| of(environment) != Some(kind))
        .map(|(environment, kind)| format!("{environment} is not deployed {kind}"))
        .collect()
}

#[test]
fn customers_get_a_new_version_step_by_step_and_developers_at_once() {
    let file = project_root().join("samconfig.toml");
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(environments_move_traffic(&text), Faults::new());
    let spoiled = text.replace("=AllAtOnce", "=Canary10Percent5Minutes");
    assert_eq!(environments_move_traffic(&spoiled).len(), 1);
    let spoiled = text.replace(
        "\"DeploymentType=Canary10Percent5Minutes\"",
        "\"LogLevel=INFO\"",
    );
    assert_eq!(environments_move_traffic(&spoiled).len(), 2);
}

const ALL: [Check; 5] = [
    every_function_is_published,
    traffic_moves_as_the_environment_says,
    bad_versions_are_rolled_back,
    codedeploys_role_is_narrow,
    what_is_kept_outlives_the_stack,
];

#[test]
fn new_versions_get_traffic_step_by_step_and_lose_it_when_they_fail() {
    ALL.into_iter().for_each(holds);
}

#[test]
fn a_function_without_an_alias_and_what_leads_past_one_are_seen() {
    let check = every_function_is_published;
    let global = "/Globals/Function/AutoPublishAlias";
    is_seen(check, global, Value::Null, "Sweeper has no alias live");
    let own = of("Worker", "AutoPublishAlias");
    is_seen(check, &own, json!("prod"), "Worker has no alias live");
    let all = of("Credits", "AutoPublishAliasAllProperties");
    is_seen(check, &all, Value::Null, "Credits: what is not code");
    let rule = json!({"Type": "AWS::Events::Rule"});
    is_seen(check, "/Resources/Nightly", rule, "Nightly may lead past");
}

#[test]
fn traffic_that_moves_untested_or_otherwise_is_seen() {
    let check = traffic_moves_as_the_environment_says;
    for (place, value, fault) in [
        (
            of("Inbox", "DeploymentPreference/Type"),
            json!("AllAtOnce"),
            "Inbox: its traffic",
        ),
        (
            of("Inbox", "DeploymentPreference"),
            Value::Null,
            "Inbox: its traffic",
        ),
        (
            of("Worker", "DeploymentPreference/Role"),
            Value::Null,
            "Worker: is deployed with",
        ),
        (
            of("Webhook", "DeploymentPreference/Hooks"),
            Value::Null,
            "Webhook: nothing is tested",
        ),
        (
            of("Worker", "DeploymentPreference/Hooks/PreTraffic/Ref"),
            json!("Sweeper"),
            "Worker: nothing is tested",
        ),
        (
            of("Smoke", "Environment/Variables/WORKER_VERSION_ARN/Ref"),
            json!("Worker.Alias"),
            "WORKER_VERSION_ARN is not",
        ),
        (
            "/Conditions/IsCanary/Fn::Equals/1".to_owned(),
            json!("AllAtOnce"),
            "IsCanary is not",
        ),
    ] {
        is_seen(check, &place, value, fault);
    }
}

#[test]
fn a_bad_version_that_would_stay_is_seen() {
    let check = bad_versions_are_rolled_back;
    let of_webhook = of("Webhook", "DeploymentPreference/Alarms/Fn::If");
    let own = of("WebhookDeploymentAlarm", "");
    let own = own.trim_end_matches('/');
    for (place, value, fault) in [
        (
            format!("{of_webhook}/0"),
            json!("HasAlarms"),
            "do not depend on",
        ),
        (
            format!("{of_webhook}/1/0"),
            Value::Null,
            "roll nothing back",
        ),
        (
            format!("{of_webhook}/1/1/Fn::Sub"),
            json!("${AWS::StackName}-5xx"),
            "is no alarm",
        ),
        (
            format!("{of_webhook}/1/1"),
            json!({"Ref": "WebhookServerErrorsAlarm"}),
            "Webhook waits for WebhookServerErrorsAlarm",
        ),
        (
            format!("{own}/Dimensions/2"),
            Value::Null,
            "roll nothing back",
        ),
        (
            format!("{own}/Dimensions/2/Value/Fn::GetAtt/0"),
            json!("Worker"),
            "roll nothing back",
        ),
        (format!("{own}/Period"), json!(300), "roll nothing back"),
        (
            "/Conditions/AlarmsOnDeployments/Fn::And/0/Condition".to_owned(),
            json!("IsCanary"),
            "alarms that are not there",
        ),
    ] {
        is_seen(check, &place, value, fault);
    }
}

#[test]
fn a_role_of_codedeploy_that_may_more_is_seen() {
    let check = codedeploys_role_is_narrow;
    let role = "/Resources/DeploymentRole/Properties";
    let statements = format!("{role}/Policies/0/PolicyDocument/Statement");
    let managed = json!(["arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"]);
    for (place, value, fault) in [
        (
            format!("{role}/ManagedPolicyArns"),
            managed,
            "a managed policy",
        ),
        (
            format!("{role}/AssumeRolePolicyDocument/Statement/0/Principal/Service"),
            json!("lambda.amazonaws.com"),
            "not for CodeDeploy alone",
        ),
        (
            format!("{statements}/0/Action"),
            json!(["lambda:UpdateFunctionCode"]),
            "CodeDeploy may",
        ),
        (
            format!("{statements}/2/Resource/Fn::GetAtt/0"),
            json!("Worker"),
            "CodeDeploy may",
        ),
        (format!("{statements}/0"), Value::Null, "CodeDeploy may"),
    ] {
        is_seen(check, &place, value, fault);
    }
}

#[test]
fn what_would_go_with_the_stack_is_seen() {
    let check = what_is_kept_outlives_the_stack;
    for id in ["Table", "Queue", "DeadLetterQueue", "Key"] {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            let place = format!("/Resources/{id}/{policy}");
            let fault = format!("{id} has not {policy}");
            is_seen(check, &place, json!("Delete"), &fault);
            is_seen(check, &place, Value::Null, &fault);
        }
    }
}
