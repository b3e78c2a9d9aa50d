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
mod transact;
mod turn;
mod turns;
mod usage;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;

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

use transact::{Name, Transacted, conflict_pause, in_spite_of_conflicts};

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
