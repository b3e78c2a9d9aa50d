use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

fn gateway() -> Gateway {
    Gateway::new(vec!["token-a".to_owned(), "token-b".to_owned()])
}

async fn call(gateway: &Gateway, path: &str, token: &str, body: &Value) -> (StatusCode, Value) {
    let request = Request::post(path)
        .header("Token", token)
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = gateway.router().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

async fn send(gateway: &Gateway, body: &Value) -> (StatusCode, Value) {
    call(gateway, "/chat/send/text", "token-a", body).await
}

#[tokio::test]
async fn a_text_is_shown_and_answered_with_its_id() {
    let gateway = gateway();
    let mut events = gateway.subscribe();
    let (status, answer) = send(
        &gateway,
        &json!({"Phone": "6281100020001", "Body": "Halo Kak", "Id": "abc123"}),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["code"], 200);
    assert_eq!(answer["success"], true);
    assert_eq!(answer["data"]["Details"], "Sent");
    assert_eq!(answer["data"]["Id"], "abc123");
    assert!(answer["data"]["Timestamp"].is_i64());
    assert!(
        events.try_recv().unwrap()
            == GatewayEvent::Text {
                session: 0,
                phone: "6281100020001".into(),
                id: "abc123".into(),
                body: "Halo Kak".into()
            }
    );
}

#[tokio::test]
async fn a_repeated_id_gets_the_same_answer_and_is_shown_once() {
    let gateway = gateway();
    let mut events = gateway.subscribe();
    let body = json!({"phone": "6281100020001", "body": "Halo", "id": "abc123"});
    let first = send(&gateway, &body).await;
    let second = send(&gateway, &body).await;
    assert_eq!(first, second);
    assert!(events.try_recv().is_ok());
    assert!(events.try_recv().is_err(), "shown once");
    let repeated: Vec<bool> = gateway.sends().iter().map(|sent| sent.repeated).collect();
    assert_eq!(repeated, [false, true], "both calls are on record");
    assert_eq!(gateway.texts(0, "6281100020001").len(), 1);
}

#[tokio::test]
async fn one_id_in_two_sessions_is_two_messages() {
    let gateway = gateway();
    let body = json!({"Phone": "6281100020001", "Body": "Halo", "Id": "abc123"});
    call(&gateway, "/chat/send/text", "token-a", &body).await;
    call(&gateway, "/chat/send/text", "token-b", &body).await;
    assert_eq!(gateway.texts(0, "6281100020001").len(), 1);
    assert_eq!(gateway.texts(1, "6281100020001").len(), 1);
}

#[tokio::test]
async fn texts_without_an_id_get_one_each() {
    let gateway = gateway();
    let body = json!({"Phone": "6281100020001", "Body": "Halo"});
    let (_, first) = send(&gateway, &body).await;
    let (_, second) = send(&gateway, &body).await;
    assert_ne!(first["data"]["Id"], second["data"]["Id"]);
    assert_eq!(gateway.texts(0, "6281100020001").len(), 2);
}

#[tokio::test]
async fn what_wuzapi_refuses_is_refused_and_not_shown() {
    let gateway = gateway();
    let whole = json!({"Phone": "6281100020001", "Body": "Halo"});
    for (path, token, body, status) in [
        ("/chat/send/text", "token-c", whole.clone(), 401),
        ("/chat/send/text", "", whole, 401),
        ("/chat/send/text", "token-a", json!({"Body": "Halo"}), 400),
        ("/chat/send/text", "token-a", json!({"Phone": "62811"}), 400),
        (
            "/chat/send/text",
            "token-a",
            json!({"Phone": "62811", "Body": ""}),
            400,
        ),
        (
            "/chat/send/text",
            "token-a",
            json!({"Phone": "@lid", "Body": "Halo"}),
            400,
        ),
        (
            "/chat/send/text",
            "token-a",
            json!({"Phone": "62811:24@s.whatsapp.net", "Body": "x"}),
            500,
        ),
        ("/chat/send/text", "token-a", json!("Halo"), 400),
        (
            "/chat/presence",
            "token-a",
            json!({"Phone": "62811", "State": "asleep"}),
            400,
        ),
        (
            "/chat/markread",
            "token-a",
            json!({"Chat": "62811", "Id": []}),
            400,
        ),
        ("/chat/markread", "token-a", json!({"Id": ["A"]}), 400),
    ] {
        let (answered, answer) = call(&gateway, path, token, &body).await;
        assert_eq!(answered.as_u16(), status, "{path} {body}");
        assert_eq!(answer["success"], false);
        assert!(answer["error"].is_string());
    }
    assert!(gateway.sends().is_empty());
}

#[tokio::test]
async fn a_jid_with_a_phone_number_is_the_phone_and_a_lid_stays_a_lid() {
    let gateway = gateway();
    for phone in [
        "+6281100020001",
        "6281100020001@s.whatsapp.net",
        "84203917755120@lid",
    ] {
        send(&gateway, &json!({"Phone": phone, "Body": "Halo"})).await;
    }
    let phones: Vec<String> = gateway.sends().into_iter().map(|sent| sent.phone).collect();
    assert_eq!(
        phones,
        ["6281100020001", "6281100020001", "84203917755120@lid"]
    );
}

#[tokio::test]
async fn typing_and_read_ticks_reach_the_phone() {
    let gateway = gateway();
    let mut events = gateway.subscribe();
    let typing = json!({"Phone": "62811", "State": "composing"});
    let (status, _) = call(&gateway, "/chat/presence", "token-b", &typing).await;
    assert_eq!(status, StatusCode::OK);
    let read = json!({"Id": ["A1", "A2"], "Chat": "62811@s.whatsapp.net", "Sender": "62811@s.whatsapp.net"});
    let (status, _) = call(&gateway, "/chat/markread", "token-b", &read).await;
    assert_eq!(status, StatusCode::OK);
    let seen = events.try_recv().unwrap();
    assert!(
        seen == GatewayEvent::Presence {
            session: 1,
            phone: "62811".into(),
            state: "composing".into()
        }
    );
    assert_eq!(events.try_recv().unwrap().conversation(), (1, "62811"));
    assert_eq!(
        gateway.read_ids(1),
        HashSet::from(["A1".to_owned(), "A2".to_owned()])
    );
    assert!(gateway.read_ids(0).is_empty());
}

#[test]
fn neither_phone_nor_text_prints() {
    let gateway = gateway();
    let mut events = gateway.subscribe();
    let _ = gateway.text(0, "6281100020001".into(), "abc".into(), "rahasia".into());
    let printed = format!(
        "{:?} {:?} {gateway:?}",
        gateway.sends(),
        events.try_recv().unwrap()
    );
    for secret in ["6281100020001", "rahasia", "token-a"] {
        assert!(!printed.contains(secret));
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let gateway = gateway();
    for n in 0..SENDS_KEPT + 3 {
        gateway.text(0, "62811".into(), format!("id{n}"), "x".into());
    }
    assert_eq!(gateway.sends().len(), SENDS_KEPT);
    assert_eq!(gateway.log().sent_at_ms.len(), SENDS_KEPT);
    assert_eq!(gateway.sends()[0].id, "id3");
}

/// A call as a client over a socket sees it: none when the answer broke off.
async fn answer_of(gateway: &Gateway, body: &Value) -> Option<Value> {
    let request = Request::post("/chat/send/text")
        .header("token", "token-a")
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = gateway.router().oneshot(request).await.unwrap();
    let bytes = response.into_body().collect().await.ok()?.to_bytes();
    Some(serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn a_lost_answer_shows_the_message_and_the_same_id_again_shows_it_no_second_time() {
    let gateway = gateway();
    let mut events = gateway.subscribe();
    gateway.faults().arm(GatewayFault::AnswerLost, 2);
    let body = json!({"Phone": "6281100020001", "Body": "Halo", "Id": "abc123"});
    assert_eq!(answer_of(&gateway, &body).await, None);
    assert_eq!(gateway.texts(0, "6281100020001").len(), 1);
    assert_eq!(answer_of(&gateway, &body).await, None);
    let answer = answer_of(&gateway, &body).await.unwrap();
    assert_eq!(answer["data"]["Id"], "abc123");
    assert!(events.try_recv().is_ok());
    assert!(events.try_recv().is_err(), "shown once");
    assert_eq!(gateway.sends().len(), 3);
}

#[tokio::test]
async fn a_refused_message_is_not_shown_and_the_next_call_sends_it() {
    let gateway = gateway();
    gateway.faults().arm(GatewayFault::Refused, 1);
    let body = json!({"Phone": "6281100020001", "Body": "Halo", "Id": "abc123"});
    let (status, answer) = send(&gateway, &body).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let refused = json!({"code": 500, "error": "no session", "success": false});
    assert_eq!(answer, refused);
    assert!(gateway.sends().is_empty());
    assert_eq!(send(&gateway, &body).await.0, StatusCode::OK);
    assert!(!gateway.sends()[0].repeated);
}

#[tokio::test]
async fn typing_ticks_and_bad_calls_use_no_fault_up() {
    let gateway = gateway();
    gateway.faults().arm(GatewayFault::Refused, 1);
    let typing = json!({"Phone": "62811", "State": "composing"});
    let (status, _) = call(&gateway, "/chat/presence", "token-a", &typing).await;
    assert_eq!(status, StatusCode::OK);
    let read = json!({"Id": ["A1"], "Chat": "62811@s.whatsapp.net"});
    let (status, _) = call(&gateway, "/chat/markread", "token-a", &read).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = send(&gateway, &json!({"Body": "Halo"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(gateway.faults().armed(), Some((GatewayFault::Refused, 1)));
}

#[tokio::test]
async fn what_the_gateway_did_is_a_step_of_its_conversation_and_prints_neither_phone_nor_text() {
    use tracing::instrument::WithSubscriber;
    use tracing_subscriber::layer::SubscriberExt;

    let names = Arc::new(|session: usize, phone: &str| format!("{session}-{}", phone.len()));
    let gateway = Gateway::with_names(vec!["token-a".to_owned()], names);
    gateway.faults().arm(GatewayFault::AnswerLost, 1);
    let steps = crate::steps::Steps::new();
    let body = json!({"Phone": "6281100020001", "Body": "rahasia", "Id": "abc123"});
    let twice = async {
        answer_of(&gateway, &body).await;
        answer_of(&gateway, &body).await;
    };
    let subscriber = tracing_subscriber::registry().with(steps.layer());
    twice.with_subscriber(subscriber).await;
    let (seen, _) = steps.subscribe();
    let names: Vec<&str> = seen.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(names, ["demo_fault", "demo_repeat"]);
    assert!(
        seen.iter()
            .all(|step| step.conversation.as_deref() == Some("0-13"))
    );
    let printed = serde_json::to_string(&seen).unwrap();
    assert!(printed.contains("answer_lost"));
    assert!(!printed.contains("6281100020001") && !printed.contains("rahasia"));
}
