//! What SQS answers when it refuses, with both names each refusal has on the wire.

/// Which refusal it is. AWS JSON names the shape; the older query protocol's code travels in `x-amzn-query-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No queue has that name.
    QueueDoesNotExist,
    /// A queue has that name, with other attributes.
    QueueNameExists,
    /// A parameter's value is outside of what SQS takes.
    InvalidParameterValue,
    /// A required parameter is absent or empty.
    MissingParameter,
    /// No attribute has that name.
    InvalidAttributeName,
    /// A queue attribute's value is outside of what SQS takes.
    InvalidAttributeValue,
    /// A body or an attribute holds a character that SQS does not carry.
    InvalidMessageContents,
    /// The string is not a receipt handle of this queue.
    ReceiptHandleIsInvalid,
    /// The message is known but visible, so it has no visibility timeout to change.
    MessageNotInflight,
    /// A batch without entries.
    EmptyBatchRequest,
    /// A batch of more than ten entries.
    TooManyEntriesInBatchRequest,
    /// Two entries of a batch share an id.
    BatchEntryIdsNotDistinct,
    /// An entry's id is not 1-80 letters, digits, hyphens and underscores.
    InvalidBatchEntryId,
    /// The entries together exceed 1 MiB.
    BatchRequestTooLong,
    /// Second purge within sixty seconds.
    PurgeQueueInProgress,
    /// Too many messages in flight.
    OverLimit,
    /// The queue or task that a move task names does not exist.
    ResourceNotFound,
    /// SQS has this; this engine does not.
    UnsupportedOperation,
    /// Not an operation of SQS.
    UnknownOperation,
    /// The body is not the JSON object that the operation takes.
    Serialization,
}

/// A refusal and its text. The text never holds a message body (I11).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqsError {
    /// Which refusal.
    pub refusal: Refusal,
    /// For a person.
    pub message: String,
}

impl SqsError {
    pub(crate) fn new(refusal: Refusal, message: impl Into<String>) -> Self {
        Self {
            refusal,
            message: message.into(),
        }
    }

    pub(crate) fn no_queue() -> Self {
        Self::new(
            Refusal::QueueDoesNotExist,
            "The specified queue does not exist.",
        )
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(
            Refusal::MissingParameter,
            format!("The request must contain the parameter {parameter}."),
        )
    }

    pub(crate) fn invalid(parameter: &str, value: impl std::fmt::Display, reason: &str) -> Self {
        Self::new(
            Refusal::InvalidParameterValue,
            format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"),
        )
    }

    /// The shape's name, as `__type` and `x-amzn-errortype` give it.
    #[must_use]
    pub fn shape(&self) -> &'static str {
        match self.refusal {
            Refusal::QueueDoesNotExist => "com.amazonaws.sqs#QueueDoesNotExist",
            Refusal::QueueNameExists => "com.amazonaws.sqs#QueueNameExists",
            Refusal::InvalidParameterValue => {
                "com.amazon.coral.service#InvalidParameterValueException"
            }
            Refusal::MissingParameter => {
                "com.amazon.coral.service#MissingRequiredParameterException"
            }
            Refusal::InvalidAttributeName => "com.amazonaws.sqs#InvalidAttributeName",
            Refusal::InvalidAttributeValue => "com.amazonaws.sqs#InvalidAttributeValue",
            Refusal::InvalidMessageContents => "com.amazonaws.sqs#InvalidMessageContents",
            Refusal::ReceiptHandleIsInvalid => "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            Refusal::MessageNotInflight => "com.amazonaws.sqs#MessageNotInflight",
            Refusal::EmptyBatchRequest => "com.amazonaws.sqs#EmptyBatchRequest",
            Refusal::TooManyEntriesInBatchRequest => {
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest"
            }
            Refusal::BatchEntryIdsNotDistinct => "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
            Refusal::InvalidBatchEntryId => "com.amazonaws.sqs#InvalidBatchEntryId",
            Refusal::BatchRequestTooLong => "com.amazonaws.sqs#BatchRequestTooLong",
            Refusal::PurgeQueueInProgress => "com.amazonaws.sqs#PurgeQueueInProgress",
            Refusal::OverLimit => "com.amazonaws.sqs#OverLimit",
            Refusal::ResourceNotFound => "com.amazonaws.sqs#ResourceNotFoundException",
            Refusal::UnsupportedOperation => "com.amazonaws.sqs#UnsupportedOperation",
            Refusal::UnknownOperation => "com.amazon.coral.service#UnknownOperationException",
            Refusal::Serialization => "com.amazon.coral.service#SerializationException",
        }
    }

    /// The query protocol's code, which SDKs show as the error's code (the model's `awsQueryError`).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.refusal {
            Refusal::QueueDoesNotExist => "AWS.SimpleQueueService.NonExistentQueue",
            Refusal::QueueNameExists => "QueueAlreadyExists",
            Refusal::InvalidParameterValue => "InvalidParameterValue",
            Refusal::MissingParameter => "MissingParameter",
            Refusal::InvalidAttributeName => "InvalidAttributeName",
            Refusal::InvalidAttributeValue => "InvalidAttributeValue",
            Refusal::InvalidMessageContents => "InvalidMessageContents",
            Refusal::ReceiptHandleIsInvalid => "ReceiptHandleIsInvalid",
            Refusal::MessageNotInflight => "AWS.SimpleQueueService.MessageNotInflight",
            Refusal::EmptyBatchRequest => "AWS.SimpleQueueService.EmptyBatchRequest",
            Refusal::TooManyEntriesInBatchRequest => {
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
            }
            Refusal::BatchEntryIdsNotDistinct => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            Refusal::InvalidBatchEntryId => "AWS.SimpleQueueService.InvalidBatchEntryId",
            Refusal::BatchRequestTooLong => "AWS.SimpleQueueService.BatchRequestTooLong",
            Refusal::PurgeQueueInProgress => "AWS.SimpleQueueService.PurgeQueueInProgress",
            Refusal::OverLimit => "OverLimit",
            Refusal::ResourceNotFound => "ResourceNotFoundException",
            Refusal::UnsupportedOperation => "AWS.SimpleQueueService.UnsupportedOperation",
            Refusal::UnknownOperation => "InvalidAction",
            Refusal::Serialization => "MalformedInput",
        }
    }
}
