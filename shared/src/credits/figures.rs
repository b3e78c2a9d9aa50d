//! What one run read, in US dollars. Stored with the run: the stored runs are the history.

use serde::{Deserialize, Serialize};

use crate::conversation::ids::EpochMs;
use crate::llm::{Credits, KeyInfo};

/// What one run read. The key's label is never part of it: it shows a part of the key (I11).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// What the key may spend; none when it has no cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_usd: Option<f64>,
    /// What is left of the cap; none when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_remaining_usd: Option<f64>,
    /// When the cap is full again by itself; none when never, or when OpenRouter's word for it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_reset: Option<Reset>,
    /// Used since the key was made.
    pub key_usage_usd: f64,
    /// Used this day (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_daily_usd: Option<f64>,
    /// Used this month (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_monthly_usd: Option<f64>,
    /// Whether the key says that its account has never bought credits.
    pub is_free_tier: bool,
    /// Everything the account ever bought; none when it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_credits_usd: Option<f64>,
    /// Everything the account ever used, with all of its keys; none when it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_usage_usd: Option<f64>,
}

/// When the cap of a key is full again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// At midnight UTC.
    Daily,
    /// At midnight UTC before Monday.
    Weekly,
    /// At midnight UTC before the first of the month.
    Monthly,
}

impl Reset {
    fn read(word: &str) -> Option<Self> {
        match word {
            "daily" => Some(Self::Daily),
            "weekly" => Some(Self::Weekly),
            "monthly" => Some(Self::Monthly),
            _ => None,
        }
    }

    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }
}

/// An earlier run that read something.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// When.
    pub at: EpochMs,
    /// What.
    pub figures: Figures,
}

/// How reading the account's balance went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountRead {
    /// It was read.
    Read,
    /// There is no management key.
    NoKey,
    /// The management key is refused, and will be the next time.
    Refused,
    /// Not this time: no answer, or one that may be another the next time.
    Failed,
}

impl AccountRead {
    /// One failure says nothing, three runs in a row do: then the balance is as good as not readable, which is said
    /// aloud where nothing else tells what is left.
    pub(super) fn or_given_up(self, past: &[Past]) -> Self {
        const FAILED_BEFORE: usize = 2;
        let mut newest_first: Vec<&Past> = past.iter().collect();
        newest_first.sort_by_key(|past| std::cmp::Reverse(past.at));
        let failed_before = newest_first
            .iter()
            .take_while(|past| past.figures.account_usage_usd.is_none())
            .count();
        match self {
            Self::Failed if failed_before >= FAILED_BEFORE => Self::NoKey,
            other => other,
        }
    }
}

impl Figures {
    /// What the two answers say.
    #[must_use]
    pub fn read(key: &KeyInfo, account: Option<&Credits>) -> Self {
        Self {
            limit_usd: key.limit_usd,
            limit_remaining_usd: key.limit_remaining_usd,
            limit_reset: key.limit_reset.as_deref().and_then(Reset::read),
            key_usage_usd: key.usage_usd,
            usage_daily_usd: key.usage_daily_usd,
            usage_monthly_usd: key.usage_monthly_usd,
            is_free_tier: key.is_free_tier,
            account_credits_usd: account.map(|account| account.total_credits_usd),
            account_usage_usd: account.map(|account| account.total_usage_usd),
        }
    }

    /// Whether the account has never bought credits: then there are none to run out of, and only free models answer.
    #[must_use]
    pub fn never_bought(&self) -> bool {
        self.account_credits_usd
            .map_or(self.is_free_tier, |credits| credits <= 0.0)
    }

    /// What the account has left; none when that was not read. An account that never bought anything has no balance,
    /// unless it owes: OpenRouter refuses free models too then.
    #[must_use]
    pub fn balance_usd(&self) -> Option<f64> {
        let balance = micro(self.account_credits_usd? - self.account_usage_usd?);
        (balance < 0.0 || !self.never_bought()).then_some(balance)
    }

    /// What the key's cap leaves; none when the key has none.
    #[must_use]
    pub fn cap_usd(&self) -> Option<f64> {
        self.limit_remaining_usd.map(micro)
    }

    /// What is left: the account's balance or the key's cap, the smaller known one.
    #[must_use]
    pub fn remaining_usd(&self) -> Option<f64> {
        match (self.balance_usd(), self.cap_usd()) {
            (Some(balance), Some(cap)) => Some(balance.min(cap)),
            (one, other) => one.or(other),
        }
    }
}

/// Rounded to a millionth of a dollar: two large totals leave dust between them, and a threshold is met exactly.
fn micro(usd: f64) -> f64 {
    (usd * 1e6).round() / 1e6
}
