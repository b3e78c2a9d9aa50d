//! A bot's settings, as the owner gives them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::BotId;

/// The default persona, for a bot without a prompt of its own.
pub const DEFAULT_SYSTEM_PROMPT: &str = "Anda adalah customer service yang ramah dan profesional.";

/// What a customer reads when no answer could be made.
pub const DEFAULT_FALLBACK_TEXT: &str = "Mohon maaf, saat ini kami belum bisa menjawab pesan Anda. \
     Tim kami akan segera membantu. Terima kasih sudah menunggu 🙏";

/// The settings of one WhatsApp number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bot {
    /// The gateway's instance name.
    #[serde(rename = "id")]
    pub bot_id: BotId,
    /// Whose bot it is (I12).
    pub owner: String,
    /// The name people see.
    #[serde(default)]
    pub name: String,
    /// An inactive bot neither stores nor answers.
    #[serde(default = "yes")]
    pub active: bool,
    /// The instructions of the model; [`DEFAULT_SYSTEM_PROMPT`] when empty.
    #[serde(default)]
    pub system_prompt: String,
    /// The text sent when an answer could not be made; [`DEFAULT_FALLBACK_TEXT`] when empty.
    #[serde(default)]
    pub fallback_text: String,
    /// The OpenRouter model; the setting `OPENROUTER_MODEL` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How to reach and recognise the gateway.
    pub gateway: Gateway,
    /// What the bot knows.
    #[serde(default, rename = "document")]
    pub documents: Vec<Document>,
}

fn yes() -> bool {
    true
}

impl Bot {
    /// The instructions to use.
    #[must_use]
    pub fn system_prompt(&self) -> &str {
        non_blank(&self.system_prompt).unwrap_or(DEFAULT_SYSTEM_PROMPT)
    }

    /// The fallback text to use.
    #[must_use]
    pub fn fallback_text(&self) -> &str {
        non_blank(&self.fallback_text).unwrap_or(DEFAULT_FALLBACK_TEXT)
    }
}

fn non_blank(text: &str) -> Option<&str> {
    (!text.trim().is_empty()).then_some(text)
}

/// A text the bot may answer from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What it is about.
    pub title: String,
    /// What sort of text it is: `faq`, `price list`, …
    #[serde(default)]
    pub kind: String,
    /// The text itself.
    pub content: String,
}

/// The gateway of a bot's number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Which protocol it speaks.
    pub kind: GatewayKind,
    /// Its base address, without a trailing slash. Empty where whoever starts the system knows it.
    #[serde(default)]
    pub url: String,
    /// The session token it knows us by.
    pub token: String,
    /// When present, every webhook must be signed with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac_key: Option<String>,
    /// When present, every webhook must come to `/webhook/ai/{secret_path}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_path: Option<String>,
}

/// The gateway protocols there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayKind {
    /// wuzapi, whatsmeow underneath.
    Wuzapi,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("kind", &self.kind)
            .field("url", &self.url)
            .field("token", &"[redacted]")
            .field("hmac_key", &self.hmac_key.as_ref().map(|_| "[redacted]"))
            .field(
                "secret_path",
                &self.secret_path.as_ref().map(|_| "[redacted]"),
            )
            .finish()
    }
}
