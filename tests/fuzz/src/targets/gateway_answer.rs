//! What a gateway answers to a send: two bytes of status, then the body.

use std::sync::Arc;
use std::time::Duration;

use clivy::channel::wuzapi::{SendError, Sender};
use clivy::conversation::bot::{Gateway, GatewayKind};
use clivy::conversation::ids::{Contact, MessageId};
use clivy::error::Class;

use super::{Answers, response};
use crate::Target;
use crate::input::{Input, tells_nothing, wait};

/// The target.
pub const TARGET: Target = Target {
    name: "gateway_answer",
    run,
    seeds,
    words: &[
        "code", "success", "data", "error", "true", "false", "null", "200", "400", "500", "65999",
        "-1", "1e3", "{\"", "\":",
    ],
};

fn seeds() -> Vec<Vec<u8>> {
    let of = |status: u16, body: &str| [&status.to_be_bytes(), body.as_bytes()].concat();
    vec![
        of(
            200,
            r#"{"code":200,"success":true,"data":{"Details":"Sent","Id":"3EB0"}}"#,
        ),
        of(200, r#"{"code":500,"success":false,"error":"no session"}"#),
        of(200, r#"{"Code":401,"error":"unauthorized"}"#),
        of(500, "{\"error\":\"\u{1}\"}"),
        of(200, "{\"code\":\"\u{1}\",\"success\":false}"),
        of(429, ""),
        of(302, "<html>"),
    ]
}

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = 100 + u16::from_be_bytes([input.byte(), input.byte()]) % 900;
    let answer = response(status, input.rest());
    let body = serde_json::from_slice::<serde_json::Value>(answer.body()).ok();
    let sender = Sender {
        http: Arc::new(Answers(answer)),
        timeout: Duration::from_secs(1),
        best_effort_timeout: Duration::from_secs(1),
    };
    let gateway = Gateway {
        kind: GatewayKind::Wuzapi,
        url: "http://gateway.test".to_owned(),
        token: "token".to_owned(),
        hmac_key: None,
        secret_path: None,
    };
    let (contact, id) = (
        Contact::new("62813").unwrap(),
        MessageId::new("AB12").unwrap(),
    );
    let send = || wait(sender.send_text(&gateway, &contact, &id, "halo"));
    let sent = send();
    assert_eq!(sent, send(), "the same answer means two things");
    let refuses = |body: &serde_json::Value| {
        body.get("success") == Some(&false.into())
            || body["code"]
                .as_u64()
                .is_some_and(|code| (400..=65_535).contains(&code))
    };
    match sent {
        // I1: what the gateway refused is not taken for sent.
        Ok(()) => assert!(
            (200..300).contains(&status) && !body.as_ref().is_some_and(refuses),
            "a refusal is taken for a sent message"
        ),
        Err(error) => {
            tells_nothing(&error);
            assert!(
                !(200..300).contains(&status) || body.is_some(),
                "a 2xx without JSON is a success"
            );
            // I5: only an answer that says that nothing left may be followed by something else.
            if (500..=599).contains(&status) {
                assert!(matches!(error, SendError::Unknown { .. }), "{error}");
                assert_eq!(error.class(), Class::Retry);
            }
        }
    }
}
