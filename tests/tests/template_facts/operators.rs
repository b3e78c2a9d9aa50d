//! What people and the commands of `infra/ops` rely on: the stack's outputs, and the table's shape.

use std::collections::BTreeSet;

use clivy::table::keys;
use serde_json::{Value, json};
use tests::template::{Template, project_root};

use crate::references::names_used;
use crate::{Faults, holds, is_seen, project_template};

/// The outputs, and the resource that each must be of.
const OUTPUTS: [(&str, &str); 7] = [
    ("AlertTopicArn", "Alerts"),
    ("DashboardUrl", "Dashboard"),
    ("DeadLetterQueueUrl", "DeadLetterQueue"),
    ("InboxUrl", "InboxApi"),
    ("QueueUrl", "Queue"),
    ("TableName", "Table"),
    ("WebhookUrl", "Api"),
];

fn outputs_are_of_the_right_resource(template: &Template) -> Faults {
    OUTPUTS
        .into_iter()
        .filter_map(|(output, resource)| {
            let value = &template.document["Outputs"][output]["Value"];
            let is_right = names_used(value).iter().any(|name| name == resource);
            (!is_right).then(|| format!("the output {output} is not of {resource}"))
        })
        .collect()
}

/// The commands' texts, with their names.
fn commands() -> Vec<(String, String)> {
    let folder = project_root().join("infra/ops");
    let mut commands: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            (name.into_owned(), std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    commands.sort();
    commands
}

/// `$(found VARIABLE OUTPUT)` of all commands: the outputs that they ask the stack for.
fn outputs_asked_for(commands: &[(String, String)]) -> BTreeSet<String> {
    let calls = commands
        .iter()
        .flat_map(|(_, text)| text.split("$(found ").skip(1));
    let calls = calls.filter_map(|call| call.split_once(')'));
    calls
        .filter_map(|(arguments, _)| arguments.split_whitespace().nth(1))
        .map(str::to_owned)
        .collect()
}

/// What a command says of the table, against what the code or the template says.
fn command_faults(template: &Template, commands: &[(String, String)]) -> Faults {
    let mut faults: Faults = outputs_asked_for(commands)
        .into_iter()
        .filter(|output| template.document["Outputs"][output].is_null())
        .map(|output| format!("the stack has no output {output}"))
        .collect();
    let shards: Vec<String> = (0..keys::OWED_SHARDS)
        .map(|shard| shard.to_string())
        .collect();
    let shard = keys::owed_shard(7).replace('7', "$shard");
    let expires = &template.properties("Table")["TimeToLiveSpecification"]["AttributeName"];
    let expires = expires.as_str().unwrap_or("nothing");
    for (command, wanted) in [
        ("owed.sh", format!("for shard in {};", shards.join(" "))),
        ("owed.sh", format!("\\\"S\\\": \\\"{shard}\\\"")),
        ("owed.sh", "--index-name owed ".to_owned()),
        ("restore.sh", format!("AttributeName={expires} >")),
    ] {
        let text = commands.iter().find(|(name, _)| name == command);
        if !text.is_some_and(|(_, text)| text.contains(&wanted)) {
            faults.push(format!("{command} does not say {wanted}"));
        }
    }
    faults
}

#[test]
fn the_outputs_are_there_and_of_the_right_thing() {
    holds(outputs_are_of_the_right_resource);
    for (output, resource) in OUTPUTS {
        let fault = format!("the output {output} is not of {resource}");
        let place = format!("/Outputs/{output}");
        is_seen(
            outputs_are_of_the_right_resource,
            &place,
            Value::Null,
            &fault,
        );
        let other = json!({"Value": {"Ref": "Webhook"}});
        is_seen(outputs_are_of_the_right_resource, &place, other, &fault);
    }
}

#[test]
fn the_operators_commands_know_the_stack_and_the_table() {
    let commands = commands();
    let template = project_template();
    assert_eq!(command_faults(&template, &commands), Faults::new());
    assert_eq!(outputs_asked_for(&commands).len(), 5);
    for (from, to, fault) in [
        (
            "0 1 2 3 4 5 6 7;",
            "0 1 2 3;",
            "owed.sh does not say for shard in",
        ),
        ("W#$shard", "O#$shard", "owed.sh does not say"),
        ("expires_at", "expires", "restore.sh does not say"),
        (" QueueUrl)", " Queue)", "no output Queue"),
    ] {
        let spoilt: Vec<(String, String)> = commands
            .iter()
            .map(|(name, text)| (name.clone(), text.replace(from, to)))
            .collect();
        let faults = command_faults(&template, &spoilt);
        assert!(
            faults.iter().any(|found| found.contains(fault)),
            "expected {fault:?}, found {faults:?}"
        );
    }
}
