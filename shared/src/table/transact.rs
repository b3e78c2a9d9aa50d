//! Transactions: what they are called, how they end, and what is done when others are at work on the same items.

use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use super::{Cause, Item, Table, TableError};
use crate::conversation::backoff::fraction;

/// How a transaction ended that was cancelled.
pub(super) struct Cancelled {
    reasons: Vec<CancellationReason>,
}

impl Cancelled {
    /// Whether the condition of the n-th write failed.
    pub(super) fn condition_failed(&self, index: usize) -> bool {
        self.has(index, "ConditionalCheckFailed")
    }

    fn has(&self, index: usize, code: &str) -> bool {
        self.reasons
            .get(index)
            .is_some_and(|reason| reason.code() == Some(code))
    }

    /// The item as it was when the n-th write's condition failed.
    pub(super) fn old_item(&self, index: usize) -> Option<&Item> {
        self.reasons.get(index).and_then(CancellationReason::item)
    }

    /// Whether any write's condition failed.
    pub(super) fn any_condition_failed(&self) -> bool {
        (0..self.reasons.len()).any(|index| self.condition_failed(index))
    }

    /// The error of a transaction that was cancelled for a reason it has no answer to.
    pub(super) fn refused(&self, operation: &'static str) -> TableError {
        let codes: Vec<_> = self
            .reasons
            .iter()
            .filter_map(CancellationReason::code)
            .collect();
        TableError {
            operation,
            cause: Cause::Refused,
            code: codes.join(","),
        }
    }

    /// Only conflicts, throttling and the like: nothing that another try could not mend.
    fn is_transient(&self) -> bool {
        self.reasons.iter().any(|reason| {
            matches!(
                reason.code(),
                Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
            )
        }) && !self
            .reasons
            .iter()
            .any(|reason| reason.code() == Some("ConditionalCheckFailed"))
    }
}

/// The end of a transaction.
pub(super) enum Transacted {
    Done,
    Cancelled(Cancelled),
}

impl Transacted {
    /// Whether it was carried out: false when one of its conditions does not hold.
    pub(super) fn is_done(&self, operation: &'static str) -> Result<bool, TableError> {
        match self {
            Self::Done => Ok(true),
            Self::Cancelled(cancelled) if cancelled.any_condition_failed() => Ok(false),
            Self::Cancelled(cancelled) => Err(cancelled.refused(operation)),
        }
    }
}

/// What a transaction is called. Those that meet in a conflict have different names, and so wait differently.
#[derive(Clone, Copy)]
pub(super) enum Name<'a> {
    /// All calls of this name are one, for ten minutes (ClientRequestToken): only the first one writes.
    Once(&'a str),
    /// Every call of this name is one of its own.
    EachTime(&'a str),
}

impl Name<'_> {
    fn token(self) -> Option<String> {
        match self {
            Self::Once(name) => Some(name.to_owned()),
            // The SDK makes one up, for its own repetitions of this call.
            Self::EachTime(_) => None,
        }
    }

    fn seed(&self) -> &str {
        match self {
            Self::Once(name) | Self::EachTime(name) => name,
        }
    }
}

/// Tries at a transaction that meets conflicts: the SDK leaves them to us.
const CONFLICT_TRIES: u32 = 8;

impl Table {
    /// Runs a transaction, again when other writes conflict with it: up to [`CONFLICT_TRIES`] times with
    /// growing pauses, less than 1 s in all.
    pub(super) async fn transact(
        &self,
        operation: &'static str,
        name: Name<'_>,
        writes: Vec<TransactWriteItem>,
    ) -> Result<Transacted, TableError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self
                .client
                .transact_write_items()
                .set_client_request_token(name.token())
                .set_transact_items(Some(writes.clone()))
                .send()
                .await;
            let Err(error) = answer else {
                return Ok(Transacted::Done);
            };
            let transient = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    let cancelled = Cancelled {
                        reasons: cancelled.cancellation_reasons().to_vec(),
                    };
                    if !cancelled.is_transient() {
                        return Ok(Transacted::Cancelled(cancelled));
                    }
                    TableError {
                        operation,
                        cause: Cause::Conflict,
                        code: "TransactionConflict".to_owned(),
                    }
                }
                _ => {
                    let error = TableError::from_sdk(operation, &error);
                    if error.cause != Cause::Conflict {
                        return Err(error);
                    }
                    error
                }
            };
            if tries >= CONFLICT_TRIES {
                return Err(transient);
            }
            tokio::time::sleep(conflict_pause(name.seed(), tries)).await;
        }
    }

    /// A transaction without conditions.
    pub(super) async fn transact_all(
        &self,
        operation: &'static str,
        name: Name<'_>,
        writes: Vec<TransactWriteItem>,
    ) -> Result<(), TableError> {
        match self.transact(operation, name, writes).await? {
            Transacted::Done => Ok(()),
            Transacted::Cancelled(cancelled) => Err(cancelled.refused(operation)),
        }
    }
}

/// Runs a write to one item, again when a transaction conflicts with it, as [`Table::transact`] does. `name` only spreads
/// the pauses of those who meet.
pub(super) async fn in_spite_of_conflicts<T, E, R, F>(
    name: &str,
    write: impl Fn() -> F,
) -> Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata,
    F: Future<Output = Result<T, SdkError<E, R>>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        let answer = write().await;
        let conflicts =
            matches!(&answer, Err(error) if error.code() == Some("TransactionConflictException"));
        if !conflicts || tries >= CONFLICT_TRIES {
            return answer;
        }
        tokio::time::sleep(conflict_pause(name, tries)).await;
    }
}

/// 10, 20, 40 … ms, at most 320, less up to half of it: two who met once should not meet again.
pub(super) fn conflict_pause(token: &str, tries: u32) -> Duration {
    let ceiling_ms = f64::from(5_u32 << tries.min(6));
    let jitter = fraction(&format!("{token}{tries}"));
    Duration::from_secs_f64(ceiling_ms * (0.5 + 0.5 * jitter) / 1000.0)
}
