//! The credits function: every hour, reads what the OpenRouter key may still spend and logs it.

pub mod settings;

use std::sync::Arc;
use std::time::Duration;

use clivy::http::Http;
use clivy::llm::{LlmError, OpenRouter};
use serde::Serialize;
use settings::Settings;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything the credits function needs.
pub struct Credits {
    /// OpenRouter with the key that pays for answers.
    pub openrouter: OpenRouter,
    /// OpenRouter with the management key, where there is one: only it may read the account's balance.
    pub management: Option<OpenRouter>,
}

/// What was read. Amounts are in USD.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What the key may still spend; none when the key has no cap.
    pub limit_remaining_usd: Option<f64>,
    /// Spent today (UTC).
    pub usage_daily_usd: Option<f64>,
    /// Spent this month (UTC).
    pub usage_monthly_usd: Option<f64>,
    /// The account's balance, where the management key could read it.
    pub balance_usd: Option<f64>,
}

impl Credits {
    /// The credits function over the network given.
    #[must_use]
    pub fn new(http: &Arc<dyn Http>, settings: Settings) -> Self {
        let client = |settings| OpenRouter::new(Arc::clone(http), settings);
        Self {
            openrouter: client(settings.openrouter),
            management: settings.management.map(client),
        }
    }

    /// One run.
    ///
    /// # Errors
    /// OpenRouter cannot be reached or refuses the key.
    pub async fn check(&self) -> Result<Report, LlmError> {
        let key = self.openrouter.key(PATIENCE).await?;
        let balance_usd = match &self.management {
            None => None,
            Some(management) => match management.credits(PATIENCE).await {
                Ok(credits) => Some(credits.total_credits_usd - credits.total_usage_usd),
                Err(error) => {
                    tracing::warn!(step = "credits", %error, "the balance could not be read");
                    None
                }
            },
        };
        let report = Report {
            limit_remaining_usd: key.limit_remaining_usd,
            usage_daily_usd: key.usage_daily_usd,
            usage_monthly_usd: key.usage_monthly_usd,
            balance_usd,
        };
        tracing::info!(
            step = "credits",
            limit_remaining_usd = report.limit_remaining_usd,
            usage_daily_usd = report.usage_daily_usd,
            usage_monthly_usd = report.usage_monthly_usd,
            balance_usd = report.balance_usd,
            "read the credits"
        );
        if report.limit_remaining_usd.is_none() && report.balance_usd.is_none() {
            // A monitor that says nothing is wrong: say that it cannot see.
            tracing::warn!(
                step = "credits",
                "the key has no cap and no management key reads the balance: low credits cannot be seen"
            );
        }
        Ok(report)
    }
}
