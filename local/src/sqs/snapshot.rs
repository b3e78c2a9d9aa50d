//! What a clean stop keeps: every queue with its messages, dead-letter queues included.
//!
//! Times are kept on the wall clock, so that a delay goes on while nothing runs. A message in flight comes back visible:
//! whoever had received it stopped with us, and SQS promises at least once, so a second delivery is always in order (I13).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Sqs;
use super::engine::Engine;
use super::message::{Key, Message, MessageAttribute, MessageAttributes, State};
use super::queue::Queue;
use super::settings::Attributes;
use super::time::Moment;

const VERSION: u32 = 1;

/// Why a snapshot was not restored. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not a snapshot of this program.
    #[error("the SQS snapshot is not readable")]
    Unreadable(#[source] serde_json::Error),
    /// A snapshot of another version of this program.
    #[error("the SQS snapshot has version {found}, this program reads version {VERSION}")]
    OtherVersion {
        /// The snapshot's version.
        found: u32,
    },
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    version: u32,
    next_key: Key,
    next_receive: u64,
    queues: BTreeMap<String, KeptQueue>,
}

#[derive(Serialize, Deserialize)]
struct KeptQueue {
    attributes: Attributes,
    created_ms: i64,
    modified_ms: i64,
    messages: Vec<KeptMessage>,
}

#[derive(Serialize, Deserialize)]
struct KeptMessage {
    key: Key,
    id: String,
    body: String,
    attributes: MessageAttributes,
    trace_header: Option<MessageAttribute>,
    group_id: Option<String>,
    sent_ms: i64,
    receive_count: u32,
    first_received_ms: Option<i64>,
    newest_receive: u64,
    dead_letter_source: Option<String>,
    /// Wall clock; only of a delayed message.
    due_ms: Option<i64>,
}

impl Sqs {
    /// Everything that [`Sqs::restore`] needs; message bodies included, so it belongs where the data is, not in a log.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        self.with(|engine, now| {
            let queues = engine
                .queues
                .iter()
                .map(|(name, queue)| (name.clone(), keep_queue(queue, now)));
            let snapshot = Snapshot {
                version: VERSION,
                next_key: engine.next_key,
                next_receive: engine.next_receive,
                queues: queues.collect(),
            };
            // Maps with string keys, strings and numbers only: it cannot fail, and null would be refused by `restore`.
            serde_json::to_value(snapshot).unwrap_or(Value::Null)
        })
    }

    /// Brings back a snapshot's messages. A queue that exists already keeps its own settings; one that does not is made
    /// with the snapshot's.
    ///
    /// # Errors
    /// [`SnapshotError`]; nothing is changed then.
    pub fn restore(&self, snapshot: &Value) -> Result<(), SnapshotError> {
        let found = snapshot
            .get("version")
            .and_then(Value::as_u64)
            .and_then(|version| u32::try_from(version).ok());
        if let Some(found) = found.filter(|version| *version != VERSION) {
            return Err(SnapshotError::OtherVersion { found });
        }
        let snapshot = Snapshot::deserialize(snapshot).map_err(SnapshotError::Unreadable)?;
        self.with(|engine, now| restore_into(engine, snapshot, now));
        Ok(())
    }
}

fn restore_into(engine: &mut Engine, snapshot: Snapshot, now: Moment) {
    // Keys stay unique: those of this run start after both runs' newest.
    engine.next_receive = engine.next_receive.max(snapshot.next_receive);
    let shift = engine.next_key;
    engine.next_key = shift.saturating_add(snapshot.next_key);
    for (name, kept) in snapshot.queues {
        let queue = engine.queues.entry(name).or_insert_with(|| {
            let mut queue = Queue::new(kept.attributes, kept.created_ms);
            queue.modified_ms = kept.modified_ms;
            queue
        });
        for message in kept.messages {
            queue.insert(revive(message, shift, now));
        }
    }
    engine.changed = true;
    engine.advance(now);
}

fn keep_queue(queue: &Queue, now: Moment) -> KeptQueue {
    KeptQueue {
        attributes: queue.attributes.clone(),
        created_ms: queue.created_ms,
        modified_ms: queue.modified_ms,
        messages: queue.messages().map(|message| keep(message, now)).collect(),
    }
}

fn keep(message: &Message, now: Moment) -> KeptMessage {
    let message = message.clone();
    KeptMessage {
        key: message.key,
        id: message.id,
        body: message.body,
        attributes: message.attributes,
        trace_header: message.trace_header,
        group_id: message.group_id,
        sent_ms: message.sent_ms,
        receive_count: message.receive_count,
        first_received_ms: message.first_received_ms,
        newest_receive: message.newest_receive,
        dead_letter_source: message.dead_letter_source,
        due_ms: match message.state {
            State::Delayed { due } => Some(now.wall_ms.saturating_add(due.ms_since(now.at))),
            State::Visible | State::InFlight { .. } => None,
        },
    }
}

fn revive(kept: KeptMessage, shift: Key, now: Moment) -> Message {
    let on_our_time_line = |wall_ms: i64| now.at.plus_ms(wall_ms.saturating_sub(now.wall_ms));
    Message {
        key: kept.key.saturating_add(shift),
        id: kept.id,
        body: kept.body,
        attributes: kept.attributes,
        trace_header: kept.trace_header,
        group_id: kept.group_id,
        sent: on_our_time_line(kept.sent_ms),
        sent_ms: kept.sent_ms,
        receive_count: kept.receive_count,
        first_received_ms: kept.first_received_ms,
        newest_receive: kept.newest_receive,
        dead_letter_source: kept.dead_letter_source,
        state: kept.due_ms.map_or(State::Visible, |due_ms| State::Delayed {
            due: on_our_time_line(due_ms),
        }),
    }
}
