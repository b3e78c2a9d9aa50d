//! What the functions ask of AWS, counted: every request that they make, and the capacity units that it consumes, by the
//! key that they are consumed at.
//!
//! Units of reads are the engine's own report. Units of writes are computed here, from the item before and after the
//! write, because AWS reports them for a whole transaction and not by item, and reports nothing for a write whose condition
//! fails, although that costs too. Where the engine does report, both must agree ([`Meter::disagreements`]).

mod capacity;

use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::future::BoxFuture;
use local::engines::{Call, Engines, Intercept, Lost, Reply};
use serde_json::{Value, json};

pub use capacity::{Charge, Place};

use crate::faults::{ROLE, Role};

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which function made it.
    pub role: Option<Role>,
    /// The service and the operation: `dynamodb:UpdateItem`, `sqs:SendMessage`.
    pub operation: String,
    /// What it consumed of the table.
    pub charges: Vec<Charge>,
}

/// Stands before another interceptor and counts what passes.
pub struct Meter {
    inner: Arc<dyn Intercept>,
    indexes: Vec<capacity::Index>,
    asked: Mutex<Vec<Asked>>,
    disagreements: Mutex<Vec<String>>,
}

impl Meter {
    /// Counts what goes to `inner`.
    #[must_use]
    pub fn before(inner: Arc<dyn Intercept>) -> Self {
        let table = crate::template::table_definition().unwrap();
        Self {
            inner,
            indexes: capacity::indexes(&table),
            asked: Mutex::default(),
            disagreements: Mutex::default(),
        }
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap()
    }

    /// How many requests there were so far: a mark for [`Meter::since`].
    pub fn mark(&self) -> usize {
        self.asked().len()
    }

    /// The requests after a mark.
    pub fn since(&self, mark: usize) -> Vec<Asked> {
        self.asked().split_at(mark).1.to_vec()
    }

    /// Requests for which the engine reports other units than were computed: must stay empty.
    pub fn disagreements(&self) -> Vec<String> {
        self.disagreements.lock().unwrap().clone()
    }

    /// What these items take up in the table and its indexes, in bytes as AWS bills them.
    pub fn stored_bytes(&self, items: &[Value]) -> i64 {
        let bytes = items
            .iter()
            .map(|item| capacity::stored_bytes(item, &self.indexes));
        i64::try_from(bytes.sum::<usize>()).unwrap()
    }

    /// A request to the table. The engine answers at once and one at a time, so nobody writes between the two looks at
    /// the items (faults that come late would break that: a metered world arms none).
    async fn table(
        &self,
        operation: &str,
        mut call: Call,
        engines: &Engines,
    ) -> Result<Reply, Lost> {
        let Ok(mut request) = serde_json::from_slice::<Value>(&call.body) else {
            return self.inner.intercept(call, engines).await;
        };
        request["ReturnConsumedCapacity"] = json!("INDEXES");
        call.body = request.to_string().into();
        let writes = capacity::writes(operation, &request);
        let look = |engines: &Engines| -> Vec<_> {
            let images = writes.iter().map(|write| engines.read_item(&write.read()));
            images.collect()
        };
        let before = look(engines);
        let reply = self.inner.intercept(call, engines).await?;
        let after = look(engines);
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
        let is_done = reply.status == 200;
        let mut charges = Vec::new();
        for ((write, before), after) in writes.iter().zip(&before).zip(&after) {
            charges.extend(write.charges(before.as_ref(), after.as_ref(), is_done, &self.indexes));
        }
        if is_done {
            let reported = capacity::reported(&answer);
            let computed: f64 = charges.iter().map(|charge| charge.units).sum();
            if writes.is_empty() {
                charges = capacity::reads(&request, reported);
            } else if (reported - computed).abs() > 1e-9 {
                let told = format!("{operation}: {computed} computed, {reported} reported");
                self.disagreements.lock().unwrap().push(told);
            }
        }
        self.note(format!("dynamodb:{operation}"), charges);
        Ok(reply)
    }

    fn note(&self, operation: String, charges: Vec<Charge>) {
        let role = ROLE.try_with(|role| *role).ok();
        self.asked().push(Asked {
            role,
            operation,
            charges,
        });
    }
}

impl Intercept for Meter {
    fn intercept<'a>(
        &'a self,
        call: Call,
        engines: &'a Engines,
    ) -> BoxFuture<'a, Result<Reply, Lost>> {
        Box::pin(async move {
            let (service, operation) = call.target.split_once('.').unwrap_or(("", &call.target));
            let operation = operation.to_owned();
            if service.starts_with("DynamoDB") {
                return self.table(&operation, call, engines).await;
            }
            let service = if service.contains("SQS") {
                "sqs"
            } else {
                "sns"
            };
            let reply = self.inner.intercept(call, engines).await?;
            self.note(format!("{service}:{operation}"), Vec::new());
            Ok(reply)
        })
    }
}
