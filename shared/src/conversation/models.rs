//! Which models a bot asks, as its owner lists them.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Models that one bot may list: a burst is not asked about more often than this in one attempt.
pub const MAX_MODELS: usize = 10;

/// A context smaller than this, in tokens, has no room for the instructions and an answer.
pub const MIN_CONTEXT_TOKENS: u32 = 512;

/// One model of a ladder. Written as its name, or as a table when its context length is known:
/// `{ name = "…", context_tokens = 4096 }`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelEntry {
    /// The model's name at its provider.
    pub name: String,
    /// What prompt and answer may come to together, in tokens; `None` when it is not known.
    pub context_tokens: Option<u32>,
}

/// What a bot's answers may cost at most, in US dollars per million tokens. Providers that ask more are not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPrice {
    /// For the prompt; no bound when absent.
    #[serde(
        default,
        deserialize_with = "price",
        skip_serializing_if = "Option::is_none"
    )]
    pub prompt: Option<f64>,
    /// For the answer; no bound when absent.
    #[serde(
        default,
        deserialize_with = "price",
        skip_serializing_if = "Option::is_none"
    )]
    pub completion: Option<f64>,
}

/// A cheaper model for short bursts that ask for no price and complain of nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimpleRule {
    /// The model, asked before all others.
    pub model: ModelEntry,
    /// The longest burst that is simple, in characters.
    #[serde(default = "max_characters")]
    pub max_characters: u32,
}

fn max_characters() -> u32 {
    60
}

impl ModelEntry {
    /// A model whose context length is not known.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.trim().to_owned(),
            context_tokens: None,
        }
    }

    fn checked<E: Error>(self) -> Result<Self, E> {
        if self.name.is_empty() {
            return Err(E::custom("a model has no name"));
        }
        if let Some(tokens) = self
            .context_tokens
            .filter(|tokens| *tokens < MIN_CONTEXT_TOKENS)
        {
            return Err(E::custom(format!(
                "context_tokens is {tokens}, and must be {MIN_CONTEXT_TOKENS} or more"
            )));
        }
        Ok(self)
    }
}

impl Serialize for ModelEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.context_tokens {
            None => serializer.serialize_str(&self.name),
            Some(tokens) => {
                let mut entry = serializer.serialize_struct("ModelEntry", 2)?;
                entry.serialize_field("name", &self.name)?;
                entry.serialize_field("context_tokens", &tokens)?;
                entry.end()
            }
        }
    }
}

/// A model written as a table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    #[serde(default)]
    context_tokens: Option<u32>,
}

impl Table {
    fn entry<E: Error>(self) -> Result<ModelEntry, E> {
        ModelEntry {
            context_tokens: self.context_tokens,
            ..ModelEntry::named(&self.name)
        }
        .checked()
    }
}

impl<'de> Deserialize<'de> for ModelEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;
        impl<'de> Visitor<'de> for Entry {
            type Value = ModelEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a model's name, or { name = \"…\", context_tokens = … }")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<ModelEntry, E> {
                ModelEntry::named(name).checked()
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ModelEntry, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map))?.entry()
            }
        }
        deserializer.deserialize_any(Entry)
    }
}

/// A ladder: a list of models, or a single one, as bots had it in their `model` before there were ladders.
pub(super) fn ladder<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ModelEntry>, D::Error> {
    struct Ladder;
    impl<'de> Visitor<'de> for Ladder {
        type Value = Vec<ModelEntry>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of models")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
            // A blank one was possible before there were ladders, and must stay readable.
            let model = ModelEntry::named(name);
            Ok(if model.name.is_empty() {
                Vec::new()
            } else {
                vec![model]
            })
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Ok(vec![
                Table::deserialize(MapAccessDeserializer::new(map))?.entry()?,
            ])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut models = Vec::new();
            while let Some(model) = list.next_element()? {
                if models.len() == MAX_MODELS {
                    return Err(A::Error::custom(format!("more than {MAX_MODELS} models")));
                }
                models.push(model);
            }
            Ok(models)
        }
    }
    deserializer.deserialize_any(Ladder)
}

fn price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let price = Option::<f64>::deserialize(deserializer)?;
    match price {
        Some(usd) if !usd.is_finite() || usd < 0.0 => Err(D::Error::custom(
            "a price is a number of US dollars, 0 or more",
        )),
        _ => Ok(price),
    }
}

/// A secret that is not blank; a blank one is none.
pub(super) fn secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let secret = Option::<String>::deserialize(deserializer)?;
    Ok(secret
        .map(|secret| secret.trim().to_owned())
        .filter(|secret| !secret.is_empty()))
}
