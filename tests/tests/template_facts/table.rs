//! The template's table is the one that the code creates where there is no template.

use local::world::TABLE;
use serde_json::{Value, json};
use tests::template::{Template, table_definition_of};
use tests::world::TestWorld;

use crate::project_template;

/// What the code's table is on the embedded engine: in the shape of `CreateTable`, lists in a fixed order; and its TTL.
async fn created() -> (Value, Value) {
    let world = TestWorld::new(&[]).await;
    let name = json!({"TableName": TABLE});
    let described = world.dynamodb("DescribeTable", name.clone()).await;
    let ttl = world.dynamodb("DescribeTimeToLive", name).await;
    let billing = described["Table"]["BillingModeSummary"]["BillingMode"].clone();
    let mut table = described["Table"].clone();
    table["BillingMode"] = billing;
    (in_order(&table), ttl["TimeToLiveDescription"].clone())
}

/// The parts of a definition that must agree, with lists whose order means nothing in a fixed one.
fn in_order(definition: &Value) -> Value {
    let sorted = |list: &Value| {
        let mut items: Vec<Value> = list.as_array().cloned().unwrap_or_default();
        items.sort_by_key(Value::to_string);
        items
    };
    let mut indexes: Vec<Value> = sorted(&definition["GlobalSecondaryIndexes"])
        .iter()
        .map(|index| {
            json!({
                "IndexName": index["IndexName"],
                "KeySchema": index["KeySchema"],
                "ProjectionType": index["Projection"]["ProjectionType"],
                "NonKeyAttributes": sorted(&index["Projection"]["NonKeyAttributes"]),
            })
        })
        .collect();
    indexes.sort_by_key(|index| index["IndexName"].to_string());
    json!({
        "AttributeDefinitions": sorted(&definition["AttributeDefinitions"]),
        "KeySchema": definition["KeySchema"],
        "GlobalSecondaryIndexes": indexes,
        "BillingMode": definition["BillingMode"],
    })
}

fn of_template(template: &Template) -> Value {
    in_order(&table_definition_of(template).unwrap_or_default())
}

#[tokio::test]
async fn the_template_and_the_code_define_the_same_table() {
    let template = project_template();
    let (table, ttl) = created().await;
    assert_eq!(of_template(&template), table);
    let specified = &template.properties("Table")["TimeToLiveSpecification"];
    assert_eq!(specified["AttributeName"], ttl["AttributeName"]);
    assert_eq!(ttl["TimeToLiveStatus"], "ENABLED");
}

#[tokio::test]
async fn a_table_that_differs_is_seen() {
    let (table, _) = created().await;
    for (pointer, value) in [
        ("/AttributeDefinitions/3/AttributeType", json!("S")),
        ("/KeySchema/1/AttributeName", json!("list_at")),
        (
            "/GlobalSecondaryIndexes/0/Projection/NonKeyAttributes/0",
            json!("other"),
        ),
        (
            "/GlobalSecondaryIndexes/1/Projection/ProjectionType",
            json!("ALL"),
        ),
        ("/GlobalSecondaryIndexes/1", Value::Null),
        ("/BillingMode", json!("PROVISIONED")),
    ] {
        let mut template = project_template();
        crate::put(
            &mut template.document,
            &format!("/Resources/Table/Properties{pointer}"),
            value,
        );
        assert_ne!(of_template(&template), table, "{pointer}");
    }
}
