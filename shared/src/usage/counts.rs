//! What is counted, and what can be said from it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Times;
use crate::conversation::outcome::{Spent, TurnStatus};

/// What is counted. All of it is a sum, so that the counts of any time are those of its hours together.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct UsageCounts {
    /// Contacts with whom a turn ended that day, each in the hour of the first one. Summed over the hours of one day
    /// (UTC) it is the number of different contacts; over several days it is conversation-days: who writes on three
    /// days is three.
    pub conversations: u64,
    /// Contacts whose very first turn ended. One that was erased and writes again is new again.
    pub new_contacts: u64,
    /// Turns that ended.
    pub turns: u64,
    /// The same by how they ended.
    #[serde(skip)]
    pub by_status: BTreeMap<&'static str, u64>,
    /// Messages of customers in them.
    pub messages: u64,
    /// Calls to the model.
    pub llm_calls: u64,
    /// Questions that somebody of the business has tried on the bot.
    pub trials: u64,
    /// Calls that gave nothing that could be sent, by the class of the error. The other calls were answered.
    #[serde(skip)]
    pub errors: BTreeMap<String, u64>,
    /// Tokens of the prompts.
    pub tokens_in: u64,
    /// Tokens of the answers.
    pub tokens_out: u64,
    /// Tokens of the prompts that the provider had cached.
    pub tokens_cached: u64,
    /// What the provider charged, in USD.
    pub cost_usd: f64,
    /// How long the calls took together, in milliseconds.
    pub llm_latency_ms: u64,
    /// How long each of them took.
    #[serde(skip)]
    pub llm_times: Times,
    /// How long customers have waited together, in milliseconds: each from the oldest message of the burst to the commit
    /// of its reply. What a person's pause or a rate limit takes is part of it. Only turns with a reply that was sent.
    pub response_ms: u64,
    /// How long each of them has waited.
    #[serde(skip)]
    pub response_times: Times,
    /// Generations that were billed and never sent.
    pub wasted: u64,
    /// Answers of free models.
    pub free_answers: u64,
    /// Calls that were not made because bubbles were answered together: in every answered turn its messages but one.
    pub saved_by_batching: u64,
    /// Answers that were kept from before: the model was not asked.
    pub cache_hits: u64,
    /// Tokens that those have saved.
    pub tokens_saved: u64,
}

impl UsageCounts {
    /// The counts of calls alone.
    #[must_use]
    pub fn of(spent: &Spent) -> Self {
        let errors = spent.errors.iter();
        Self {
            llm_calls: spent.calls.into(),
            errors: errors
                .map(|(class, count)| (class.clone(), u64::from(*count)))
                .collect(),
            tokens_in: spent.tokens_in,
            tokens_out: spent.tokens_out,
            tokens_cached: spent.tokens_cached,
            cost_usd: spent.cost_usd,
            llm_latency_ms: u64::try_from(spent.llm_latency_ms).unwrap_or_default(),
            llm_times: spent.llm_times.clone(),
            wasted: spent.wasted.into(),
            ..Self::default()
        }
    }

    /// Adds the counts of another time.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in [
            (&mut self.conversations, other.conversations),
            (&mut self.new_contacts, other.new_contacts),
            (&mut self.turns, other.turns),
            (&mut self.messages, other.messages),
            (&mut self.llm_calls, other.llm_calls),
            (&mut self.trials, other.trials),
            (&mut self.tokens_in, other.tokens_in),
            (&mut self.tokens_out, other.tokens_out),
            (&mut self.tokens_cached, other.tokens_cached),
            (&mut self.llm_latency_ms, other.llm_latency_ms),
            (&mut self.response_ms, other.response_ms),
            (&mut self.wasted, other.wasted),
            (&mut self.free_answers, other.free_answers),
            (&mut self.saved_by_batching, other.saved_by_batching),
            (&mut self.cache_hits, other.cache_hits),
            (&mut self.tokens_saved, other.tokens_saved),
        ] {
            *sum = sum.saturating_add(count);
        }
        self.cost_usd += other.cost_usd;
        self.llm_times.add_all(&other.llm_times);
        self.response_times.add_all(&other.response_times);
        for (status, count) in &other.by_status {
            let sum = self.by_status.entry(status).or_default();
            *sum = sum.saturating_add(*count);
        }
        for (class, count) in &other.errors {
            let sum = self.errors.entry(class.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// How many turns ended so.
    #[must_use]
    pub fn ended(&self, status: TurnStatus) -> u64 {
        self.by_status
            .get(status.as_str())
            .copied()
            .unwrap_or_default()
    }

    /// Calls that gave nothing that could be sent.
    #[must_use]
    pub fn failed_calls(&self) -> u64 {
        let all = self.errors.values();
        all.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The share of the models' answers that cost nothing, from 0 to 1; none without an answer.
    #[must_use]
    pub fn free_model_ratio(&self) -> Option<f64> {
        let answers = self
            .ended(TurnStatus::Answered)
            .saturating_sub(self.cache_hits);
        ratio(self.free_answers, answers)
    }

    /// What a conversation cost, in USD; over several days a conversation's day. None without one.
    #[must_use]
    pub fn cost_per_conversation(&self) -> Option<f64> {
        per(self.cost_usd, self.conversations).map(nano_usd)
    }

    /// How long a call took on average, in milliseconds; none without a call.
    #[must_use]
    pub fn llm_ms_average(&self) -> Option<f64> {
        ratio(self.llm_latency_ms, self.llm_calls)
    }

    /// How long a customer has waited on average, in milliseconds; none when none got a reply.
    #[must_use]
    pub fn response_ms_average(&self) -> Option<f64> {
        ratio(self.response_ms, self.response_times.count())
    }
}

/// An amount in USD, to nine decimals: so many the ledger keeps, and sums of many amounts have dust behind them.
#[must_use]
pub fn nano_usd(amount: f64) -> f64 {
    (amount * 1e9).round() / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    per(part as f64, whole)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per(amount: f64, many: u64) -> Option<f64> {
    (many > 0).then(|| amount / many as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(class: Option<&str>, ms: i64) -> Spent {
        Spent {
            calls: 1,
            tokens_in: 100,
            cost_usd: 0.1,
            errors: class
                .map(|class| (class.to_owned(), 1))
                .into_iter()
                .collect(),
            llm_latency_ms: ms,
            llm_times: Times::one(ms),
            ..Spent::default()
        }
    }

    #[test]
    fn what_was_spent_in_several_tries_is_counted_whole() {
        let all = spent(Some("timed_out"), 9_000)
            .plus(&spent(Some("timed_out"), 9_000))
            .plus(&spent(None, 1_200));
        let counts = UsageCounts::of(&all);
        assert_eq!((counts.llm_calls, counts.failed_calls()), (3, 2));
        assert_eq!(counts.errors["timed_out"], 2);
        assert_eq!(
            (counts.llm_latency_ms, counts.llm_times.count()),
            (19_200, 3)
        );
        assert_eq!(counts.llm_ms_average(), Some(6_400.0));
        // The same hour by hour, in whatever order.
        let mut sum = UsageCounts::default();
        for part in [
            spent(None, 1_200),
            spent(Some("timed_out"), 9_000),
            spent(Some("timed_out"), 9_000),
        ] {
            sum.add(&UsageCounts::of(&part));
        }
        assert_eq!(nano_usd(sum.cost_usd), 0.3);
        sum.cost_usd = counts.cost_usd;
        assert_eq!(sum, counts);
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let nothing = UsageCounts::default();
        let said = [
            nothing.free_model_ratio(),
            nothing.cost_per_conversation(),
            nothing.llm_ms_average(),
            nothing.response_ms_average(),
        ];
        assert_eq!(said, [None; 4]);
    }

    #[test]
    fn kept_answers_are_no_answers_of_a_model() {
        let counts = UsageCounts {
            by_status: [("answered", 5)].into(),
            cache_hits: 1,
            free_answers: 1,
            conversations: 3,
            cost_usd: 0.1,
            ..UsageCounts::default()
        };
        assert_eq!(counts.free_model_ratio(), Some(0.25));
        assert_eq!(counts.cost_per_conversation(), Some(0.033_333_333));
    }
}
