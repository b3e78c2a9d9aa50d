//! The credits function: once an hour, whatever is delivered again, reads what the OpenRouter key may still spend, keeps
//! it as history, tells the owner before it hurts, and pauses the calls of a key that has nothing left.
//!
//! Path of a run: [`Credits::check`] takes the hour -> `read` (OpenRouter) -> the rules of [`clivy::credits`] -> `pause`
//! (the breaker) -> `tell` (SNS) -> the hour is done.

mod alerts;
pub mod pause;
mod read;
pub mod settings;
mod tell;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clivy::clock::Clock;
use clivy::conversation::ids::{EpochMs, Owner};
use clivy::credits::{Assessment, Facts, KeyLevel, Past, State, Thresholds, Told, assess};
use clivy::http::Http;
use clivy::llm::{LlmClient, LlmError};
use clivy::metrics::{CreditsChecked, Metrics};
use clivy::table::{CreditsRun, Hour, HourFinished, HourTaken, Table, TableError};
use serde::Serialize;

pub use alerts::{AlertError, Alerts};
use read::Read;
use settings::Settings;

/// How long a run has its hour, in milliseconds. Longer than the function's timeout, so that nobody overtakes a run that
/// lives; shorter than the minute after which Lambda tries a failed invocation again, so that this takes it over.
pub const LEASE_MS: i64 = 50_000;
/// How far back the history is read, in milliseconds: a day, and what a schedule may be late.
const HISTORY_MS: i64 = 25 * 3_600_000;
/// Hours in a row in which nothing could be read, after which the owner is told.
const BLIND_HOURS: usize = 3;

/// Everything the credits function needs.
pub struct Credits {
    /// The table.
    pub table: Table,
    /// Where alerts go.
    pub alerts: Alerts,
    /// OpenRouter with the key that pays for answers.
    pub openrouter: LlmClient,
    /// OpenRouter with the management key, where there is one: only it may read the account's balance.
    pub management: Option<LlmClient>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where metrics go.
    pub metrics: Metrics,
    /// From where on the owner is told.
    pub thresholds: Thresholds,
    /// How long an empty account pauses the calls before one may probe, in milliseconds.
    pub cooldown_ms: i64,
    attempts: AtomicU64,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    /// The hour's run was ours.
    Run(Report),
    /// The hour has been run already: nothing was asked.
    AlreadyRun,
    /// Somebody else runs it: nothing was asked.
    Busy {
        /// When it may be taken over, in milliseconds since 1970.
        until: EpochMs,
    },
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What is left, in USD, where it is known.
    pub remaining_usd: Option<f64>,
    /// The level of every concern that something could be said about.
    pub levels: Vec<(&'static str, String)>,
    /// Alerts that went out.
    pub alerts: usize,
}

/// A run that has to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum CreditsError {
    /// The table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// OpenRouter did not answer, and may the next time.
    #[error("the credits could not be read: {0}")]
    OpenRouter(LlmError),
}

impl Credits {
    /// The credits function over the clients given.
    #[must_use]
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        sns: aws_sdk_sns::Client,
        http: &Arc<dyn Http>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        settings: Settings,
    ) -> Self {
        let client = |settings| LlmClient::new(Arc::clone(http), settings);
        Self {
            // Its items have a retention of their own.
            table: Table::new(dynamodb, settings.table_name, 0),
            alerts: Alerts::new(sns, settings.alert_topic_arn),
            openrouter: client(settings.openrouter),
            management: settings.management.map(client),
            clock,
            metrics,
            thresholds: settings.thresholds,
            cooldown_ms: settings.cooldown_ms,
            attempts: AtomicU64::new(0),
        }
    }

    /// Handles one scheduled event, whatever is in it: the hour is the clock's (UTC). An hour that is done is never run
    /// again, and nobody runs it beside somebody else (I13).
    ///
    /// # Errors
    /// The table or OpenRouter failed and may not the next time: the event must come again, after [`LEASE_MS`].
    pub async fn check(&self, request_id: &str) -> Result<Checked, CreditsError> {
        let checked = self.try_check(request_id).await;
        match &checked {
            Err(error) => tracing::error!(step = "credits_failed", %error, "the run failed"),
            Ok(Checked::Run(_)) => {}
            Ok(skipped) => tracing::info!(
                step = "credits_skipped",
                is_done = matches!(skipped, Checked::AlreadyRun),
                "this hour is somebody else's"
            ),
        }
        self.metrics.emit(self.clock.now(), &measured(&checked));
        checked
    }

    async fn try_check(&self, request_id: &str) -> Result<Checked, CreditsError> {
        let now = self.clock.now();
        let owner = self.owner(request_id, now);
        let lease_until = now.plus_ms(LEASE_MS);
        let taken = self.table.credits_take_hour(&owner, lease_until, now);
        match taken.await? {
            HourTaken::Done => Ok(Checked::AlreadyRun),
            HourTaken::Busy { until } => Ok(Checked::Busy { until }),
            HourTaken::Ours(hour) => self.run(&hour).await.map(Checked::Run),
        }
    }

    /// One attempt. An event that is delivered twice brings the same request id, so that alone is not enough.
    fn owner(&self, request_id: &str, now: EpochMs) -> Owner {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        Owner(format!("{request_id}/{}/{attempt}", now.0))
    }

    async fn run(&self, hour: &Hour) -> Result<Report, CreditsError> {
        let now = hour.began_at;
        let (runs, told) = futures_util::try_join!(
            self.table.credits_runs(now.plus_ms(-HISTORY_MS), now),
            self.table.credits_told(),
        )?;
        match self.read().await {
            Read::Key {
                figures,
                account,
                error,
            } => {
                let past = past(&runs);
                let assessment = assess(figures, account, &past, &self.thresholds, now);
                log(&assessment);
                self.pause(&assessment, now).await;
                let error = error.map(|error| error.to_string());
                let facts = Facts {
                    assessment: Some(&assessment),
                    thresholds: &self.thresholds,
                    error: error.as_deref(),
                };
                let report = self.report(&assessment.states, &told, facts, now).await;
                self.finish(hour, Some(&assessment)).await?;
                Ok(report)
            }
            Read::Refused(error) => {
                tracing::error!(step = "credits_refused", %error, "OpenRouter refuses the key");
                let refused = KeyLevel::Refused;
                let report = self.report_blind(refused, &error, &told, now).await;
                // Until a person acts, the next hour is soon enough.
                self.finish(hour, None).await?;
                Ok(report)
            }
            Read::Failed(error) => {
                if blind_hours(&runs) >= BLIND_HOURS {
                    let unreadable = KeyLevel::Unreadable;
                    self.report_blind(unreadable, &error, &told, now).await;
                }
                Err(CreditsError::OpenRouter(error))
            }
        }
    }

    /// Tells that nothing could be read.
    async fn report_blind(
        &self,
        level: KeyLevel,
        error: &LlmError,
        told: &Told,
        now: EpochMs,
    ) -> Report {
        let error = error.to_string();
        let facts = Facts {
            assessment: None,
            thresholds: &self.thresholds,
            error: Some(&error),
        };
        self.report(&[State::Key(level)], told, facts, now).await
    }

    async fn report(
        &self,
        states: &[State],
        told: &Told,
        facts: Facts<'_>,
        now: EpochMs,
    ) -> Report {
        let level = |state: &State| (state.concern().word(), state.word());
        Report {
            remaining_usd: facts.assessment.and_then(|a| a.figures.remaining_usd()),
            levels: states.iter().map(level).collect(),
            alerts: self.tell(states, told, facts, now).await,
        }
    }

    /// The hour is done. Last, so that a run that dies before is taken over and tells what it has not told.
    async fn finish(&self, hour: &Hour, assessment: Option<&Assessment>) -> Result<(), TableError> {
        let figures = assessment.map(|assessment| &assessment.figures);
        let now = self.clock.now();
        let finished = self.table.credits_finish_hour(hour, figures, now).await?;
        if finished == HourFinished::Overtaken {
            tracing::warn!(
                step = "credits_overtaken",
                "the run took longer than its lease; another one has stored the hour"
            );
        }
        Ok(())
    }
}

/// What an invocation says to CloudWatch. Alerts of a run that fails are told again by the next one, and counted there.
fn measured(checked: &Result<Checked, CreditsError>) -> CreditsChecked {
    let (result, report) = match checked {
        Ok(Checked::Run(report)) => ("run", Some(report)),
        Ok(Checked::AlreadyRun) => ("already_run", None),
        Ok(Checked::Busy { .. }) => ("busy", None),
        Err(_) => ("failed", None),
    };
    CreditsChecked {
        result,
        remaining_usd: report.and_then(|report| report.remaining_usd),
        alerts: report.map_or(0, |report| report.alerts),
    }
}

/// The runs before this one that read something.
fn past(runs: &[CreditsRun]) -> Vec<Past> {
    runs.iter()
        .filter(|run| run.done_at.is_some())
        .filter_map(|run| {
            Some(Past {
                at: run.began_at,
                figures: run.figures.clone()?,
            })
        })
        .collect()
}

/// The newest hours in a row in which nothing could be read, this one included.
fn blind_hours(runs: &[CreditsRun]) -> usize {
    let newest_first = runs.iter().rev();
    newest_first.take_while(|run| run.done_at.is_none()).count()
}

fn log(assessment: &Assessment) {
    let figures = &assessment.figures;
    tracing::info!(
        step = "credits",
        remaining_usd = figures.remaining_usd(),
        limit_remaining_usd = figures.limit_remaining_usd,
        balance_usd = figures.balance_usd(),
        usage_daily_usd = figures.usage_daily_usd,
        usage_monthly_usd = figures.usage_monthly_usd,
        used_a_day_usd = assessment.used_a_day_usd,
        runway_hours = assessment.runway.hours(),
        "read the credits"
    );
    if figures.remaining_usd().is_none() && !figures.never_bought() {
        // A monitor that says nothing is wrong: say that it cannot see.
        tracing::warn!(
            step = "credits",
            "the key has no cap and the balance was not read: low credits cannot be seen"
        );
    }
}
