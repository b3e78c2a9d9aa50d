//! What a sender gives, from the wire's shape to a checked [`Outgoing`].

use std::collections::BTreeMap;

use aws_smithy_types::base64;

use super::error::{Refusal, SqsError};
use super::message::{self, AttributeValue, MessageAttribute, MessageAttributes, Outgoing};
use super::wire::{Sending, WireAttribute, ranged, required};

const MAX_ATTRIBUTES: usize = 10;

/// Bytes of an entry as far as they count, before it is checked: the batch's limit comes first.
pub(super) fn wire_size(sending: &Sending) -> usize {
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

/// Checks all that a sender gives, but for the size, whose limit is the queue's.
///
/// # Errors
/// `MissingParameter`, `InvalidParameterValue`, `InvalidMessageContents`.
pub(super) fn check_sending(sending: Sending) -> Result<Outgoing, SqsError> {
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
