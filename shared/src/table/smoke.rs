//! The replies that the smoke test's gateway has been given.

use aws_sdk_dynamodb::types::Select;

use super::schema::item_key;
use super::{Table, TableError, keys, n, s};
use crate::conversation::ids::{Contact, EpochMs, MessageId};

/// How long they are kept: for whoever looks into a deployment that failed.
const KEPT_MS: i64 = 24 * 3_600_000;

impl Table {
    /// Writes down a reply to a contact of the smoke test. The same id and text again is the same reply (I5). Costs 1 WCU.
    ///
    /// # Errors
    /// The table cannot be reached: whether it was written is not known, and the call may be repeated.
    pub async fn put_smoke_reply(
        &self,
        contact: &Contact,
        reply_id: &MessageId,
        text: &str,
        now: EpochMs,
    ) -> Result<(), TableError> {
        let key = item_key(
            &keys::smoke_replies(contact),
            &keys::smoke_reply(reply_id, text),
        );
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(key))
            .item("expires_at", n(now.plus_ms(KEPT_MS).0 / 1000))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| TableError::from_sdk("put_smoke_reply", &e))
    }

    /// How many different replies a contact of the smoke test was sent. One consistent Query of its partition, 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn smoke_replies(&self, contact: &Contact) -> Result<usize, TableError> {
        self.client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(keys::smoke_replies(contact)))
            .select(Select::Count)
            .consistent_read(true)
            .send()
            .await
            .map(|output| usize::try_from(output.count).unwrap_or_default())
            .map_err(|e| TableError::from_sdk("smoke_replies", &e))
    }
}
