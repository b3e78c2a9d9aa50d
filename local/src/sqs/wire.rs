//! AWS JSON 1.0: which operation a name is, and the shapes of what comes in.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Sqs;
use super::error::{Refusal, SqsError};

impl Sqs {
    /// Runs the operation of this name.
    ///
    /// # Errors
    /// `UnknownOperation`, `Serialization`, and whatever the operation refuses.
    pub(super) async fn dispatch(&self, operation: &str, body: &[u8]) -> Result<Value, SqsError> {
        match operation {
            "SendMessage" => self.send_message(parse(body)?),
            "SendMessageBatch" => self.send_message_batch(parse(body)?),
            "ReceiveMessage" => self.receive_message(parse(body)?).await,
            "DeleteMessage" => self.delete_message(&parse(body)?),
            "DeleteMessageBatch" => self.delete_message_batch(parse(body)?),
            "ChangeMessageVisibility" => self.change_message_visibility(&parse(body)?),
            "ChangeMessageVisibilityBatch" => self.change_message_visibility_batch(parse(body)?),
            "CreateQueue" => self.create_queue_of(&parse(body)?),
            "DeleteQueue" => self.delete_queue(&parse(body)?),
            "GetQueueUrl" => self.get_queue_url(&parse(body)?),
            "ListQueues" => self.list_queues(&parse(body)?),
            "GetQueueAttributes" => self.get_queue_attributes(&parse(body)?),
            "SetQueueAttributes" => self.set_queue_attributes(&parse(body)?),
            "PurgeQueue" => self.purge_queue(&parse(body)?),
            "StartMessageMoveTask" => self.start_message_move_task(&parse(body)?),
            "CancelMessageMoveTask" => self.cancel_message_move_task(&parse(body)?),
            "ListMessageMoveTasks" => self.list_message_move_tasks(&parse(body)?),
            "AddPermission"
            | "RemovePermission"
            | "ListDeadLetterSourceQueues"
            | "ListQueueTags"
            | "TagQueue"
            | "UntagQueue" => Err(SqsError::new(
                Refusal::UnsupportedOperation,
                format!("This local SQS does not have {operation}."),
            )),
            _ => Err(SqsError::new(
                Refusal::UnknownOperation,
                "The action or operation requested is not one of SQS.",
            )),
        }
    }
}

/// Reads a request. The error text gives place and kind of the fault, never a value (I11).
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SqsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|fault| {
        let text = format!(
            "The request body is not what the operation takes ({:?} fault in column {}).",
            fault.classify(),
            fault.column()
        );
        SqsError::new(Refusal::Serialization, text)
    })
}

/// A required string; empty counts as absent, as on AWS.
pub(super) fn required<'a>(
    value: Option<&'a String>,
    parameter: &str,
) -> Result<&'a str, SqsError> {
    match value {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(SqsError::missing(parameter)),
    }
}

/// The queue's name: a URL's last part, so that a URL with another host (a container's view of us, say) works too.
pub(super) fn queue_name(url: Option<&String>) -> Result<&str, SqsError> {
    let url = required(url, "QueueUrl")?;
    Ok(url.rsplit('/').next().unwrap_or(url))
}

/// An optional whole number within its range.
pub(super) fn ranged(
    value: Option<i64>,
    parameter: &str,
    least: u32,
    most: u32,
) -> Result<Option<u32>, SqsError> {
    let Some(value) = value else { return Ok(None) };
    match u32::try_from(value)
        .ok()
        .filter(|number| (least..=most).contains(number))
    {
        Some(number) => Ok(Some(number)),
        None => {
            let reason = format!("Must be between {least} and {most}, if provided.");
            Err(SqsError::invalid(parameter, value, &reason))
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireAttribute {
    pub(super) data_type: Option<String>,
    pub(super) string_value: Option<String>,
    /// Base64.
    pub(super) binary_value: Option<String>,
}

/// What a single send and a batch's entry share.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Sending {
    pub(super) message_body: Option<String>,
    pub(super) delay_seconds: Option<i64>,
    pub(super) message_attributes: Option<BTreeMap<String, WireAttribute>>,
    pub(super) message_system_attributes: Option<BTreeMap<String, WireAttribute>>,
    pub(super) message_group_id: Option<String>,
    pub(super) message_deduplication_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessage {
    pub(super) queue_url: Option<String>,
    #[serde(flatten)]
    pub(super) sending: Sending,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<E> {
    pub(super) queue_url: Option<String>,
    pub(super) entries: Option<Vec<Entry<E>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry<E> {
    pub(super) id: Option<String>,
    #[serde(flatten)]
    pub(super) what: E,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
    pub(super) queue_url: Option<String>,
    pub(super) max_number_of_messages: Option<i64>,
    pub(super) visibility_timeout: Option<i64>,
    pub(super) wait_time_seconds: Option<i64>,
    pub(super) attribute_names: Option<Vec<String>>,
    pub(super) message_system_attribute_names: Option<Vec<String>>,
    pub(super) message_attribute_names: Option<Vec<String>>,
}

/// `DeleteMessage` and `ChangeMessageVisibility`, alone or in a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receipted {
    pub(super) queue_url: Option<String>,
    pub(super) receipt_handle: Option<String>,
    pub(super) visibility_timeout: Option<i64>,
}

/// The operations on queues; each reads its own part.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OnQueue {
    pub(super) queue_url: Option<String>,
    pub(super) queue_name: Option<String>,
    pub(super) attributes: Option<BTreeMap<String, String>>,
    pub(super) attribute_names: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    pub(super) queue_name_prefix: Option<String>,
    pub(super) max_results: Option<i64>,
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OnMove {
    pub(super) source_arn: Option<String>,
    pub(super) destination_arn: Option<String>,
    pub(super) max_number_of_messages_per_second: Option<i64>,
    pub(super) max_results: Option<i64>,
    pub(super) task_handle: Option<String>,
}
