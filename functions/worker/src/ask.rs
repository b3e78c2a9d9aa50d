//! K3: the ladder of models is asked, from the top: in the same try the next model when one is of no use, the next
//! provider when one fails, less context when there is too much.

use std::collections::BTreeSet;
use std::time::Duration;

use clivy::breakers::{Given, Leave};
use clivy::conversation::ids::EpochMs;
use clivy::conversation::outcome::{Attempt, Spent};
use clivy::error::Class;
use clivy::llm::{Asker as _, ErrorKind, LlmError, Onward, Rung, breaker_name};
use clivy::step;
use clivy::table::TableError;

use crate::burst::Conversation;
use crate::failure::{Failure, LAST_ASK_MS};
use crate::record::{Held, Job};
use crate::rung::Asking;

/// What one try has made of the burst so far.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// The models asked.
    pub attempts: Vec<Attempt>,
    /// What they have used up.
    pub spent: Spent,
}

impl Tried {
    /// The same when the answer is thrown away.
    pub fn thrown_away(self) -> Self {
        Self {
            spent: if self.spent.calls > 0 {
                self.spent.thrown_away()
            } else {
                self.spent
            },
            ..self
        }
    }
}

/// A text for the customer.
pub struct Answer {
    /// The text, as it will be sent.
    pub text: String,
    /// The model that wrote it.
    pub model: String,
    /// Whether that model is free of charge.
    pub is_free: bool,
    /// The tokens of this call.
    pub tokens: u64,
}

/// What came of asking.
pub enum Asked {
    /// An answer.
    Answered(Answer),
    /// None, and why.
    Failed(Failure),
    /// Nobody could be asked: not before then.
    NotBefore(EpochMs),
}

/// A try on its way up the ladder.
struct Climb<'a> {
    asking: Asking<'a>,
    tried: Tried,
    /// Providers that are asked no more in this try.
    shut: BTreeSet<String>,
    /// When the first breaker that said no may say yes.
    not_before: Option<EpochMs>,
    /// The most hopeful failure so far.
    hope: Option<Failure>,
}

/// Until when no provider of the ladder may be asked; none when one is worth trying (K2).
pub async fn all_shut_until(
    job: &Job<'_>,
    held: &Held,
    rungs: &[Rung],
) -> Result<Option<EpochMs>, TableError> {
    let worker = job.worker;
    let now = worker.clock.now();
    let mut earliest: Option<EpochMs> = None;
    for rung in rungs {
        let name = breaker_name(&held.bot, rung.provider);
        match worker
            .breakers
            .shut_until(&worker.table, &name, now)
            .await?
        {
            None => return Ok(None),
            Some(until) => earliest = Some(earliest.map_or(until, |other| other.min(until))),
        }
    }
    Ok(earliest)
}

/// Asks the ladder. What it has used up is in the second part, whatever came of it.
pub async fn ask(
    job: &Job<'_>,
    held: &Held,
    conversation: &Conversation,
    rungs: &[Rung],
) -> (Asked, Tried) {
    let mut climb = Climb {
        asking: Asking {
            job,
            held,
            conversation,
        },
        tried: Tried::default(),
        shut: BTreeSet::new(),
        not_before: None,
        hope: None,
    };
    let asked = climb.up(rungs).await;
    (asked, climb.tried)
}

impl Climb<'_> {
    async fn up(&mut self, rungs: &[Rung]) -> Asked {
        for rung in rungs {
            let leave = match self.leave(rung).await {
                Err(error) => return Asked::Failed(Failure::of_table(&error)),
                Ok(None) => continue,
                Ok(Some(leave)) => leave,
            };
            let started_at = self.now();
            let patience = self.asking.limit();
            let asked = self.asking.rung(rung, &mut self.tried.spent).await;
            let failed = asked.as_ref().err().map(|error| error.kind);
            // A provider that was given less time than any is says nothing by not using it; a probe ends by itself.
            if failed != Some(ErrorKind::TimedOut) || patience >= self.fair_patience() {
                self.tell(&leave, failed).await;
            }
            let error = match asked {
                Ok(answer) => {
                    let model = match answer.model.as_str() {
                        "" => rung.model.clone(),
                        model => model.to_owned(),
                    };
                    self.record(started_at, &model, "ok", "");
                    return Asked::Answered(Answer {
                        tokens: answer.usage.total_tokens(),
                        text: answer.text,
                        is_free: rung.is_free(),
                        model,
                    });
                }
                Err(error) => error,
            };
            self.failed(rung, started_at, &error).await;
            if error.kind.onward() == Onward::Stop {
                return Asked::Failed(Failure::of_llm(&error, self.now()));
            }
            if !self.asking.has_time() {
                break;
            }
        }
        match (self.hope.take(), self.not_before) {
            (Some(hope), None) => Asked::Failed(hope),
            (Some(hope), Some(_)) if hope.class != Class::Permanent => Asked::Failed(hope),
            (_, Some(until)) => Asked::NotBefore(until),
            (None, None) => Asked::Failed(Failure::nobody_to_ask()),
        }
    }

    /// Leave to ask a rung; none when it is skipped.
    async fn leave(&mut self, rung: &Rung) -> Result<Option<Given>, TableError> {
        let worker = self.asking.job.worker;
        let name = breaker_name(&self.asking.held.bot, rung.provider);
        if self.shut.contains(&name) {
            return Ok(None);
        }
        let now = self.now();
        let provider = worker.breakers.get(&worker.table, &name, now).await?;
        if provider.is_parked(&rung.model, now) {
            return Ok(None);
        }
        // A probe that dies is over when its invocation is.
        let leave = worker.breakers.leave(
            &worker.table,
            &name,
            &self.asking.job.owner,
            self.asking.job.deadline,
            now,
        );
        match leave.await? {
            Leave::Given(given) => Ok(Some(given)),
            Leave::NotBefore(until) => {
                self.shut.insert(name);
                self.not_before = Some(self.not_before.map_or(until, |other| other.min(until)));
                Ok(None)
            }
        }
    }

    /// How long a provider must have been waited for before its silence speaks against it.
    fn fair_patience(&self) -> Duration {
        let least = Duration::from_millis(LAST_ASK_MS.unsigned_abs());
        self.asking.job.worker.rules.ai_timeout.min(least)
    }

    /// A breaker that cannot be told must not cost the customer the answer.
    async fn tell(&self, given: &Given, failed: Option<ErrorKind>) {
        let worker = self.asking.job.worker;
        let limits = worker.rules.breaker;
        let told = worker
            .breakers
            .tell(&worker.table, given, failed, limits, self.now());
        if let Err(error) = told.await {
            tracing::warn!(step = "breaker_not_told", %error, "the breaker could not be told");
        }
    }

    /// Takes down what went wrong with a rung, and what that means for those below it.
    async fn failed(&mut self, rung: &Rung, started_at: EpochMs, error: &LlmError) {
        let now = self.now();
        let kind = error.kind;
        step!(
            warn,
            "llm_failed",
            self.asking.held.log,
            {
                model = rung.model,
                provider = rung.provider.as_str(),
                error_class = kind.as_str(),
                error = error.to_string(),
                needs_operator = kind.needs_operator(),
            },
            "the model gave no answer"
        );
        self.record(started_at, &rung.model, kind.as_str(), &error.to_string());
        let name = breaker_name(&self.asking.held.bot, rung.provider);
        if kind == ErrorKind::DailyFreeLimit {
            let until = error.resets_at.unwrap_or_else(|| now.next_utc_midnight());
            let worker = self.asking.job.worker;
            let parked = worker
                .breakers
                .park(&worker.table, &name, &rung.model, until);
            if let Err(error) = parked.await {
                tracing::warn!(step = "model_not_parked", %error, "the model could not be parked");
            }
        }
        if kind.onward() == Onward::NextProvider {
            self.shut.insert(name);
        }
        let failure = Failure::of_llm(error, now);
        if self
            .hope
            .as_ref()
            .is_none_or(|hope| failure.is_more_hopeful_than(hope))
        {
            self.hope = Some(failure);
        }
    }

    fn record(&mut self, started_at: EpochMs, model: &str, class: &str, message: &str) {
        self.tried.attempts.push(Attempt {
            number: self.asking.held.head.tries,
            started_at,
            ended_at: self.asking.job.worker.clock.now(),
            model: model.to_owned(),
            class: class.to_owned(),
            message: message.to_owned(),
        });
    }

    fn now(&self) -> EpochMs {
        self.asking.job.worker.clock.now()
    }
}
