//! A bot's settings, as the owner gives them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::BotId;
use super::models;
use super::opt::{self, Opt};
use crate::access::OwnerId;

pub use super::models::{MAX_MODELS, MIN_CONTEXT_TOKENS, MaxPrice, ModelEntry, SimpleRule};

/// The default persona, for a bot without a prompt of its own.
pub const DEFAULT_SYSTEM_PROMPT: &str = "Anda adalah customer service yang ramah dan profesional.";

/// The time zone of bots that name none.
pub const DEFAULT_TIME_ZONE: &str = "Asia/Jakarta";
/// What a customer reads when no answer could be made.
pub const DEFAULT_FALLBACK_TEXT: &str = "Mohon maaf, saat ini kami belum bisa menjawab pesan Anda. \
     Tim kami akan segera membantu. Terima kasih sudah menunggu 🙏";

/// The settings of one WhatsApp number. Debug prints no secret (I11).
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bot {
    /// The gateway's instance name.
    #[serde(rename = "id")]
    pub bot_id: BotId,
    /// Whose bot it is (I12).
    pub owner: OwnerId,
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
    /// A message that is one of these words opts out: the contact is not answered any more. Compared without case,
    /// punctuation and emojis around; off when empty.
    #[serde(
        default = "opt::default_out_words",
        skip_serializing_if = "is_default_out"
    )]
    pub opt_out_words: Vec<String>,
    /// A message that is one of these words opts in again.
    #[serde(
        default = "opt::default_in_words",
        skip_serializing_if = "is_default_in"
    )]
    pub opt_in_words: Vec<String>,
    /// The text that confirms an opt-out; [`opt::default_out_text`] when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub opt_out_text: String,
    /// The text that confirms an opt-in; [`opt::DEFAULT_IN_TEXT`] when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub opt_in_text: String,
    /// The models that are asked, one after another until one answers, [`MAX_MODELS`] at most; the setting
    /// `OPENROUTER_MODEL` when empty. A single `model`, as bots had it before there were ladders, is a ladder of one.
    #[serde(
        default,
        alias = "model",
        deserialize_with = "models::ladder",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub models: Vec<ModelEntry>,
    /// What the answers may cost, in US dollars per million tokens; no bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<MaxPrice>,
    /// A cheaper model for simple bursts; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simple: Option<SimpleRule>,
    /// The bot owner's own OpenRouter key, which then pays for the answers; the setting `OPENROUTER_API_KEY` when
    /// absent or blank.
    #[serde(
        default,
        deserialize_with = "models::secret",
        skip_serializing_if = "Option::is_none"
    )]
    pub openrouter_key: Option<String>,
    /// Whether the same question, asked without a history, may get an answer that was given before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub response_cache: bool,
    /// Whether providers may be used that keep prompts and train on them, as many free ones do. Customers' messages
    /// are among those prompts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_training: bool,
    /// Where the business is, as the name of an IANA time zone: the zone that people see times in.
    #[serde(default = "default_time_zone", skip_serializing_if = "is_default_zone")]
    pub time_zone: String,
    /// How to reach and recognise the gateway.
    pub gateway: Gateway,
    /// What the bot knows.
    #[serde(default, rename = "document")]
    pub documents: Vec<Document>,
}

fn yes() -> bool {
    true
}

/// Jakarta's, the zone of most of our businesses.
#[must_use]
pub fn default_time_zone() -> String {
    DEFAULT_TIME_ZONE.to_owned()
}

fn is_default_zone(name: &str) -> bool {
    name == DEFAULT_TIME_ZONE
}

fn is_default_out(words: &[String]) -> bool {
    words == opt::default_out_words()
}

fn is_default_in(words: &[String]) -> bool {
    words == opt::default_in_words()
}

impl Bot {
    /// A bot of which only that is said which every bot must have: the rest is as where a file leaves it out.
    #[must_use]
    pub fn new(bot_id: BotId, owner: OwnerId, gateway: Gateway) -> Self {
        Self {
            bot_id,
            owner,
            name: String::new(),
            active: true,
            system_prompt: String::new(),
            fallback_text: String::new(),
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
            time_zone: default_time_zone(),
            gateway,
            documents: Vec::new(),
        }
    }

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

    /// The same without secrets and documents: what is kept of a version.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        Self {
            openrouter_key: None,
            gateway: Gateway {
                token: String::new(),
                hmac_key: None,
                secret_path: None,
                ..self.gateway.clone()
            },
            documents: Vec::new(),
            ..self.clone()
        }
    }

    /// These settings with the secrets of others.
    #[must_use]
    pub fn with_secrets_of(self, other: &Self) -> Self {
        Self {
            openrouter_key: other.openrouter_key.clone(),
            gateway: Gateway {
                kind: self.gateway.kind,
                url: self.gateway.url,
                ..other.gateway.clone()
            },
            ..self
        }
    }

    /// What stays of a bot that was deleted: whose it was. It answers nobody, so that what is still pending ends without
    /// a reply and not as a dead letter (I1), and nobody else can take its id and with it its conversations (I12).
    #[must_use]
    pub fn deleted(&self) -> Self {
        let gateway = Gateway {
            kind: self.gateway.kind,
            url: String::new(),
            token: String::new(),
            hmac_key: None,
            secret_path: None,
        };
        Self {
            active: false,
            time_zone: self.time_zone.clone(),
            ..Self::new(self.bot_id.clone(), self.owner.clone(), gateway)
        }
    }

    /// The text that confirms what a contact has decided.
    #[must_use]
    pub fn opt_text(&self, opt: Opt) -> String {
        let own = match opt {
            Opt::Out => &self.opt_out_text,
            Opt::In => &self.opt_in_text,
        };
        match (non_blank(own), opt) {
            (Some(own), _) => own.to_owned(),
            (None, Opt::Out) => opt::default_out_text(&self.opt_in_words),
            (None, Opt::In) => opt::DEFAULT_IN_TEXT.to_owned(),
        }
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

impl fmt::Debug for Bot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bot")
            .field("bot_id", &self.bot_id)
            .field("owner", &self.owner)
            .field("name", &self.name)
            .field("active", &self.active)
            .field("system_prompt", &self.system_prompt)
            .field("fallback_text", &self.fallback_text)
            .field("opt_out_words", &self.opt_out_words)
            .field("opt_in_words", &self.opt_in_words)
            .field("opt_out_text", &self.opt_out_text)
            .field("opt_in_text", &self.opt_in_text)
            .field("models", &self.models)
            .field("max_price", &self.max_price)
            .field("simple", &self.simple)
            .field(
                "openrouter_key",
                &self.openrouter_key.as_ref().map(|_| "[redacted]"),
            )
            .field("response_cache", &self.response_cache)
            .field("allow_training", &self.allow_training)
            .field("time_zone", &self.time_zone)
            .field("gateway", &self.gateway)
            .field("documents", &self.documents)
            .finish()
    }
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parsed(extra: &Value) -> Result<Bot, String> {
        let mut bot =
            json!({"id": "demo", "owner": "o", "gateway": {"kind": "wuzapi", "token": "t"}});
        for (name, value) in extra.as_object().unwrap() {
            bot[name] = value.clone();
        }
        serde_json::from_value(bot).map_err(|error| error.to_string())
    }

    fn named(names: &[&str]) -> Vec<ModelEntry> {
        names.iter().map(|name| ModelEntry::named(name)).collect()
    }

    #[test]
    fn a_bot_that_says_nothing_of_models_asks_the_default_and_shares_nothing() {
        let bot = parsed(&json!({})).unwrap();
        assert_eq!(bot.models, []);
        assert_eq!((bot.max_price, bot.simple.clone()), (None, None));
        assert_eq!(bot.openrouter_key, None);
        assert!(!bot.response_cache && !bot.allow_training);
        let written = serde_json::to_value(&bot).unwrap();
        for name in [
            "opt_out_words",
            "opt_in_words",
            "opt_out_text",
            "opt_in_text",
            "models",
            "max_price",
            "simple",
            "openrouter_key",
            "response_cache",
            "allow_training",
            "time_zone",
        ] {
            assert!(
                written.get(name).is_none(),
                "{name}: the version before this one must be able to read it"
            );
        }
    }

    #[test]
    fn a_bot_is_read_as_it_was_written() {
        let extra = json!({
            "opt_out_words": [], "opt_in_words": ["lanjut"], "opt_out_text": "Oke", "opt_in_text": "Hai",
            "models": ["a/b:free", {"name": "c/d", "context_tokens": 4096}],
            "max_price": {"prompt": 0.15, "completion": 2},
            "simple": {"model": {"name": "e/f", "context_tokens": 512}},
            "openrouter_key": " sk-or-v1-own ", "response_cache": true, "allow_training": true,
            "time_zone": "Asia/Makassar"});
        let bot = parsed(&extra).unwrap();
        assert_eq!(bot.models[0], ModelEntry::named("a/b:free"));
        assert_eq!(
            (bot.models[1].name.as_str(), bot.models[1].context_tokens),
            ("c/d", Some(4_096))
        );
        assert_eq!(bot.max_price.unwrap().completion, Some(2.0));
        assert_eq!(bot.simple.as_ref().unwrap().max_characters, 60);
        assert_eq!(bot.openrouter_key.as_deref(), Some("sk-or-v1-own"));
        let written = serde_json::to_string(&bot).unwrap();
        assert_eq!(serde_json::from_str::<Bot>(&written).unwrap(), bot);
    }

    #[test]
    fn the_single_model_of_before_is_a_ladder_of_one() {
        let bot = parsed(&json!({"model": " a/b "})).unwrap();
        assert_eq!(bot.models, named(&["a/b"]));
        let table = parsed(&json!({"model": {"name": "a/b"}})).unwrap();
        assert_eq!(table.models, named(&["a/b"]));
        for none in [json!(null), json!(" ")] {
            assert_eq!(parsed(&json!({"model": none})).unwrap().models, []);
        }
        let both = parsed(&json!({"model": "a", "models": ["b"]})).unwrap_err();
        assert!(both.contains("duplicate field `models`"), "{both}");
    }

    #[test]
    fn bad_settings_are_refused_with_a_reason() {
        let eleven: Vec<String> = (0..11).map(|n| format!("m/{n}")).collect();
        let ten = parsed(&json!({"models": eleven[..10]})).unwrap();
        assert_eq!(ten.models.len(), MAX_MODELS);
        for (extra, reason) in [
            (json!({"models": ["a", " "]}), "a model has no name"),
            (json!({"models": [{"name": ""}]}), "a model has no name"),
            (
                json!({"models": [{"context_tokens": 4096}]}),
                "missing field `name`",
            ),
            (
                json!({"models": [{"name": "a", "contxt": 1}]}),
                "unknown field `contxt`",
            ),
            (json!({"models": [7]}), "a model's name, or"),
            (json!({"models": 7}), "a list of models"),
            (json!({"models": eleven}), "more than 10 models"),
            (
                json!({"models": [{"name": "a", "context_tokens": 511}]}),
                "must be 512 or more",
            ),
            (
                json!({"simple": {"model": "", "max_characters": 5}}),
                "a model has no name",
            ),
            (json!({"simple": {}}), "missing field `model`"),
            (json!({"max_price": {"prompt": -0.1}}), "0 or more"),
            (json!({"max_price": {"answer": 1}}), "unknown field"),
        ] {
            let error = parsed(&extra).unwrap_err();
            assert!(error.contains(reason), "{extra}: {error}");
        }
        assert!(parsed(&json!({"max_price": {"prompt": 0}})).is_ok());
    }

    #[test]
    fn what_is_kept_of_a_version_or_a_deleted_bot_holds_no_secret() {
        let bot = parsed(&json!({"openrouter_key": "hunter2", "name": "Toko", "gateway": {"kind": "wuzapi",
            "url": "https://gw.example", "token": "hunter2", "hmac_key": "hunter2", "secret_path": "hunter2"}}))
        .unwrap();
        for kept in [bot.without_secrets(), bot.deleted()] {
            let json = serde_json::to_string(&kept).unwrap();
            assert!(!json.contains("hunter2"), "{json}");
            assert_eq!(serde_json::from_str::<Bot>(&json).unwrap(), kept);
        }
        assert_eq!(bot.without_secrets().with_secrets_of(&bot), bot);
        assert!(!bot.deleted().active);
    }

    #[test]
    fn a_blank_key_is_none_and_a_real_one_is_never_printed() {
        assert_eq!(
            parsed(&json!({"openrouter_key": " "}))
                .unwrap()
                .openrouter_key,
            None
        );
        let bot = parsed(&json!({"openrouter_key": "sk-or-v1-own"})).unwrap();
        let shown = format!("{bot:?}");
        assert!(
            shown.contains("[redacted]") && !shown.contains("sk-or"),
            "{shown}"
        );
    }

    #[test]
    fn a_bot_is_active_and_has_texts_of_ours_until_it_says_otherwise() {
        let bot = parsed(&json!({})).unwrap();
        assert!(bot.active);
        assert_eq!(bot.fallback_text(), DEFAULT_FALLBACK_TEXT);
        let own = parsed(&json!({"fallback_text": "Sebentar ya Kak."})).unwrap();
        assert_eq!(own.fallback_text(), "Sebentar ya Kak.");
    }

    #[test]
    fn what_is_kept_of_a_version_and_of_a_deleted_bot_is_no_secret_and_no_document() {
        let extra = json!({"time_zone": "Asia/Jayapura", "openrouter_key": "sk-or-v1-own",
            "document": [{"title": "Jam buka", "content": "08.00"}]});
        let bot = parsed(&extra).unwrap();
        let kept = bot.without_secrets();
        assert_eq!(
            (kept.documents.len(), kept.openrouter_key.clone()),
            (0, None)
        );
        assert_eq!(kept.gateway.token, "");
        let mut moved = kept;
        moved.gateway.url = "https://other.example".to_owned();
        let whole = moved.with_secrets_of(&bot);
        assert_eq!(whole.gateway.url, "https://other.example");
        assert_eq!(whole.gateway.token, "t");
        assert_eq!(whole.openrouter_key.as_deref(), Some("sk-or-v1-own"));
        let deleted = bot.deleted();
        assert_eq!(deleted.time_zone, "Asia/Jayapura");
        assert!(!deleted.active);
    }
}
