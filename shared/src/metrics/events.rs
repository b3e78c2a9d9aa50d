//! What happens in the functions, as records. Each event knows only what may be told (I11): ids of bots, pseudonyms of
//! conversations, models, classes of errors; no number, name or text of a person.

use super::catalog as metric;
use super::{Event, Record};
use crate::breaker::State;
use crate::conversation::bot::Bot;
use crate::conversation::ids::BotId;
use crate::conversation::outcome::TurnStatus;
use crate::llm::{Called, Provider, Usage};

fn seconds(ms: i64) -> f64 {
    ms.max(0) as f64 / 1000.0
}

/// A request was answered.
#[derive(Clone, Copy, Debug)]
pub struct RequestServed<'a> {
    /// Which function.
    pub function: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The route as it is written in the code, never the path: that may hold a number or a secret.
    pub route: Option<&'a str>,
}

impl Event for RequestServed<'_> {
    fn records(&self) -> Vec<Record> {
        let class = format!("{}xx", self.status / 100);
        let record = Record::default()
            .measured(
                &metric::HTTP_REQUEST_DURATION,
                seconds(self.duration_ms),
                [self.function, &class],
            )
            .about("status", self.status);
        vec![match self.route {
            Some(route) => record.about("route", route),
            None => record,
        }]
    }
}

/// Whose key pays for a call: the `user_tier` of the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayingKey {
    /// The bot has an OpenRouter key of its own.
    Own,
    /// The installation's key.
    Shared,
}

impl PayingKey {
    /// The dimension's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own_key",
            Self::Shared => "shared",
        }
    }
}

/// A model was asked for an answer.
#[derive(Clone, Copy, Debug)]
pub struct CallMade<'a> {
    /// Who serves it.
    pub provider: Provider,
    /// Which.
    pub model: &'a str,
    /// `ok`, or the class of the error.
    pub status: &'a str,
    /// Whether it is free of charge.
    pub is_free: bool,
    /// Whose key paid.
    pub paid_by: PayingKey,
    /// What it has used up.
    pub usage: Usage,
    /// How long it took, in milliseconds.
    pub latency_ms: i64,
    /// For which bot.
    pub bot_id: &'a BotId,
    /// The conversation's pseudonym and the burst's number.
    pub turn: &'a str,
}

impl<'a> CallMade<'a> {
    /// What a call was; `turn` is what it was made for.
    #[must_use]
    pub fn of(call: &Called<'a>, bot: &'a Bot, turn: &'a str) -> Self {
        let Called { rung, asked, .. } = *call;
        let has_own_key = rung.provider == Provider::OpenRouter && bot.openrouter_key.is_some();
        Self {
            provider: rung.provider,
            model: match asked {
                Ok(answer) if !answer.model.is_empty() => &answer.model,
                _ => &rung.model,
            },
            status: match asked {
                Ok(_) => "ok",
                Err(error) => error.kind.as_str(),
            },
            is_free: rung.is_free(),
            paid_by: if has_own_key {
                PayingKey::Own
            } else {
                PayingKey::Shared
            },
            usage: *call.usage,
            latency_ms: call.latency_ms,
            bot_id: &bot.bot_id,
            turn,
        }
    }

    fn record(&self) -> Record {
        Record::default()
            .about("model", self.model)
            .about("provider", self.provider.as_str())
            .about("bot", self.bot_id.as_str())
            .about("turn", self.turn)
    }
}

impl Event for CallMade<'_> {
    fn records(&self) -> Vec<Record> {
        let is_free = if self.is_free { "true" } else { "false" };
        let call = match self.provider {
            Provider::OpenRouter => {
                self.record()
                    .measured(&metric::OPENROUTER_REQUESTS, 1.0, [self.status, is_free])
            }
            Provider::Second => {
                self.record()
                    .measured(&metric::SECOND_PROVIDER_REQUESTS, 1.0, [self.status])
            }
        };
        let call = call
            .about("llm_latency_ms", self.latency_ms)
            .about("cost_usd", self.usage.cost_usd);
        let tokens = [
            ("prompt", self.usage.prompt_tokens),
            ("completion", self.usage.completion_tokens),
            ("cached", self.usage.cached_tokens),
        ];
        // One record each: a dimension has one word a record.
        let tokens = tokens
            .into_iter()
            .filter(|(_, number)| *number > 0)
            .map(|(kind, number)| {
                let words = [kind, self.paid_by.as_str()];
                let record = self.record();
                record.measured(&metric::TOKEN_USAGE, number as f64, words)
            });
        std::iter::once(call).chain(tokens).collect()
    }
}

/// A turn was committed.
#[derive(Clone, Copy, Debug)]
pub struct TurnEnded<'a> {
    /// Of which bot.
    pub bot_id: &'a BotId,
    /// The conversation's pseudonym and the burst's number.
    pub turn: &'a str,
    /// How it ended.
    pub status: TurnStatus,
    /// The model that answered.
    pub model: Option<&'a str>,
    /// From the burst's oldest message to the reply, in milliseconds; none when nothing was sent.
    pub response_ms: Option<i64>,
    /// Whether it is the conversation's first of the clock hour.
    pub is_first_of_hour: bool,
    /// Whether a free model has written the reply; none when no model was asked for it.
    pub is_free_answer: Option<bool>,
}

impl Event for TurnEnded<'_> {
    fn records(&self) -> Vec<Record> {
        let one_if = |is: bool| if is { 1.0 } else { 0.0 };
        let mut record = Record::default()
            .measured(
                &metric::CONVERSATIONS_ACTIVE,
                one_if(self.is_first_of_hour),
                [],
            )
            .about("bot", self.bot_id.as_str())
            .about("turn", self.turn)
            .about("turn_status", self.status.as_str());
        if let Some(model) = self.model {
            record = record.about("model", model);
        }
        if let Some(ms) = self.response_ms {
            record = record.measured(&metric::MESSAGE_RESPONSE_TIME, seconds(ms), []);
        }
        if let Some(is_free) = self.is_free_answer {
            record = record.measured(&metric::FREE_MODEL_EFFICIENCY, one_if(is_free), []);
        }
        vec![record]
    }
}

/// A batch of the queue was worked on.
#[derive(Clone, Copy, Debug)]
pub struct BatchEnded {
    /// Records in it.
    pub records: usize,
    /// Those that must come again.
    pub again: usize,
}

impl Event for BatchEnded {
    fn records(&self) -> Vec<Record> {
        vec![
            Record::default()
                .measured(&metric::WORKER_RECORDS, self.records as f64, [])
                .measured(&metric::WORKER_RECORDS_AGAIN, self.again as f64, []),
        ]
    }
}

/// The sweeper has run.
#[derive(Clone, Copy, Debug)]
pub struct SweepDone {
    /// Conversations that got a trigger.
    pub hits: usize,
    /// Customers without an outcome.
    pub turns_without_outcome: usize,
    /// Conversations that could not be read or triggered.
    pub failed: usize,
    /// How long the customer waits who has waited longest, in milliseconds; none when it is not known.
    pub oldest_owed_ms: Option<i64>,
    /// Whether everything was looked at and kept.
    pub complete: bool,
}

impl Event for SweepDone {
    fn records(&self) -> Vec<Record> {
        let outcomes = self.turns_without_outcome as f64;
        let incomplete = if self.complete { 0.0 } else { 1.0 };
        let record = Record::default()
            .measured(&metric::TURNS_WITHOUT_OUTCOME, outcomes, [])
            .measured(&metric::SWEEPER_HITS, self.hits as f64, [])
            .measured(&metric::SWEEPER_FAILED, self.failed as f64, [])
            .measured(&metric::SWEEPER_INCOMPLETE, incomplete, []);
        vec![match self.oldest_owed_ms {
            Some(ms) => record.measured(&metric::OLDEST_OWED, seconds(ms), []),
            None => record,
        }]
    }
}

/// A provider's breaker was looked at.
#[derive(Clone, Copy, Debug)]
pub struct ProviderSeen {
    /// Whose.
    pub provider: Provider,
    /// How it stands.
    pub state: State,
}

impl Event for ProviderSeen {
    fn records(&self) -> Vec<Record> {
        let words = [self.provider.as_str()];
        let level = f64::from(self.state.level());
        vec![Record::default().measured(&metric::BREAKER_STATE, level, words)]
    }
}

/// The credits function was invoked.
#[derive(Clone, Copy, Debug)]
pub struct CreditsChecked {
    /// What became of it: `run`, `already_run`, `busy`, `failed`.
    pub result: &'static str,
    /// What is left, in USD; none when it is not known.
    pub remaining_usd: Option<f64>,
    /// Alerts that went out.
    pub alerts: usize,
}

impl Event for CreditsChecked {
    fn records(&self) -> Vec<Record> {
        let record = Record::default()
            .measured(&metric::CREDITS_ALERTS, self.alerts as f64, [])
            .about("result", self.result);
        vec![match self.remaining_usd {
            Some(usd) => record.measured(&metric::CREDITS_REMAINING, usd, []),
            None => record,
        }]
    }
}
