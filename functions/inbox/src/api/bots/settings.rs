//! A bot's settings as the API takes and gives them: as a bots file has them, without id, owner and documents. Secrets go
//! in and never out (I11).

use clivy::access::OwnerId;
use clivy::conversation::bot::{
    Bot, Gateway, GatewayKind, MaxPrice, ModelEntry, SimpleRule, default_time_zone,
};
use clivy::conversation::bot_limits::{self, Unfit};
use clivy::conversation::gateway_address::Reach;
use clivy::conversation::ids::BotId;
use clivy::conversation::opt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::problem::Problem;

/// What a write says of a secret.
#[derive(Clone, Default)]
pub enum SecretField {
    /// Nothing: it stays.
    #[default]
    Keep,
    /// `null`: it goes.
    Remove,
    /// It becomes this.
    Set(String),
}

impl<'de> Deserialize<'de> for SecretField {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let secret = Option::<String>::deserialize(from)?;
        Ok(secret.map_or(Self::Remove, Self::Set))
    }
}

/// Never with what it holds. (Fields of it are left out; serde would leave them out of the document as well if it were told
/// so once and for all.)
impl Serialize for SecretField {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_none()
    }
}

fn is_secret(_: &SecretField) -> bool {
    true
}

impl SecretField {
    fn over(self, current: Option<&String>) -> Option<String> {
        match self {
            Self::Keep => current.cloned(),
            Self::Remove => None,
            Self::Set(secret) => Some(secret),
        }
    }
}

/// A bot's settings. A field that is absent has its default. Secrets are never given; in a write an absent one stays, `null`
/// removes it, and a string sets it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BotSettings)]
pub struct Settings {
    /// The name people see.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub name: String,
    /// An inactive bot neither stores nor answers.
    #[serde(default = "yes")]
    pub active: bool,
    /// The instructions of the model; a default when blank.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    pub system_prompt: String,
    /// The text sent when an answer could not be made; a default when blank.
    #[serde(default)]
    #[schema(max_length = 4_096)]
    pub fallback_text: String,
    /// A message that is one of these words opts out; off when empty.
    #[serde(default = "opt::default_out_words")]
    #[schema(value_type = Vec<OptWord>, max_items = 50)]
    pub opt_out_words: Vec<String>,
    /// A message that is one of these words opts in again.
    #[serde(default = "opt::default_in_words")]
    #[schema(value_type = Vec<OptWord>, max_items = 50)]
    pub opt_in_words: Vec<String>,
    /// The text that confirms an opt-out; a default when blank.
    #[serde(default)]
    #[schema(max_length = 4_096)]
    pub opt_out_text: String,
    /// The text that confirms an opt-in; a default when blank.
    #[serde(default)]
    #[schema(max_length = 4_096)]
    pub opt_in_text: String,
    /// The models that are asked, one after another until one answers; the system's default when empty.
    #[serde(default)]
    #[schema(value_type = Vec<ModelChoice>, max_items = 10)]
    pub models: Vec<ModelEntry>,
    /// What answers may cost at most; no bound when null.
    #[serde(default)]
    #[schema(value_type = Option<PriceBound>)]
    pub max_price: Option<MaxPrice>,
    /// A cheaper model for simple bursts; none when null.
    #[serde(default)]
    #[schema(value_type = Option<SimpleModel>)]
    pub simple: Option<SimpleRule>,
    /// The owner's own OpenRouter key, which then pays: visible ASCII.
    #[serde(default, skip_serializing_if = "is_secret")]
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 500, pattern = "^[!-~]+$")]
    pub openrouter_key: SecretField,
    /// Whether a question that was asked before may get the same answer.
    #[serde(default)]
    pub response_cache: bool,
    /// Whether providers may be used that train on prompts.
    #[serde(default)]
    pub allow_training: bool,
    /// Where the business is, as the name of an IANA time zone: the zone that people see times in.
    #[serde(default = "default_time_zone")]
    #[schema(min_length = 1, max_length = 50, example = "Asia/Makassar")]
    pub time_zone: String,
    /// How to reach and recognise the gateway.
    pub gateway: GatewaySettings,
}

/// The gateway of a bot's number.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// Which protocol it speaks.
    #[schema(value_type = GatewayProtocol)]
    pub kind: GatewayKind,
    /// Its base address: http or https, of the public internet, without user, query and fragment.
    #[schema(min_length = 1, max_length = 2_048)]
    pub url: String,
    /// The session token it knows us by: visible ASCII. A new bot needs one, and it cannot be removed.
    #[serde(default, skip_serializing_if = "is_secret")]
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 500, pattern = "^[!-~]+$")]
    pub token: SecretField,
    /// When set, every webhook must be signed with it.
    #[serde(default, skip_serializing_if = "is_secret")]
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 500)]
    pub hmac_key: SecretField,
    /// When set, every webhook must come to `/webhook/ai/{secret_path}`.
    #[serde(default, skip_serializing_if = "is_secret")]
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 500, pattern = "^[A-Za-z0-9_-]+$")]
    pub secret_path: SecretField,
}

fn yes() -> bool {
    true
}

impl Settings {
    /// The settings of a bot, without its secrets.
    pub fn of(bot: Bot) -> Self {
        Self {
            name: bot.name,
            active: bot.active,
            system_prompt: bot.system_prompt,
            fallback_text: bot.fallback_text,
            opt_out_words: bot.opt_out_words,
            opt_in_words: bot.opt_in_words,
            opt_out_text: bot.opt_out_text,
            opt_in_text: bot.opt_in_text,
            models: bot.models,
            max_price: bot.max_price,
            simple: bot.simple,
            openrouter_key: SecretField::Keep,
            response_cache: bot.response_cache,
            allow_training: bot.allow_training,
            time_zone: bot.time_zone,
            gateway: GatewaySettings {
                kind: bot.gateway.kind,
                url: bot.gateway.url,
                token: SecretField::Keep,
                hmac_key: SecretField::Keep,
                secret_path: SecretField::Keep,
            },
        }
    }

    /// The bot that these settings make of `current`, or a new one.
    ///
    /// # Errors
    /// 422: a new bot without a token, or a token that is removed.
    pub fn over(
        self,
        current: Option<&Bot>,
        owner: &OwnerId,
        bot_id: &BotId,
    ) -> Result<Bot, Problem> {
        let gateway = current.map(|bot| &bot.gateway);
        let token = self.gateway.token.over(gateway.map(|was| &was.token));
        let token = token.ok_or_else(|| unfit(&Unfit::new("gateway.token", "is needed")))?;
        let hmac_key = gateway.and_then(|was| was.hmac_key.as_ref());
        let secret_path = gateway.and_then(|was| was.secret_path.as_ref());
        let openrouter_key = current.and_then(|bot| bot.openrouter_key.as_ref());
        Ok(Bot {
            bot_id: bot_id.clone(),
            owner: owner.clone(),
            name: self.name,
            active: self.active,
            system_prompt: self.system_prompt,
            fallback_text: self.fallback_text,
            opt_out_words: self.opt_out_words,
            opt_in_words: self.opt_in_words,
            opt_out_text: self.opt_out_text,
            opt_in_text: self.opt_in_text,
            models: self.models,
            max_price: self.max_price,
            simple: self.simple,
            openrouter_key: self.openrouter_key.over(openrouter_key),
            response_cache: self.response_cache,
            allow_training: self.allow_training,
            time_zone: self.time_zone,
            gateway: Gateway {
                kind: self.gateway.kind,
                url: self.gateway.url,
                token,
                hmac_key: self.gateway.hmac_key.over(hmac_key),
                secret_path: self.gateway.secret_path.over(secret_path),
            },
            documents: Vec::new(),
        })
    }
}

/// A bot that may be stored.
///
/// # Errors
/// 422.
pub fn checked(bot: Bot, allow_private_gateways: bool) -> Result<Bot, Problem> {
    let reach = if allow_private_gateways {
        Reach::Anywhere
    } else {
        Reach::Public
    };
    bot_limits::checked(bot, reach).map_err(|field| unfit(&field))
}

/// 422: names the field, and quotes nothing.
pub fn unfit(unfit: &Unfit) -> Problem {
    Problem::invalid(unfit.to_string())
}

/// The names of the secrets that a bot has.
pub fn secrets(bot: &Bot) -> Vec<&'static str> {
    let gateway = &bot.gateway;
    [
        ("token", !gateway.token.is_empty()),
        ("hmac_key", gateway.hmac_key.is_some()),
        ("secret_path", gateway.secret_path.is_some()),
        ("openrouter_key", bot.openrouter_key.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_set)| is_set.then_some(name))
    .collect()
}

pub use shapes::{GatewayProtocol, ModelChoice, OptWord, PriceBound, SimpleModel};

/// What the document says of types whose own crate knows nothing of it.
mod shapes {
    #![expect(dead_code, reason = "only their schemas are used")]

    use serde::{Deserialize, Serialize};
    use utoipa::ToSchema;

    /// A word.
    #[derive(ToSchema)]
    #[schema(max_length = 50)]
    pub struct OptWord(String);

    /// A gateway's protocol.
    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum GatewayProtocol {
        /// wuzapi.
        Wuzapi,
    }

    /// A model: its name, or the name with what prompt and answer may come to together.
    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(untagged)]
    pub enum ModelChoice {
        /// Its name at the provider.
        Name(ModelName),
        /// With its context.
        WithContext(ModelWithContext),
    }

    /// A model's name.
    #[derive(Serialize, Deserialize, ToSchema)]
    #[schema(min_length = 1, max_length = 200, pattern = "\\S")]
    pub struct ModelName(String);

    /// A model whose context is known.
    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub struct ModelWithContext {
        /// Its name at the provider.
        #[schema(min_length = 1, max_length = 200, pattern = "\\S")]
        name: String,
        /// What prompt and answer may come to together, in tokens.
        #[schema(minimum = 512, maximum = 4_294_967_295_u64)]
        context_tokens: Option<u32>,
    }

    /// US dollars per million tokens.
    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub struct PriceBound {
        /// For the prompt.
        #[schema(minimum = 0, maximum = 1_000_000)]
        prompt: Option<f64>,
        /// For the answer.
        #[schema(minimum = 0, maximum = 1_000_000)]
        completion: Option<f64>,
    }

    /// A cheaper model for short bursts that ask for no price and complain of nothing.
    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub struct SimpleModel {
        /// It.
        model: ModelChoice,
        /// The longest burst that is simple, in characters; 60 when absent.
        #[serde(default)]
        #[schema(minimum = 0, maximum = 4_294_967_295_u64)]
        max_characters: u32,
    }
}
