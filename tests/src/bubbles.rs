//! Webhook bodies as wuzapi posts them.

use clivy::access::OwnerId;
use clivy::conversation::bot::{Bot, Gateway, GatewayKind};
use clivy::conversation::ids::{BotId, EpochMs};
use lambda_http::{Body, Request};
use serde_json::{Value, json};

use crate::outside::GATEWAY_URL;

/// A bot at the scripted gateway.
pub fn bot(id: &str) -> Bot {
    let gateway = Gateway {
        kind: GatewayKind::Wuzapi,
        url: GATEWAY_URL.to_owned(),
        token: format!("token-{id}"),
        hmac_key: None,
        secret_path: None,
    };
    Bot {
        name: format!("Toko {id}"),
        system_prompt: format!("Anda melayani {id}."),
        fallback_text: "Maaf Kak, tim kami akan membalas.".to_owned(),
        ..Bot::new(
            BotId::new(id).unwrap(),
            OwnerId::new("owner").unwrap(),
            gateway,
        )
    }
}

/// One bubble of a customer. `second` is the platform's time, in seconds after a fixed moment.
pub fn bubble(bot: &str, phone: &str, mid: &str, second: i64, text: &str) -> Value {
    let at = 1_763_604_904 + second;
    json!({
        "type": "Message",
        "instanceName": bot,
        "userID": "b3d0f6a1c2e94d7f",
        "event": {
            "Info": {
                "ID": mid, "Chat": format!("{phone}@s.whatsapp.net"),
                "Sender": format!("{phone}:24@s.whatsapp.net"), "SenderAlt": "84203917755120@lid",
                "IsFromMe": false, "IsGroup": false, "Type": "text", "PushName": format!("Pelanggan {phone}"),
                "Timestamp": timestamp(at)
            },
            "Message": {"conversation": text}
        }
    })
}

fn timestamp(at: i64) -> String {
    // Any day will do: only the order counts.
    let seconds = at - 1_763_604_904;
    format!(
        "2025-11-20T{:02}:{:02}:{:02}+07:00",
        9 + seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The same bubble, written at this moment of the world's clock: in whole seconds, as WhatsApp tells it.
pub fn written_at(mut body: Value, at: EpochMs) -> Value {
    const MIDNIGHT: i64 = 1_763_596_800;
    let seconds = at.0.div_euclid(1000) - MIDNIGHT;
    assert!((0..86_400).contains(&seconds), "only this one day");
    body["event"]["Info"]["Timestamp"] = json!(format!(
        "2025-11-20T{:02}:{:02}:{:02}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    ));
    body
}

/// What a person of the business writes on the phone.
pub fn from_the_phone(bot: &str, phone: &str, mid: &str, at: EpochMs, text: &str) -> Value {
    let mut body = written_at(bubble(bot, phone, mid, 0, text), at);
    body["event"]["Info"]["IsFromMe"] = json!(true);
    body["event"]["Info"]["Sender"] = json!("6281900090009@s.whatsapp.net");
    body["event"]["Info"]["SenderAlt"] = json!("");
    body
}

/// The request that carries a body.
pub fn post(body: &Value) -> Request {
    let mut request = http::Request::new(Body::Text(body.to_string()));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = "/webhook/ai".parse().unwrap();
    request
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    lambda_http::RequestExt::with_raw_http_path(request, "/webhook/ai")
}
