//! `samconfig.toml`: three environments that differ in parameters only.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::template::{Template, project_root};

use crate::{Faults, project_template, put};

const ENVIRONMENTS: [&str; 3] = ["dev", "prod", "staging"];

fn samconfig() -> Result<String> {
    Ok(std::fs::read_to_string(
        project_root().join("samconfig.toml"),
    )?)
}

/// Whether the parameter takes the value that is written as `text`.
fn takes(parameter: &Value, text: &str) -> bool {
    let number = text.parse::<i64>().ok();
    let listed = parameter["AllowedValues"].as_array().is_none_or(|allowed| {
        allowed.iter().any(|one| {
            one.as_str().map_or_else(
                || one.as_i64() == number && number.is_some(),
                |one| one == text,
            )
        })
    });
    let within = parameter["Type"] != "Number"
        || number.is_some_and(|number| {
            parameter["MinValue"]
                .as_i64()
                .is_none_or(|least| number >= least)
                && parameter["MaxValue"]
                    .as_i64()
                    .is_none_or(|most| number <= most)
        });
    listed && within
}

fn faults_of(samconfig: &str, template: &Template) -> Result<Faults> {
    let config: toml::Table = samconfig.parse()?;
    let mut faults = Faults::new();
    let mut environments: Vec<&str> = config
        .keys()
        .map(String::as_str)
        .filter(|key| *key != "version")
        .collect();
    environments.sort_unstable();
    if environments != ENVIRONMENTS {
        faults.push(format!("the environments are {environments:?}"));
    }
    let mut stacks = Vec::new();
    for environment in environments {
        let commands = config[environment]
            .as_table()
            .context("an environment that is no table")?;
        for (command, sections) in commands {
            let sections = sections.as_table().context("a command that is no table")?;
            if sections.keys().any(|section| section != "parameters") {
                faults.push(format!(
                    "{environment}.{command} holds more than parameters"
                ));
            }
        }
        let deploy = commands
            .get("deploy")
            .and_then(|deploy| deploy.get("parameters"))
            .context("no deploy")?;
        let stack = deploy
            .get("stack_name")
            .and_then(toml::Value::as_str)
            .unwrap_or_default();
        if stack.is_empty() || stacks.contains(&stack) {
            faults.push(format!("{environment} has no stack of its own"));
        }
        stacks.push(stack);
        let overrides = deploy
            .get("parameter_overrides")
            .and_then(toml::Value::as_array)
            .context("no overrides")?;
        faults.extend(
            overrides
                .iter()
                .filter_map(|item| override_fault(item.as_str().unwrap_or_default(), template)),
        );
    }
    Ok(faults)
}

fn override_fault(item: &str, template: &Template) -> Option<String> {
    let (name, value) = item.split_once('=').unwrap_or((item, ""));
    let parameter = &template.document["Parameters"][name];
    if parameter.is_null() {
        return Some(format!("{name} is no parameter"));
    }
    if parameter["NoEcho"] == true {
        return Some(format!("{name} is a secret"));
    }
    (!takes(parameter, value)).then(|| format!("{name} does not take {value:?}"))
}

#[test]
fn each_environment_has_its_stack_and_known_parameters() {
    assert_eq!(
        faults_of(&samconfig().unwrap(), &project_template()).unwrap(),
        Faults::new()
    );
}

#[test]
fn an_override_that_cannot_be_is_seen() {
    let text = samconfig().unwrap();
    let mut template = project_template();
    let secret = json!({"Type": "String", "NoEcho": true});
    put(&mut template.document, "/Parameters/Phrase", secret);
    for (from, to, fault) in [
        ("LogLevel=DEBUG", "LogLvel=DEBUG", "LogLvel is no parameter"),
        ("LogLevel=DEBUG", "LogLevel=LOUD", "LogLevel does not take"),
        (
            "LogRetentionDays=7",
            "LogRetentionDays=8",
            "LogRetentionDays does not take",
        ),
        (
            "MaximumConcurrency=100",
            "MaximumConcurrency=1001",
            "MaximumConcurrency does not take",
        ),
        (
            "MaximumConcurrency=100",
            "MaximumConcurrency=many",
            "MaximumConcurrency does not take",
        ),
        ("LogLevel=DEBUG", "Phrase=abc", "Phrase is a secret"),
        ("clivy-staging", "clivy-prod", "has no stack of its own"),
        (
            "[dev.deploy.parameters]",
            "[test.deploy.parameters]",
            "the environments are",
        ),
        (
            "[dev.deploy.parameters]",
            "[dev.deploy.hooks]\nx = 1\n[dev.deploy.parameters]",
            "more than parameters",
        ),
    ] {
        assert!(text.contains(from), "{from} is not in samconfig.toml");
        let faults = faults_of(&text.replace(from, to), &template).unwrap();
        assert!(
            faults.iter().any(|found| found.contains(fault)),
            "expected {fault:?}, found {faults:?}"
        );
    }
}
