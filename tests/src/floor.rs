//! The DynamoDB engine by itself, in its wire format: what a bench holds the system against.

use local::engines::{Call, Engines};
use serde_json::{Value, json};

/// Calls an operation of DynamoDB.
///
/// # Errors
/// It was not answered with 200.
pub async fn call(engines: &Engines, operation: &str, body: &Value) -> anyhow::Result<()> {
    let call = Call {
        target: format!("DynamoDB_20120810.{operation}"),
        body: body.to_string().into(),
    };
    let status = engines.call(&call).await.status;
    anyhow::ensure!(status == 200, "{operation} was answered with {status}");
    Ok(())
}

/// Puts the `number`th new item under `attribute_not_exists`: four in a partition.
///
/// # Errors
/// It was not answered with 200.
pub async fn put(engines: &Engines, table: &str, number: u32) -> anyhow::Result<()> {
    let (pk, sk) = (format!("FLOOR#{}", number / 4), format!("M#{number:013}"));
    let item = json!({"pk": {"S": pk}, "sk": {"S": sk}, "text": {"S": "hari minggu jam buka sampai jam berapa?"}});
    let body = json!({"TableName": table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"});
    call(engines, "PutItem", &body).await
}
