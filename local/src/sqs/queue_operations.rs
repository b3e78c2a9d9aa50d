//! The operations on queues and on message move tasks.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Sqs;
use super::error::{Refusal, SqsError};
use super::moves::{MoveStatus, MoveTask};
use super::settings::{arn, is_queue_name, is_readable, name_of_arn};
use super::wire::{ListQueues, OnMove, OnQueue, queue_name, ranged, required};

impl Sqs {
    pub(super) fn create_queue_of(&self, asked: &OnQueue) -> Result<Value, SqsError> {
        let name = required(asked.queue_name.as_ref(), "QueueName")?;
        if !is_queue_name(name) {
            return Err(SqsError::new(
                Refusal::InvalidParameterValue,
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
            ));
        }
        let none = BTreeMap::new();
        let given = asked.attributes.as_ref().unwrap_or(&none);
        self.with(|engine, now| engine.create_queue(name, given, now))?;
        Ok(json!({ "QueueUrl": self.queue_url(name) }))
    }

    pub(super) fn delete_queue(&self, asked: &OnQueue) -> Result<Value, SqsError> {
        let name = queue_name(asked.queue_url.as_ref())?;
        self.with(|engine, _| engine.delete_queue(name))?;
        Ok(json!({}))
    }

    pub(super) fn get_queue_url(&self, asked: &OnQueue) -> Result<Value, SqsError> {
        let name = required(asked.queue_name.as_ref(), "QueueName")?;
        self.with(|engine, _| engine.queue(name).map(|_| ()))?;
        Ok(json!({ "QueueUrl": self.queue_url(name) }))
    }

    /// Queues by name; with `MaxResults`, in pages whose token is the last name given.
    pub(super) fn list_queues(&self, asked: &ListQueues) -> Result<Value, SqsError> {
        let page = ranged(asked.max_results, "MaxResults", 1, 1_000)?;
        let prefix = asked.queue_name_prefix.as_deref().unwrap_or_default();
        let after = asked.next_token.as_deref().unwrap_or_default();
        let mut names: Vec<String> = self.with(|engine, _| {
            let fits = |name: &&String| name.starts_with(prefix) && name.as_str() > after;
            engine.queues.keys().filter(fits).cloned().collect()
        });
        let most = page
            .and_then(|page| usize::try_from(page).ok())
            .unwrap_or(1_000);
        let more = names.len() > most;
        names.truncate(most);
        let mut answer = Map::new();
        if let Some(last) = names.last().filter(|_| more && page.is_some()) {
            answer.insert("NextToken".to_owned(), json!(last));
        }
        if !names.is_empty() {
            let urls: Vec<String> = names.iter().map(|name| self.queue_url(name)).collect();
            answer.insert("QueueUrls".to_owned(), json!(urls));
        }
        Ok(Value::Object(answer))
    }

    pub(super) fn get_queue_attributes(&self, asked: &OnQueue) -> Result<Value, SqsError> {
        let name = queue_name(asked.queue_url.as_ref())?;
        let names = asked.attribute_names.as_deref().unwrap_or_default();
        if let Some(unknown) = names
            .iter()
            .find(|name| name.as_str() != "All" && !is_readable(name))
        {
            let text = format!("Unknown Attribute {unknown}.");
            return Err(SqsError::new(Refusal::InvalidAttributeName, text));
        }
        let mut shown =
            self.with(|engine, _| engine.queue(name).map(|queue| show_queue(name, queue)))?;
        shown.retain(|attribute, _| names.iter().any(|name| name == "All" || name == attribute));
        if shown.is_empty() {
            Ok(json!({}))
        } else {
            Ok(json!({ "Attributes": shown }))
        }
    }

    pub(super) fn set_queue_attributes(&self, asked: &OnQueue) -> Result<Value, SqsError> {
        let name = queue_name(asked.queue_url.as_ref())?;
        let given = asked
            .attributes
            .as_ref()
            .ok_or_else(|| SqsError::missing("Attributes"))?;
        self.with(|engine, now| engine.set_attributes(name, given, now))?;
        Ok(json!({}))
    }

    pub(super) fn purge_queue(&self, asked: &OnQueue) -> Result<Value, SqsError> {
        let name = queue_name(asked.queue_url.as_ref())?;
        self.with(|engine, now| {
            engine.queue_mut(name)?.purge(now.at)?;
            engine.changed = true;
            Ok(json!({}))
        })
    }

    pub(super) fn start_message_move_task(&self, asked: &OnMove) -> Result<Value, SqsError> {
        let source = named(
            required(asked.source_arn.as_ref(), "SourceArn")?,
            "SourceArn",
        )?;
        let destination = match &asked.destination_arn {
            Some(arn) => Some(named(arn, "DestinationArn")?),
            None => None,
        };
        let rate = asked.max_number_of_messages_per_second;
        let rate = ranged(rate, "MaxNumberOfMessagesPerSecond", 1, 500)?;
        let handle = self.with(|engine, now| engine.start_move(source, destination, rate, now))?;
        Ok(json!({ "TaskHandle": handle }))
    }

    pub(super) fn cancel_message_move_task(&self, asked: &OnMove) -> Result<Value, SqsError> {
        let handle = required(asked.task_handle.as_ref(), "TaskHandle")?;
        let moved = self.with(|engine, _| engine.cancel_move(handle))?;
        Ok(json!({ "ApproximateNumberOfMessagesMoved": moved }))
    }

    pub(super) fn list_message_move_tasks(&self, asked: &OnMove) -> Result<Value, SqsError> {
        let source = named(
            required(asked.source_arn.as_ref(), "SourceArn")?,
            "SourceArn",
        )?;
        let most = ranged(asked.max_results, "MaxResults", 1, 10)?.unwrap_or(1);
        let most = usize::try_from(most).unwrap_or(1);
        self.with(|engine, _| {
            let tasks: Vec<Value> = engine.moves_of(source)?.take(most).map(show_task).collect();
            Ok(json!({ "Results": tasks }))
        })
    }
}

/// The queue that an ARN names.
fn named<'a>(arn: &'a str, parameter: &str) -> Result<&'a str, SqsError> {
    name_of_arn(arn).ok_or_else(|| {
        SqsError::new(
            Refusal::ResourceNotFound,
            format!("The resource that you specified for the {parameter} parameter doesn't exist."),
        )
    })
}

fn show_queue(name: &str, queue: &super::queue::Queue) -> BTreeMap<String, String> {
    let counts = queue.counts();
    let mut shown = queue.attributes.to_wire();
    shown.extend(
        [
            ("QueueArn", arn(name)),
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            (
                "ApproximateNumberOfMessagesNotVisible",
                counts.in_flight.to_string(),
            ),
            (
                "ApproximateNumberOfMessagesDelayed",
                counts.delayed.to_string(),
            ),
            ("CreatedTimestamp", (queue.created_ms / 1_000).to_string()),
            (
                "LastModifiedTimestamp",
                (queue.modified_ms / 1_000).to_string(),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    shown
}

/// A task as AWS lists it: the handle only while it runs, the optional fields only when they are set.
fn show_task(task: &MoveTask) -> Value {
    let mut shown = Map::from_iter([
        ("SourceArn".to_owned(), json!(arn(&task.source))),
        (
            "ApproximateNumberOfMessagesMoved".to_owned(),
            json!(task.moved),
        ),
        (
            "ApproximateNumberOfMessagesToMove".to_owned(),
            json!(task.to_move),
        ),
        ("StartedTimestamp".to_owned(), json!(task.started_ms)),
    ]);
    let status = match task.status {
        MoveStatus::Running => "RUNNING",
        MoveStatus::Completed => "COMPLETED",
        MoveStatus::Cancelled => "CANCELLED",
        MoveStatus::Failed { .. } => "FAILED",
    };
    shown.insert("Status".to_owned(), json!(status));
    if let MoveStatus::Failed { reason } = task.status {
        shown.insert("FailureReason".to_owned(), json!(reason));
    }
    if task.status == MoveStatus::Running {
        shown.insert("TaskHandle".to_owned(), json!(task.handle));
    }
    if let Some(destination) = &task.destination {
        shown.insert("DestinationArn".to_owned(), json!(arn(destination)));
    }
    if let Some(rate) = task.per_second {
        shown.insert("MaxNumberOfMessagesPerSecond".to_owned(), json!(rate));
    }
    Value::Object(shown)
}
