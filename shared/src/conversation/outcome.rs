//! What became of a turn: kept in the draft, so that whoever commits writes the same record (I8).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::EpochMs;
use super::opt::Opt;
use crate::usage::Times;

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
    /// The contact looks like another bot: no answer, and the conversation is paused.
    Braked,
    /// A person of the business has the conversation: the bot says nothing to it, or nothing more.
    LeftToPerson,
    /// The contact wants no answers. At most the confirmation of that was sent.
    OptedOut,
    /// The contact wants answers again; that was confirmed.
    OptedIn,
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
            Self::Braked => "braked",
            Self::LeftToPerson => "left_to_person",
            Self::OptedOut => "opted_out",
            Self::OptedIn => "opted_in",
            Self::Retried => "retried",
        }
    }

    /// All the ways in which a turn can be committed.
    pub const ENDS: [Self; 8] = [
        Self::Answered,
        Self::Failed,
        Self::Undelivered,
        Self::Skipped,
        Self::Braked,
        Self::LeftToPerson,
        Self::OptedOut,
        Self::OptedIn,
    ];

    /// Whether the turn is parked and a dead letter must say so (I1).
    #[must_use]
    pub fn is_parked(self) -> bool {
        matches!(self, Self::Failed | Self::Undelivered)
    }
}

/// One model asked and how it went. A try asks one, or several of the ladder. Holds no text of anybody (I11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The try it belongs to: 1 for the first.
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

/// What calls to the model have used up, those that failed and those whose text nobody read included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    /// Calls made.
    pub calls: u32,
    /// Those of them that gave nothing that could be sent, by the class of the error. Kept here and not read off the
    /// attempts, which a burst that only waited leaves none of: so each is counted once, with its call (I8).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u32>,
    /// Tokens of the prompts.
    pub tokens_in: u64,
    /// Tokens of the answers.
    pub tokens_out: u64,
    /// Tokens of the prompts that the provider had cached.
    pub tokens_cached: u64,
    /// What the provider charged, in USD.
    pub cost_usd: f64,
    /// How long the calls took, in milliseconds.
    pub llm_latency_ms: i64,
    /// How long each of them took.
    #[serde(skip_serializing_if = "Times::is_empty")]
    pub llm_times: Times,
    /// Generations that were billed and never sent.
    pub wasted: u32,
}

impl Spent {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut errors = self.errors.clone();
        for (class, count) in &other.errors {
            let sum = errors.entry(class.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        let mut llm_times = self.llm_times.clone();
        llm_times.add_all(&other.llm_times);
        Self {
            errors,
            llm_times,
            calls: self.calls.saturating_add(other.calls),
            tokens_in: self.tokens_in.saturating_add(other.tokens_in),
            tokens_out: self.tokens_out.saturating_add(other.tokens_out),
            tokens_cached: self.tokens_cached.saturating_add(other.tokens_cached),
            cost_usd: self.cost_usd + other.cost_usd,
            llm_latency_ms: self.llm_latency_ms.saturating_add(other.llm_latency_ms),
            wasted: self.wasted.saturating_add(other.wasted),
        }
    }

    /// The same when the text of the last call is thrown away.
    #[must_use]
    pub fn thrown_away(self) -> Self {
        Self {
            wasted: self.wasted.saturating_add(1),
            ..self
        }
    }
}

/// The figures of a turn, fixed when its draft is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ends.
    pub status: TurnStatus,
    /// The attempts of the try that led to the draft. Those of earlier tries are in the turn already.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// The model that answered.
    #[serde(default)]
    pub model: Option<String>,
    /// Whether that model is free of charge.
    #[serde(default)]
    pub is_free: bool,
    /// Tokens that a kept answer has saved; none when the model was asked.
    #[serde(default)]
    pub tokens_saved: Option<u64>,
    /// What the contact has decided about being answered, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt: Option<Opt>,
    /// What all tries of the turn have used up.
    #[serde(default)]
    pub spent: Spent,
}

impl Outcome {
    /// An outcome without an answer of the model.
    #[must_use]
    pub fn without_answer(status: TurnStatus) -> Self {
        Self {
            status,
            attempts: Vec::new(),
            model: None,
            is_free: false,
            tokens_saved: None,
            opt: None,
            spent: Spent::default(),
        }
    }

    /// The same when its text is not sent (again): what the model wrote was for nothing. What the contact has decided
    /// stays decided.
    #[must_use]
    pub fn withheld(self) -> Self {
        let was_generated = self.model.is_some() && self.tokens_saved.is_none();
        Self {
            status: TurnStatus::LeftToPerson,
            is_free: false,
            tokens_saved: None,
            spent: if was_generated {
                self.spent.thrown_away()
            } else {
                self.spent
            },
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_model_could_answer_or_no_gateway_took_is_parked() {
        let parked = |status: &TurnStatus| status.is_parked();
        let parked: Vec<_> = TurnStatus::ENDS.into_iter().filter(parked).collect();
        assert_eq!(parked, [TurnStatus::Failed, TurnStatus::Undelivered], "I1");
        assert!(!TurnStatus::Retrying.is_parked() && !TurnStatus::Retried.is_parked());
    }

    #[test]
    fn what_two_tries_have_used_up_is_a_sum() {
        let one = Spent {
            calls: 2,
            errors: BTreeMap::from([("timeout".to_owned(), 1), ("http_5xx".to_owned(), 1)]),
            tokens_in: 300,
            tokens_out: 40,
            tokens_cached: 100,
            cost_usd: 0.5,
            llm_latency_ms: 1_500,
            llm_times: Times::default(),
            wasted: 1,
        };
        let other = Spent {
            calls: 3,
            errors: BTreeMap::from([("timeout".to_owned(), 2)]),
            tokens_in: 30,
            tokens_out: 4,
            tokens_cached: 10,
            cost_usd: 0.25,
            llm_latency_ms: 150,
            llm_times: Times::default(),
            wasted: 2,
        };
        let sum = Spent {
            calls: 5,
            errors: BTreeMap::from([("timeout".to_owned(), 3), ("http_5xx".to_owned(), 1)]),
            tokens_in: 330,
            tokens_out: 44,
            tokens_cached: 110,
            cost_usd: 0.75,
            llm_latency_ms: 1_650,
            llm_times: Times::default(),
            wasted: 3,
        };
        assert_eq!(one.plus(&other), sum);
        assert_eq!(one.plus(&Spent::default()), one);
    }

    #[test]
    fn only_what_a_model_wrote_for_this_turn_is_wasted_when_it_is_withheld() {
        let answered = Outcome {
            model: Some("a/b:free".to_owned()),
            is_free: true,
            ..Outcome::without_answer(TurnStatus::Answered)
        };
        let kept = Outcome {
            tokens_saved: Some(700),
            ..answered.clone()
        };
        let fallback = Outcome::without_answer(TurnStatus::Failed);
        for (outcome, wasted) in [(answered, 1), (kept, 0), (fallback, 0)] {
            let withheld = outcome.withheld();
            assert_eq!(withheld.spent.wasted, wasted);
            assert_eq!(withheld.status, TurnStatus::LeftToPerson);
            assert!(!withheld.is_free && withheld.tokens_saved.is_none());
        }
    }

    #[test]
    fn a_confirmation_that_is_withheld_still_opts_out() {
        let outcome = Outcome {
            opt: Some(Opt::Out),
            ..Outcome::without_answer(TurnStatus::OptedOut)
        };
        assert_eq!(outcome.withheld().opt, Some(Opt::Out));
    }
}
