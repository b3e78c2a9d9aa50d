//! What a person at the terminal reads when a run has started.

use std::net::SocketAddr;

use clivy::conversation::bot::Bot;
use clivy::conversation::ids::EpochMs;
use serde_json::json;

use crate::login;
use crate::world::{ALERTS, QUEUE};

/// Where a run is found.
pub struct Addresses {
    /// The run itself, `http://…`.
    pub base_url: String,
    /// The inbox.
    pub inbox: SocketAddr,
    /// Whether the inbox opens without a key.
    pub has_login: bool,
}

/// The run's addresses, where its answers come from, and a command that writes to its first bot.
pub fn greeting(at: &Addresses, bot: Option<&Bot>, has_demo_model: bool, now: EpochMs) -> String {
    let base_url = &at.base_url;
    let inbox = match at.has_login {
        true => format!(
            "http://{}/   (opens without a key: {base_url}{})",
            at.inbox,
            login::PATH
        ),
        false => format!(
            "http://{}/   (cargo run -p local -- key create --help)",
            at.inbox
        ),
    };
    let model = if has_demo_model {
        "the built-in demo model (no OPENROUTER_API_KEY is set): it answers from the bot's documents"
    } else {
        "OpenRouter, as OPENROUTER_API_KEY and OPENROUTER_BASE_URL say"
    };
    let curl = bot.map(|bot| curl(base_url, bot, now)).unwrap_or_default();
    format!(
        "Clivy runs at {base_url}\n\n  phone page   {base_url}/\n  inbox        {inbox}\n  webhook      {base_url}/webhook/ai\n  \
         DynamoDB     {base_url}   (AWS_ENDPOINT_URL_DYNAMODB, table clivy)\n  \
         SQS          {base_url}   (AWS_ENDPOINT_URL_SQS, queue {QUEUE})\n  \
         SNS          {base_url}   (AWS_ENDPOINT_URL_SNS, topic {ALERTS}; alerts are logged here)\n  model        {model}\n\n\
         Write to the bot as a gateway would:\n\n  {curl}\n\nCtrl-C stops; what is pending then is answered \
         after the next start.\n"
    )
}

/// A command that posts one bubble as the bot's gateway would, signed where the bot wants that. A secret path is
/// named, not shown (I11).
fn curl(base: &str, bot: &Bot, now: EpochMs) -> String {
    let event = json!({"event": "Message", "instanceName": bot.bot_id.as_str(), "data": {
        // Another message at every start: the same one would be a duplicate.
        "Info": {"ID": format!("msg-{}", now.0), "Sender": "6281234567890@s.whatsapp.net"},
        "Message": {"conversation": "Halo, jam buka toko?"}}})
    .to_string();
    let gateway = &bot.gateway;
    let secret = gateway.secret_path.as_ref().map(|_| "/SECRET_PATH");
    let signature = gateway.hmac_key.as_ref().map(|key| {
        let signature = clivy::channel::wuzapi::sign(key, event.as_bytes());
        format!(" -H 'x-hmac-signature: {signature}'")
    });
    format!(
        "curl -X POST {base}/webhook/ai{} -H 'Content-Type: application/json'{} -d '{event}'",
        secret.unwrap_or_default(),
        signature.unwrap_or_default()
    )
}
