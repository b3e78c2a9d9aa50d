//! What became of a turn: kept in the draft, so that whoever commits writes the same record (I8).

use serde::{Deserialize, Serialize};

use super::ids::EpochMs;

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnStatus {
    /// An attempt failed; another one follows.
    Retrying,
    /// The customer got the model's answer.
    Answered,
    /// The customer got the fallback text. Parked: a dead letter can answer it again.
    Failed,
    /// The gateway would not take the reply. Parked too.
    Undelivered,
    /// The bot was switched off before the burst was answered.
    Skipped,
    /// It had failed, and its messages were put back for another turn.
    Retried,
}

impl TurnStatus {
    /// The word the table and the logs use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retrying => "retrying",
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Undelivered => "undelivered",
            Self::Skipped => "skipped",
            Self::Retried => "retried",
        }
    }

    /// Whether the turn is parked and a dead letter must say so (I1).
    #[must_use]
    pub fn is_parked(self) -> bool {
        matches!(self, Self::Failed | Self::Undelivered)
    }
}

/// One call to the model and how it went. Holds no text of anybody (I11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// When it began.
    pub started_at: EpochMs,
    /// When it ended.
    pub ended_at: EpochMs,
    /// The model asked, or that answered.
    pub model: String,
    /// `ok`, or the class of the error.
    pub class: String,
    /// What an operator reads; empty when it went well.
    pub message: String,
}

/// The figures of a turn, fixed when its draft is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ends.
    pub status: TurnStatus,
    /// The attempt that led to the draft, if one was made now.
    pub attempt: Option<Attempt>,
    /// The model that answered.
    pub model: Option<String>,
    /// Tokens of the prompt.
    pub tokens_in: u64,
    /// Tokens of the answer.
    pub tokens_out: u64,
    /// Tokens of the prompt that the provider had cached.
    pub tokens_cached: u64,
    /// What the provider charged, in USD.
    pub cost_usd: f64,
    /// How long the model took, in milliseconds.
    pub llm_latency_ms: i64,
}

impl Outcome {
    /// An outcome without an answer of the model.
    #[must_use]
    pub fn without_answer(status: TurnStatus, attempt: Option<Attempt>) -> Self {
        Self {
            status,
            attempt,
            model: None,
            tokens_in: 0,
            tokens_out: 0,
            tokens_cached: 0,
            cost_usd: 0.0,
            llm_latency_ms: 0,
        }
    }
}
