//! SNS as the SDK and as a hand-written form find it.

use aws_sdk_sns::error::ProvideErrorMetadata;

use super::*;
use crate::engines::{Engines, Through, Wire};
use crate::instances::sdk;
use crate::sqs::Sqs;
use crate::tokens::Tokens;
use crate::world::memory;

const TOPIC: &str = "alerts";

fn engines() -> Engines {
    let sns = Sns::new(Arc::new(|| 1_763_604_905_000));
    sns.create_topic(TOPIC);
    Engines {
        dynamodb: memory().unwrap(),
        tokens: Tokens::default(),
        sqs: Sqs::new("http://127.0.0.1", Arc::new(|| 0)),
        sns,
        ssm: crate::ssm::Ssm::default(),
    }
}

fn client(engines: &Engines) -> aws_sdk_sns::Client {
    aws_sdk_sns::Client::new(&sdk(Wire::new(engines.clone(), Arc::new(Through))))
}

#[tokio::test]
async fn what_an_sdk_publishes_arrives_as_it_was_written() {
    let engines = engines();
    let text = "4.20 USD & less than <5.00 USD>\n50 % = half + a bit: 😀 \"ya\"";
    let published = client(&engines)
        .publish()
        .topic_arn(topic_arn(TOPIC))
        .subject("Clivy: low")
        .message(text)
        .send()
        .await
        .unwrap();
    let [alert] = engines.sns.alerts().try_into().unwrap();
    assert_eq!(published.message_id(), Some(alert.message_id.as_str()));
    assert_eq!(alert.subject.as_deref(), Some("Clivy: low"));
    assert_eq!(alert.message, text);
    assert_eq!(alert.topic_arn, topic_arn(TOPIC));
    assert_eq!(alert.at_ms, 1_763_604_905_000);
}

/// The code that the SDK shows for a refused publish.
async fn refusal(topic_arn: &str, subject: Option<&str>, message: &str) -> String {
    let engines = engines();
    let error = client(&engines)
        .publish()
        .topic_arn(topic_arn)
        .set_subject(subject.map(str::to_owned))
        .message(message)
        .send()
        .await
        .unwrap_err();
    assert!(engines.sns.alerts().is_empty());
    error.code().unwrap().to_owned()
}

#[tokio::test]
async fn sns_refuses_what_it_does_on_aws() {
    let topic = topic_arn(TOPIC);
    assert_eq!(refusal(&topic_arn("nobody"), None, "x").await, "NotFound");
    for (arn, subject, message) in [
        (topic.as_str(), None, String::new()),
        (&topic, None, "x".repeat(MAX_MESSAGE_BYTES + 1)),
        // Bytes count, not characters.
        (&topic, None, "é".repeat(MAX_MESSAGE_BYTES / 2 + 1)),
        (&topic, Some("two\nlines"), "x".to_owned()),
        (&topic, Some(""), "x".to_owned()),
        (&topic, Some(&"x".repeat(101)), "x".to_owned()),
        ("alerts", None, "x".to_owned()),
    ] {
        let code = refusal(arn, subject, &message).await;
        assert_eq!(code, "InvalidParameter", "{arn} {subject:?}");
    }
}

#[tokio::test]
async fn the_largest_message_is_taken() {
    let engines = engines();
    client(&engines)
        .publish()
        .topic_arn(topic_arn(TOPIC))
        .message("x".repeat(MAX_MESSAGE_BYTES))
        .send()
        .await
        .unwrap();
    assert_eq!(engines.sns.alerts().len(), 1);
}

fn answered(sns: &Sns, form: &str) -> (u16, String) {
    let reply = sns.call(form.as_bytes());
    (
        reply.status,
        String::from_utf8(reply.body.to_vec()).unwrap(),
    )
}

#[test]
fn other_actions_and_parameters_are_refused_not_ignored() {
    let sns = engines().sns;
    let publish = format!("Action=Publish&TopicArn={}&Message=x", topic_arn(TOPIC));
    assert_eq!(answered(&sns, &publish).0, 200);
    for (form, code) in [
        ("", "InvalidAction"),
        ("Action=Subscribe", "InvalidAction"),
        ("Action=<b>", "&lt;b&gt;"),
        (&format!("{publish}&Version=1999-01-01"), "InvalidAction"),
        (
            &format!("{publish}&MessageStructure=json"),
            "InvalidParameter",
        ),
        (&format!("{publish}&PhoneNumber=62"), "InvalidParameter"),
        (
            "Action=Publish&Message=x",
            "no value for required parameter",
        ),
        ("Action=Publish&Message=%FF", "MalformedQueryString"),
    ] {
        let (status, body) = answered(&sns, form);
        assert_eq!(status, 400, "{form}");
        assert!(body.contains(code), "{form}: {body}");
    }
    assert_eq!(sns.alerts().len(), 1);
}

#[test]
fn the_newest_alerts_are_kept() {
    let sns = engines().sns;
    for n in 0..KEPT + 3 {
        let form = format!("Action=Publish&TopicArn={}&Message={n}", topic_arn(TOPIC));
        assert_eq!(answered(&sns, &form).0, 200);
    }
    let alerts = sns.alerts();
    assert_eq!(alerts.len(), KEPT);
    assert_eq!(alerts[0].message, "3");
    assert_eq!(alerts[KEPT - 1].message, (KEPT + 2).to_string());
}

#[tokio::test]
async fn any_client_reaches_it_over_http_beside_the_other_services() {
    use tower::ServiceExt;
    let engines = engines();
    let form = format!(
        "Action=Publish&TopicArn={}&Message=a+b%21",
        topic_arn(TOPIC)
    );
    let request = http::Request::post("/")
        .header(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )
        .body(axum::body::Body::from(form))
        .unwrap();
    let answer = engines.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/xml");
    assert_eq!(engines.sns.alerts()[0].message, "a b!");
    // Without a target and without a form it is nobody's.
    let request = http::Request::post("/")
        .header("content-type", "application/x-amz-json-1.0")
        .body(axum::body::Body::from("{}"))
        .unwrap();
    let answer = engines.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 400);
}
