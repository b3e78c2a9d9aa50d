//! The rules by which DynamoDB counts capacity units (its developer guide, "read and write operations" and "global
//! secondary indexes"):
//! - a write costs 1 unit for each kilobyte, rounded up, of the larger of the items before and after it; one whose condition
//!   fails costs the item that is there, 1 at least; in a transaction each costs twice as much, done or cancelled;
//! - an index costs by what changes in it: nothing when no attribute of it changes, one write when an entry comes, goes or
//!   changes, two when its key changes (it leaves one place and comes to another); never twice for a transaction.

use dynoxide::Item;
use dynoxide::types::{item_size, table_write_capacity_units, write_capacity_units};
use serde_json::{Value, json};

/// Where capacity is consumed: the table or an index of it, and the value of the partition key there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The index; none for the table itself.
    pub index: Option<String>,
    /// The partition key's value; of a read of several items `*`.
    pub partition: String,
}

/// Capacity units at a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    /// Where.
    pub place: Place,
    /// Write units, or read units.
    pub is_write: bool,
    /// How many.
    pub units: f64,
}

/// An index of the table.
pub struct Index {
    name: String,
    partition: String,
    sort: String,
    /// What it holds besides keys.
    attributes: Vec<String>,
}

/// The indexes of a table's definition.
pub fn indexes(table: &Value) -> Vec<Index> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let indexes = table["GlobalSecondaryIndexes"].as_array().unwrap().iter();
    indexes
        .map(|index| Index {
            name: text(&index["IndexName"]),
            partition: text(&index["KeySchema"][0]["AttributeName"]),
            sort: text(&index["KeySchema"][1]["AttributeName"]),
            attributes: match index["Projection"]["NonKeyAttributes"].as_array() {
                Some(names) => names.iter().map(text).collect(),
                None => Vec::new(),
            },
        })
        .collect()
}

impl Index {
    /// The entry of an item; none when it has not both keys.
    fn entry(&self, item: &Item) -> Option<Item> {
        if !item.contains_key(&self.partition) || !item.contains_key(&self.sort) {
            return None;
        }
        let keys = ["pk", "sk", &self.partition, &self.sort];
        let holds = |name: &String| keys.contains(&name.as_str()) || self.attributes.contains(name);
        let held = item.iter().filter(|(name, _)| holds(name));
        Some(held.map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    fn charge(&self, entry: &Item, units: f64) -> Charge {
        let partition = json!(entry[&self.partition])["S"]
            .as_str()
            .unwrap()
            .to_owned();
        Charge {
            place: Place {
                index: Some(self.name.clone()),
                partition,
            },
            is_write: true,
            units,
        }
    }

    fn charges(&self, before: Option<&Item>, after: Option<&Item>) -> Vec<Charge> {
        let before = before.and_then(|item| self.entry(item));
        let after = after.and_then(|item| self.entry(item));
        let units = |entry: &Item| write_capacity_units(item_size(entry));
        match (before, after) {
            (None, None) => Vec::new(),
            (Some(entry), None) | (None, Some(entry)) => vec![self.charge(&entry, units(&entry))],
            (Some(old), Some(new)) if old == new => Vec::new(),
            (Some(old), Some(new)) => {
                let is_moved = old[&self.partition] != new[&self.partition]
                    || old[&self.sort] != new[&self.sort];
                if is_moved {
                    [old, new]
                        .map(|entry| self.charge(&entry, units(&entry)))
                        .into()
                } else {
                    vec![self.charge(&new, units(&old).max(units(&new)))]
                }
            }
        }
    }
}

/// One item that a request writes or checks.
pub struct Write {
    table: String,
    key: Value,
    is_transaction: bool,
}

/// The items that a request writes or checks; none for a read.
pub fn writes(operation: &str, request: &Value) -> Vec<Write> {
    let one = |part: &Value, is_transaction| {
        let whole = match &part["Key"] {
            Value::Null => &part["Item"],
            key => key,
        };
        Write {
            table: part["TableName"].as_str().unwrap().to_owned(),
            key: json!({"pk": whole["pk"], "sk": whole["sk"]}),
            is_transaction,
        }
    };
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => vec![one(request, false)],
        "TransactWriteItems" => {
            let items = request["TransactItems"].as_array().unwrap().iter();
            let parts = items.flat_map(|item| item.as_object().unwrap().values());
            parts.map(|part| one(part, true)).collect()
        }
        _ => Vec::new(),
    }
}

impl Write {
    /// A request that reads the item.
    pub fn read(&self) -> Value {
        json!({"TableName": self.table, "Key": self.key, "ConsistentRead": true})
    }

    /// What it costs; `is_done` is false when a condition failed.
    pub fn charges(
        &self,
        before: Option<&Value>,
        after: Option<&Value>,
        is_done: bool,
        indexes: &[Index],
    ) -> Vec<Charge> {
        let item = |image: &Value| serde_json::from_value::<Item>(image.clone()).unwrap();
        let (before, after) = (before.map(item), after.map(item));
        let size = |image: &Option<Item>| image.as_ref().map(item_size);
        let after = if is_done { after } else { before.clone() };
        let factor = if self.is_transaction { 2.0 } else { 1.0 };
        let units = table_write_capacity_units(size(&before), size(&after)) * factor;
        let partition = self.key["pk"]["S"].as_str().unwrap().to_owned();
        let mut charges = vec![Charge {
            place: Place {
                index: None,
                partition,
            },
            is_write: true,
            units,
        }];
        for index in indexes {
            charges.extend(index.charges(before.as_ref(), after.as_ref()));
        }
        charges
    }
}

/// What an item takes up in the table and the indexes it is in: AWS bills 100 bytes more for each of them.
pub fn stored_bytes(item: &Value, indexes: &[Index]) -> usize {
    const OVERHEAD: usize = 100;
    let item: Item = serde_json::from_value(item.clone()).unwrap();
    let entries = indexes.iter().filter_map(|index| index.entry(&item));
    let in_indexes = entries.map(|entry| item_size(&entry) + OVERHEAD);
    item_size(&item) + OVERHEAD + in_indexes.sum::<usize>()
}

/// All units that the engine reports.
pub fn reported(answer: &Value) -> f64 {
    let one = |capacity: &Value| capacity["CapacityUnits"].as_f64().unwrap_or_default();
    match &answer["ConsumedCapacity"] {
        Value::Array(tables) => tables.iter().map(one).sum(),
        table => one(table),
    }
}

/// What a read costs: the units that the engine reports, at the partition that is read.
pub fn reads(request: &Value, units: f64) -> Vec<Charge> {
    let of_key = request["Key"]["pk"]["S"].as_str();
    // `pk = :name AND …`: the partition is always named first.
    let condition = request["KeyConditionExpression"]
        .as_str()
        .unwrap_or_default();
    let name = condition.split_whitespace().nth(2).unwrap_or_default();
    let of_query = request["ExpressionAttributeValues"][name]["S"].as_str();
    let partition = of_key.or(of_query).unwrap_or("*").to_owned();
    vec![Charge {
        place: Place {
            index: request["IndexName"].as_str().map(str::to_owned),
            partition,
        },
        is_write: false,
        units,
    }]
}
