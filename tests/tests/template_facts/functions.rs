//! Functions: what they run on, what they run, how long they may take.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tests::template::{Template, project_root};

use crate::settings::range;
use crate::{Check, Faults, holds, is_seen, strings};

const RUNTIMES: [&str; 1] = ["provided.al2023"];
const ARCHITECTURES: [&str; 2] = ["arm64", "x86_64"];

/// Linting takes any runtime's name.
fn runtimes_and_architectures_exist(template: &Template) -> Faults {
    let mut faults = Faults::new();
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        let runtime = template.function_property(function, "Runtime");
        if !RUNTIMES.iter().any(|known| runtime == known) {
            faults.push(format!("{id}: unknown runtime"));
        }
        if template.function_property(function, "Handler") != "bootstrap" {
            faults.push(format!(
                "{id}: the handler of a custom runtime is bootstrap"
            ));
        }
        let architectures = template.function_property(function, "Architectures");
        let parameter = architectures[0]["Ref"].as_str().unwrap_or_default();
        let allowed = strings(&template.document["Parameters"][parameter]["AllowedValues"]);
        if allowed.is_empty() || allowed.iter().any(|one| !ARCHITECTURES.contains(one)) {
            faults.push(format!(
                "{id}: the architecture is not a parameter of known values"
            ));
        }
        if function["Metadata"]["BuildMethod"] != "rust-cargolambda" {
            faults.push(format!("{id}: is not built by cargo-lambda"));
        }
    }
    faults
}

/// The packages under `functions/`: folder, as `CodeUri` would name it, and binaries.
fn deployables() -> Vec<(String, Vec<String>)> {
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(project_root())
        .output()
        .ok()
        .and_then(|output| serde_json::from_slice::<Value>(&output.stdout).ok())
        .unwrap_or_default();
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let folder = Path::new(package["manifest_path"].as_str()?)
                .parent()?
                .strip_prefix(root)
                .ok()?;
            let binaries = package["targets"]
                .as_array()?
                .iter()
                .filter(|target| strings(&target["kind"]).contains(&"bin"))
                .filter_map(|target| target["name"].as_str().map(str::to_owned))
                .collect();
            folder
                .starts_with("functions")
                .then(|| (folder.display().to_string(), binaries))
        })
        .collect()
}

/// Built from its own package's folder a function is given that package's features only, not those that `local` and
/// the tests add to the same libraries.
fn functions_run_the_workspaces_binaries(template: &Template) -> Faults {
    let deployables = deployables();
    let mut faults = Faults::new();
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        let folder = function["Properties"]["CodeUri"]
            .as_str()
            .unwrap_or_default();
        let binary = function["Metadata"]["BuildProperties"]["Binary"]
            .as_str()
            .unwrap_or_default();
        let found = deployables.iter().find(|(known, _)| known == folder);
        if !found.is_some_and(|(_, binaries)| binaries.iter().any(|known| known == binary)) {
            faults.push(format!(
                "{id}: no binary {binary:?} in a package at {folder:?}"
            ));
        }
    }
    for (folder, binaries) in &deployables {
        faults.extend(
            binaries
                .iter()
                .filter(|binary| template.function_of_binary(binary).is_none())
                .map(|binary| format!("{folder}: {binary} is deployed by nothing")),
        );
    }
    faults
}

fn timeout_ms(template: &Template, binary: &str) -> Result<i64, String> {
    template
        .function_of_binary(binary)
        .and_then(|(_, function)| template.function_property(function, "Timeout").as_i64())
        .map(|seconds| seconds * 1000)
        .ok_or_else(|| format!("{binary} has no timeout"))
}

fn all_of(check: impl FnOnce(&mut Faults) -> Result<(), String>) -> Faults {
    let mut faults = Faults::new();
    if let Err(fault) = check(&mut faults) {
        faults.push(fault);
    }
    faults
}

/// The webhook gives up first, then Lambda kills it, then the API does; and the own-message rule's 5 s of grace after
/// `WEBHOOK_TIMEOUT_MS` end after the kill, when no late write can come any more (I1).
fn the_webhook_answers_before_the_api_gives_up(template: &Template) -> Faults {
    all_of(|faults| {
        let function = timeout_ms(template, "webhook")?;
        let (_, own) = range(template, "webhook", "WEBHOOK_TIMEOUT_MS")?;
        if own >= function {
            faults.push(format!(
                "WEBHOOK_TIMEOUT_MS {own} is not below the function's {function} ms"
            ));
        }
        if own + 5000 < function {
            faults.push(format!(
                "a write at {function} ms is later than the own-message rule waits"
            ));
        }
        let events = template
            .function_of_binary("webhook")
            .map(|(_, webhook)| &webhook["Properties"]["Events"]);
        let mut routes = Vec::new();
        for event in events
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|events| events.values())
        {
            let event = &event["Properties"];
            routes.push(format!(
                "{} {}",
                event["Method"].as_str().unwrap_or(""),
                event["Path"].as_str().unwrap_or("")
            ));
            let api = event["TimeoutInMillis"].as_i64().unwrap_or_default();
            if api <= function || api > 30_000 {
                faults.push(format!(
                    "an API timeout of {api} ms is not between {function} and 30000 ms"
                ));
            }
        }
        routes.sort_unstable();
        if routes != ["POST /webhook/ai", "POST /webhook/ai/{secret}"] {
            faults.push(format!("the webhook's routes are {routes:?}"));
        }
        Ok(())
    })
}

/// After the LLM come the draft, the send and the commit, for which K3 keeps 10 s.
fn the_worker_outlives_its_llm_call(template: &Template) -> Faults {
    all_of(|faults| {
        let function = timeout_ms(template, "worker")?;
        let (_, llm) = range(template, "worker", "AI_TIMEOUT_MS")?;
        if llm + 10_000 > function {
            faults.push(format!(
                "AI_TIMEOUT_MS may be {llm}, less than 10 s below the function's {function} ms"
            ));
        }
        let (_, gateway) = range(template, "worker", "GATEWAY_TIMEOUT_MS")?;
        if gateway + 10_000 > function {
            faults.push(format!(
                "GATEWAY_TIMEOUT_MS {gateway} is less than 10 s below the function's {function} ms"
            ));
        }
        for told in ["sweeper", "worker"] {
            let (seconds, _) = range(template, told, "WORKER_TIMEOUT_SECONDS")?;
            if seconds * 1000 != function {
                faults.push(format!(
                    "the {told} takes {seconds} s for the worker's timeout of {function} ms"
                ));
            }
        }
        Ok(())
    })
}

/// `rate(N unit)`, or a cron expression of one minute of every hour, in seconds.
fn interval_seconds(expression: &str) -> Option<i64> {
    let cron = expression.strip_prefix("cron(");
    if let Some(cron) = cron.and_then(|cron| cron.strip_suffix(" * * * ? *)")) {
        let minute = cron.parse::<i64>().ok()?;
        return (0..60).contains(&minute).then_some(3600);
    }
    let (count, unit) = expression
        .strip_prefix("rate(")?
        .strip_suffix(')')?
        .split_once(' ')?;
    let unit = match unit.trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3600,
        _ => return None,
    };
    Some(count.parse::<i64>().ok()? * unit)
}

fn schedules_run_one_at_a_time(template: &Template) -> Faults {
    all_of(|faults| {
        for (binary, expected) in [("sweeper", 60), ("credits", 3600)] {
            let timeout = timeout_ms(template, binary)? / 1000;
            let events = template
                .function_of_binary(binary)
                .map(|(_, function)| &function["Properties"]["Events"]);
            let mut schedules = events
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(|events| events.values())
                .filter_map(|event| interval_seconds(event["Properties"]["Schedule"].as_str()?));
            match schedules.next() {
                Some(interval) if interval != expected => {
                    faults.push(format!(
                        "{binary} runs every {interval} s, not {expected} s"
                    ));
                }
                Some(interval) if timeout > interval => {
                    faults.push(format!(
                        "{binary} may run for {timeout} s and starts every {interval} s"
                    ));
                }
                Some(_) => {}
                None => faults.push(format!("{binary} has no schedule")),
            }
        }
        Ok(())
    })
}

/// Lambda tries a failed event again after a minute, then after two. A run of the credits that died has lost its lease by
/// then, and one that lives has not.
fn a_dead_run_of_the_credits_is_taken_over_by_the_retry(template: &Template) -> Faults {
    const FIRST_RETRY_MS: i64 = 60_000;
    all_of(|faults| {
        let timeout = timeout_ms(template, "credits")?;
        if timeout >= credits::LEASE_MS || credits::LEASE_MS >= FIRST_RETRY_MS {
            faults.push(format!(
                "the lease of {} ms is not between the timeout of {timeout} ms and the retry at {FIRST_RETRY_MS} ms",
                credits::LEASE_MS
            ));
        }
        let retries = template.function_of_binary("credits").map(|(_, function)| {
            &function["Properties"]["EventInvokeConfig"]["MaximumRetryAttempts"]
        });
        if retries.and_then(Value::as_i64).unwrap_or_default() < 1 {
            faults.push("a failed run of the credits is not tried again".to_owned());
        }
        Ok(())
    })
}

const ALL: [Check; 6] = [
    a_dead_run_of_the_credits_is_taken_over_by_the_retry,
    runtimes_and_architectures_exist,
    functions_run_the_workspaces_binaries,
    the_webhook_answers_before_the_api_gives_up,
    the_worker_outlives_its_llm_call,
    schedules_run_one_at_a_time,
];

#[test]
fn functions_can_run_and_have_the_time_they_need() {
    ALL.into_iter().for_each(holds);
}

#[test]
fn an_unknown_runtime_or_architecture_is_seen() {
    let check = runtimes_and_architectures_exist;
    is_seen(
        check,
        "/Globals/Function/Runtime",
        json!("provided.al2032"),
        "unknown runtime",
    );
    is_seen(
        check,
        "/Resources/Worker/Properties/Runtime",
        json!("provided.al2"),
        "Worker: unknown runtime",
    );
    is_seen(check, "/Globals/Function/Handler", Value::Null, "bootstrap");
    is_seen(
        check,
        "/Parameters/Architecture/AllowedValues/0",
        json!("aarch64"),
        "architecture",
    );
    is_seen(
        check,
        "/Globals/Function/Architectures",
        json!(["arm64"]),
        "architecture",
    );
    is_seen(
        check,
        "/Resources/Worker/Metadata/BuildMethod",
        Value::Null,
        "cargo-lambda",
    );
}

#[test]
fn a_binary_that_does_not_exist_is_seen() {
    let check = functions_run_the_workspaces_binaries;
    is_seen(
        check,
        "/Resources/Worker/Metadata/BuildProperties/Binary",
        json!("werker"),
        "no binary \"werker\"",
    );
    is_seen(
        check,
        "/Resources/Worker/Properties/CodeUri",
        json!("."),
        "no binary \"worker\"",
    );
    is_seen(
        check,
        "/Resources/Worker",
        Value::Null,
        "worker is deployed by nothing",
    );
}

#[test]
fn a_webhook_that_outlives_its_callers_is_seen() {
    let check = the_webhook_answers_before_the_api_gives_up;
    let webhook = "/Resources/Webhook/Properties";
    let setting = format!("{webhook}/Environment/Variables/WEBHOOK_TIMEOUT_MS");
    is_seen(check, &setting, json!(10_000), "not below");
    is_seen(check, &setting, json!(4_999), "own-message rule");
    is_seen(
        check,
        &format!("{webhook}/Timeout"),
        json!(12),
        "API timeout",
    );
    is_seen(
        check,
        &format!("{webhook}/Events/Signed/Properties/TimeoutInMillis"),
        json!(30_001),
        "API timeout",
    );
    is_seen(
        check,
        &format!("{webhook}/Events/Signed/Properties/Path"),
        json!("/webhook"),
        "routes",
    );
    is_seen(
        check,
        &format!("{webhook}/Events/SecretPath"),
        Value::Null,
        "routes",
    );
}

#[test]
fn a_worker_without_time_after_the_llm_is_seen() {
    let check = the_worker_outlives_its_llm_call;
    is_seen(
        check,
        "/Parameters/AiTimeoutMs/MaxValue",
        json!(170_001),
        "AI_TIMEOUT_MS may be 170001",
    );
    let gateway = "/Resources/Worker/Properties/Environment/Variables/GATEWAY_TIMEOUT_MS";
    is_seen(check, gateway, json!(170_001), "GATEWAY_TIMEOUT_MS");
    is_seen(
        check,
        "/Resources/Worker/Properties/Timeout",
        json!(240),
        "the sweeper takes 180 s",
    );
    is_seen(
        check,
        "/Resources/Worker/Properties/Timeout",
        Value::Null,
        "worker has no timeout",
    );
}

#[test]
fn schedules_that_overlap_or_are_wrong_are_seen() {
    let check = schedules_run_one_at_a_time;
    is_seen(
        check,
        "/Resources/Sweeper/Properties/Timeout",
        json!(61),
        "starts every 60 s",
    );
    let schedule = "/Resources/Sweeper/Properties/Events/EveryMinute/Properties/Schedule";
    is_seen(
        check,
        schedule,
        json!("rate(2 minutes)"),
        "sweeper runs every 120 s",
    );
    is_seen(check, schedule, json!("hourly"), "sweeper has no schedule");
    for (cron, fault) in [
        ("cron(7 * * * ? *)", "sweeper runs every 3600 s"),
        ("cron(60 * * * ? *)", "sweeper has no schedule"),
        ("cron(7 2 * * ? *)", "sweeper has no schedule"),
    ] {
        is_seen(check, schedule, json!(cron), fault);
    }
    is_seen(
        check,
        "/Resources/Credits/Properties/Events",
        Value::Null,
        "credits has no schedule",
    );
}

#[test]
fn a_run_of_the_credits_that_nobody_can_take_over_is_seen() {
    let check = a_dead_run_of_the_credits_is_taken_over_by_the_retry;
    let credits = "/Resources/Credits/Properties";
    is_seen(
        check,
        &format!("{credits}/Timeout"),
        json!(50),
        "not between",
    );
    is_seen(
        check,
        &format!("{credits}/EventInvokeConfig/MaximumRetryAttempts"),
        json!(0),
        "not tried again",
    );
}
