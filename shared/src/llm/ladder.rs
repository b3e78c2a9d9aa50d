//! Which models a burst is asked about, one after another until one answers.

use super::simple::is_simple;
use crate::conversation::bot::{Bot, ModelEntry};
use crate::conversation::trigger::ModelName;

/// Who serves a model. Each has a breaker of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// OpenRouter.
    OpenRouter,
    /// The OpenAI-compatible API below it, where one is set.
    Second,
}

impl Provider {
    /// The word that the table and the logs use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenRouter => "openrouter",
            Self::Second => "second",
        }
    }
}

/// The name of a provider's breaker: a bot with a key of its own has one of its own.
#[must_use]
pub fn breaker_name(bot: &Bot, provider: Provider) -> String {
    match (provider, bot.openrouter_key.as_deref()) {
        (Provider::OpenRouter, Some(_)) => {
            format!("{}#{}", provider.as_str(), bot.bot_id.as_str())
        }
        _ => provider.as_str().to_owned(),
    }
}

/// One model to ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rung {
    /// Who serves it.
    pub provider: Provider,
    /// Its name there.
    pub model: String,
    /// What prompt and answer may come to together, in tokens; `None` when it is not known.
    pub context_tokens: Option<u32>,
}

impl Rung {
    /// Whether OpenRouter serves it for nothing, within the day's limit.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.provider == Provider::OpenRouter && self.model.ends_with(":free")
    }

    /// The one that a person has chosen for a turn. Where the bot names it too, what it takes is known.
    #[must_use]
    pub fn wanted(model: &ModelName, bot: &Bot) -> Self {
        let own = bot.models.iter().find(|own| own.name == model.as_str());
        Self {
            provider: Provider::OpenRouter,
            model: model.as_str().to_owned(),
            context_tokens: own.and_then(|own| own.context_tokens),
        }
    }

    fn of(provider: Provider, entry: &ModelEntry) -> Self {
        Self {
            provider,
            model: entry.name.clone(),
            context_tokens: entry.context_tokens,
        }
    }
}

/// The models for one question, the first one first: the bot's simple model where its rule says that the question
/// is simple, the bot's own models or else the default one, and the second provider's. None comes twice, and there
/// is always one.
#[must_use]
pub fn ladder(
    bot: &Bot,
    default: &ModelEntry,
    second: Option<&ModelEntry>,
    question: &str,
) -> Vec<Rung> {
    let simple = bot
        .simple
        .as_ref()
        .filter(|rule| is_simple(question, rule))
        .map(|rule| &rule.model);
    let own = match bot.models.as_slice() {
        [] => std::slice::from_ref(default),
        models => models,
    };
    let rungs = simple
        .into_iter()
        .chain(own)
        .map(|entry| Rung::of(Provider::OpenRouter, entry))
        .chain(second.map(|entry| Rung::of(Provider::Second, entry)));
    let mut ladder: Vec<Rung> = Vec::new();
    for rung in rungs {
        let twin = ladder
            .iter_mut()
            .find(|other| other.provider == rung.provider && other.model == rung.model);
        match twin {
            // Whichever of the two says how much the model takes is right.
            Some(twin) => twin.context_tokens = twin.context_tokens.or(rung.context_tokens),
            None => ladder.push(rung),
        }
    }
    ladder
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn bot(models: &Value, simple: Option<&str>) -> Bot {
        let mut bot = json!({"id": "demo", "owner": "o", "gateway": {"kind": "wuzapi", "token": "t"}, "models": models});
        if let Some(model) = simple {
            bot["simple"] = json!({"model": model});
        }
        serde_json::from_value(bot).unwrap()
    }

    fn names(bot: &Bot, second: Option<&str>, question: &str) -> Vec<String> {
        let second = second.map(ModelEntry::named);
        ladder(bot, &ModelEntry::named("d"), second.as_ref(), question)
            .into_iter()
            .map(|rung| format!("{}:{}", rung.provider.as_str(), rung.model))
            .collect()
    }

    #[test]
    fn a_bot_without_models_asks_the_default_one() {
        assert_eq!(
            names(&bot(&json!([]), None), None, "halo"),
            ["openrouter:d"]
        );
    }

    #[test]
    fn the_bots_models_come_in_its_order_and_the_second_provider_last() {
        let bot = bot(&json!(["a", "b"]), None);
        assert_eq!(
            names(&bot, Some("a"), "halo"),
            ["openrouter:a", "openrouter:b", "second:a"],
            "the same name at another provider is another rung"
        );
    }

    #[test]
    fn the_simple_model_comes_first_and_only_for_a_simple_question() {
        let bot = bot(&json!(["a", "b"]), Some("s"));
        assert_eq!(
            names(&bot, None, "halo kak"),
            ["openrouter:s", "openrouter:a", "openrouter:b"]
        );
        assert_eq!(
            names(&bot, None, "berapa kak"),
            ["openrouter:a", "openrouter:b"]
        );
        let without = super::tests::bot(&json!([]), Some("s"));
        assert_eq!(
            names(&without, None, "halo"),
            ["openrouter:s", "openrouter:d"]
        );
    }

    #[test]
    fn no_rung_comes_twice_and_a_known_context_is_kept() {
        let models = json!(["a", "b", {"name": "a", "context_tokens": 4096}, "b"]);
        let bot = bot(&models, Some("b"));
        assert_eq!(names(&bot, None, "halo"), ["openrouter:b", "openrouter:a"]);
        let rungs = ladder(&bot, &ModelEntry::named("d"), None, "halo");
        assert_eq!(rungs[1].context_tokens, Some(4_096));
    }

    #[test]
    fn a_free_model_is_known_by_its_name() {
        let rung = |provider, model: &str| Rung::of(provider, &ModelEntry::named(model));
        assert!(rung(Provider::OpenRouter, "a/b:free").is_free());
        assert!(!rung(Provider::OpenRouter, "a/free").is_free());
        assert!(!rung(Provider::Second, "a/b:free").is_free());
    }
}
