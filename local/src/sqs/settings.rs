//! A queue's settings, and the string attributes that they are on the wire.

use std::collections::BTreeMap;

use super::error::{Refusal, SqsError};
use super::{ACCOUNT_ID, REGION};

/// The largest message, and the largest batch, in bytes of body plus attributes (1 MiB, as on AWS since 2025).
pub const MAX_MESSAGE_BYTES: u32 = 1_048_576;

/// What a queue does with its messages; `Default` is what AWS gives a queue made without attributes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct QueueSettings {
    /// How long a message stays hidden after it is sent unless it says otherwise, 0-900 s.
    pub delay_seconds: u32,
    /// How long a received message stays hidden, 0-43,200 s.
    pub visibility_timeout_seconds: u32,
    /// How long a message is kept after it was first sent, 60-1,209,600 s.
    pub retention_seconds: u32,
    /// How long a receive waits for a message unless it says otherwise, 0-20 s.
    pub receive_wait_seconds: u32,
    /// Where a message goes that was received too often.
    pub redrive: Option<Redrive>,
}

/// A dead-letter queue and the receives after which a message goes there.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Redrive {
    /// The dead-letter queue's name.
    pub dead_letter_queue: String,
    /// Receives after which the next one moves the message instead, 1-1,000.
    pub max_receive_count: u32,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            delay_seconds: 0,
            visibility_timeout_seconds: 30,
            retention_seconds: 4 * 24 * 3_600,
            receive_wait_seconds: 0,
            redrive: None,
        }
    }
}

/// The settings together with what only the wire can set.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Attributes {
    pub(crate) settings: QueueSettings,
    pub(crate) max_message_bytes: u32,
}

impl From<QueueSettings> for Attributes {
    fn from(settings: QueueSettings) -> Self {
        Self {
            settings,
            max_message_bytes: MAX_MESSAGE_BYTES,
        }
    }
}

/// Attributes that a client reads and cannot set.
const READ_ONLY: [&str; 6] = [
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
];
/// Attributes that AWS sets and this engine has no use for: refused, so that nobody believes they work.
const NOT_HERE: [&str; 9] = [
    "Policy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
];
const SETTABLE: [&str; 6] = [
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "VisibilityTimeout",
];

/// Whether a client may ask for an attribute of this name.
pub(crate) fn is_readable(name: &str) -> bool {
    READ_ONLY.contains(&name) || NOT_HERE.contains(&name) || SETTABLE.contains(&name)
}

impl Attributes {
    /// Sets every given attribute, or none.
    ///
    /// # Errors
    /// `InvalidAttributeName`, `InvalidAttributeValue`, or `UnsupportedOperation` for what AWS has and this engine has not.
    pub(crate) fn with(&self, given: &BTreeMap<String, String>) -> Result<Self, SqsError> {
        let mut next = self.clone();
        for (name, value) in given {
            let settings = &mut next.settings;
            let number = |least, most| whole(name, value, least, most);
            match name.as_str() {
                "DelaySeconds" => settings.delay_seconds = number(0, 900)?,
                "VisibilityTimeout" => settings.visibility_timeout_seconds = number(0, 43_200)?,
                "MessageRetentionPeriod" => settings.retention_seconds = number(60, 1_209_600)?,
                "ReceiveMessageWaitTimeSeconds" => settings.receive_wait_seconds = number(0, 20)?,
                "MaximumMessageSize" => next.max_message_bytes = number(1_024, MAX_MESSAGE_BYTES)?,
                "RedrivePolicy" if value.is_empty() => settings.redrive = None,
                "RedrivePolicy" => settings.redrive = Some(redrive(value)?),
                other if NOT_HERE.contains(&other) => {
                    return Err(SqsError::new(
                        Refusal::UnsupportedOperation,
                        format!(
                            "The attribute {other} has no effect in this local SQS and is refused."
                        ),
                    ));
                }
                other => {
                    return Err(SqsError::new(
                        Refusal::InvalidAttributeName,
                        format!("Unknown Attribute {other}."),
                    ));
                }
            }
        }
        Ok(next)
    }

    /// The settable attributes as the wire shows them.
    pub(crate) fn to_wire(&self) -> BTreeMap<String, String> {
        let settings = &self.settings;
        let mut shown: BTreeMap<String, String> = [
            ("DelaySeconds", settings.delay_seconds),
            ("VisibilityTimeout", settings.visibility_timeout_seconds),
            ("MessageRetentionPeriod", settings.retention_seconds),
            (
                "ReceiveMessageWaitTimeSeconds",
                settings.receive_wait_seconds,
            ),
            ("MaximumMessageSize", self.max_message_bytes),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_string()))
        .collect();
        if let Some(redrive) = &settings.redrive {
            let policy = serde_json::json!({
                "deadLetterTargetArn": arn(&redrive.dead_letter_queue),
                "maxReceiveCount": redrive.max_receive_count,
            });
            shown.insert("RedrivePolicy".to_owned(), policy.to_string());
        }
        shown
    }
}

/// The ARN of the queue of this name.
pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}")
}

/// The name of the queue that this ARN names, if it names one of SQS in this account and region.
pub(crate) fn name_of_arn(arn: &str) -> Option<&str> {
    let (head, name) = arn.rsplit_once(':')?;
    (is_queue_name(name) && head == format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}")).then_some(name)
}

/// 1-80 letters, digits, hyphens and underscores (no `.fifo`: standard queues only).
pub(crate) fn is_queue_name(name: &str) -> bool {
    (1..=80).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn whole(name: &str, value: &str, least: u32, most: u32) -> Result<u32, SqsError> {
    value
        .parse::<u32>()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| bad_value(name))
}

fn bad_value(name: &str) -> SqsError {
    SqsError::new(
        Refusal::InvalidAttributeValue,
        format!("Invalid value for the parameter {name}."),
    )
}

/// Parses the JSON of a `RedrivePolicy`; AWS takes `maxReceiveCount` as a number and as a string.
fn redrive(policy: &str) -> Result<Redrive, SqsError> {
    let bad = || bad_value("RedrivePolicy");
    let policy: serde_json::Value = serde_json::from_str(policy).map_err(|_| bad())?;
    let target = policy
        .get("deadLetterTargetArn")
        .and_then(serde_json::Value::as_str)
        .and_then(name_of_arn)
        .ok_or_else(bad)?;
    let count = match policy.get("maxReceiveCount").ok_or_else(bad)? {
        serde_json::Value::Number(number) => number.to_string(),
        serde_json::Value::String(number) => number.clone(),
        _ => return Err(bad()),
    };
    Ok(Redrive {
        dead_letter_queue: target.to_owned(),
        max_receive_count: whole("RedrivePolicy", &count, 1, 1_000)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<Attributes, SqsError> {
        let given = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        Attributes::from(QueueSettings::default()).with(&given)
    }

    #[test]
    fn attributes_go_to_the_wire_and_back() {
        let mut settings = QueueSettings {
            delay_seconds: 3,
            visibility_timeout_seconds: 900,
            ..QueueSettings::default()
        };
        settings.redrive = Some(Redrive {
            dead_letter_queue: "dead".to_owned(),
            max_receive_count: 5,
        });
        let attributes = Attributes::from(settings);
        let back = Attributes::from(QueueSettings::default()).with(&attributes.to_wire());
        assert_eq!(back, Ok(attributes));
    }

    #[test]
    fn a_value_just_outside_its_range_is_refused_and_the_edge_is_taken() {
        for (name, least, most) in [
            ("DelaySeconds", 0, 900),
            ("VisibilityTimeout", 0, 43_200),
            ("MessageRetentionPeriod", 60, 1_209_600),
            ("ReceiveMessageWaitTimeSeconds", 0, 20),
            ("MaximumMessageSize", 1_024, 1_048_576),
        ] {
            for edge in [least, most] {
                assert!(with(name, &edge.to_string()).is_ok(), "{name} {edge}");
            }
            for outside in [least - 1, most + 1] {
                let refused = with(name, &outside.to_string()).unwrap_err();
                assert_eq!(
                    refused.refusal,
                    Refusal::InvalidAttributeValue,
                    "{name} {outside}"
                );
            }
        }
    }

    #[test]
    fn a_redrive_policy_must_name_a_queue_of_ours_and_a_count() {
        let good = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":"5"}"#;
        let redrive = with("RedrivePolicy", good)
            .unwrap()
            .settings
            .redrive
            .unwrap();
        assert_eq!(
            redrive,
            Redrive {
                dead_letter_queue: "dead".to_owned(),
                max_receive_count: 5
            }
        );
        for bad in [
            "not json",
            "{}",
            r#"{"deadLetterTargetArn":"dead","maxReceiveCount":5}"#,
            r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}"#,
            r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":0}"#,
            r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1.5}"#,
            r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:111111111111:dead","maxReceiveCount":5}"#,
        ] {
            assert_eq!(
                with("RedrivePolicy", bad).unwrap_err().refusal,
                Refusal::InvalidAttributeValue,
                "{bad}"
            );
        }
    }

    #[test]
    fn an_empty_redrive_policy_takes_the_old_one_away() {
        let redrive = Some(Redrive {
            dead_letter_queue: "dead".to_owned(),
            max_receive_count: 5,
        });
        let settings = QueueSettings {
            redrive,
            ..QueueSettings::default()
        };
        let given = BTreeMap::from([("RedrivePolicy".to_owned(), String::new())]);
        assert_eq!(
            Attributes::from(settings)
                .with(&given)
                .unwrap()
                .settings
                .redrive,
            None
        );
    }

    #[test]
    fn what_has_no_effect_here_is_refused_rather_than_believed() {
        assert_eq!(
            with("FifoQueue", "true").unwrap_err().refusal,
            Refusal::UnsupportedOperation
        );
        assert_eq!(
            with("Colour", "red").unwrap_err().refusal,
            Refusal::InvalidAttributeName
        );
    }
}
