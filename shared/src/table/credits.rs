//! The credits: one run an hour, whose figures are the history, and the levels that were told last.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use serde::Deserialize;

use super::schema::{TTL_ATTRIBUTE, item_key};
use super::{Item, Table, TableError, keys, n, s};
use crate::conversation::ids::{EpochMs, Owner};
use crate::credits::{Alerted, Concern, Figures, State, Told};

/// How long a run is kept.
const KEPT_MS: i64 = 90 * 86_400_000;

/// An hour (UTC) that is ours to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// When it was taken. The run belongs to the hour of this moment, also when it ends in the next one.
    pub began_at: EpochMs,
    /// Who has it.
    pub owner: Owner,
}

/// Whose an hour is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HourTaken {
    /// Ours: run, then finish it.
    Ours(Hour),
    /// It has been run: never again.
    Done,
    /// Somebody else runs it, or died in it.
    Busy {
        /// From when on it may be taken over.
        until: EpochMs,
    },
}

/// Whose figures are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HourFinished {
    /// Ours.
    Stored,
    /// Theirs who took the hour over meanwhile.
    Overtaken,
}

/// A run as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct CreditsRun {
    /// When it began.
    pub began_at: EpochMs,
    /// When it was done; none while it runs, or when it died or could not read anything.
    pub done_at: Option<EpochMs>,
    /// What it read; none where it could not.
    pub figures: Option<Figures>,
}

#[derive(Deserialize)]
struct RunItem {
    began_at: EpochMs,
    lease_until: EpochMs,
    done_at: Option<EpochMs>,
    figures: Option<Figures>,
}

impl Table {
    /// Takes the hour of `now`, until `lease_until`: one run an hour, whatever is delivered again (I13).
    ///
    /// Key: the run of the hour. Condition: nobody has taken it, or who had it is not done and its lease is over, or it
    /// is our own write whose answer was lost. Costs 1 WCU, also when the condition fails.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed. The hour may be taken all the same; the lease ends by itself.
    pub async fn credits_take_hour(
        &self,
        owner: &Owner,
        lease_until: EpochMs,
        now: EpochMs,
    ) -> Result<HourTaken, TableError> {
        const OPERATION: &str = "credits_take_hour";
        let hour = Hour {
            began_at: now,
            owner: owner.clone(),
        };
        let taken = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(run_item(&hour)))
            .item("lease_until", n(lease_until.0))
            .condition_expression(
                "attribute_not_exists(pk) OR (attribute_not_exists(done_at) \
                 AND (lease_until <= :now OR run_owner = :owner))",
            )
            .expression_attribute_values(":now", n(now.0))
            .expression_attribute_values(":owner", s(&owner.0))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let old = match taken {
            Ok(_) => return Ok(HourTaken::Ours(hour)),
            Err(error) => match overtaken(&error) {
                Some(old) => old,
                None => return Err(TableError::from_sdk(OPERATION, &error)),
            },
        };
        let run = run(OPERATION, old)?;
        Ok(match run.done_at {
            Some(_) => HourTaken::Done,
            None => HourTaken::Busy {
                until: run.lease_until,
            },
        })
    }

    /// The runs from the hour of `from` to the hour of `now`, oldest first, the one under way included. One consistent
    /// Query; 1 or 2 RCU for a day.
    ///
    /// # Errors
    /// The table cannot be reached, or a run is malformed.
    pub async fn credits_runs(
        &self,
        from: EpochMs,
        now: EpochMs,
    ) -> Result<Vec<CreditsRun>, TableError> {
        const OPERATION: &str = "credits_runs";
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :now")
            .expression_attribute_values(":pk", s(keys::CREDITS))
            .expression_attribute_values(":from", s(keys::credits_run(from)))
            .expression_attribute_values(":now", s(keys::credits_run(now)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let items = output.items.unwrap_or_default().into_iter();
        items
            .map(|item| {
                let run = run(OPERATION, item)?;
                Ok(CreditsRun {
                    began_at: run.began_at,
                    done_at: run.done_at,
                    figures: run.figures,
                })
            })
            .collect()
    }

    /// Stores what the run of an hour has read, and that the hour is done. `figures` are none where nothing could be
    /// read and nothing can be before a person acts.
    ///
    /// Key: the run of the hour. Condition: it is still ours. Costs 1 WCU. Idempotent.
    ///
    /// # Errors
    /// The table cannot be reached: the hour is taken over after the lease.
    pub async fn credits_finish_hour(
        &self,
        hour: &Hour,
        figures: Option<&Figures>,
        now: EpochMs,
    ) -> Result<HourFinished, TableError> {
        const OPERATION: &str = "credits_finish_hour";
        let mut item = run_item(hour);
        item.insert("lease_until".to_owned(), n(now.0));
        item.insert("done_at".to_owned(), n(now.0));
        if let Some(figures) = figures {
            let figures: Item = serde_dynamo::to_item(figures)
                .map_err(|_| TableError::malformed(OPERATION, "figures"))?;
            item.insert("figures".to_owned(), AttributeValue::M(figures));
        }
        let finished = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("run_owner = :owner")
            .expression_attribute_values(":owner", s(&hour.owner.0))
            .send()
            .await;
        match finished {
            Ok(_) => Ok(HourFinished::Stored),
            Err(error) if overtaken(&error).is_some() => Ok(HourFinished::Overtaken),
            Err(error) => Err(TableError::from_sdk(OPERATION, &error)),
        }
    }

    /// What was told last. Costs 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn credits_told(&self) -> Result<Told, TableError> {
        const OPERATION: &str = "credits_told";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(keys::CREDITS, keys::CREDITS_LEVEL)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let item = output.item.unwrap_or_default();
        let mut told = Told::new();
        for concern in Concern::ALL {
            let (level, at) = told_attributes(concern);
            let (Some(level), Some(at)) = (item.get(&level), item.get(&at)) else {
                continue;
            };
            let word = level.as_s().ok();
            let at = at.as_n().ok().and_then(|at| at.parse().ok()).map(EpochMs);
            let (Some(word), Some(at)) = (word, at) else {
                return Err(TableError::malformed(OPERATION, concern.word()));
            };
            let state = State::of_word(concern, word);
            told.insert(concern, Alerted { state, at });
        }
        Ok(told)
    }

    /// Writes down what has been told. The other concerns stay as they are.
    ///
    /// Key: the levels. No condition: the hour's lease keeps a second writer away, and whoever is late all the same has
    /// told what it writes. Costs 1 WCU.
    ///
    /// # Errors
    /// The table cannot be reached: the next run tells it again.
    pub async fn credits_tell(&self, states: &[State], now: EpochMs) -> Result<(), TableError> {
        let mut values: HashMap<String, AttributeValue> = [(":now".to_owned(), n(now.0))].into();
        let mut sets = Vec::new();
        for state in states {
            let (level, at) = told_attributes(state.concern());
            sets.push(format!("{level} = :{level}, {at} = :now"));
            values.insert(format!(":{level}"), s(state.word()));
        }
        if sets.is_empty() {
            return Ok(());
        }
        self.client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(keys::CREDITS, keys::CREDITS_LEVEL)))
            .update_expression(format!("SET {}", sets.join(", ")))
            .set_expression_attribute_values(Some(values))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| TableError::from_sdk("credits_tell", &e))
    }
}

/// A run's item without its lease.
fn run_item(hour: &Hour) -> Item {
    let mut item = item_key(keys::CREDITS, &keys::credits_run(hour.began_at));
    let expires_at = hour.began_at.plus_ms(KEPT_MS).0 / 1000;
    item.insert("began_at".to_owned(), n(hour.began_at.0));
    item.insert("run_owner".to_owned(), s(&hour.owner.0));
    item.insert(TTL_ATTRIBUTE.to_owned(), n(expires_at));
    item
}

fn run(operation: &'static str, item: Item) -> Result<RunItem, TableError> {
    serde_dynamo::from_item(item)
        .map_err(|_| TableError::malformed(operation, "the run has another shape"))
}

/// The attributes that hold what was told about a concern.
fn told_attributes(concern: Concern) -> (String, String) {
    let word = concern.word();
    (format!("{word}_level"), format!("{word}_at"))
}

/// The old item, when the condition of a put failed; none for any other error.
fn overtaken<R>(error: &SdkError<PutItemError, R>) -> Option<Item> {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(failed)) => {
            Some(failed.item().cloned().unwrap_or_default())
        }
        _ => None,
    }
}
