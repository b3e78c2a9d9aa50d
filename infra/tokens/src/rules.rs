//! The ways to answer that are compared.

use anyhow::Result;
use clivy::conversation::bot::SimpleRule;
use clivy::prompt::Limits;

use crate::prompts::Order;
use crate::settings::Settings;

/// The model of simple bursts, where there is one.
const SIMPLE_MODEL: &str = "openai/gpt-4.1-nano";

/// How the corpus is answered.
#[derive(Clone, Debug)]
pub struct Rules {
    /// One question a burst, or one a bubble.
    pub batched: bool,
    /// How much goes into a prompt.
    pub limits: Limits,
    /// Where the documents stand.
    pub order: Order,
    /// The time stands before everything else.
    pub time_first: bool,
    /// Answers are kept.
    pub response_cache: bool,
    /// The model of simple bursts.
    pub simple: Option<SimpleRule>,
}

impl Rules {
    /// The product, as a bot has it that sets nothing.
    #[must_use]
    pub fn product(settings: &Settings) -> Self {
        Self {
            batched: true,
            limits: settings.limits,
            order: Order::Relevance,
            time_first: false,
            response_cache: false,
            simple: None,
        }
    }

    /// The product without batching.
    #[must_use]
    pub fn one_by_one(settings: &Settings) -> Self {
        Self {
            batched: false,
            ..Self::product(settings)
        }
    }

    /// Nothing of what saves tokens: what a bot does that sends all it has on every bubble.
    #[must_use]
    pub fn without_any(settings: &Settings) -> Self {
        let most = usize::MAX;
        Self {
            limits: Limits {
                history_max_messages: most,
                history_max_characters: most,
                documents_max: most,
                document_max_characters: most,
            },
            order: Order::Owners,
            time_first: true,
            ..Self::one_by_one(settings)
        }
    }
}

/// The rules that are compared, by what is different in them; the product's first.
///
/// # Errors
/// The rule of simple bursts cannot be read.
pub fn compared(settings: &Settings) -> Result<Vec<(&'static str, Rules)>> {
    let product = Rules::product(settings);
    let limits = product.limits;
    let all_documents = Limits {
        documents_max: usize::MAX,
        ..limits
    };
    let whole_history = Limits {
        history_max_messages: usize::MAX,
        history_max_characters: usize::MAX,
        ..limits
    };
    let simple: SimpleRule = toml::from_str(&format!("model = \"{SIMPLE_MODEL}\""))?;
    let all_in_order = Rules {
        limits: all_documents,
        order: Order::Owners,
        ..product.clone()
    };
    let with_simple = Rules {
        simple: Some(simple),
        ..product.clone()
    };
    Ok(vec![
        ("**the product**", product.clone()),
        ("one call a bubble", Rules::one_by_one(settings)),
        (
            "all documents, the most relevant first",
            Rules {
                limits: all_documents,
                ..product.clone()
            },
        ),
        ("all documents, in the owner's order", all_in_order.clone()),
        (
            "the same behind the time",
            Rules {
                time_first: true,
                ..all_in_order
            },
        ),
        (
            "the whole history, whole messages",
            Rules {
                limits: whole_history,
                ..product.clone()
            },
        ),
        (
            "the time first",
            Rules {
                time_first: true,
                ..product.clone()
            },
        ),
        (
            "the documents behind the history",
            Rules {
                order: Order::BehindHistory,
                ..product.clone()
            },
        ),
        (
            "the product's documents, in the owner's order",
            Rules {
                order: Order::Owners,
                ..product.clone()
            },
        ),
        (
            "the response cache on",
            Rules {
                response_cache: true,
                ..product
            },
        ),
        ("simple bursts to a cheaper model", with_simple.clone()),
        (
            "both",
            Rules {
                response_cache: true,
                ..with_simple
            },
        ),
        (
            "**none of it**: a call a bubble, all documents whole, the whole history, the time first",
            Rules::without_any(settings),
        ),
    ])
}
