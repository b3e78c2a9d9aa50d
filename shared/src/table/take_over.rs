//! K1, when a claim has expired: a new fence shuts its old owner out.

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::claim::lost_race;
use super::schema::item_key;
use super::{ClaimRequest, Table, TableError, item, keys, n, s};
use crate::conversation::head::{Claim, Head};

/// What came of a takeover.
#[derive(Clone, Debug, PartialEq)]
pub enum TakenOver {
    /// The claim is ours; HEAD as it is now.
    Won(Head),
    /// Somebody was faster, or more came in; HEAD as it was.
    Lost(Option<Head>),
}

impl Table {
    /// Takes an expired claim over, if it is still the one that was seen. Without a draft, what has come in
    /// since joins the burst and the model is asked again, which is a new try; with a draft the burst stays
    /// as it is and only the sending is repeated (I2, I5).
    ///
    /// Key: HEAD. Costs 1 WCU.
    ///
    /// # Errors
    /// The table cannot be reached. The write may have happened all the same; the next try recognises
    /// itself by its owner.
    pub async fn take_over(
        &self,
        request: ClaimRequest<'_>,
        head: &Head,
        claim: &Claim,
    ) -> Result<TakenOver, TableError> {
        const OPERATION: &str = "take_over";
        const NEW_FENCE: &str =
            "SET fence = fence + :one, c_fence = fence + :one, c_owner = :owner, c_until = :until";
        const STILL_EXPIRED: &str = "c_fence = :seen AND c_until < :now";
        let mut update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(request.id), keys::HEAD)))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":owner", s(&request.owner.0))
            .expression_attribute_values(":until", n(request.until.0))
            .expression_attribute_values(":seen", n(claim.fence.0))
            .expression_attribute_values(":now", n(request.now.0))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        update = if claim.draft.is_some() {
            update
                .update_expression(format!("{NEW_FENCE}, c_sends = c_sends + :one"))
                .condition_expression(format!("{STILL_EXPIRED} AND attribute_exists(c_text)"))
        } else if let (false, Some(last)) = (head.pend.is_empty(), &head.last_key) {
            let merged = head.pend.union(&claim.keys).cloned().collect();
            // last_mid moves with every message that becomes pending: unchanged means the set is complete.
            update
                .update_expression(format!(
                    "{NEW_FENCE}, tries = tries + :one, c_mids = :merged REMOVE pend, pend_since"
                ))
                .condition_expression(format!(
                    "{STILL_EXPIRED} AND attribute_not_exists(c_text) AND last_mid = :last \
                     AND attribute_exists(pend)"
                ))
                .expression_attribute_values(":merged", item::key_set(&merged))
                .expression_attribute_values(":last", s(last.as_str()))
        } else {
            update
                .update_expression(format!("{NEW_FENCE}, tries = tries + :one"))
                .condition_expression(format!(
                    "{STILL_EXPIRED} AND attribute_not_exists(c_text) AND attribute_not_exists(pend)"
                ))
        };
        match update.send().await {
            Ok(output) => Ok(TakenOver::Won(item::head(
                OPERATION,
                output.attributes.unwrap_or_default(),
            )?)),
            Err(error) => match lost_race(&error) {
                Some(old) => Ok(TakenOver::Lost(
                    old.map(|old| item::head(OPERATION, old)).transpose()?,
                )),
                None => Err(TableError::from_sdk(OPERATION, &error)),
            },
        }
    }
}
