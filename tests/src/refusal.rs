//! How the services of AWS refuse, on the wire.

use local::engines::{Call, Reply};
use serde_json::{Value, json};

/// How a service refuses what it could do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There are too many calls.
    Throttled,
    /// It is out of order: 503.
    Unavailable,
    /// A transaction is at work on the same item.
    Conflict,
}

impl Refusal {
    /// The answer to a call.
    #[must_use]
    pub fn reply(self, call: &Call) -> Reply {
        let is_table = call.target.starts_with("DynamoDB");
        match self {
            Self::Conflict if call.target.ends_with("TransactWriteItems") => {
                cancelled(call, &["TransactionConflict"])
            }
            Self::Conflict if is_table => error(400, "TransactionConflictException"),
            Self::Throttled if is_table => error(400, "ProvisionedThroughputExceededException"),
            Self::Throttled => error(400, "ThrottlingException"),
            Self::Unavailable | Self::Conflict => error(503, "ServiceUnavailable"),
        }
    }
}

/// An error of this name.
#[must_use]
pub fn error(status: u16, name: &str) -> Reply {
    let body = json!({"__type": format!("com.amazonaws#{name}"), "message": "scripted"});
    Reply::json(status, body.to_string())
}

/// A transaction that is cancelled: its first writes have these reasons, the others none.
#[must_use]
pub fn cancelled(call: &Call, codes: &[&str]) -> Reply {
    let request: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let writes = request["TransactItems"].as_array().map_or(1, Vec::len);
    let codes = codes.iter().copied().chain(std::iter::repeat("None"));
    let reasons: Vec<Value> = codes
        .take(writes)
        .map(|code| json!({"Code": code, "Message": "scripted"}))
        .collect();
    let body = json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "Transaction cancelled", "CancellationReasons": reasons});
    Reply::json(400, body.to_string())
}
