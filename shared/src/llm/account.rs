//! What OpenRouter says about the key and the account.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The limits of an API key and what it has used, in US dollars. The key's label is left out: it shows a part
/// of the key (I11).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// What the key may spend; `None` when it has no cap, and then only [`Credits`] know the balance.
    #[serde(default, alias = "limit")]
    pub limit_usd: Option<f64>,
    /// What is left of the cap; `None` when there is none.
    #[serde(default, alias = "limit_remaining")]
    pub limit_remaining_usd: Option<f64>,
    /// When the cap resets (`daily`, `weekly`, `monthly`); `None` when it never does.
    #[serde(default)]
    pub limit_reset: Option<String>,
    /// Used since the key was made.
    #[serde(alias = "usage")]
    pub usage_usd: f64,
    /// Used this day, in UTC.
    #[serde(default, alias = "usage_daily")]
    pub usage_daily_usd: Option<f64>,
    /// Used this week, from Monday on, in UTC.
    #[serde(default, alias = "usage_weekly")]
    pub usage_weekly_usd: Option<f64>,
    /// Used this month, in UTC.
    #[serde(default, alias = "usage_monthly")]
    pub usage_monthly_usd: Option<f64>,
    /// Whether the account has never bought credits.
    #[serde(default)]
    pub is_free_tier: bool,
}

/// The account's balance, in US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Credits {
    /// Everything ever bought.
    #[serde(alias = "total_credits")]
    pub total_credits_usd: f64,
    /// Everything ever used.
    #[serde(alias = "total_usage")]
    pub total_usage_usd: f64,
}

impl Credits {
    /// What is left; negative when the account is overdrawn.
    #[must_use]
    pub fn remaining_usd(&self) -> f64 {
        self.total_credits_usd - self.total_usage_usd
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

/// The `data` of an answer; `None` when it is not in the expected format.
pub(super) fn data<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice::<Envelope<T>>(body)
        .ok()
        .map(|envelope| envelope.data)
}
