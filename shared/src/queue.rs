//! The queue: triggers out, re-arming, retrying later, and dead letters.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    MessageSystemAttributeNameForSends, MessageSystemAttributeValue, QueueAttributeName,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::conversation::ids::{BotId, ConversationId, EpochMs, MessageKey};
use crate::conversation::trigger::{Errand, ModelName, Trigger};
use crate::error::Class;
use crate::pseudonym::Pseudonyms;
use crate::trace::TraceHeader;

/// The newest version of triggers. Readers accept it and refuse newer ones, which then wait for a newer reader.
const VERSION: u32 = 2;
/// The version of a trigger that every reader understands.
const EVERYBODYS: u32 = 1;
/// The version of one that says what a reader of version 1 knows nothing of: it would take it for an ordinary trigger,
/// find nothing pending, and delete it.
const SAYS_MORE: u32 = 2;

/// A trigger on the wire. The contact is sealed: a dead letter must not show a phone number (I11).
#[derive(Debug, Serialize, Deserialize)]
struct Wire {
    v: u32,
    bot_id: String,
    contact: String,
    mid: String,
    first_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_turn: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outgoing: Option<bool>,
}

/// A queue operation failed. Keeps the service's error code, not the error: its debug form may show bodies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue operation {operation} failed ({code})")]
pub struct QueueError {
    /// Which operation.
    pub operation: &'static str,
    /// The service's error code.
    pub code: String,
}

impl QueueError {
    /// Always worth another try.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::Retry
    }
}

/// How much is in a queue, about: SQS counts from many places, which agree after a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting to be received.
    pub visible: u64,
    /// Received, and not yet deleted.
    pub in_flight: u64,
    /// Sent with a delay that has not passed.
    pub delayed: u64,
}

/// A body that is no trigger of this version (I10).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTrigger {
    /// Not the JSON of a trigger.
    #[error("the body is not a trigger")]
    Shape,
    /// Written by a newer version.
    #[error("the trigger has version {0}, this reader knows up to {VERSION}")]
    Version(u32),
    /// The contact cannot be opened, or an id is not one.
    #[error("the trigger's {0} is not valid")]
    Field(&'static str),
}

/// The queue of triggers and its dead letters.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
    pseudonyms: Pseudonyms,
}

impl Queue {
    /// The queue at `url`.
    #[must_use]
    pub fn new(client: Client, url: String, pseudonyms: Pseudonyms) -> Self {
        Self {
            client,
            url,
            pseudonyms,
        }
    }

    /// Opens the connection to SQS, during init. Asks for nothing that is there: an empty message id makes
    /// SQS refuse after the connection and the credentials have been checked.
    pub async fn warm_up(&self) {
        // The refusal is the expected answer, and a real failure shows at the first trigger.
        let _ = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body("")
            .send()
            .await;
    }

    /// Sends a trigger that is delivered after `delay_seconds` (0-900) or a little later, in the trace of what it is sent for.
    ///
    /// # Errors
    /// SQS cannot be reached or refuses. The trigger may have been sent all the same, which does no harm.
    pub async fn send(
        &self,
        trigger: &Trigger,
        delay_seconds: u32,
        trace: Option<&TraceHeader>,
    ) -> Result<(), QueueError> {
        self.deliver("send", &self.url, trigger, Some(delay_seconds), trace)
            .await
    }

    /// Parks a failed turn as a dead letter, at `dlq_url`. At least once: redriving the same one twice is
    /// the same as once (I13).
    ///
    /// # Errors
    /// SQS cannot be reached or refuses.
    pub async fn park(
        &self,
        dlq_url: &str,
        trigger: &Trigger,
        trace: Option<&TraceHeader>,
    ) -> Result<(), QueueError> {
        self.deliver("park", dlq_url, trigger, None, trace).await
    }

    async fn deliver(
        &self,
        operation: &'static str,
        url: &str,
        trigger: &Trigger,
        delay_seconds: Option<u32>,
        trace: Option<&TraceHeader>,
    ) -> Result<(), QueueError> {
        let failed = |code: &str| QueueError {
            operation,
            code: code.to_owned(),
        };
        let body = self.write(trigger).map_err(|_| failed("NotWritable"))?;
        let mut request = self.client.send_message();
        if let Some(trace) = trace {
            let value = MessageSystemAttributeValue::builder()
                .data_type("String")
                .string_value(trace.to_string())
                .build()
                .map_err(|_| failed("NotWritable"))?;
            let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
            request = request.message_system_attributes(name, value);
        }
        request
            .queue_url(url)
            .message_body(body)
            .set_delay_seconds(delay_seconds.map(|seconds| i32::try_from(seconds).unwrap_or(900)))
            // Fair shares between bots; a standard queue is not ordered by it.
            .message_group_id(group(&trigger.conversation.bot_id))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| failed(&code(&e)))
    }

    /// Makes a received record visible again after `seconds`, if it is not deleted before.
    ///
    /// # Errors
    /// SQS cannot be reached, or the record is not in flight any more.
    pub async fn set_visibility(&self, receipt: &str, seconds: u32) -> Result<(), QueueError> {
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(i32::try_from(seconds).unwrap_or(43_200))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| QueueError {
                operation: "set_visibility",
                code: code(&e),
            })
    }

    /// How much is in the queue of triggers.
    ///
    /// # Errors
    /// SQS cannot be reached or refuses.
    pub async fn depth(&self) -> Result<Depth, QueueError> {
        self.depth_of(&self.url).await
    }

    /// How much is in the queue at `url`: that of the dead letters. One request.
    ///
    /// # Errors
    /// SQS cannot be reached or refuses, or does not say.
    pub async fn depth_of(&self, url: &str) -> Result<Depth, QueueError> {
        use QueueAttributeName as Name;
        let failed = |code: &str| QueueError {
            operation: "depth",
            code: code.to_owned(),
        };
        let output = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(Name::ApproximateNumberOfMessages)
            .attribute_names(Name::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(Name::ApproximateNumberOfMessagesDelayed)
            .send()
            .await
            .map_err(|e| failed(&code(&e)))?;
        let number = |name: &Name| {
            let text = output.attributes().and_then(|all| all.get(name));
            text.and_then(|text| text.parse().ok())
                .ok_or_else(|| failed("NoCount"))
        };
        Ok(Depth {
            visible: number(&Name::ApproximateNumberOfMessages)?,
            in_flight: number(&Name::ApproximateNumberOfMessagesNotVisible)?,
            delayed: number(&Name::ApproximateNumberOfMessagesDelayed)?,
        })
    }

    fn write(&self, trigger: &Trigger) -> Result<String, BadTrigger> {
        body(&self.pseudonyms, trigger)
    }

    /// Reads a record's body.
    ///
    /// # Errors
    /// It is no trigger, or one of a newer version: the record fails alone and ends as a dead letter (I10).
    pub fn read(&self, body: &str) -> Result<Trigger, BadTrigger> {
        // A map first: a struct would be read from an array too, `[3]` as a trigger of version 3.
        let fields: Map<String, Value> =
            serde_json::from_str(body).map_err(|_| BadTrigger::Shape)?;
        let v = fields.get("v").and_then(Value::as_u64);
        let v = v
            .and_then(|v| u32::try_from(v).ok())
            .ok_or(BadTrigger::Shape)?;
        if v > VERSION {
            return Err(BadTrigger::Version(v));
        }
        let wire: Wire =
            serde_json::from_value(Value::Object(fields)).map_err(|_| BadTrigger::Shape)?;
        let bot_id = BotId::new(&wire.bot_id).map_err(|_| BadTrigger::Field("bot_id"))?;
        let contact = self
            .pseudonyms
            .open(&bot_id, &wire.contact)
            .map_err(|_| BadTrigger::Field("contact"))?;
        if wire.mid.is_empty() || wire.mid.len() > 1024 {
            return Err(BadTrigger::Field("mid"));
        }
        Ok(Trigger {
            errand: errand(&wire)?,
            conversation: ConversationId { bot_id, contact },
            key: MessageKey::new(wire.mid),
            first_at: EpochMs(wire.first_ms),
        })
    }
}

/// A trigger as the body of a record.
///
/// # Errors
/// The contact cannot be sealed.
pub fn body(pseudonyms: &Pseudonyms, trigger: &Trigger) -> Result<String, BadTrigger> {
    let ConversationId { bot_id, contact } = &trigger.conversation;
    let (v, retry_turn, retry_model, outgoing) = match &trigger.errand {
        Errand::Answer => (EVERYBODYS, None, None, None),
        Errand::Retry { turn, model: None } => (EVERYBODYS, Some(*turn), None, None),
        Errand::Retry {
            turn,
            model: Some(model),
        } => (
            SAYS_MORE,
            Some(*turn),
            Some(model.as_str().to_owned()),
            None,
        ),
        Errand::Send => (SAYS_MORE, None, None, Some(true)),
    };
    let wire = Wire {
        v,
        bot_id: bot_id.as_str().to_owned(),
        contact: pseudonyms
            .seal(bot_id, contact)
            .map_err(|_| BadTrigger::Field("contact"))?,
        mid: trigger.key.as_str().to_owned(),
        first_ms: trigger.first_at.0,
        retry_turn,
        retry_model,
        outgoing,
    };
    serde_json::to_string(&wire).map_err(|_| BadTrigger::Shape)
}

fn errand(wire: &Wire) -> Result<Errand, BadTrigger> {
    let model = wire.retry_model.as_deref().map(ModelName::new).transpose();
    let model = model.map_err(|_| BadTrigger::Field("retry_model"))?;
    match (wire.outgoing.unwrap_or_default(), wire.retry_turn, model) {
        (false, Some(turn), model) => Ok(Errand::Retry { turn, model }),
        (false, None, None) => Ok(Errand::Answer),
        (true, None, None) => Ok(Errand::Send),
        _ => Err(BadTrigger::Shape),
    }
}

/// The bot's id where SQS takes it as a group: 1-128 printable ASCII characters; else its hash.
fn group(bot_id: &BotId) -> String {
    let name = bot_id.as_str();
    if name.len() <= 128 && name.chars().all(|c| c.is_ascii_graphic()) {
        name.to_owned()
    } else {
        use sha2::{Digest, Sha256};
        crate::conversation::ids::hex(&Sha256::digest(name))
    }
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    error.code().unwrap_or("NoAnswer").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::ids::Contact;
    use crate::secrets::Rotating;

    fn queue() -> Queue {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .build();
        Queue::new(
            Client::from_conf(config),
            "http://127.0.0.1:1/q".to_owned(),
            Pseudonyms::new(&Rotating::new("a secret of sixteen").unwrap()).unwrap(),
        )
    }

    fn trigger() -> Trigger {
        Trigger {
            conversation: ConversationId {
                bot_id: BotId::new("toko kopi").unwrap(),
                contact: Contact::new("6281100020001").unwrap(),
            },
            key: MessageKey::new("M#1763604904000#3EB0".to_owned()),
            first_at: EpochMs(1),
            errand: Errand::Retry {
                turn: 3,
                model: None,
            },
        }
    }

    fn with(errand: Errand) -> Trigger {
        Trigger {
            errand,
            ..trigger()
        }
    }

    #[test]
    fn a_trigger_survives_the_wire_and_shows_no_phone_number() {
        let body = queue().write(&trigger()).unwrap();
        assert!(!body.contains("6281100020001"));
        assert_eq!(queue().read(&body).unwrap(), trigger());
    }

    #[test]
    fn what_an_old_reader_would_misread_has_a_version_that_it_refuses() {
        let model = Some(ModelName::new("a/b").unwrap());
        for (errand, version) in [
            (Errand::Answer, 1),
            (
                Errand::Retry {
                    turn: 3,
                    model: None,
                },
                1,
            ),
            (Errand::Retry { turn: 3, model }, 2),
            (Errand::Send, 2),
        ] {
            let body = queue().write(&with(errand.clone())).unwrap();
            assert!(body.starts_with(&format!("{{\"v\":{version},")), "{body}");
            assert_eq!(queue().read(&body).unwrap().errand, errand);
        }
    }

    #[test]
    fn a_trigger_has_one_errand() {
        let body = queue().write(&with(Errand::Send)).unwrap();
        for more in ["\"retry_turn\":1", "\"retry_model\":\"a/b\""] {
            let both = body.replace("\"outgoing\":true", &format!("\"outgoing\":true,{more}"));
            assert_eq!(queue().read(&both), Err(BadTrigger::Shape));
        }
        let blank = body.replace("\"outgoing\":true", "\"retry_turn\":1,\"retry_model\":\"\"");
        assert_eq!(queue().read(&blank), Err(BadTrigger::Field("retry_model")));
    }

    #[test]
    fn what_is_no_trigger_is_refused_with_a_reason_that_quotes_nothing() {
        let newer = queue()
            .write(&trigger())
            .unwrap()
            .replace("\"v\":1", "\"v\":3");
        assert_eq!(queue().read(&newer), Err(BadTrigger::Version(3)));
        for list in ["[3]", "[3,\"a\"]", "[]"] {
            assert_eq!(queue().read(list), Err(BadTrigger::Shape), "{list}");
        }
        for body in [
            "",
            "null",
            "{}",
            "[1]",
            "{\"v\":1}",
            "{\"v\":\"1\"}",
            "Halo kak 6281",
        ] {
            let error = queue().read(body).unwrap_err();
            assert!(!error.to_string().contains("6281"));
        }
        let foreign = queue()
            .write(&trigger())
            .unwrap()
            .replace("toko kopi", "toko teh");
        assert_eq!(queue().read(&foreign), Err(BadTrigger::Field("contact")));
    }

    #[test]
    fn a_group_is_always_one_that_sqs_takes() {
        assert_eq!(group(&BotId::new("demo").unwrap()), "demo");
        assert_eq!(group(&BotId::new("toko kopi").unwrap()).len(), 64);
        assert_eq!(group(&BotId::new("ünïcode").unwrap()).len(), 64);
    }
}
