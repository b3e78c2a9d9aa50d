//! Why the model gave no answer, and what to do about it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::Usage;
use super::wait::MAX_WAIT;
use super::wording::TokenNumbers;
use crate::conversation::ids::EpochMs;
use crate::http::HttpError;

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Ask again: another attempt, after [`LlmError::wait`] or a backoff.
    Retry,
    /// Nothing failed, the time has not come: wait without counting an attempt.
    Wait,
    /// Ask again at once, in the same attempt, with a shorter prompt.
    Reduce,
    /// Asking the same again is of no use.
    Permanent,
}

/// How much a failure speaks against the provider and the key, for their breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    /// Not at all: one customer's text, one model or one setting brought it about, and counting it would silence
    /// the others.
    None,
    /// One of several in a row that open it.
    One,
    /// It opens at once: the next call cannot succeed either.
    All,
}

/// What of the ladder may still be tried in the same attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Onward {
    /// Nothing: it would fail everywhere.
    Stop,
    /// The next model, at this provider or another one.
    NextModel,
    /// The next provider: this one, its key or its budget is the trouble.
    NextProvider,
}

/// What went wrong: one variant per row of the table in the design notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// No connection was made.
    Unreachable,
    /// The connection broke before the answer was whole.
    ConnectionBroken,
    /// No answer in time: ours, 408, 504 or 524.
    TimedOut,
    /// 429.
    RateLimited,
    /// 429 for the day: this model is of no use before midnight UTC, another one may be.
    DailyFreeLimit,
    /// 503, 529: the provider has no room.
    Overloaded,
    /// 502 and the other gateway errors: the provider is down or answers nonsense.
    ProviderDown,
    /// 500.
    ServerError,
    /// A success without a text.
    EmptyAnswer,
    /// A success without a text, because `max_tokens` was used up before it began.
    OutputTooShort,
    /// A success that is not in the API's format, or far too large.
    Unreadable,
    /// 401.
    InvalidKey,
    /// 402: the account or the key is empty.
    NoCredits,
    /// 402: the credits suffice for a shorter answer, see [`LlmError::max_tokens`].
    OnlyShorterAffordable,
    /// 402: the requests now running hold the rest of the credits.
    InFlightBudget,
    /// 403: a budget is spent until it resets.
    BudgetSpent,
    /// 403: this text is refused.
    Moderated,
    /// 403 for any other reason.
    Forbidden,
    /// The prompt is too long for the model.
    ContextTooLong,
    /// 404: no such model, or no provider that meets the data policy.
    ModelUnavailable,
    /// 400 and any other refusal of the request as it is.
    BadRequest,
    /// The request cannot even be sent: a malformed base URL or key.
    Misconfigured,
}

impl ErrorKind {
    /// What to do when nothing in the answer says otherwise.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Unreachable
            | Self::ConnectionBroken
            | Self::TimedOut
            | Self::RateLimited
            | Self::Overloaded
            | Self::ProviderDown
            | Self::ServerError
            | Self::EmptyAnswer
            | Self::OutputTooShort
            | Self::Unreadable
            | Self::OnlyShorterAffordable => Class::Retry,
            Self::InFlightBudget | Self::BudgetSpent => Class::Wait,
            Self::ContextTooLong => Class::Reduce,
            Self::DailyFreeLimit
            | Self::InvalidKey
            | Self::NoCredits
            | Self::Moderated
            | Self::Forbidden
            | Self::ModelUnavailable
            | Self::BadRequest
            | Self::Misconfigured => Class::Permanent,
        }
    }

    /// How much it counts for the breaker of its provider and key.
    #[must_use]
    pub fn breaker_weight(self) -> Weight {
        match self {
            Self::Unreachable
            | Self::ConnectionBroken
            | Self::TimedOut
            | Self::RateLimited
            | Self::Overloaded
            | Self::ProviderDown
            | Self::ServerError
            | Self::EmptyAnswer
            | Self::Unreadable
            | Self::InvalidKey => Weight::One,
            Self::NoCredits => Weight::All,
            Self::OutputTooShort
            | Self::OnlyShorterAffordable
            | Self::DailyFreeLimit
            | Self::InFlightBudget
            | Self::BudgetSpent
            | Self::Moderated
            | Self::Forbidden
            | Self::ContextTooLong
            | Self::ModelUnavailable
            | Self::BadRequest
            | Self::Misconfigured => Weight::None,
        }
    }

    /// What of the ladder may still be tried in the same attempt, once nothing is left to reduce.
    #[must_use]
    pub fn onward(self) -> Onward {
        match self {
            // The text is the trouble; another model's filter is no way around the first one's.
            Self::Moderated => Onward::Stop,
            Self::BadRequest
            | Self::ModelUnavailable
            | Self::DailyFreeLimit
            | Self::ContextTooLong
            // Reasoning used the answer's tokens up; another model may think less.
            | Self::OutputTooShort
            // Keys may be barred from single models.
            | Self::Forbidden => Onward::NextModel,
            Self::Unreachable
            | Self::ConnectionBroken
            | Self::TimedOut
            | Self::RateLimited
            | Self::Overloaded
            | Self::ProviderDown
            | Self::ServerError
            | Self::EmptyAnswer
            | Self::Unreadable
            | Self::InvalidKey
            | Self::NoCredits
            | Self::OnlyShorterAffordable
            | Self::InFlightBudget
            | Self::BudgetSpent
            | Self::Misconfigured => Onward::NextProvider,
        }
    }

    /// Whether a person has to act before it can get better.
    #[must_use]
    pub fn needs_operator(self) -> bool {
        matches!(
            self,
            Self::InvalidKey
                | Self::NoCredits
                | Self::BudgetSpent
                | Self::Forbidden
                | Self::ModelUnavailable
                | Self::Misconfigured
        )
    }

    fn explained(self) -> &'static str {
        match self {
            Self::Unreachable => "could not connect to the model's API",
            Self::ConnectionBroken => "the connection to the model's API broke",
            Self::TimedOut => "the model did not answer in time",
            Self::RateLimited => "too many requests to the model",
            Self::DailyFreeLimit => "the day's free requests are used up",
            Self::Overloaded => "the model's provider is overloaded",
            Self::ProviderDown => "the model's provider is down",
            Self::ServerError => "the model's API had an internal error",
            Self::EmptyAnswer => "the model answered without a text",
            Self::OutputTooShort => "max_tokens was used up before the answer began",
            Self::Unreadable => "the model's API answered in an unknown format",
            Self::InvalidKey => "the API key is not accepted",
            Self::NoCredits => "the account or the API key has no credits left",
            Self::OnlyShorterAffordable => "the credits left allow only a shorter answer",
            Self::InFlightBudget => "running requests hold the credits that are left",
            Self::BudgetSpent => "a spending budget is used up until it resets",
            Self::Moderated => "the text was refused by a content filter",
            Self::Forbidden => "the API key may not do this",
            Self::ContextTooLong => "the prompt is too long for the model",
            Self::ModelUnavailable => "no provider offers this model under the data policy",
            Self::BadRequest => "the API refused the request as it is",
            Self::Misconfigured => "the base URL or the API key is malformed",
        }
    }
}

/// A failed request. Display is one line for the operator; it never holds a word of the answer's body, which
/// may quote the customer, the key or the flagged text (I11).
#[derive(Clone, Debug, PartialEq)]
pub struct LlmError {
    /// What to do.
    pub class: Class,
    /// What went wrong.
    pub kind: ErrorKind,
    /// The status, HTTP's or the one in the body where HTTP said 200; `None` without an answer.
    pub status: Option<u16>,
    /// How long the other side asked us to wait, [`MAX_WAIT`] at most.
    pub retry_after: Option<Duration>,
    /// When a limit resets, where the other side told that instead.
    pub resets_at: Option<EpochMs>,
    /// The answer's length that the credits still allow, in tokens.
    pub max_tokens: Option<u32>,
    /// By how much the prompt is too long, where the other side told.
    pub tokens: Option<TokenNumbers>,
    /// What the failure cost, where the other side told: empty answers are billed too.
    pub usage: Option<Usage>,
}

impl LlmError {
    /// An error with nothing known but its kind.
    #[must_use]
    pub fn of(kind: ErrorKind) -> Self {
        Self {
            class: kind.class(),
            kind,
            status: None,
            retry_after: None,
            resets_at: None,
            max_tokens: None,
            tokens: None,
            usage: None,
        }
    }

    /// How long to wait at least, [`MAX_WAIT`] at most; `None` when the other side said nothing.
    #[must_use]
    pub fn wait(&self, now: EpochMs) -> Option<Duration> {
        let until_reset = || {
            let ms = u64::try_from(self.resets_at?.since_ms(now)).unwrap_or(0);
            Some(Duration::from_millis(ms))
        };
        self.retry_after
            .or_else(until_reset)
            .map(|wait| wait.min(MAX_WAIT))
    }
}

impl fmt::Display for LlmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.explained())?;
        match self.status {
            Some(status) => write!(f, " (status {status})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for LlmError {}

impl From<HttpError> for LlmError {
    fn from(error: HttpError) -> Self {
        Self::of(match error {
            HttpError::Connect => ErrorKind::Unreachable,
            HttpError::Timeout => ErrorKind::TimedOut,
            HttpError::Broken => ErrorKind::ConnectionBroken,
            HttpError::TooLarge => ErrorKind::Unreadable,
            HttpError::Request => ErrorKind::Misconfigured,
        })
    }
}
