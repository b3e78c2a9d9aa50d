//! What the smoke test logs and reports. By itself: whether a line is logged at all is decided once for all threads of a process,
//! and the other tests of the smoke test run side by side without a log.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

#[expect(dead_code, reason = "the other tests use the rest of the stage")]
#[path = "smoke/stage.rs"]
mod stage;

use serde_json::json;
use stage::{Does, Stage};
use tests::log::Log;

#[tokio::test(start_paused = true)]
async fn the_log_and_the_report_show_no_secret_and_no_number() {
    let (log, _guard) = Log::begin();
    let stage = Box::pin(Stage::new()).await;
    stage.start_live();
    stage.does(
        "worker",
        [Does::Answers(json!({"batchItemFailures": []})), Does::Works],
    );
    assert_eq!(stage.deploy().await, ["Succeeded"]);
    stage.does("webhook", [Does::Dies]);
    stage.deploy().await;
    let bot = stage.bot().await;
    let key = bot.gateway.hmac_key.unwrap();
    let reports: String = stage.requests().iter().fold(String::new(), |all, request| {
        let is_report = request.uri().host() == Some("codedeploy.test");
        all + if is_report {
            std::str::from_utf8(request.body()).unwrap()
        } else {
            ""
        }
    });
    let written = log.text() + &reports;
    for step in ["smoke_again", "smoke_passed", "smoke_failed"] {
        assert!(written.contains(step), "{step}");
    }
    for secret in [
        bot.gateway.token.as_str(),
        &key,
        "a-key-for-tests-only",
        "a-key-that-seals",
    ] {
        assert!(!written.contains(secret), "a secret is in {written}");
    }
    let numbers = stage.customers().await;
    assert_eq!(numbers.len(), 2);
    for number in numbers {
        assert!(!written.contains(&number), "a number is in {written}");
    }
}
