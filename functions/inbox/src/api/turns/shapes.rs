//! Turns as the API shows them.

use clivy::conversation::outcome::TurnStatus;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::time::Time;

/// Which turns are listed.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListedStatus {
    /// The customer got the model's answer.
    Answered,
    /// The customer got the fallback text. Can be retried.
    #[default]
    Failed,
    /// The gateway would not take the reply. Can be retried.
    Undelivered,
    /// The bot was switched off.
    Skipped,
    /// The contact looks like another bot.
    Braked,
    /// A person has answered.
    LeftToPerson,
    /// The contact wants no answers.
    OptedOut,
    /// The contact wants answers again.
    OptedIn,
    /// It had failed, and its messages were put back for another turn.
    Retried,
}

impl From<ListedStatus> for TurnStatus {
    fn from(listed: ListedStatus) -> Self {
        match listed {
            ListedStatus::Answered => Self::Answered,
            ListedStatus::Failed => Self::Failed,
            ListedStatus::Undelivered => Self::Undelivered,
            ListedStatus::Skipped => Self::Skipped,
            ListedStatus::Braked => Self::Braked,
            ListedStatus::LeftToPerson => Self::LeftToPerson,
            ListedStatus::OptedOut => Self::OptedOut,
            ListedStatus::OptedIn => Self::OptedIn,
            ListedStatus::Retried => Self::Retried,
        }
    }
}

/// Which page of which turns.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// How they stand; `failed` unless said.
    #[serde(default)]
    #[param(inline)]
    pub status: ListedStatus,
    /// Where the last page ended: its `next`.
    pub cursor: Option<String>,
    /// At most so many, 1 to 100; 25 unless said.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u16>,
}

/// A page of turns, the one that ended last first.
#[derive(Debug, Serialize, ToSchema)]
pub struct TurnPage {
    pub items: Vec<TurnSummary>,
    /// The cursor of the next page; null after the last.
    pub next: Option<String>,
}

/// A turn: one burst's way to one reply.
#[derive(Debug, Serialize, ToSchema)]
pub struct TurnSummary {
    /// `<contact>.<number>`.
    pub id: String,
    /// The customer.
    pub contact: String,
    /// The burst's number in its conversation, from 1.
    pub number: u64,
    /// How it stands: one of the statuses that can be listed, or `retrying`.
    pub status: &'static str,
    /// The model that answered.
    pub model: Option<String>,
    /// Messages of the customer in it; 0 until it ends.
    pub messages: usize,
    /// The models asked, in order.
    pub attempts: Vec<AttemptOfTurn>,
    /// Tries, interrupted ones included.
    pub tries: u32,
    /// Tokens of the prompts of all calls.
    pub tokens_in: u64,
    /// Tokens of the answers.
    pub tokens_out: u64,
    /// Tokens of the prompts that the provider had cached.
    pub tokens_cached: u64,
    /// What the provider charged for all calls, in USD.
    pub cost_usd: f64,
    /// Calls to the model.
    pub llm_calls: u32,
    /// How long all calls took, in milliseconds.
    pub llm_latency_ms: i64,
    /// Generations that were billed and never sent.
    pub wasted: u32,
    /// Tokens that a kept answer has saved; null when the model was asked.
    pub tokens_saved: Option<u64>,
    /// The size of the prompts of all calls, in tokens.
    pub prompt_tokens: u64,
    /// When its oldest message became pending; null until it ends.
    pub began_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// The id the reply was sent with.
    pub reply_id: Option<String>,
    /// The class of the last attempt that failed.
    pub error: Option<String>,
}

/// One model asked and how it went.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptOfTurn {
    /// The try it belongs to, from 1.
    pub number: u32,
    /// The model.
    pub model: String,
    /// `ok`, or the class of the error.
    pub class: String,
    /// What an operator reads; empty when it went well.
    pub message: String,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Time,
}

/// A turn with what was said in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TurnInFull {
    #[serde(flatten)]
    pub summary: TurnSummary,
    /// The customer's messages, oldest first; those that were erased or have expired are missing.
    pub burst: Vec<BurstMessage>,
    /// The reply.
    pub reply: Option<String>,
}

/// A message of a burst.
#[derive(Debug, Serialize, ToSchema)]
pub struct BurstMessage {
    /// What the customer wrote.
    pub text: String,
    /// The kind of bubble.
    pub kind: &'static str,
    /// When.
    pub at: Time,
}

/// How a turn is retried. Both null: by the bot's own models.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Retrying {
    /// The only model to ask: 1 to 200 visible characters.
    #[schema(min_length = 1, max_length = 200)]
    pub model: Option<String>,
    /// What a person says instead, as a message from the inbox.
    #[schema(min_length = 1)]
    pub text: Option<String>,
}

/// What comes of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetryAccepted {
    /// `queued`: the model will be asked. `sending`: the person's text will be sent.
    pub status: &'static str,
}
