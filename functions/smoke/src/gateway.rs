//! The test bot's gateway: takes what the worker sends to wuzapi, and writes the replies down.

use std::collections::BTreeMap;

use clivy::conversation::ids::{BotId, Contact, MessageId};
use clivy::table::BotState;
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::{Smoke, bot};

/// A request as the HTTP API hands it on (payload format 2.0).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    raw_path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    phone: String,
    body: String,
    id: String,
}

/// Answers as wuzapi does. Whoever does not know the token finds nothing here: 404, which no alarm counts.
pub async fn serve(smoke: &Smoke, request: &Request) -> Value {
    match known(smoke, request).await {
        Some(true) => {}
        Some(false) => return answer(404, &json!({"error": "there is nothing at this path"})),
        None => return answer(503, &json!({"error": "not sent; please try again"})),
    }
    if !request.raw_path.ends_with("/chat/send/text") {
        // "typing…" and read ticks.
        return answer(200, &json!({"code": 200, "success": true}));
    }
    let Some((text, contact, id)) = parsed(&request.body) else {
        return answer(400, &json!({"error": "this is no text"}));
    };
    let now = smoke.clock.now();
    match smoke.table.put_smoke_reply(&contact, &id, &text, now).await {
        Ok(()) => {
            let data = json!({"Details": "Sent", "Id": id.as_str()});
            answer(200, &json!({"code": 200, "success": true, "data": data}))
        }
        Err(error) => {
            tracing::error!(step = "reply_not_counted", %error, "a reply could not be written down");
            answer(500, &json!({"error": "not sent; please try again"}))
        }
    }
}

/// Whether the request has the test bot's token; nothing where the table does not say.
async fn known(smoke: &Smoke, request: &Request) -> Option<bool> {
    let bot_id = BotId::new(bot::NAME).ok()?;
    let BotState::There(stored) = smoke.table.bot_state(&bot_id).await.ok()? else {
        return Some(false);
    };
    let token = request.headers.get("token").map_or("", String::as_str);
    let expected = &stored.bot.gateway.token;
    let is_equal: bool = expected.as_bytes().ct_eq(token.as_bytes()).into();
    Some(is_equal && !expected.is_empty())
}

fn parsed(body: &str) -> Option<(String, Contact, MessageId)> {
    let text: Text = serde_json::from_str(body).ok()?;
    let contact = Contact::new(&text.phone).ok()?;
    Some((text.body, contact, MessageId::new(&text.id).ok()?))
}

fn answer(status: u16, body: &Value) -> Value {
    json!({
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": body.to_string(),
    })
}
