//! The answer of a model, and what it cost.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answered request. Debug prints no text (I11).
#[derive(Clone, PartialEq)]
pub struct LlmAnswer {
    /// The model's text, as it wrote it.
    pub text: String,
    /// The model that answered; empty when the answer does not say.
    pub model: String,
    /// What it cost.
    pub usage: Usage,
}

impl fmt::Debug for LlmAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmAnswer")
            .field("characters", &self.text.chars().count())
            .field("model", &self.model)
            .field("usage", &self.usage)
            .finish()
    }
}

/// What a request used up, in tokens and in US dollars, as OpenRouter bills it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens of the prompt, the cached ones among them.
    pub prompt_tokens: u64,
    /// Tokens of the answer, hidden reasoning among them.
    pub completion_tokens: u64,
    /// Tokens of the prompt that came from the provider's cache.
    pub cached_tokens: u64,
    /// The price, in US dollars; zero for a free model, and where the API tells none.
    pub cost_usd: f64,
}

/// More tokens than any call has: what an answer says beyond that is nonsense that must not break the ledger.
const MOST_TOKENS: u64 = 1_000_000_000;
/// The same in US dollars. The table's numbers have 38 digits, nine of them after the point.
const MOST_USD: f64 = 1_000_000.0;

impl Usage {
    /// The `usage` object of an answer; what is missing or not a number counts as zero.
    pub(super) fn of(usage: &Value) -> Self {
        let count = |value: Option<&Value>| {
            let tokens = value.and_then(whole).unwrap_or_default();
            tokens.min(MOST_TOKENS)
        };
        let details = usage.get("prompt_tokens_details");
        Self {
            prompt_tokens: count(usage.get("prompt_tokens")),
            completion_tokens: count(usage.get("completion_tokens")),
            cached_tokens: count(details.and_then(|d| d.get("cached_tokens"))),
            cost_usd: usage
                .get("cost")
                .and_then(Value::as_f64)
                .filter(|cost| cost.is_finite() && *cost >= 0.0)
                .map_or(0.0, |cost| cost.min(MOST_USD)),
        }
    }

    /// Tokens of prompt and answer together.
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

/// A whole number, written as one or as `12.0`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is meant"
)]
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().map(|n| n as u64))
}
