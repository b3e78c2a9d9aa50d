//! K4: the reply is stored before it is sent.

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::claim::lost_race;
use super::schema::item_key;
use super::{Table, TableError, item, keys, n, s};
use crate::conversation::head::{Draft, Head};
use crate::conversation::ids::{ConversationId, EpochMs, Fence};

/// What came of storing a draft.
#[derive(Clone, Debug, PartialEq)]
pub enum Drafted {
    /// It is stored, by this call or an earlier one of the same owner; HEAD as it is now. What HEAD holds
    /// is what must be sent.
    Stored(Head),
    /// A person has taken the conversation: the answer is thrown away.
    Paused {
        /// Until when.
        until: EpochMs,
    },
    /// The claim is somebody else's by now.
    FencedOut,
}

impl Table {
    /// Stores the reply of a claimed burst, once: while the fence holds, there is no draft yet (I2), and no
    /// person has taken the conversation.
    ///
    /// Key: HEAD. Costs the WCU of HEAD's size, the text included.
    ///
    /// # Errors
    /// The table cannot be reached. The draft may be stored all the same; the lease runs out and the next
    /// owner finds it.
    pub async fn draft(
        &self,
        id: &ConversationId,
        fence: Fence,
        draft: &Draft,
        now: EpochMs,
    ) -> Result<Drafted, TableError> {
        const OPERATION: &str = "draft";
        let outcome = serde_json::to_string(&draft.outcome)
            .map_err(|_| TableError::malformed(OPERATION, "outcome"))?;
        let answer = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), keys::HEAD)))
            .update_expression(
                "SET c_text = :text, c_rid = :rid, c_outcome = :outcome, c_sends = :sends",
            )
            .condition_expression(
                "c_fence = :fence AND attribute_not_exists(c_text) \
                 AND (attribute_not_exists(paused_until) OR paused_until <= :now)",
            )
            .expression_attribute_values(":text", s(&draft.text))
            .expression_attribute_values(":rid", s(draft.reply_id.as_str()))
            .expression_attribute_values(":outcome", s(outcome))
            .expression_attribute_values(":sends", n(draft.sends))
            .expression_attribute_values(":fence", n(fence.0))
            .expression_attribute_values(":now", n(now.0))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match answer {
            Ok(output) => {
                let head = item::head(OPERATION, output.attributes.unwrap_or_default())?;
                return Ok(Drafted::Stored(head));
            }
            Err(error) => error,
        };
        let Some(old) = lost_race(&error) else {
            return Err(TableError::from_sdk(OPERATION, &error));
        };
        let head = item::head(OPERATION, old.unwrap_or_default())?;
        Ok(match (&head.claim, head.paused_until) {
            (Some(claim), _) if claim.fence == fence && claim.draft.is_some() => {
                // Only the fence's owner writes it: our own write whose answer was lost.
                Drafted::Stored(head)
            }
            (Some(claim), Some(until)) if claim.fence == fence => Drafted::Paused { until },
            _ => Drafted::FencedOut,
        })
    }
}
