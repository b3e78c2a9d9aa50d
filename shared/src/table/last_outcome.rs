//! How the last call to a provider went: one item a provider, so that its health can be told without a paid call.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use serde::{Deserialize, Serialize};

use super::schema::item_key;
use super::{Item, Table, TableError, keys, n};
use crate::conversation::ids::EpochMs;

/// How a call went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastOutcome {
    /// When it ended.
    pub at: EpochMs,
    /// The model asked, or that answered.
    pub model: String,
    /// `ok`, or the class of the error.
    pub class: String,
}

impl Table {
    /// Keeps how the last call to a provider went. Key: the provider's last outcome. Condition: none is kept that is as
    /// new, because every instance of the worker keeps its own; failing it is no error. Costs 1 WCU. Idempotent.
    ///
    /// # Errors
    /// The table cannot be reached: a later call is kept instead.
    pub async fn keep_outcome(
        &self,
        provider: &str,
        outcome: &LastOutcome,
    ) -> Result<(), TableError> {
        const OPERATION: &str = "keep_outcome";
        let mut item: Item = serde_dynamo::to_item(outcome)
            .map_err(|_| TableError::malformed(OPERATION, "outcome"))?;
        item.extend(item_key(&keys::breaker(provider), keys::LAST_OUTCOME));
        let kept = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #at < :at")
            // A reserved word.
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", n(outcome.at.0))
            .send()
            .await;
        match kept {
            Ok(_) => Ok(()),
            Err(e)
                if e.as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(e) => Err(TableError::from_sdk(OPERATION, &e)),
        }
    }

    /// How the last call to a provider went; none before the first one. One consistent GetItem, 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn last_outcome(&self, provider: &str) -> Result<Option<LastOutcome>, TableError> {
        const OPERATION: &str = "last_outcome";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::breaker(provider), keys::LAST_OUTCOME)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        output
            .item
            .map(serde_dynamo::from_item)
            .transpose()
            .map_err(|_| TableError::malformed(OPERATION, "the outcome has another shape"))
    }
}
