//! The one DynamoDB table. One operation is one function in one file; each says its key, its condition,
//! what it costs and what each failure means.

mod api_keys;
mod batch;
mod bot;
mod bot_delete;
mod bot_edit;
mod bot_file;
mod bot_settings;
mod bot_versions;
mod breaker;
mod breaker_pause;
mod cache;
mod claim;
mod commit;
mod conversations;
mod credits;
mod documents;
mod draft;
mod erase;
mod item;
pub mod keys;
mod last_outcome;
mod messages;
mod outgoing;
mod outgoing_send;
mod owed;
mod owners;
mod page;
mod pause;
mod rate;
mod release;
mod repend;
pub mod schema;
mod smoke;
mod store;
mod store_own;
mod sweeper_run;
mod take_over;
mod thread;
mod turn;
mod turns;
mod usage;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason};

pub use api_keys::Revoked;
pub use bot::{BotState, StoredBot};
pub use bot_edit::{BotEdit, Edited};
pub use bot_versions::Kind;
pub use breaker::{Failure, Probe};
pub use breaker_pause::{Closed, Opened};
pub use cache::{CACHED_FOR_MS, Cached};
pub use claim::{ClaimRequest, Claimed};
pub use commit::{Commit, Committed};
pub use conversations::{Filter, Listing, Read};
pub use credits::{CreditsRun, Hour, HourFinished, HourTaken};
pub use documents::{DocumentEdit, DocumentState, StoredDocument};
pub use draft::Drafted;
pub use last_outcome::LastOutcome;
pub use messages::StoredMessage;
pub use outgoing::{Outgoing, StoredOutgoing};
pub use outgoing_send::OutgoingCommitted;
pub use owed::{Owed, OwedPage, OwedTo};
pub use owners::ListedBot;
pub use page::{Page, Place};
pub use pause::{Paused, Resumed};
pub use release::{Release, Released, Why};
pub use repend::Repended;
pub use store::Stored;
pub use sweeper_run::SweeperRun;
pub use take_over::TakenOver;
pub use thread::{Delivery, ThreadMessage, TurnSummary};
pub use turn::Turn;
pub use turns::ListedTurn;

use crate::error::Class;
use crate::vault::Vault;

type Item = HashMap<String, AttributeValue>;

/// The table, and how long its items are kept.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
    retention_ms: i64,
    vault: Option<Vault>,
}

/// Why an operation failed for a reason of its own, a lost race not being one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Throttled, or not reachable, or an answer that did not come.
    Unavailable,
    /// Another transaction touched the same item, again and again.
    Conflict,
    /// The request is wrong: the table is missing, access is denied, an item is too large.
    Refused,
    /// An item of the table is not what this version writes or reads.
    Malformed,
}

/// An operation of the table failed. Keeps the service's error code but not the error itself, whose debug
/// form would show items (I11).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table operation {operation} failed: {cause:?} ({code})")]
pub struct TableError {
    /// Which operation.
    pub operation: &'static str,
    /// Why.
    pub cause: Cause,
    /// The service's error code, or what was found malformed.
    pub code: String,
}

impl TableError {
    /// What is refused or malformed will be so at the next try too; everything else may pass.
    #[must_use]
    pub fn class(&self) -> Class {
        match self.cause {
            Cause::Unavailable | Cause::Conflict => Class::Retry,
            Cause::Refused | Cause::Malformed => Class::Permanent,
        }
    }

    fn malformed(operation: &'static str, what: impl Into<String>) -> Self {
        Self {
            operation,
            cause: Cause::Malformed,
            code: what.into(),
        }
    }

    fn from_sdk<E: ProvideErrorMetadata, R>(
        operation: &'static str,
        error: &SdkError<E, R>,
    ) -> Self {
        let code = error.code().unwrap_or(match error {
            SdkError::TimeoutError(_) => "Timeout",
            SdkError::DispatchFailure(_) => "Dispatch",
            SdkError::ResponseError(_) => "Response",
            _ => "Unknown",
        });
        let cause = match code {
            "TransactionConflictException" | "TransactionInProgressException" => Cause::Conflict,
            "AccessDeniedException"
            | "ResourceNotFoundException"
            | "ValidationException"
            | "ItemCollectionSizeLimitExceededException" => Cause::Refused,
            _ => Cause::Unavailable,
        };
        Self {
            operation,
            cause,
            code: code.to_owned(),
        }
    }
}

impl Table {
    /// The table `name`; messages and turns are kept for `retention_days`.
    #[must_use]
    pub fn new(client: Client, name: String, retention_days: u32) -> Self {
        Self {
            client,
            name,
            retention_ms: i64::from(retention_days) * 86_400_000,
            vault: None,
        }
    }

    /// The same table, which seals the bots' secrets that it writes and opens those that it reads. Without a vault they are
    /// written as they are, and sealed ones cannot be read.
    #[must_use]
    pub fn with_vault(self, vault: Option<Vault>) -> Self {
        Self { vault, ..self }
    }

    /// When an item written now may be deleted, in seconds since 1970 as DynamoDB's TTL wants it.
    fn expires_at(&self, now: crate::conversation::ids::EpochMs) -> AttributeValue {
        n(now.plus_ms(self.retention_ms).0 / 1000)
    }

    /// Opens the connection to DynamoDB, during init. Reads one key that never exists; 0.5 RCU.
    ///
    /// # Errors
    /// The table cannot be reached or read.
    pub async fn warm_up(&self) -> Result<(), TableError> {
        self.client
            .get_item()
            .table_name(&self.name)
            .key("pk", s("-"))
            .key("sk", s("-"))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| TableError::from_sdk("warm_up", &e))
    }
}

fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "numbers are copied anyway, and calls read better"
)]
fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// How a transaction ended that was cancelled.
struct Cancelled {
    reasons: Vec<CancellationReason>,
}

impl Cancelled {
    /// Whether the condition of the n-th write failed.
    fn condition_failed(&self, index: usize) -> bool {
        self.has(index, "ConditionalCheckFailed")
    }

    fn has(&self, index: usize, code: &str) -> bool {
        self.reasons
            .get(index)
            .is_some_and(|reason| reason.code() == Some(code))
    }

    /// The item as it was when the n-th write's condition failed.
    fn old_item(&self, index: usize) -> Option<&Item> {
        self.reasons.get(index).and_then(CancellationReason::item)
    }

    /// Whether any write's condition failed.
    fn any_condition_failed(&self) -> bool {
        (0..self.reasons.len()).any(|index| self.condition_failed(index))
    }

    /// The error of a transaction that was cancelled for a reason it has no answer to.
    fn refused(&self, operation: &'static str) -> TableError {
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
enum Transacted {
    Done,
    Cancelled(Cancelled),
}

/// What a transaction is called. Those that meet in a conflict have different names, and so wait differently.
#[derive(Clone, Copy)]
enum Name<'a> {
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
    async fn transact(
        &self,
        operation: &'static str,
        name: Name<'_>,
        writes: Vec<aws_sdk_dynamodb::types::TransactWriteItem>,
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
}

/// Runs a write to one item, again when a transaction conflicts with it, as [`Table::transact`] does. `name` only spreads
/// the pauses of those who meet.
async fn in_spite_of_conflicts<T, E, R, F>(
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
fn conflict_pause(token: &str, tries: u32) -> Duration {
    let ceiling_ms = f64::from(5_u32 << tries.min(6));
    let jitter = crate::conversation::backoff::fraction(&format!("{token}{tries}"));
    Duration::from_secs_f64(ceiling_ms * (0.5 + 0.5 * jitter) / 1000.0)
}
