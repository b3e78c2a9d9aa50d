//! The settings of the models that every bot may be answered by.

use super::{DEFAULT_MODEL, Reader};
use crate::conversation::bot::{MIN_CONTEXT_TOKENS, ModelEntry};
use crate::llm::{Dialect, LlmSettings};

/// `OPENROUTER_MODEL` ([`DEFAULT_MODEL`]) and `OPENROUTER_CONTEXT_TOKENS` (0, which is not known): the model of bots
/// that name none, and what prompt and answer may come to together.
pub fn default_model(reader: &mut Reader) -> ModelEntry {
    const CONTEXT: &str = "OPENROUTER_CONTEXT_TOKENS";
    let tokens = reader.number(CONTEXT, 0, 0..=100_000_000);
    if (1..MIN_CONTEXT_TOKENS).contains(&tokens) {
        reader.fault(
            CONTEXT,
            format!("is neither 0 nor {MIN_CONTEXT_TOKENS} or more"),
        );
    }
    ModelEntry {
        name: reader.text("OPENROUTER_MODEL", DEFAULT_MODEL),
        context_tokens: Some(tokens).filter(|tokens| *tokens > 0),
    }
}

/// An OpenAI-compatible API below OpenRouter on every bot's ladder.
#[derive(Clone, Debug)]
pub struct SecondProvider {
    /// How to reach it.
    pub settings: LlmSettings,
    /// What it is asked for.
    pub model: ModelEntry,
}

/// `SECOND_PROVIDER_BASE_URL`, `SECOND_PROVIDER_API_KEY` and `SECOND_PROVIDER_MODEL`: all of them, or none for no
/// second provider. The key alone is no fault: it is a secret, which is put where it belongs before the provider is.
pub fn second_provider(reader: &mut Reader) -> Option<SecondProvider> {
    let [base_url_name, key_name, model_name] = NAMES;
    let api_key = reader.secret(key_name);
    let [base_url, model] = [base_url_name, model_name].map(|name| reader.optional(name));
    if base_url.is_none() && model.is_none() {
        return None;
    }
    if let (Some(_), Some(api_key), Some(model)) = (&base_url, &api_key, &model) {
        return Some(SecondProvider {
            settings: LlmSettings {
                dialect: Dialect::OpenAi,
                api_key: api_key.clone(),
                base_url: reader.url(base_url_name, None),
                http_referer: String::new(),
                x_title: String::new(),
            },
            model: ModelEntry::named(model),
        });
    }
    for (name, value) in NAMES.into_iter().zip([&base_url, &api_key, &model]) {
        if value.is_none() {
            reader.fault(name, "is missing, and the other settings of it are there");
        }
    }
    None
}

const NAMES: [&str; 3] = [
    "SECOND_PROVIDER_BASE_URL",
    "SECOND_PROVIDER_API_KEY",
    "SECOND_PROVIDER_MODEL",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(values: &[(&str, &str)]) -> Reader {
        let values = values.iter();
        Reader::new(
            values
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn the_default_models_context_is_unknown_or_large_enough() {
        let model = |tokens: &str| {
            let mut reader = reader(&[("OPENROUTER_CONTEXT_TOKENS", tokens)]);
            let model = default_model(&mut reader);
            reader.finish().map(|()| model)
        };
        assert_eq!(model("").unwrap(), ModelEntry::named(DEFAULT_MODEL));
        assert_eq!(model("0").unwrap().context_tokens, None);
        assert_eq!(model("512").unwrap().context_tokens, Some(512));
        for bad in ["1", "511", "-1", "many", "4294967296"] {
            let faults = model(bad).unwrap_err();
            assert_eq!(faults.0[0].name, "OPENROUTER_CONTEXT_TOKENS", "{bad}");
        }
    }

    #[test]
    fn a_second_provider_is_all_of_its_settings_or_none() {
        assert!(second_provider(&mut reader(&[])).is_none());
        let all = [
            ("SECOND_PROVIDER_BASE_URL", "https://llm.example/v1/"),
            ("SECOND_PROVIDER_API_KEY", "hunter2"),
            ("SECOND_PROVIDER_MODEL", "llama"),
        ];
        let mut complete = reader(&all);
        let second = second_provider(&mut complete).unwrap();
        assert!(complete.finish().is_ok());
        assert_eq!(second.settings.base_url, "https://llm.example/v1");
        assert_eq!(second.settings.dialect, Dialect::OpenAi);
        assert_eq!(second.model, ModelEntry::named("llama"));
        assert!(!format!("{second:?}").contains("hunter2"));
        for missing in 0..3 {
            let mut some = all;
            some[missing].1 = " ";
            let mut reader = reader(&some);
            assert!(second_provider(&mut reader).is_none());
            let faults = reader.finish().unwrap_err();
            assert_eq!(faults.0.len(), 1);
            assert_eq!(faults.0[0].name, all[missing].0);
        }
        let key_alone = [("SECOND_PROVIDER_API_KEY", "hunter2")];
        let mut reader_of_key = reader(&key_alone);
        assert!(second_provider(&mut reader_of_key).is_none());
        assert!(reader_of_key.finish().is_ok());
        let mut bad = all;
        bad[0].1 = "llm.example";
        let mut reader = reader(&bad);
        second_provider(&mut reader);
        assert_eq!(
            reader.finish().unwrap_err().0[0].name,
            "SECOND_PROVIDER_BASE_URL"
        );
    }
}
