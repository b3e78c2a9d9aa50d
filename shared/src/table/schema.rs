//! The table's definition. `template.yaml` holds the same one; a test compares the two.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};

use super::{TableError, s};

/// The index of a bot's conversations by activity.
pub const BY_ACTIVITY: &str = "by_activity";
/// The sparse index of conversations that are owed an answer.
pub const OWED: &str = "owed";
/// The attribute that says when an item may be deleted, in seconds since 1970.
pub const TTL_ATTRIBUTE: &str = "expires_at";

fn attribute(name: &str, kind: ScalarAttributeType) -> Result<AttributeDefinition, BuildError> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(kind)
        .build()
}

fn key(partition: &str, sort: &str) -> Result<Vec<KeySchemaElement>, BuildError> {
    [(partition, KeyType::Hash), (sort, KeyType::Range)]
        .into_iter()
        .map(|(name, kind)| {
            KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(kind)
                .build()
        })
        .collect()
}

fn index(
    name: &str,
    partition: &str,
    sort: &str,
    projection: Projection,
) -> Result<GlobalSecondaryIndex, BuildError> {
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .set_key_schema(Some(key(partition, sort)?))
        .projection(projection)
        .build()
}

/// Creates the table on an engine that has none: the one-machine run and the tests. On AWS the template
/// creates it. A table that exists already is left as it is.
///
/// # Errors
/// The engine refuses.
pub async fn create(client: &Client, name: &str) -> Result<(), TableError> {
    let malformed = |e: BuildError| TableError::malformed("create_table", e.to_string());
    let string = ScalarAttributeType::S;
    let number = ScalarAttributeType::N;
    let created = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(vec![
            attribute("pk", string.clone()).map_err(malformed)?,
            attribute("sk", string.clone()).map_err(malformed)?,
            attribute("list_pk", string.clone()).map_err(malformed)?,
            attribute("list_at", number.clone()).map_err(malformed)?,
            attribute("owed_pk", string).map_err(malformed)?,
            attribute("owed_since", number).map_err(malformed)?,
        ]))
        .set_key_schema(Some(key("pk", "sk").map_err(malformed)?))
        .global_secondary_indexes(
            index(BY_ACTIVITY, "list_pk", "list_at", listed()).map_err(malformed)?,
        )
        .global_secondary_indexes(
            index(OWED, "owed_pk", "owed_since", keys_only()).map_err(malformed)?,
        )
        .send()
        .await;
    match created {
        Ok(_) => {}
        Err(e)
            if e.as_service_error()
                .is_some_and(CreateTableError::is_resource_in_use_exception) =>
        {
            return Ok(());
        }
        Err(e) => return Err(TableError::from_sdk("create_table", &e)),
    }
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(
            TimeToLiveSpecification::builder()
                .attribute_name(TTL_ATTRIBUTE)
                .enabled(true)
                .build()
                .map_err(malformed)?,
        )
        .send()
        .await
        .map(|_| ())
        .map_err(|e| TableError::from_sdk("create_table", &e))
}

/// What the list of conversations shows without reading anything else. A write that changes none of them costs nothing
/// in the index.
const LIST_ATTRIBUTES: [&str; 11] = [
    "contact",
    "contact_name",
    "last_text",
    "last_kind",
    "last_author",
    "unread",
    "paused_until",
    "paused_by",
    "opted_out_at",
    "failed_turn",
    "search_text",
];

fn listed() -> Projection {
    Projection::builder()
        .projection_type(ProjectionType::Include)
        .set_non_key_attributes(Some(LIST_ATTRIBUTES.map(str::to_owned).to_vec()))
        .build()
}

/// Nothing but keys: whatever else HEAD holds changes with every message, and each change would be a
/// write to the index.
fn keys_only() -> Projection {
    Projection::builder()
        .projection_type(ProjectionType::KeysOnly)
        .build()
}

/// A key of the table, for an operation on one item.
pub(super) fn item_key(pk: &str, sk: &str) -> super::Item {
    [("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))].into()
}
