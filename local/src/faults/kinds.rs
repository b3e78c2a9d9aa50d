//! What the demo model and the demo gateway can be told to do wrong.

/// A fault that a call can meet.
pub trait Fault: Copy + Eq + Send + Sync + 'static {
    /// Every one of them, in the order in which the page shows them.
    const ALL: &'static [Self];

    /// The name in the API.
    fn name(self) -> &'static str;

    /// The name for people.
    fn label(self) -> &'static str;

    /// The fault of this name.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name() == name)
    }
}

/// What the demo model does with a call of `chat/completions`, in OpenRouter's wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelFault {
    /// 429 with `Retry-After`.
    RateLimited,
    /// 500.
    ServerError,
    /// 503.
    Overloaded,
    /// No answer for as long as the client waits, or until the fault is cleared.
    Timeout,
    /// A context so small that most prompts do not fit: 400 with both numbers for those.
    ContextTooLong,
    /// 402: the account is empty.
    NoCredits,
    /// 401.
    InvalidKey,
    /// 200 without a text.
    EmptyAnswer,
}

impl Fault for ModelFault {
    const ALL: &'static [Self] = &[
        Self::RateLimited,
        Self::ServerError,
        Self::Overloaded,
        Self::Timeout,
        Self::ContextTooLong,
        Self::NoCredits,
        Self::InvalidKey,
        Self::EmptyAnswer,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::ContextTooLong => "context_too_long",
            Self::NoCredits => "no_credits",
            Self::InvalidKey => "invalid_key",
            Self::EmptyAnswer => "empty_answer",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::RateLimited => "429 with Retry-After",
            Self::ServerError => "500",
            Self::Overloaded => "503",
            Self::Timeout => "Timeout",
            Self::ContextTooLong => "Context too long",
            Self::NoCredits => "No credits",
            Self::InvalidKey => "Invalid key",
            Self::EmptyAnswer => "Empty answer",
        }
    }
}

/// What the demo gateway does with a call of `/chat/send/text`, in wuzapi's wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayFault {
    /// The message is sent on, but the connection breaks before the answer is whole.
    AnswerLost,
    /// 500, and nothing is sent.
    Refused,
}

impl Fault for GatewayFault {
    const ALL: &'static [Self] = &[Self::AnswerLost, Self::Refused];

    fn name(self) -> &'static str {
        match self {
            Self::AnswerLost => "answer_lost",
            Self::Refused => "refused",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::AnswerLost => "Loses the answer",
            Self::Refused => "Refuses (500)",
        }
    }
}
