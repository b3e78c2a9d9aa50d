use std::sync::Mutex;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::*;
use crate::conversation::bot::GatewayKind;

/// Answers every request the same way and writes it down.
struct Script {
    answer: Result<(u16, &'static str), HttpError>,
    seen: Mutex<Vec<(Request<Bytes>, Duration)>>,
}

impl Http for Script {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        self.seen.lock().unwrap().push((request, timeout));
        let answer = self.answer.map(|(status, body)| {
            let body = Bytes::from_static(body.as_bytes());
            Response::builder().status(status).body(body).unwrap()
        });
        async move { answer }.boxed()
    }
}

fn sender(answer: Result<(u16, &'static str), HttpError>) -> (Sender, Arc<Script>) {
    let script = Arc::new(Script {
        answer,
        seen: Mutex::default(),
    });
    let sender = Sender {
        http: script.clone(),
        timeout: Duration::from_secs(80),
        best_effort_timeout: Duration::from_secs(3),
    };
    (sender, script)
}

fn gateway() -> Gateway {
    Gateway {
        kind: GatewayKind::Wuzapi,
        url: "http://127.0.0.1:9/wa/".to_owned(),
        token: "sesi-toko".to_owned(),
        hmac_key: None,
        secret_path: None,
    }
}

fn contact(text: &str) -> Contact {
    Contact::new(text).unwrap()
}

async fn send(answer: Result<(u16, &'static str), HttpError>) -> Result<(), SendError> {
    let (sender, _) = sender(answer);
    let id = MessageId::new("0a1b2c3d4e5f60718293").unwrap();
    sender
        .send_text(&gateway(), &contact("6281300045678"), &id, "Halo kak")
        .await
}

fn only_request(script: &Script) -> (Request<Bytes>, Duration, Value) {
    let mut seen = script.seen.lock().unwrap();
    let (request, timeout) = seen.pop().unwrap();
    assert!(seen.is_empty());
    let body = serde_json::from_slice(request.body()).unwrap();
    (request, timeout, body)
}

#[tokio::test]
async fn a_text_goes_out_with_our_id_the_token_and_the_long_timeout() {
    let (sender, script) = sender(Ok((
        200,
        r#"{"code":200,"success":true,"data":{"Id":"x"}}"#,
    )));
    let id = MessageId::new("0a1b2c3d4e5f60718293").unwrap();
    let text = "Halo \"kak\" 🙏\nready & <segar>";
    sender
        .send_text(&gateway(), &contact("6281300045678"), &id, text)
        .await
        .unwrap();
    let (request, timeout, body) = only_request(&script);
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "http://127.0.0.1:9/wa/chat/send/text");
    assert_eq!(request.headers()["token"], "sesi-toko");
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(timeout, Duration::from_secs(80));
    let expected = json!({"Phone": "6281300045678", "Body": text, "Id": "0a1b2c3d4e5f60718293"});
    assert_eq!(body, expected);
    assert!(!format!("{request:?}").contains("sesi-toko"));
}

#[tokio::test]
async fn a_hidden_user_is_addressed_by_the_whole_jid() {
    let (sender, script) = sender(Ok((200, "{}")));
    let id = MessageId::new("0a1b").unwrap();
    sender
        .send_text(&gateway(), &contact("7741@lid"), &id, "Halo")
        .await
        .unwrap();
    let (_, _, body) = only_request(&script);
    assert_eq!(body["Phone"], "7741@lid");
}

#[tokio::test]
async fn typing_and_ticks_use_the_short_timeout() {
    for (presence, state) in [
        (Presence::Composing, "composing"),
        (Presence::Paused, "paused"),
    ] {
        let (sender, script) = sender(Ok((200, "{}")));
        sender
            .presence(&gateway(), &contact("6281300045678"), presence)
            .await
            .unwrap();
        let (request, timeout, body) = only_request(&script);
        assert_eq!(request.uri().path(), "/wa/chat/presence");
        assert_eq!(timeout, Duration::from_secs(3));
        assert_eq!(body, json!({"Phone": "6281300045678", "State": state}));
    }
    for (number, jid) in [
        ("6281300045678", "6281300045678@s.whatsapp.net"),
        ("7741@lid", "7741@lid"),
    ] {
        let (sender, script) = sender(Ok((200, "{}")));
        let ids = ["A1", "A2"].map(|id| MessageId::new(id).unwrap());
        sender
            .mark_read(&gateway(), &contact(number), &ids)
            .await
            .unwrap();
        let (request, timeout, body) = only_request(&script);
        assert_eq!(request.uri().path(), "/wa/chat/markread");
        assert_eq!(timeout, Duration::from_secs(3));
        assert_eq!(
            body,
            json!({"Id": ["A1", "A2"], "Chat": jid, "Sender": jid})
        );
    }
}

#[tokio::test]
async fn no_messages_are_marked_without_a_call() {
    let (sender, script) = sender(Err(HttpError::Connect));
    let marked = sender
        .mark_read(&gateway(), &contact("6281300045678"), &[])
        .await;
    assert_eq!(marked, Ok(()));
    assert!(script.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn every_good_answer_is_sent_whatever_its_body() {
    for body in [
        r#"{"code":200,"success":true}"#,
        "",
        "ok",
        "[]",
        "null",
        r#"{"data":{}}"#,
    ] {
        assert_eq!(send(Ok((200, body))).await, Ok(()), "{body}");
    }
    assert_eq!(send(Ok((201, ""))).await, Ok(()));
}

#[tokio::test]
async fn the_status_decides_what_is_known() {
    for status in [401, 402, 403, 404, 405, 409, 413, 429, 301, 302] {
        let error = SendError::NotSent {
            status: Some(status),
        };
        assert_eq!(send(Ok((status, ""))).await, Err(error));
    }
    for status in [408, 500, 502, 503, 504, 599] {
        let error = SendError::Unknown {
            status: Some(status),
        };
        assert_eq!(send(Ok((status, ""))).await, Err(error));
    }
    for status in [400, 422] {
        assert_eq!(
            send(Ok((status, ""))).await,
            Err(SendError::Rejected { status })
        );
    }
}

#[tokio::test]
async fn a_failure_inside_a_200_is_that_failure() {
    for (body, error) in [
        (
            r#"{"code":400,"success":false,"error":"x"}"#,
            SendError::Rejected { status: 400 },
        ),
        (
            r#"{"code":401,"error":"unauthorized"}"#,
            SendError::NotSent { status: Some(401) },
        ),
        (
            r#"{"Code":500,"Success":false}"#,
            SendError::Unknown { status: Some(500) },
        ),
        (
            r#"{"success":false}"#,
            SendError::Unknown { status: Some(200) },
        ),
        (
            r#"{"code":200,"success":false}"#,
            SendError::Unknown { status: Some(200) },
        ),
        (
            r#"{"code":9000,"success":true}"#,
            SendError::Unknown { status: Some(9000) },
        ),
    ] {
        assert_eq!(send(Ok((200, body))).await, Err(error), "{body}");
    }
}

#[tokio::test]
async fn without_an_answer_only_a_refused_connection_is_certain() {
    for certain in [HttpError::Connect, HttpError::Request] {
        assert_eq!(
            send(Err(certain)).await,
            Err(SendError::NotSent { status: None })
        );
    }
    for open in [HttpError::Timeout, HttpError::Broken, HttpError::TooLarge] {
        assert_eq!(
            send(Err(open)).await,
            Err(SendError::Unknown { status: None })
        );
    }
}

#[tokio::test]
async fn a_token_or_address_that_cannot_be_sent_never_leaves() {
    let id = MessageId::new("0a1b").unwrap();
    let broken = [
        Gateway {
            token: "a\nb".to_owned(),
            ..gateway()
        },
        Gateway {
            url: "http://[bad".to_owned(),
            ..gateway()
        },
    ];
    for gateway in broken {
        let (sender, script) = sender(Ok((200, "")));
        let sent = sender
            .send_text(&gateway, &contact("628"), &id, "Halo")
            .await;
        assert_eq!(sent, Err(SendError::NotSent { status: None }));
        assert!(script.seen.lock().unwrap().is_empty());
    }
}

#[test]
fn the_class_says_what_to_do() {
    assert_eq!(
        SendError::NotSent { status: Some(429) }.class(),
        Class::Wait
    );
    assert_eq!(
        SendError::NotSent { status: Some(401) }.class(),
        Class::Retry
    );
    assert_eq!(SendError::NotSent { status: None }.class(), Class::Retry);
    assert_eq!(SendError::Unknown { status: None }.class(), Class::Retry);
    assert_eq!(
        SendError::Rejected { status: 400 }.class(),
        Class::Permanent
    );
}
