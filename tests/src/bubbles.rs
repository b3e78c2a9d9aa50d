//! Webhook bodies as wuzapi posts them.

use clivy::conversation::bot::{Bot, Gateway, GatewayKind};
use clivy::conversation::ids::BotId;
use clivy::conversation::opt;
use lambda_http::{Body, Request};
use serde_json::{Value, json};

use crate::outside::GATEWAY_URL;

/// A bot at the scripted gateway.
pub fn bot(id: &str) -> Bot {
    Bot {
        bot_id: BotId::new(id).unwrap(),
        owner: "owner".to_owned(),
        name: format!("Toko {id}"),
        active: true,
        system_prompt: format!("Anda melayani {id}."),
        fallback_text: "Maaf Kak, tim kami akan membalas.".to_owned(),
        opt_out_words: opt::default_out_words(),
        opt_in_words: opt::default_in_words(),
        opt_out_text: String::new(),
        opt_in_text: String::new(),
        models: Vec::new(),
        max_price: None,
        simple: None,
        openrouter_key: None,
        response_cache: false,
        allow_training: false,
        gateway: Gateway {
            kind: GatewayKind::Wuzapi,
            url: GATEWAY_URL.to_owned(),
            token: format!("token-{id}"),
            hmac_key: None,
            secret_path: None,
        },
        documents: Vec::new(),
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
