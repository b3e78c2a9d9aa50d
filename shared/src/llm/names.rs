//! What the kinds of errors are called.

use super::error::ErrorKind;

impl ErrorKind {
    /// The word that the table and the logs use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::ConnectionBroken => "connection_broken",
            Self::TimedOut => "timed_out",
            Self::RateLimited => "rate_limited",
            Self::DailyFreeLimit => "daily_free_limit",
            Self::Overloaded => "overloaded",
            Self::ProviderDown => "provider_down",
            Self::ServerError => "server_error",
            Self::EmptyAnswer => "empty_answer",
            Self::OutputTooShort => "output_too_short",
            Self::Unreadable => "unreadable",
            Self::InvalidKey => "invalid_key",
            Self::NoCredits => "no_credits",
            Self::OnlyShorterAffordable => "only_shorter_affordable",
            Self::InFlightBudget => "in_flight_budget",
            Self::BudgetSpent => "budget_spent",
            Self::Moderated => "moderated",
            Self::Forbidden => "forbidden",
            Self::ContextTooLong => "context_too_long",
            Self::ModelUnavailable => "model_unavailable",
            Self::BadRequest => "bad_request",
            Self::Misconfigured => "misconfigured",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_called_the_same_everywhere() {
        for kind in [
            ErrorKind::Unreachable,
            ErrorKind::OnlyShorterAffordable,
            ErrorKind::DailyFreeLimit,
            ErrorKind::NoCredits,
        ] {
            assert_eq!(serde_json::json!(kind), kind.as_str());
        }
    }
}
