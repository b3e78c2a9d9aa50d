//! What the smoke test asks of AWS, against what its policy allows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use clivy::conversation::bot::Bot;
use clivy::table::{BotEdit, Edited};
use local::engines::Through;
use percent_encoding::percent_decode_str;
use tests::faults::Role;
use tests::policy::{Guard, Policies, Right, allowed};
use tests::template::Template;

use crate::stage::{Stage, WEBHOOK, WORKER};

async fn deployed(policies: Policies) -> (Arc<Stage>, Arc<Guard>) {
    let guard = Arc::new(Guard::new(policies, Arc::new(Through)));
    let stage = Box::pin(Stage::behind(&[], Arc::clone(&guard) as _)).await;
    stage.start_live();
    stage.hook().await.unwrap();
    (stage, guard)
}

/// Somebody switches the test bot off: the next test has to give it a new token before it can use it.
async fn switch_off(stage: &Stage) {
    let table = &stage.webhook.get().unwrap().table;
    let was = stage.bot().await;
    let before = table.bot_state(&was.bot_id).await.unwrap();
    let off = Bot {
        active: false,
        ..was
    };
    let edit = BotEdit {
        before: &before,
        bot: &off,
        by: "somebody",
        now: stage.day.world.clock.now(),
    };
    let edited = table.edit_bot(&edit).await.unwrap();
    assert!(matches!(edited, Edited::Done(_)), "{edited:?}");
    // The functions see it when they read the bot anew.
    tokio::time::sleep(Duration::from_secs(60)).await;
}

/// Of the two services that are called past the engines, by the requests themselves.
fn of_requests(stage: &Stage) -> BTreeSet<Right> {
    let rights = stage.requests().into_iter().map(|request| {
        let path = percent_decode_str(request.uri().path()).decode_utf8();
        let path = path.unwrap();
        let (action, resource) = match request.headers().get("x-amz-target") {
            Some(target) => {
                let target = target.to_str().unwrap();
                let operation = target.strip_prefix("CodeDeploy_20141006.").unwrap();
                (
                    format!("codedeploy:{operation}"),
                    "ServerlessDeploymentApplication/*",
                )
            }
            None if path.contains(WEBHOOK) => ("lambda:InvokeFunction".to_owned(), "Webhook:*"),
            None if path.contains(WORKER) => ("lambda:InvokeFunction".to_owned(), "Worker:*"),
            None => panic!("an unknown request: {path}"),
        };
        (action, resource.to_owned())
    });
    rights.collect()
}

#[tokio::test(start_paused = true)]
async fn the_smoke_test_may_do_what_it_does_and_nothing_else() {
    let policies = allowed(&Template::load().unwrap());
    let (stage, guard) = deployed(policies.clone()).await;
    assert_eq!(stage.reports(), ["Succeeded"]);
    let token = stage.token().await;
    switch_off(&stage).await;
    stage.hook().await.unwrap();
    assert_eq!(guard.refused(), [].into());
    assert_eq!(stage.reports(), ["Succeeded", "Succeeded"]);
    let bot = stage.bot().await;
    assert!(bot.active && bot.gateway.token != token);
    let smoke = Role::Smoke.binary();
    let mut used = guard.used()[smoke].clone();
    used.extend(of_requests(&stage));
    let mut may = policies[smoke].clone();
    // Lambda writes the logs with the role.
    may.retain(|(action, _)| !action.starts_with("logs:"));
    assert_eq!(used, may);
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_stops_the_deployment_and_is_reported() {
    for (action, resource) in [
        ("dynamodb:PutItem", "Table"),
        ("dynamodb:Query", "Table"),
        ("kms:Decrypt", "Key/dynamodb"),
        ("ssm:GetParameters", "parameter/SMOKE_GATEWAY_URL"),
    ] {
        let mut policies = allowed(&Template::load().unwrap());
        let rights = policies.get_mut(Role::Smoke.binary()).unwrap();
        assert!(rights.remove(&(action.to_owned(), resource.to_owned())));
        let (stage, guard) = deployed(policies).await;
        assert_eq!(stage.reports(), ["Failed"], "{action}");
        assert!(!guard.refused().is_empty(), "{action}");
    }
}
