//! A contact is erased: its whole partition.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};

use super::schema::item_key;
use super::{Item, Table, TableError, conflict_pause, in_spite_of_conflicts, keys, n, s};
use crate::conversation::ids::{ConversationId, EpochMs};

/// How long an erasure that died keeps messages out. Longer than any invocation, so that one that lives keeps them out
/// to its end.
const ERASING_MS: i64 = 60_000;
/// Items looked up at a time.
const ITEMS: i32 = 500;
/// Items of one BatchWriteItem.
const BATCH: usize = 25;
/// Tries in a row at items that DynamoDB left unprocessed.
const BATCH_TRIES: u32 = 8;

const OPERATION: &str = "erase";

impl Table {
    /// Erases everything of a contact in this conversation: messages, turns, and HEAD with its name, its pause, and its
    /// opt-out. Whoever writes again afterwards begins a new conversation.
    ///
    /// HEAD comes first: a put leaves only `erasing_until` of it. Without its fence every worker is fenced out and can
    /// write nothing more here (I4), and as long as it stands no message can be stored: its sender comes again, and it
    /// is not erased with the others (I1). HEAD itself goes last, if it still is what was put here.
    ///
    /// Keys: HEAD, and whatever else is in the partition. Costs 2 WCU for HEAD, and per kB read 0.25 RCU and erased 1
    /// WCU. Can be called again at any time, and must be when it fails: what is left is erased then (I13).
    ///
    /// # Errors
    /// The table cannot be reached. Some of it may be left; messages are accepted again after a minute at most.
    pub async fn erase(&self, id: &ConversationId, now: EpochMs) -> Result<(), TableError> {
        let pk = keys::conversation(id);
        let until = now.plus_ms(ERASING_MS);
        let mut head = item_key(&pk, keys::HEAD);
        head.insert("erasing_until".to_owned(), n(until.0));
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(head));
        in_spite_of_conflicts(&pk, || put.clone().send())
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let mut from = None;
        loop {
            let (items, next) = self.items_beside_head(&pk, from).await?;
            for batch in items.chunks(BATCH) {
                self.delete_batch(&pk, batch).await?;
            }
            // Nothing can be added behind us, so one walk through the partition sees all of it.
            if next.is_none() {
                break;
            }
            from = next;
        }
        self.delete_marker(&pk, until).await
    }

    /// The keys of a partition's items, without HEAD, from a place on, and the next place. Consistent.
    async fn items_beside_head(
        &self,
        pk: &str,
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), TableError> {
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(pk))
            .projection_expression("pk, sk")
            .limit(ITEMS)
            .set_exclusive_start_key(from)
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let mut items = output.items.unwrap_or_default();
        items.retain(|item| item.get("sk") != Some(&s(keys::HEAD)));
        Ok((items, output.last_evaluated_key))
    }

    /// Deletes up to 25 items; again what was left unprocessed.
    async fn delete_batch(&self, pk: &str, items: &[Item]) -> Result<(), TableError> {
        let mut writes = items
            .iter()
            .map(|key| {
                let delete = DeleteRequest::builder()
                    .set_key(Some(key.clone()))
                    .build()
                    .map_err(|e| TableError::malformed(OPERATION, e.to_string()))?;
                Ok(WriteRequest::builder().delete_request(delete).build())
            })
            .collect::<Result<Vec<_>, TableError>>()?;
        for tries in 1..=BATCH_TRIES {
            let output = self
                .client
                .batch_write_item()
                .request_items(&self.name, writes)
                .send()
                .await
                .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
            let unprocessed = output.unprocessed_items.unwrap_or_default();
            writes = unprocessed.into_values().flatten().collect();
            if writes.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(conflict_pause(pk, tries)).await;
        }
        Err(TableError {
            operation: OPERATION,
            cause: super::Cause::Unavailable,
            code: "UnprocessedItems".to_owned(),
        })
    }

    /// The last of it, if it still is what this erasure has put there: another one may run, or, when this one was held
    /// up for longer than a minute, the contact may have written again.
    async fn delete_marker(&self, pk: &str, until: EpochMs) -> Result<(), TableError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(item_key(pk, keys::HEAD)))
            .condition_expression("erasing_until = :until AND attribute_not_exists(contact)")
            .expression_attribute_values(":until", n(until.0));
        match in_spite_of_conflicts(pk, || delete.clone().send()).await {
            Ok(_) => Ok(()),
            Err(e)
                if e.as_service_error()
                    .is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(e) => Err(TableError::from_sdk(OPERATION, &e)),
        }
    }
}
