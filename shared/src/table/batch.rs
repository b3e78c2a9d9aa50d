//! Reading many items by their keys.

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::{Cause, Item, Table, TableError, conflict_pause};

/// Items of one BatchGetItem.
const BATCH: usize = 100;
/// Tries at keys that DynamoDB left unprocessed.
const TRIES: u32 = 5;

impl Table {
    /// The items with these keys, which must differ, in no order. Keys without an item are left out. Consistent; costs the
    /// RCU of their sizes, one request for each hundred.
    ///
    /// # Errors
    /// The table cannot be reached, or leaves keys unprocessed again and again.
    pub(super) async fn batch(
        &self,
        operation: &'static str,
        keys: Vec<Item>,
    ) -> Result<Vec<Item>, TableError> {
        let mut found = Vec::new();
        let mut left = keys;
        let mut tries = 0;
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(BATCH));
            let request = KeysAndAttributes::builder()
                .set_keys(Some(left))
                .consistent_read(true)
                .build()
                .map_err(|e| TableError::malformed(operation, e.to_string()))?;
            let output = self
                .client
                .batch_get_item()
                .request_items(&self.name, request)
                .send()
                .await
                .map_err(|e| TableError::from_sdk(operation, &e))?;
            found.extend(output.responses.unwrap_or_default().into_values().flatten());
            left = rest;
            let unprocessed: Vec<Item> = output
                .unprocessed_keys
                .unwrap_or_default()
                .into_values()
                .flat_map(|keys| keys.keys)
                .collect();
            if !unprocessed.is_empty() {
                tries += 1;
                if tries >= TRIES {
                    return Err(TableError {
                        operation,
                        cause: Cause::Unavailable,
                        code: "UnprocessedKeys".to_owned(),
                    });
                }
                tokio::time::sleep(conflict_pause(operation, tries)).await;
                left.extend(unprocessed);
            }
        }
        Ok(found)
    }
}
