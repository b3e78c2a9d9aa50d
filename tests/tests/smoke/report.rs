//! CodeDeploy is always told: it would wait for an hour.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use local::engines::{Call, Engines, Intercept, Lost, Reply, Through};
use serde_json::json;

use crate::stage::{Does, Stage};

#[tokio::test(start_paused = true)]
async fn a_test_that_runs_out_of_time_is_reported_before_the_function_ends() {
    let stage = Box::pin(Stage::new()).await;
    let began = stage.day.world.clock.now();
    stage.does("worker", [Does::Hangs]);
    // Nobody takes the queue's trigger either.
    assert_eq!(stage.deploy().await, ["Failed"]);
    let took_ms = stage.day.world.clock.now().since_ms(began);
    assert!(took_ms < 590_000, "{took_ms}");
}

#[tokio::test(start_paused = true)]
async fn a_test_that_panics_is_reported() {
    let stage = Box::pin(Stage::new()).await;
    stage.does("webhook", [Does::Panics]);
    assert_eq!(stage.deploy().await, ["Failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_test_that_cannot_start_is_reported() {
    let stage = Box::pin(Stage::with(&[("SMOKE_GATEWAY_URL", "")])).await;
    assert_eq!(stage.deploy().await, ["Failed"]);
    assert_eq!(stage.invoked(), Vec::<&str>::new());
}

/// A table that never answers. The secrets come.
struct Silent;

impl Intercept for Silent {
    fn intercept<'a>(
        &'a self,
        call: Call,
        engines: &'a Engines,
    ) -> BoxFuture<'a, Result<Reply, Lost>> {
        match call.target.starts_with("DynamoDB") {
            true => Box::pin(std::future::pending()),
            false => Through.intercept(call, engines),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_never_answers_is_reported() {
    let stage = Box::pin(Stage::behind(&[], Arc::new(Silent))).await;
    assert_eq!(stage.deploy().await, ["Failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_does_not_arrive_is_sent_again() {
    let stage = Box::pin(Stage::new()).await;
    stage.codedeploy_answers([500, 429, 500]);
    assert_eq!(stage.deploy().await, ["Succeeded"]);

    stage.codedeploy_answers([500; 4]);
    let error = stage.hook().await.unwrap_err();
    assert_eq!(error.to_string(), "AWS answered 500");
    assert_eq!(stage.reports(), ["Succeeded"], "only that of before");
}

#[tokio::test(start_paused = true)]
async fn each_call_of_aws_is_signed_for_its_service_with_what_it_is_about() {
    let stage = Box::pin(Stage::new()).await;
    stage.deploy().await;
    let requests = stage.requests();
    assert_eq!(
        requests.len(),
        5,
        "two to warm up and to report, three in between"
    );
    for request in requests {
        let (service, about) = match request.uri().host() {
            Some("lambda.test") => ("lambda", "x-amz-invocation-type"),
            _ => ("codedeploy", "x-amz-target"),
        };
        let signed = request.headers()["authorization"].to_str().unwrap();
        let scope = format!("/20251120/us-east-1/{service}/aws4_request, ");
        assert!(
            signed.starts_with("AWS4-HMAC-SHA256 Credential=local/"),
            "{signed}"
        );
        assert!(signed.contains(&scope), "{signed}");
        let (_, names) = signed.split_once("SignedHeaders=").unwrap();
        let (names, signature) = names.split_once(", Signature=").unwrap();
        let names: Vec<&str> = names.split(';').collect();
        for name in ["host", "x-amz-date", about] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert_eq!(signature.len(), 64);
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_another_kind_is_an_error() {
    let stage = Box::pin(Stage::new()).await;
    let hooks = stage.hooks.get().unwrap();
    let deadline = stage.day.world.clock.now().plus_ms(60_000);
    for event in [json!({}), json!(null), json!({"DeploymentId": "d-1"})] {
        let error = hooks.handle(event, deadline).await.unwrap_err();
        assert!(error.to_string().contains("neither a hook"), "{error}");
    }
    assert_eq!(stage.reports(), Vec::<String>::new());
}
