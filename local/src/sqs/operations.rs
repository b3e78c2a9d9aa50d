//! The operations on messages: what a client may ask, checked, and the answer as the wire shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_smithy_types::base64;
use serde_json::{Map, Value, json};

use super::error::{Refusal, SqsError};
use super::message::{
    self, AttributeValue, Message, MessageAttribute, MessageAttributes, Outgoing,
    md5_of_attributes, md5_of_body,
};
use super::settings::MAX_MESSAGE_BYTES;
use super::wire::{Batch, Entry, Receipted, ReceiveMessage, SendMessage, Sending, WireAttribute};
use super::wire::{queue_name, ranged, required};
use super::{Sqs, handle_of};

const MAX_ENTRIES: usize = 10;
const MAX_ATTRIBUTES: usize = 10;

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

/// Bytes of an entry as far as they count, before it is checked: the batch's limit comes first.
fn wire_size(sending: &Sending) -> usize {
    let body = sending.message_body.as_ref().map_or(0, String::len);
    let attribute = |(name, attribute): (&String, &WireAttribute)| {
        let text = attribute.string_value.as_ref().map_or(0, String::len);
        let binary = attribute
            .binary_value
            .as_ref()
            .and_then(|b| base64::decode(b).ok())
            .map_or(0, |b| b.len());
        name.len() + attribute.data_type.as_ref().map_or(0, String::len) + text + binary
    };
    body + sending
        .message_attributes
        .iter()
        .flatten()
        .map(attribute)
        .sum::<usize>()
}

fn check_sending(sending: Sending) -> Result<Outgoing, SqsError> {
    let body = required(sending.message_body.as_ref(), "MessageBody")?;
    message::check_characters(body)?;
    let delay_seconds = ranged(sending.delay_seconds, "DelaySeconds", 0, 900)?;
    if sending.message_deduplication_id.is_some() {
        return Err(SqsError::new(
            Refusal::InvalidParameterValue,
            "The parameter MessageDeduplicationId is not valid for this queue type.",
        ));
    }
    if let Some(group) = &sending.message_group_id {
        message::check_group_id(group)?;
    }
    let attributes = check_attributes(sending.message_attributes.unwrap_or_default())?;
    let trace_header = trace_header(sending.message_system_attributes.unwrap_or_default())?;
    Ok(Outgoing {
        body: body.to_owned(),
        delay_seconds,
        attributes,
        trace_header,
        group_id: sending.message_group_id,
    })
}

fn check_attributes(given: BTreeMap<String, WireAttribute>) -> Result<MessageAttributes, SqsError> {
    if given.len() > MAX_ATTRIBUTES {
        let text = format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
            given.len()
        );
        return Err(SqsError::new(Refusal::InvalidParameterValue, text));
    }
    let check = |(name, attribute): (String, WireAttribute)| {
        message::check_attribute_name(&name)?;
        let checked = check_attribute(&name, attribute)?;
        Ok((name, checked))
    };
    given.into_iter().map(check).collect()
}

/// One attribute: a type `String`, `Number` or `Binary`, perhaps with a label after a dot, and a value that fits it.
fn check_attribute(name: &str, attribute: WireAttribute) -> Result<MessageAttribute, SqsError> {
    let refuse = |why: &str| {
        Err(SqsError::new(
            Refusal::InvalidParameterValue,
            format!("The message attribute '{name}' {why}."),
        ))
    };
    let data_type = attribute.data_type.unwrap_or_default();
    if data_type.len() > 256 {
        return refuse("has a type of more than 256 characters");
    }
    let value = match (
        data_type.split('.').next(),
        attribute.string_value,
        attribute.binary_value,
    ) {
        (Some("String" | "Number"), Some(text), None) if !text.is_empty() => {
            AttributeValue::Text(text)
        }
        (Some("Binary"), None, Some(encoded)) if !encoded.is_empty() => {
            match base64::decode(&encoded) {
                Ok(bytes) => AttributeValue::Binary(bytes),
                Err(_) => return refuse("has a binary value that is not base64"),
            }
        }
        (Some("String" | "Number" | "Binary"), ..) => {
            return refuse("must contain a non-empty value of its type, and no other");
        }
        _ => return refuse("must have a type that starts with String, Number or Binary"),
    };
    if let AttributeValue::Text(text) = &value {
        message::check_characters(text)?;
        let number = || text.parse::<f64>().is_ok_and(f64::is_finite);
        if data_type.starts_with("Number") && !number() {
            return refuse("is a Number and its value is none");
        }
    }
    Ok(MessageAttribute { data_type, value })
}

/// The only system attribute that a sender may give is the trace header.
fn trace_header(
    mut given: BTreeMap<String, WireAttribute>,
) -> Result<Option<MessageAttribute>, SqsError> {
    let header = given.remove("AWSTraceHeader");
    if !given.is_empty() {
        return Err(SqsError::new(
            Refusal::InvalidParameterValue,
            "Only AWSTraceHeader is a message system attribute that can be sent.",
        ));
    }
    let Some(header) = header else {
        return Ok(None);
    };
    let header = check_attribute("AWSTraceHeader", header)?;
    match header.value {
        AttributeValue::Text(_) if header.data_type == "String" => Ok(Some(header)),
        _ => Err(SqsError::new(
            Refusal::InvalidParameterValue,
            "AWSTraceHeader must be a String.",
        )),
    }
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
