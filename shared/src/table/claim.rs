//! K1: one conditional write moves everything pending into a claim.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::schema::item_key;
use super::{Item, Table, TableError, item, keys, n, s};
use crate::conversation::decide::Debounce;
use crate::conversation::head::Head;
use crate::conversation::ids::{ConversationId, EpochMs, MessageKey, Owner};

/// Who wants to claim what.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRequest<'a> {
    /// The conversation.
    pub id: &'a ConversationId,
    /// The trigger's own message.
    pub key: &'a MessageKey,
    /// Who claims.
    pub owner: &'a Owner,
    /// When the claim may be taken over.
    pub until: EpochMs,
    /// The time.
    pub now: EpochMs,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Claimed {
    /// The burst is ours; HEAD as it is now.
    Won(Head),
    /// Not at once; HEAD as it was, if there is one. [`decide`](crate::conversation::decide::decide)
    /// says what to do.
    Lost(Option<Head>),
}

impl Table {
    /// Claims the burst if the trigger's own message is pending, nobody works on the conversation, and the
    /// customer has paused, waited long enough or written enough (I4, I6). A pause by a person and the
    /// backoff of a failed burst hold it back.
    ///
    /// Key: HEAD. Costs the WCU of HEAD's size, and nothing in the index by activity, which shows nothing of a claim.
    ///
    /// The first fence of a conversation is the time in milliseconds: a contact that was erased and writes again must
    /// not get the fence of a worker that is still at work on what was erased (I4).
    ///
    /// # Errors
    /// The table cannot be reached. The write may have happened all the same; the next try recognises
    /// itself by its owner.
    pub async fn claim(
        &self,
        request: ClaimRequest<'_>,
        debounce: &Debounce,
    ) -> Result<Claimed, TableError> {
        const OPERATION: &str = "claim";
        let waited = request
            .now
            .plus_ms(-i64::from(debounce.max_wait_seconds) * 1000);
        let answer = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(request.id), keys::HEAD)))
            .update_expression(
                "SET fence = if_not_exists(fence, :now) + :one, c_fence = if_not_exists(fence, :now) + :one, \
                 c_owner = :owner, c_until = :until, c_mids = pend, c_since = pend_since, \
                 tries = if_not_exists(tries, :zero) + :one REMOVE pend, pend_since, retry_at",
            )
            .condition_expression(
                "contains(pend, :key) AND attribute_not_exists(c_fence) \
                 AND (last_mid = :key OR pend_since <= :waited OR size(pend) >= :many) \
                 AND (attribute_not_exists(paused_until) OR paused_until <= :now) \
                 AND (attribute_not_exists(retry_at) OR retry_at <= :now)",
            )
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":owner", s(&request.owner.0))
            .expression_attribute_values(":until", n(request.until.0))
            .expression_attribute_values(":now", n(request.now.0))
            .expression_attribute_values(":waited", n(waited.0))
            .expression_attribute_values(":many", n(debounce.max_messages))
            .expression_attribute_values(":key", s(request.key.as_str()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(output) => Ok(Claimed::Won(item::head(
                OPERATION,
                output.attributes.unwrap_or_default(),
            )?)),
            Err(error) => match lost_race(&error) {
                Some(old) => Ok(Claimed::Lost(
                    old.map(|old| item::head(OPERATION, old)).transpose()?,
                )),
                None => Err(TableError::from_sdk(OPERATION, &error)),
            },
        }
    }
}

/// The old item, when the condition of an update failed; the outer None is any other error.
#[expect(
    clippy::option_option,
    reason = "no failed condition, and a failed condition on no item, are two things"
)]
pub(super) fn lost_race<R>(error: &SdkError<UpdateItemError, R>) -> Option<Option<Item>> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
            Some(failed.item().cloned())
        }
        _ => None,
    }
}
