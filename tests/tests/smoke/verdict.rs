//! What gets traffic, and what does not.

use std::time::Duration;

use serde_json::{Value, json};
use tests::bubbles::bot;
use tests::outside::Model;

use crate::stage::{Does, Stage};

#[tokio::test(start_paused = true)]
async fn versions_that_answer_a_message_once_get_traffic() {
    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    assert_eq!(stage.deploy().await, ["Succeeded"]);
    assert_eq!(stage.replies().await, [1]);
    // The same trigger was given to the worker twice, and the queue's own to the live one.
    assert_eq!(stage.invoked(), ["webhook", "worker", "worker"]);
    assert_eq!(stage.day.outside.asked().len(), 1);
    stage.day.settle().await;
    stage.day.assert_quiet().await;
    assert_eq!(stage.day.dead_letters(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_live_worker_that_is_broken_does_not_stop_the_deployment_that_mends_it() {
    let stage = Box::pin(Stage::new()).await;
    // Nobody takes the queue's triggers.
    assert_eq!(stage.deploy().await, ["Succeeded"]);
    assert_eq!(stage.replies().await, [1]);
}

#[tokio::test(start_paused = true)]
async fn the_next_deployment_uses_the_same_bot_and_another_customer() {
    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    stage.deploy().await;
    let token = stage.token().await;
    assert_eq!(stage.deploy().await, ["Succeeded", "Succeeded"]);
    assert_eq!(stage.token().await, token);
    assert_eq!(stage.replies().await, [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn two_hooks_of_one_deployment_do_not_disturb_each_other() {
    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    let (first, second) = futures_util::join!(stage.hook(), stage.hook());
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(stage.reports(), ["Succeeded", "Succeeded"]);
    assert_eq!(stage.replies().await, [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_does_not_take_the_message_gets_no_traffic() {
    let ignored = json!({"status": "ignored", "reason": "group"}).to_string();
    let no_json = json!({"statusCode": 200, "body": "OK"});
    for (does, customers) in [
        (Does::Answers(json!({"statusCode": 503, "body": "{}"})), 3),
        (Does::Answers(json!({"statusCode": 401, "body": "{}"})), 1),
        (
            Does::Answers(json!({"statusCode": 200, "body": ignored})),
            1,
        ),
        (Does::Answers(no_json), 1),
        (Does::Answers(Value::Null), 1),
        (Does::Dies, 1),
        (Does::Hangs, 3),
        (Does::Refused(403), 3),
    ] {
        let stage = Box::pin(Stage::new()).await;
        stage.start_live();
        stage.does("webhook", [does.clone()]);
        assert_eq!(stage.deploy().await, ["Failed"], "{does:?}");
        assert_eq!(stage.invoked(), vec!["webhook"; customers], "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_says_it_has_the_message_and_has_not_gets_no_traffic() {
    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    let queued = json!({"status": "queued", "message_id": "x"}).to_string();
    stage.does(
        "webhook",
        [Does::Answers(json!({"statusCode": 200, "body": queued}))],
    );
    assert_eq!(stage.deploy().await, ["Failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_does_not_answer_gets_no_traffic() {
    let given_back = json!({"batchItemFailures": [{"itemIdentifier": "smoke"}]});
    for does in [
        Does::Answers(given_back),
        Does::Answers(json!({"batchItemFailures": []})),
        Does::Answers(json!({})),
        Does::Dies,
        Does::Hangs,
    ] {
        let stage = Box::pin(Stage::new()).await;
        stage.start_live();
        stage.does("worker", [does.clone()]);
        assert_eq!(stage.deploy().await, ["Failed"], "{does:?}");
        // The live worker has answered every customer all the same: the trigger was in the queue (I3).
        stage.day.settle().await;
        let replies = stage.replies().await;
        assert!(
            replies.iter().all(|count| *count == 1),
            "{does:?}: {replies:?}"
        );
        let asked = stage
            .invoked()
            .iter()
            .filter(|part| **part == "webhook")
            .count();
        assert_eq!(replies.len(), asked, "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_replies_stop_the_deployment_whenever_the_second_comes() {
    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    stage.does("worker", [Does::SaysMore]);
    assert_eq!(stage.deploy().await, ["Failed"], "at once");

    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    stage.does("worker", [Does::Works, Does::SaysMore]);
    assert_eq!(
        stage.deploy().await,
        ["Failed"],
        "when the trigger comes again"
    );

    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    stage.live_says_more();
    assert_eq!(stage.deploy().await, ["Failed"], "by the queue's trigger");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_not_the_models_stops_the_deployment() {
    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    // No key: the customer gets the fallback text at once.
    let refused = json!({"error": {"code": 401, "message": "No auth credentials found"}});
    let rule = move |_: &_| Some(Model::Http(401, refused.clone()));
    stage.day.outside.model_follows(rule);
    assert_eq!(stage.deploy().await, ["Failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_fails_once_stops_nothing() {
    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    stage.day.outside.model_does([Model::Breaks]);
    assert_eq!(stage.deploy().await, ["Succeeded"]);
    assert_eq!(stage.invoked().first(), Some(&"webhook"));
    assert!(stage.invoked().len() > 3, "another customer has asked");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_live_worker_proves_nothing_about_the_new_one() {
    let late = |does| Does::Late(Duration::from_secs(30), Box::new(does));
    // It starts so slowly that the queue's worker, the live one, answers before it: another customer asks.
    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    stage.does("worker", [late(Does::Works), Does::Works]);
    assert_eq!(stage.deploy().await, ["Succeeded"]);
    let again = ["webhook", "worker", "webhook", "worker", "worker"];
    assert_eq!(stage.invoked(), again);

    // It does nothing, for so long that the live one has answered when it ends.
    let silent = Does::Answers(json!({"batchItemFailures": []}));
    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    stage.does("worker", [late(silent)]);
    assert_eq!(stage.deploy().await, ["Failed"]);
    assert_eq!(stage.replies().await, [1, 1, 1], "all by the live one");
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_bot_is_left_alone() {
    let stage = Box::pin(Stage::new()).await;
    stage
        .day
        .world
        .put_bots(&[bot("smoke-test")])
        .await
        .unwrap();
    assert_eq!(stage.deploy().await, ["Failed"]);
    assert_eq!(stage.invoked(), Vec::<&str>::new());
    let bot_id = bot("smoke-test").bot_id;
    let left = stage.day.world.table.bot(&bot_id).await.unwrap().unwrap();
    assert_eq!(left.owner.as_str(), "owner");
    assert_eq!(left.gateway.token, "token-smoke-test");
}

#[tokio::test(start_paused = true)]
async fn a_test_that_is_off_lets_every_version_through_and_asks_nobody() {
    let stage = Box::pin(Stage::with(&[("SMOKE_TEST", "false")])).await;
    stage.does("webhook", [Does::Dies]);
    assert_eq!(stage.deploy().await, ["Succeeded"]);
    assert_eq!(stage.invoked(), Vec::<&str>::new());
}
