//! Who may do what.

use serde_json::{Value, json};
use tests::template::{self, Template};

use crate::{Check, Faults, arn_target, holds, is_seen, ref_target, strings, topic_target};

/// The statements of the one policy of a function's role.
pub fn statements<'a>(
    template: &'a Template,
    function: &Value,
) -> impl Iterator<Item = &'a Value> + use<'a> {
    let role = arn_target(&function["Properties"]["Role"]).unwrap_or_default();
    let document = &template.properties(role)["Policies"][0]["PolicyDocument"];
    let statements = document["Statement"].as_array().into_iter().flatten();
    statements.map(template::statement)
}

/// A role that SAM makes up holds managed policies for every queue and log group of the account, so each function brings
/// its own role, with one policy, shared with nobody.
fn each_function_has_one_policy_of_its_own(template: &Template) -> Faults {
    let mut faults = Faults::new();
    let mut roles = Vec::new();
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        if !function["Properties"]["Policies"].is_null() {
            faults.push(format!("{id}: a policy outside of its role"));
        }
        let role = arn_target(&function["Properties"]["Role"]).unwrap_or_default();
        let properties = template.properties(role);
        if properties["Policies"].as_array().map_or(0, Vec::len) != 1
            || statements(template, function).next().is_none()
        {
            faults.push(format!("{id}: its role does not have exactly one policy"));
        }
        if !properties["ManagedPolicyArns"].is_null() {
            faults.push(format!("{id}: a managed policy"));
        }
        let trusted = &properties["AssumeRolePolicyDocument"]["Statement"];
        if trusted.as_array().map(Vec::len) != Some(1)
            || trusted[0]["Principal"] != json!({"Service": "lambda.amazonaws.com"})
        {
            faults.push(format!("{id}: its role is not for Lambda alone"));
        }
        if roles.contains(&role) {
            faults.push(format!("{id}: shares {role}"));
        }
        roles.push(role);
    }
    faults
}

/// Actions are named one by one, and resources by reference: no wildcard can hide in a literal.
fn policies_have_no_wildcards(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for (id, role) in template.resources_of("AWS::IAM::Role") {
        let policies = role["Properties"]["Policies"]
            .as_array()
            .into_iter()
            .flatten();
        let statements = policies.flat_map(|policy| {
            policy["PolicyDocument"]["Statement"]
                .as_array()
                .into_iter()
                .flatten()
        });
        for statement in statements.map(template::statement) {
            for inverse in ["NotAction", "NotResource", "NotPrincipal"] {
                if statement.get(inverse).is_some() {
                    faults.push(format!("{id}: {inverse} allows whatever is not listed"));
                }
            }
            let actions = strings(&statement["Action"]);
            if actions.is_empty() || actions.iter().any(|action| action.contains(['*', '?'])) {
                faults.push(format!("{id}: an action is missing or a wildcard"));
            }
            let resources = match &statement["Resource"] {
                Value::Array(items) => items.iter().collect(),
                one => vec![one],
            };
            for resource in resources {
                let by_sub = resource["Fn::Sub"].as_str().unwrap_or_default();
                let is_part = by_sub.starts_with("${") && by_sub.contains(".Arn}");
                let named = arn_target(resource).is_some()
                    || topic_target(template, resource).is_some()
                    || ((is_part || is_secret_of_the_stack(by_sub))
                        && !by_sub.contains(['*', '?']))
                    || is_about_deployments(template, by_sub)
                    // X-Ray knows no resources.
                    || (resource == "*" && actions.iter().all(|action| action.starts_with("xray:")));
                if !named {
                    faults.push(format!(
                        "{id}: a resource that is not this stack's, or a wildcard"
                    ));
                }
            }
        }
    }
    faults
}

/// What a deployment is about is known only when it happens, so these end with a star: the versions of one function, the
/// deployment groups of this stack's application, the alarms of this stack.
fn is_about_deployments(template: &Template, text: &str) -> bool {
    let own = "arn:${AWS::Partition}:SERVICE:${AWS::Region}:${AWS::AccountId}:";
    let groups = own.replace("SERVICE", "codedeploy")
        + "deploymentgroup:${ServerlessDeploymentApplication}/*";
    let alarms = own.replace("SERVICE", "cloudwatch") + "alarm:${AWS::StackName}-*";
    let function = text
        .strip_prefix("${")
        .and_then(|text| text.strip_suffix(".Arn}:*"));
    let is_function =
        |id: &str| template.document["Resources"][id]["Type"] == "AWS::Serverless::Function";
    text == groups || text == alarms || function.is_some_and(is_function)
}

/// The ARN of one secret: SSM holds them, not the stack, so that no reference leads to it.
fn is_secret_of_the_stack(text: &str) -> bool {
    let path = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/clivy/${AWS::StackName}/";
    text.strip_prefix(path)
        .is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// What each function must be allowed to do for the settings and events it has; SAM adds nothing to a given role.
fn functions_may_do_what_they_are_for(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        let properties = &function["Properties"];
        let mut needed: Vec<(String, Vec<&str>)> = Vec::new();
        let environment = template.environment(function);
        // The worker parks turns there; the inbox only looks how many there are.
        let is_inbox = function["Metadata"]["BuildProperties"]["Binary"] == "inbox";
        let on_dlq = if is_inbox {
            "sqs:GetQueueAttributes"
        } else {
            "sqs:SendMessage"
        };
        for (setting, action) in [("QUEUE_URL", "sqs:SendMessage"), ("DLQ_URL", on_dlq)] {
            if let Some(queue) = environment.get(setting).and_then(ref_target) {
                needed.push((queue.to_owned(), vec![action]));
            }
        }
        if let Some(topic) = environment.get("ALERT_TOPIC_ARN").and_then(ref_target) {
            needed.push((topic.to_owned(), vec!["sns:Publish"]));
        }
        for event in properties["Events"]
            .as_object()
            .into_iter()
            .flat_map(|events| events.values())
        {
            if let Some(queue) = arn_target(&event["Properties"]["Queue"]) {
                let poll = [
                    "sqs:ReceiveMessage",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                ];
                needed.push((queue.to_owned(), poll.to_vec()));
            }
        }
        let logs = ref_target(&properties["LoggingConfig"]["LogGroup"]).unwrap_or_default();
        needed.push((
            logs.to_owned(),
            vec!["logs:CreateLogStream", "logs:PutLogEvents"],
        ));
        for (resource, actions) in needed {
            let allowed: Vec<&str> = statements(template, function)
                .filter(|statement| statement["Effect"] == "Allow")
                .filter(|statement| {
                    let allowed = &statement["Resource"];
                    let target = arn_target(allowed).or_else(|| topic_target(template, allowed));
                    target == Some(resource.as_str())
                })
                .flat_map(|statement| strings(&statement["Action"]))
                .collect();
            let missing = actions
                .into_iter()
                .filter(|action| !allowed.contains(action));
            faults.extend(missing.map(|action| format!("{id} may not {action} on {resource}")));
        }
    }
    faults
}

const ALL: [Check; 3] = [
    each_function_has_one_policy_of_its_own,
    policies_have_no_wildcards,
    functions_may_do_what_they_are_for,
];

#[test]
fn access_is_as_narrow_as_it_can_be() {
    ALL.into_iter().for_each(holds);
}

#[test]
fn a_policy_that_is_not_the_functions_own_is_seen() {
    let check = each_function_has_one_policy_of_its_own;
    let worker = "/Resources/Worker/Properties";
    is_seen(
        check,
        &format!("{worker}/Policies"),
        json!(["AdministratorAccess"]),
        "outside of its role",
    );
    is_seen(
        check,
        &format!("{worker}/Role"),
        Value::Null,
        "exactly one policy",
    );
    is_seen(
        check,
        &format!("{worker}/Role"),
        json!({"Fn::GetAtt": ["WebhookRole", "Arn"]}),
        "shares WebhookRole",
    );
    let role = "/Resources/WorkerRole/Properties";
    is_seen(
        check,
        &format!("{role}/ManagedPolicyArns"),
        json!(["arn:aws:iam::aws:policy/AWSLambdaExecute"]),
        "managed",
    );
    is_seen(
        check,
        &format!("{role}/Policies/1"),
        json!({}),
        "exactly one policy",
    );
    let principal = format!("{role}/AssumeRolePolicyDocument/Statement/0/Principal");
    is_seen(check, &principal, json!({"AWS": "*"}), "Lambda alone");
}

#[test]
fn a_wildcard_is_seen() {
    let check = policies_have_no_wildcards;
    let statement = "/Resources/WorkerRole/Properties/Policies/0/PolicyDocument/Statement/4";
    for action in [
        json!("sqs:*"),
        json!("*"),
        json!(["sqs:SendMessage", "dynamodb:Get*"]),
        Value::Null,
    ] {
        is_seen(check, &format!("{statement}/Action"), action, "wildcard");
    }
    let (sub, list) = (
        json!({"Fn::Sub": "${Table.Arn}/index/*"}),
        json!([{"Fn::GetAtt": ["Table", "Arn"]}, "*"]),
    );
    let secret = |path: &str| {
        let arn = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/";
        json!({"Fn::Sub": format!("{arn}{path}")})
    };
    for resource in [
        json!("*"),
        sub,
        list,
        json!("arn:aws:sqs:::queue"),
        // Of a table, Ref is the name.
        json!({"Ref": "Table"}),
        json!({"Fn::Sub": "*"}),
        // Another stack's secrets, all secrets of this one, something below one.
        secret("clivy/other/PSEUDONYM_KEY"),
        secret("clivy/${AWS::StackName}/*"),
        secret("clivy/${AWS::StackName}/A/B"),
        Value::Null,
    ] {
        is_seen(
            check,
            &format!("{statement}/Resource"),
            resource,
            "not this stack's",
        );
    }
    is_seen(
        check,
        &format!("{statement}/NotAction"),
        json!("iam:PassRole"),
        "NotAction",
    );
}

#[test]
fn a_missing_permission_is_seen() {
    let check = functions_may_do_what_they_are_for;
    let policy =
        |role: &str| format!("/Resources/{role}/Properties/Policies/0/PolicyDocument/Statement");
    let queue = format!("{}/4/Action", policy("WorkerRole"));
    is_seen(
        check,
        &queue,
        json!(["sqs:SendMessage"]),
        "Worker may not sqs:ReceiveMessage on Queue",
    );
    is_seen(
        check,
        &queue,
        json!("sqs:ReceiveMessage"),
        "Worker may not sqs:SendMessage on Queue",
    );
    let dlq = format!("{}/5/Effect", policy("WorkerRole"));
    is_seen(
        check,
        &dlq,
        json!("Deny"),
        "Worker may not sqs:SendMessage on DeadLetterQueue",
    );
    let topic = format!("{}/4/Effect", policy("CreditsRole"));
    is_seen(
        check,
        &topic,
        json!("Deny"),
        "Credits may not sns:Publish on Alerts",
    );
    let logs = format!("{}/0/Resource", policy("CreditsRole"));
    let other = json!({"Fn::GetAtt": ["WorkerLogs", "Arn"]});
    is_seen(
        check,
        &logs,
        other,
        "Credits may not logs:PutLogEvents on CreditsLogs",
    );
}
