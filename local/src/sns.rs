//! SNS in this process: topics that keep what was published last, spoken to in the query protocol that every SDK uses
//! for SNS: a form with its `Action` in, XML out.
//!
//! Nobody subscribes here: an alert is logged, and kept for whoever looks. Left out, and refused rather than ignored: every
//! other action, and every parameter of `Publish` that changes who gets what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use percent_encoding::percent_decode_str;

use crate::engines::Reply;
use crate::sqs::{ACCOUNT_ID, REGION};

/// Alerts that are kept.
const KEPT: usize = 100;
/// The largest message, in bytes of UTF-8.
const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// The longest subject, in characters.
const MAX_SUBJECT_CHARACTERS: usize = 100;
const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
/// The version of the API, as every SDK sends it.
const VERSION: &str = "2010-03-31";

/// Milliseconds since 1970.
type WallClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The service. Clones share it.
#[derive(Clone)]
pub struct Sns {
    inner: Arc<Mutex<Inner>>,
    wall_clock: WallClock,
}

#[derive(Default)]
struct Inner {
    topics: BTreeSet<String>,
    alerts: VecDeque<Alert>,
    published: u64,
    requests: u64,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub message_id: String,
    /// When, in milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// To which topic.
    pub topic_arn: String,
    /// The subject, where there is one.
    pub subject: Option<String>,
    /// The text.
    pub message: String,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refused {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refused {
    fn invalid(what: impl std::fmt::Display) -> Self {
        Self {
            status: 400,
            code: "InvalidParameter",
            message: format!("Invalid parameter: {what}"),
        }
    }
}

/// The ARN of the topic of this name.
#[must_use]
pub fn topic_arn(name: &str) -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT_ID}:{name}")
}

/// The fields of a form; none when it is not UTF-8.
pub fn form(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
        Some(decoded.into_owned())
    };
    std::str::from_utf8(body)
        .ok()?
        .split('&')
        .filter(|field| !field.is_empty())
        .map(|field| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

impl Sns {
    /// An SNS without topics.
    #[must_use]
    pub fn new(wall_clock: WallClock) -> Self {
        Self {
            inner: Arc::default(),
            wall_clock,
        }
    }

    /// Makes a topic; gives its ARN. One that exists stays.
    pub fn create_topic(&self, name: &str) -> String {
        let arn = topic_arn(name);
        self.lock().topics.insert(arn.clone());
        arn
    }

    /// Deletes a topic; what was published to it is still kept.
    pub fn delete_topic(&self, name: &str) {
        self.lock().topics.remove(&topic_arn(name));
    }

    /// What was published last, oldest first.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.lock().alerts.iter().cloned().collect()
    }

    /// Answers one request: the form of any action.
    pub fn call(&self, body: &[u8]) -> Reply {
        let answer = form(body)
            .ok_or_else(|| Refused {
                status: 400,
                code: "MalformedQueryString",
                message: "The body is no form in UTF-8".to_owned(),
            })
            .and_then(|fields| self.dispatch(&fields));
        let mut inner = self.lock();
        inner.requests += 1;
        let request_id = id(inner.requests, 1);
        drop(inner);
        match answer {
            Ok(message_id) => xml(
                200,
                format!(
                    "<PublishResponse xmlns=\"{NAMESPACE}\"><PublishResult><MessageId>{message_id}</MessageId>\
                     </PublishResult><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
                     </PublishResponse>"
                ),
            ),
            Err(refused) => xml(
                refused.status,
                format!(
                    "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{}</Code>\
                     <Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
                    refused.code,
                    escaped(&refused.message)
                ),
            ),
        }
    }

    fn dispatch(&self, fields: &BTreeMap<String, String>) -> Result<String, Refused> {
        let action = fields.get("Action").map_or("", String::as_str);
        let version = fields.get("Version").map_or(VERSION, String::as_str);
        if action != "Publish" || version != VERSION {
            return Err(Refused {
                status: 400,
                code: "InvalidAction",
                message: format!("The action {action} of version {version} is not known here"),
            });
        }
        self.publish(fields)
    }

    fn publish(&self, fields: &BTreeMap<String, String>) -> Result<String, Refused> {
        let known = [
            "Action",
            "Version",
            "TopicArn",
            "TargetArn",
            "Subject",
            "Message",
        ];
        if let Some(other) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(Refused::invalid(format!("{other} is not supported here")));
        }
        let field = |name: &str| fields.get(name).filter(|value| !value.is_empty());
        let topic_arn = field("TopicArn").or_else(|| field("TargetArn"));
        let topic_arn = topic_arn
            .ok_or_else(|| {
                Refused::invalid("TopicArn or TargetArn Reason: no value for required parameter")
            })?
            .clone();
        if topic_arn.split(':').count() != 6 || !topic_arn.starts_with("arn:aws:sns:") {
            return Err(Refused::invalid("TopicArn"));
        }
        let message = field("Message").ok_or_else(|| Refused::invalid("Empty message"))?;
        if message.len() > MAX_MESSAGE_BYTES {
            return Err(Refused::invalid("Message too long"));
        }
        let subject = fields.get("Subject").cloned();
        if !subject.as_deref().is_none_or(is_subject) {
            return Err(Refused::invalid("Subject"));
        }
        let mut inner = self.lock();
        if !inner.topics.contains(&topic_arn) {
            return Err(Refused {
                status: 404,
                code: "NotFound",
                message: "Topic does not exist".to_owned(),
            });
        }
        inner.published += 1;
        let alert = Alert {
            message_id: id(inner.published, 0),
            at_ms: (self.wall_clock)(),
            topic_arn,
            subject,
            message: message.clone(),
        };
        if inner.alerts.len() == KEPT {
            inner.alerts.pop_front();
        }
        inner.alerts.push_back(alert.clone());
        drop(inner);
        log(&alert);
        Ok(alert.message_id)
    }

    /// A panic under the lock leaves whole alerts, so the service goes on.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a mail would be on AWS.
fn log(alert: &Alert) {
    tracing::warn!(
        topic = alert.topic_arn,
        subject = alert.subject.as_deref().unwrap_or_default(),
        text = alert.message,
        "an alert to the owner"
    );
}

/// A subject is one line without control characters.
fn is_subject(subject: &str) -> bool {
    let characters = subject.chars().count();
    (1..=MAX_SUBJECT_CHARACTERS).contains(&characters) && !subject.chars().any(char::is_control)
}

/// Unique within a run, in the shape of an id of AWS.
fn id(number: u64, kind: u8) -> String {
    format!("00000000-0000-4000-8{kind:03x}-{number:012x}")
}

fn xml(status: u16, body: String) -> Reply {
    Reply {
        status,
        headers: vec![("content-type", "text/xml".to_owned())],
        body: body.into(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
