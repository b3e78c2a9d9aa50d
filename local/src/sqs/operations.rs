//! The operations on messages: what a client may ask, checked, and the answer as the wire shows it.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_smithy_types::base64;
use serde_json::{Map, Value, json};

use super::error::{Refusal, SqsError};
use super::message::{
    self, AttributeValue, Message, MessageAttribute, Outgoing, md5_of_attributes, md5_of_body,
};
use super::sending::{check_sending, wire_size};
use super::settings::MAX_MESSAGE_BYTES;
use super::wire::{Batch, Entry, Receipted, ReceiveMessage, SendMessage, Sending};
use super::wire::{queue_name, ranged, required};
use super::{Sqs, handle_of};

const MAX_ENTRIES: usize = 10;

impl Sqs {
    pub(super) fn send_message(&self, asked: SendMessage) -> Result<Value, SqsError> {
        let queue = queue_name(asked.queue_url.as_ref())?;
        self.send(queue, check_sending(asked.sending)?)
    }

    /// Sends to a queue that has room for the message's size; the answer, which is a batch entry's result too.
    fn send(&self, queue: &str, outgoing: Outgoing) -> Result<Value, SqsError> {
        let size = message::size(&outgoing.body, &outgoing.attributes);
        let mut answer = Map::from_iter([(
            "MD5OfMessageBody".to_owned(),
            json!(md5_of_body(&outgoing.body)),
        )]);
        if let Some(md5) = md5_of_attributes(&outgoing.attributes) {
            answer.insert("MD5OfMessageAttributes".to_owned(), json!(md5));
        }
        let trace_name = "AWSTraceHeader".to_owned();
        if let Some(md5) = md5_of_attributes(
            outgoing
                .trace_header
                .iter()
                .map(|header| (&trace_name, header)),
        ) {
            answer.insert("MD5OfMessageSystemAttributes".to_owned(), json!(md5));
        }
        let id = self.with(|engine, now| {
            let most = engine.queue(queue)?.attributes.max_message_bytes;
            if size > usize::try_from(most).unwrap_or(usize::MAX) {
                let text = format!("One or more parameters are invalid. Reason: Message must be shorter than {most} bytes.");
                return Err(SqsError::new(Refusal::InvalidParameterValue, text));
            }
            engine.send(queue, outgoing, now)
        })?;
        answer.insert("MessageId".to_owned(), json!(id));
        Ok(Value::Object(answer))
    }

    pub(super) fn send_message_batch(&self, asked: Batch<Sending>) -> Result<Value, SqsError> {
        let total: usize = asked
            .entries
            .iter()
            .flatten()
            .map(|entry| wire_size(&entry.what))
            .sum();
        let too_long = total > usize::try_from(MAX_MESSAGE_BYTES).unwrap_or(usize::MAX);
        self.batch(asked, too_long, |queue, sending| {
            self.send(queue, check_sending(sending)?)
        })
    }

    pub(super) async fn receive_message(&self, asked: ReceiveMessage) -> Result<Value, SqsError> {
        let queue = queue_name(asked.queue_url.as_ref())?;
        let max = ranged(asked.max_number_of_messages, "MaxNumberOfMessages", 1, 10)?.unwrap_or(1);
        let visibility = ranged(asked.visibility_timeout, "VisibilityTimeout", 0, 43_200)?;
        let wait = ranged(asked.wait_time_seconds, "WaitTimeSeconds", 0, 20)?;
        let wait = wait.map(|seconds| Duration::from_secs(u64::from(seconds)));
        let system: BTreeSet<String> = asked
            .attribute_names
            .into_iter()
            .chain(asked.message_system_attribute_names)
            .flatten()
            .collect();
        if let Some(unknown) = system
            .iter()
            .find(|name| !SYSTEM_ATTRIBUTES.contains(&name.as_str()))
        {
            let text = format!("Unknown Attribute {unknown}.");
            return Err(SqsError::new(Refusal::InvalidAttributeName, text));
        }
        let attributes = asked.message_attribute_names.unwrap_or_default();
        let max = usize::try_from(max).unwrap_or(1);
        let messages = self.receive(queue, max, visibility, wait).await?;
        if messages.is_empty() {
            return Ok(json!({}));
        }
        let shown: Vec<Value> = messages
            .iter()
            .map(|m| show_message(queue, m, &system, &attributes))
            .collect();
        Ok(json!({ "Messages": shown }))
    }

    pub(super) fn delete_message(&self, asked: &Receipted) -> Result<Value, SqsError> {
        let queue = queue_name(asked.queue_url.as_ref())?;
        self.delete_receipted(queue, asked)
    }

    pub(super) fn delete_message_batch(&self, asked: Batch<Receipted>) -> Result<Value, SqsError> {
        self.batch(asked, false, |queue, entry| {
            self.delete_receipted(queue, &entry)
        })
    }

    fn delete_receipted(&self, queue: &str, asked: &Receipted) -> Result<Value, SqsError> {
        let handle = required(asked.receipt_handle.as_ref(), "ReceiptHandle")?;
        self.delete(queue, handle)?;
        Ok(json!({}))
    }

    pub(super) fn change_message_visibility(&self, asked: &Receipted) -> Result<Value, SqsError> {
        let queue = queue_name(asked.queue_url.as_ref())?;
        self.change_receipted(queue, asked)
    }

    pub(super) fn change_message_visibility_batch(
        &self,
        asked: Batch<Receipted>,
    ) -> Result<Value, SqsError> {
        self.batch(asked, false, |queue, entry| {
            self.change_receipted(queue, &entry)
        })
    }

    fn change_receipted(&self, queue: &str, asked: &Receipted) -> Result<Value, SqsError> {
        let handle = required(asked.receipt_handle.as_ref(), "ReceiptHandle")?;
        let seconds = ranged(asked.visibility_timeout, "VisibilityTimeout", 0, 43_200)?
            .ok_or_else(|| SqsError::missing("VisibilityTimeout"))?;
        self.with(|engine, now| engine.change_visibility(queue, handle, seconds, now))?;
        Ok(json!({}))
    }

    /// Runs a batch: faults of the whole refuse it, faults of an entry fail that entry alone.
    fn batch<E>(
        &self,
        asked: Batch<E>,
        too_long: bool,
        mut each: impl FnMut(&str, E) -> Result<Value, SqsError>,
    ) -> Result<Value, SqsError> {
        let queue = queue_name(asked.queue_url.as_ref())?;
        self.with(|engine, _| engine.queue(queue).map(|_| ()))?;
        let entries = asked.entries.unwrap_or_default();
        check_entries(&entries)?;
        if too_long {
            let text = format!("Batch requests cannot be longer than {MAX_MESSAGE_BYTES} bytes.");
            return Err(SqsError::new(Refusal::BatchRequestTooLong, text));
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            match each(queue, entry.what) {
                Ok(mut result) => {
                    if let Some(fields) = result.as_object_mut() {
                        fields.insert("Id".to_owned(), json!(entry.id));
                    }
                    successful.push(result);
                }
                Err(error) => failed.push(json!({
                    "Id": entry.id,
                    "SenderFault": true,
                    "Code": error.code(),
                    "Message": error.message,
                })),
            }
        }
        Ok(json!({ "Successful": successful, "Failed": failed }))
    }
}

fn check_entries<E>(entries: &[Entry<E>]) -> Result<(), SqsError> {
    if entries.is_empty() {
        return Err(SqsError::new(
            Refusal::EmptyBatchRequest,
            "There should be at least one entry in the request.",
        ));
    }
    if entries.len() > MAX_ENTRIES {
        let text = format!(
            "Maximum number of entries per request are 10. You have sent {}.",
            entries.len()
        );
        return Err(SqsError::new(Refusal::TooManyEntriesInBatchRequest, text));
    }
    let mut seen = BTreeSet::new();
    for entry in entries {
        let id = entry.id.as_deref().unwrap_or_default();
        if !super::settings::is_queue_name(id) {
            return Err(SqsError::new(
                Refusal::InvalidBatchEntryId,
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
                 It can be at most 80 letters long.",
            ));
        }
        if !seen.insert(id) {
            return Err(SqsError::new(
                Refusal::BatchEntryIdsNotDistinct,
                format!("Id {id} repeated."),
            ));
        }
    }
    Ok(())
}

/// What a receiver may ask for; those that only FIFO queues have are known and never there.
const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

/// A received message with what was asked for; the attributes' checksum is of those shown.
fn show_message(
    queue: &str,
    message: &Message,
    system: &BTreeSet<String>,
    attributes: &[String],
) -> Value {
    let mut shown = Map::from_iter([
        ("MessageId".to_owned(), json!(message.id)),
        ("ReceiptHandle".to_owned(), json!(handle_of(queue, message))),
        ("MD5OfBody".to_owned(), json!(md5_of_body(&message.body))),
        ("Body".to_owned(), json!(message.body)),
    ]);
    let mut own = message.system_attributes();
    own.retain(|name, _| system.contains("All") || system.contains(*name));
    if !own.is_empty() {
        shown.insert("Attributes".to_owned(), json!(own));
    }
    let wanted: Vec<(&String, &MessageAttribute)> = message
        .attributes
        .iter()
        .filter(|(name, _)| is_wanted(name, attributes))
        .collect();
    if let Some(md5) = md5_of_attributes(wanted.iter().copied()) {
        let values: Map<String, Value> = wanted
            .iter()
            .map(|(name, attribute)| ((*name).clone(), show_attribute(attribute)))
            .collect();
        shown.insert("MD5OfMessageAttributes".to_owned(), json!(md5));
        shown.insert("MessageAttributes".to_owned(), Value::Object(values));
    }
    Value::Object(shown)
}

/// `All` and `.*` want everything, `prefix.*` what starts with the prefix, any other name itself.
fn is_wanted(name: &str, patterns: &[String]) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => pattern == "All" || pattern == name,
        })
}

fn show_attribute(attribute: &MessageAttribute) -> Value {
    match &attribute.value {
        AttributeValue::Text(text) => {
            json!({ "DataType": attribute.data_type, "StringValue": text })
        }
        AttributeValue::Binary(bytes) => {
            json!({ "DataType": attribute.data_type, "BinaryValue": base64::encode(bytes) })
        }
    }
}
