//! The functions' policies at the seam: what each call needs, what the template's roles allow, and a front that refuses the
//! difference, as AWS would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use local::engines::{Call, Engines, Intercept, Lost, Reply};
use local::sns::{form, topic_arn};
use local::world::{ALERTS, DLQ, QUEUE, TABLE};
use serde_json::{Value, json};

use crate::faults::{ROLE, Role};
use crate::template::{self, Template};

/// An action, and the resource as the template names it: `Table`, `Table/index/owed`, `Queue`, `Key/sqs` (the key through SQS
/// alone), `parameter/PSEUDONYM_KEY`, `Worker:*` (each of its versions), `ServerlessDeploymentApplication/*` (each of its groups).
pub type Right = (String, String);
/// The rights of each function, by its binary.
pub type Policies = BTreeMap<&'static str, BTreeSet<Right>>;

/// What the roles of the template allow their functions. Statements that deny, and resources that are not named one by one,
/// allow nothing here; that there are none is a check of its own.
pub fn allowed(template: &Template) -> Policies {
    Role::ALL
        .map(|role| (role.binary(), rights(template, role.binary())))
        .into()
}

fn rights(template: &Template, binary: &str) -> BTreeSet<Right> {
    let Some((_, function)) = template.function_of_binary(binary) else {
        return BTreeSet::new();
    };
    let role = &function["Properties"]["Role"]["Fn::GetAtt"][0];
    let role = template.properties(role.as_str().unwrap_or_default());
    let statements = &role["Policies"][0]["PolicyDocument"]["Statement"];
    let mut rights = BTreeSet::new();
    let statements = statements.as_array().into_iter().flatten();
    for statement in statements.map(template::statement) {
        if statement["Effect"] != "Allow" {
            continue;
        }
        let via = services(statement);
        for resource in list(&statement["Resource"]) {
            for action in list(&statement["Action"]) {
                let action = action.as_str().unwrap_or_default();
                let names = match via.is_empty() {
                    true => vec![named(resource)],
                    false => via
                        .iter()
                        .map(|one| format!("{}/{one}", named(resource)))
                        .collect(),
                };
                rights.extend(names.into_iter().map(|name| (action.to_owned(), name)));
            }
        }
    }
    rights
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

/// The services through which alone a statement allows.
fn services(statement: &Value) -> Vec<&str> {
    match &statement["Condition"]["StringEquals"]["kms:ViaService"] {
        Value::Null => Vec::new(),
        via => list(via)
            .into_iter()
            .filter_map(|service| service["Fn::Sub"].as_str()?.split('.').next())
            .collect(),
    }
}

/// A policy's resource, short.
fn named(resource: &Value) -> String {
    if let Some(id) = resource["Ref"].as_str() {
        return id.to_owned();
    }
    if let Some(id) = resource["Fn::GetAtt"][0].as_str() {
        return id.to_owned();
    }
    if let Some(literal) = resource.as_str() {
        return literal.to_owned();
    }
    let text = resource["Fn::Sub"].as_str().unwrap_or_default();
    if let Some((_, groups)) = text.split_once(":deploymentgroup:") {
        return groups.replace("${", "").replace('}', "");
    }
    match text.split_once(":parameter/clivy/${AWS::StackName}/") {
        Some((_, name)) => format!("parameter/{name}"),
        None => text.replace("${", "").replace(".Arn}", ""),
    }
}

/// The rights that a call needs. A transaction needs those of its parts.
pub fn needs(call: &Call) -> BTreeSet<Right> {
    let mut needed: BTreeSet<Right> = asked(call).into_iter().collect();
    let of_kms: Vec<Right> = needed
        .iter()
        .flat_map(|(action, _)| {
            let service = action.split(':').next().unwrap_or_default();
            let of_kms = needs_of_kms(action).iter();
            of_kms.map(move |of_kms| ((*of_kms).to_owned(), format!("Key/{service}")))
        })
        .collect();
    needed.extend(of_kms);
    needed
}

fn asked(call: &Call) -> Vec<Right> {
    let target = call.target.as_str();
    if let Some(action) = target.strip_prefix("AmazonSNS.") {
        let topic = form(&call.body).and_then(|mut form| form.remove("TopicArn"));
        let resource = match topic {
            Some(arn) if arn == topic_arn(ALERTS) => "Alerts".to_owned(),
            other => other.unwrap_or_default(),
        };
        return vec![(format!("sns:{action}"), resource)];
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    if let Some(operation) = target.strip_prefix("AmazonSQS.") {
        let url = body["QueueUrl"].as_str().unwrap_or_default();
        let resource = match url.rsplit('/').next() {
            Some(DLQ) => "DeadLetterQueue",
            Some(QUEUE) => "Queue",
            _ => url,
        };
        return vec![(format!("sqs:{operation}"), resource.to_owned())];
    }
    if let Some(operation) = target.strip_prefix("AmazonSSM.") {
        return list(&body["Names"])
            .into_iter()
            .map(|name| {
                let name = name.as_str().unwrap_or_default().rsplit('/').next();
                let resource = format!("parameter/{}", name.unwrap_or_default());
                (format!("ssm:{operation}"), resource)
            })
            .collect();
    }
    asked_of_dynamodb(target, &body)
}

fn asked_of_dynamodb(target: &str, body: &Value) -> Vec<Right> {
    let operation = target.strip_prefix("DynamoDB_20120810.").unwrap_or(target);
    let table = |name: &Value| {
        if name == TABLE {
            "Table".to_owned()
        } else {
            name.to_string()
        }
    };
    match operation {
        "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().into_iter().flatten();
            parts
                .filter_map(Value::as_object)
                .flatten()
                .map(|(kind, part)| {
                    let action = if kind == "ConditionCheck" {
                        "ConditionCheckItem".to_owned()
                    } else {
                        format!("{kind}Item")
                    };
                    (format!("dynamodb:{action}"), table(&part["TableName"]))
                })
                .collect()
        }
        "BatchGetItem" | "BatchWriteItem" => body["RequestItems"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| (format!("dynamodb:{operation}"), table(&json!(name))))
            .collect(),
        _ => {
            let mut resource = table(&body["TableName"]);
            if let Some(index) = body["IndexName"].as_str() {
                resource = format!("{resource}/index/{index}");
            }
            vec![(format!("dynamodb:{operation}"), resource)]
        }
    }
}

/// What the service asks KMS for on behalf of the caller: everything that is kept or sent is encrypted by the stack's key.
fn needs_of_kms(action: &str) -> &'static [&'static str] {
    match action {
        "sqs:SendMessage" | "sns:Publish" => &["kms:Decrypt", "kms:GenerateDataKey"],
        _ if action.starts_with("dynamodb:") => &["kms:Decrypt"],
        _ => &[],
    }
}

/// Stands in front of the engines: refuses what a function's policy does not allow, and writes down what it does. What no
/// function asks passes.
pub struct Guard {
    policies: Policies,
    inner: Arc<dyn Intercept>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    used: Policies,
    refused: BTreeSet<(&'static str, Right)>,
}

impl Guard {
    /// A guard with these policies in front of `inner`.
    pub fn new(policies: Policies, inner: Arc<dyn Intercept>) -> Self {
        Self {
            policies,
            inner,
            seen: Mutex::default(),
        }
    }

    /// The rights that were used.
    pub fn used(&self) -> Policies {
        self.seen.lock().unwrap().used.clone()
    }

    /// The rights that were missing, by function.
    pub fn refused(&self) -> BTreeSet<(&'static str, Right)> {
        self.seen.lock().unwrap().refused.clone()
    }

    /// The first right that the call needs and its function does not have.
    fn missing(&self, call: &Call) -> Option<Right> {
        let binary = ROLE.try_with(|role| role.binary()).ok()?;
        let policy = self.policies.get(binary);
        let mut seen = self.seen.lock().unwrap();
        let mut missing = None;
        for right in needs(call) {
            if policy.is_some_and(|policy| policy.contains(&right)) {
                seen.used.entry(binary).or_default().insert(right);
            } else {
                seen.refused.insert((binary, right.clone()));
                missing.get_or_insert(right);
            }
        }
        missing
    }
}

impl Intercept for Guard {
    fn intercept<'a>(
        &'a self,
        call: Call,
        engines: &'a Engines,
    ) -> BoxFuture<'a, Result<Reply, Lost>> {
        Box::pin(async move {
            match self.missing(&call) {
                None => self.inner.intercept(call, engines).await,
                Some((action, _)) => Ok(denied(&call.target, &action)),
            }
        })
    }
}

/// How AWS refuses.
fn denied(target: &str, action: &str) -> Reply {
    let message = format!("User is not authorized to perform: {action}");
    if target.starts_with("AmazonSNS.") {
        let body = format!(
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
             <Code>AuthorizationError</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        return Reply {
            status: 403,
            headers: vec![("content-type", "text/xml".to_owned())],
            body: body.into(),
        };
    }
    let kind = "com.amazon.coral.service#AccessDeniedException";
    Reply::json(400, json!({"__type": kind, "message": message}).to_string())
}
