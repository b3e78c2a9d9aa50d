//! All queues, what passes between them, and the counters that make ids. No clock, no waiting.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use aws_smithy_types::base64;

use super::error::{Refusal, SqsError};
use super::message::{Key, Message, Outgoing, State};
use super::moves::MoveTask;
use super::queue::{Queue, Receipt};
use super::settings::{Attributes, QueueSettings};
use super::time::{At, Moment};

pub(crate) struct Engine {
    pub(super) queues: BTreeMap<String, Queue>,
    /// Newest last.
    pub(super) moves: Vec<MoveTask>,
    pub(super) next_key: Key,
    pub(super) next_receive: u64,
    /// Seeded by the operating system, so that ids differ from run to run.
    ids: RandomState,
    ids_given: u64,
    /// Something that an observer can see has changed since [`Engine::take_changed`].
    pub(super) changed: bool,
}

impl Engine {
    pub(crate) fn new() -> Self {
        Self {
            queues: BTreeMap::new(),
            moves: Vec::new(),
            next_key: 0,
            next_receive: 0,
            ids: RandomState::new(),
            ids_given: 0,
            changed: false,
        }
    }

    /// Lets time pass: every operation starts with it, so that nothing needs a timer of its own.
    pub(crate) fn advance(&mut self, now: Moment) {
        for queue in self.queues.values_mut() {
            self.changed |= queue.advance(now.at);
        }
        self.advance_moves(now);
    }

    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// When a message next becomes visible in this queue by time alone.
    pub(crate) fn next_due_in(&self, name: &str) -> Option<At> {
        let own = self.queues.get(name).and_then(Queue::next_due);
        own.into_iter().chain(self.next_move()).min()
    }

    /// When anything next changes by time alone.
    pub(crate) fn next_due(&self) -> Option<At> {
        self.queues
            .values()
            .filter_map(Queue::next_due)
            .chain(self.next_move())
            .min()
    }

    /// # Errors
    /// `QueueDoesNotExist`.
    pub(crate) fn queue(&self, name: &str) -> Result<&Queue, SqsError> {
        self.queues.get(name).ok_or_else(SqsError::no_queue)
    }

    /// # Errors
    /// `QueueDoesNotExist`.
    pub(crate) fn queue_mut(&mut self, name: &str) -> Result<&mut Queue, SqsError> {
        self.queues.get_mut(name).ok_or_else(SqsError::no_queue)
    }

    /// Makes the queue, or gives the one that exists these settings; its messages stay.
    pub(crate) fn put_queue(&mut self, name: &str, settings: QueueSettings, now: Moment) {
        self.changed = true;
        let attributes = Attributes::from(settings);
        match self.queues.get_mut(name) {
            Some(queue) => {
                queue.attributes = attributes;
                queue.modified_ms = now.wall_ms;
            }
            None => {
                self.queues
                    .insert(name.to_owned(), Queue::new(attributes, now.wall_ms));
            }
        }
    }

    /// `CreateQueue`: a queue that exists is left as it is, and must be what is asked for.
    ///
    /// # Errors
    /// `QueueNameExists`; what [`Attributes::with`] and [`Engine::check_redrive`] refuse.
    pub(crate) fn create_queue(
        &mut self,
        name: &str,
        given: &BTreeMap<String, String>,
        now: Moment,
    ) -> Result<(), SqsError> {
        if let Some(queue) = self.queues.get(name) {
            if queue.attributes.with(given)? == queue.attributes {
                return Ok(());
            }
            return Err(SqsError::new(
                Refusal::QueueNameExists,
                "A queue already exists with the same name and a different value for an attribute.",
            ));
        }
        let attributes = Attributes::from(QueueSettings::default()).with(given)?;
        self.check_redrive(&attributes)?;
        self.queues
            .insert(name.to_owned(), Queue::new(attributes, now.wall_ms));
        self.changed = true;
        Ok(())
    }

    /// `SetQueueAttributes`, all or none.
    ///
    /// # Errors
    /// `QueueDoesNotExist`; what [`Attributes::with`] and [`Engine::check_redrive`] refuse.
    pub(crate) fn set_attributes(
        &mut self,
        name: &str,
        given: &BTreeMap<String, String>,
        now: Moment,
    ) -> Result<(), SqsError> {
        let attributes = self.queue(name)?.attributes.with(given)?;
        self.check_redrive(&attributes)?;
        let queue = self.queue_mut(name)?;
        queue.attributes = attributes;
        queue.modified_ms = now.wall_ms;
        self.changed = true;
        Ok(())
    }

    /// The dead-letter queue that a client names must exist.
    fn check_redrive(&self, attributes: &Attributes) -> Result<(), SqsError> {
        match &attributes.settings.redrive {
            Some(redrive) if !self.queues.contains_key(&redrive.dead_letter_queue) => {
                Err(SqsError::new(
                    Refusal::InvalidAttributeValue,
                    "Invalid value for the parameter RedrivePolicy. Reason: Dead letter target does not exist.",
                ))
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// `QueueDoesNotExist`.
    pub(crate) fn delete_queue(&mut self, name: &str) -> Result<(), SqsError> {
        let queue = self.queues.remove(name).ok_or_else(SqsError::no_queue)?;
        // Its long polls end with the refusal instead of waiting for a queue that is gone.
        queue.wake.notify_waiters();
        self.changed = true;
        Ok(())
    }

    /// Puts a message in; its id.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub(crate) fn send(
        &mut self,
        name: &str,
        outgoing: Outgoing,
        now: Moment,
    ) -> Result<String, SqsError> {
        let delay = match outgoing.delay_seconds {
            Some(seconds) => seconds,
            None => self.queue(name)?.attributes.settings.delay_seconds,
        };
        let state = match delay {
            0 => State::Visible,
            seconds => State::Delayed {
                due: now.at.plus_seconds(seconds),
            },
        };
        let message = Message {
            key: self.new_key(),
            id: self.new_id(),
            body: outgoing.body,
            attributes: outgoing.attributes,
            trace_header: outgoing.trace_header,
            group_id: outgoing.group_id,
            sent: now.at,
            sent_ms: now.wall_ms,
            receive_count: 0,
            first_received_ms: None,
            newest_receive: 0,
            dead_letter_source: None,
            state,
        };
        let id = message.id.clone();
        self.queue_mut(name)?.insert(message);
        self.changed = true;
        Ok(id)
    }

    /// Receives; first, the messages that were received too often move to the dead-letter queue, with their id and
    /// sent time kept. One whose dead-letter queue does not exist stays and is received again, as on AWS.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, `OverLimit`.
    pub(crate) fn receive(
        &mut self,
        name: &str,
        max: usize,
        visibility_seconds: Option<u32>,
        now: Moment,
    ) -> Result<Vec<Message>, SqsError> {
        let settings = &self.queue(name)?.attributes.settings;
        let visibility = visibility_seconds.unwrap_or(settings.visibility_timeout_seconds);
        let redrive = settings
            .redrive
            .clone()
            .filter(|to| self.queues.contains_key(&to.dead_letter_queue));
        if let Some(redrive) = redrive {
            let exhausted = self
                .queue_mut(name)?
                .take_exhausted(redrive.max_receive_count, max);
            self.changed |= !exhausted.is_empty();
            let dead_letters = self.queue_mut(&redrive.dead_letter_queue)?;
            for message in exhausted {
                let dead_letter_source = Some(name.to_owned());
                dead_letters.insert(Message {
                    dead_letter_source,
                    state: State::Visible,
                    ..message
                });
            }
        }
        let mut next_receive = self.next_receive;
        let taken = self
            .queue_mut(name)?
            .receive(now, max, visibility, &mut next_receive);
        self.next_receive = next_receive;
        self.changed |= matches!(&taken, Ok(taken) if !taken.is_empty());
        taken
    }

    /// # Errors
    /// `QueueDoesNotExist`, `ReceiptHandleIsInvalid`.
    pub(crate) fn delete(&mut self, name: &str, handle: &str) -> Result<(), SqsError> {
        let queue = self.queue_mut(name)?;
        let receipt = read_handle(name, handle)?;
        let deleted = queue.delete(&receipt);
        self.changed |= deleted;
        Ok(())
    }

    /// # Errors
    /// `QueueDoesNotExist`, `ReceiptHandleIsInvalid`; what [`Queue::change_visibility`] refuses.
    pub(crate) fn change_visibility(
        &mut self,
        name: &str,
        handle: &str,
        seconds: u32,
        now: Moment,
    ) -> Result<(), SqsError> {
        let queue = self.queue_mut(name)?;
        let receipt = read_handle(name, handle)?;
        queue.change_visibility(&receipt, seconds, now.at)?;
        self.changed = true;
        Ok(())
    }

    pub(super) fn new_key(&mut self) -> Key {
        self.next_key += 1;
        self.next_key
    }

    /// A random version 4 UUID.
    pub(super) fn new_id(&mut self) -> String {
        self.ids_given += 1;
        let high = self.ids.hash_one((self.ids_given, "high"));
        let low = self.ids.hash_one((self.ids_given, "low"));
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            ((low >> 48) & 0x3fff) | 0x8000,
            low & 0xffff_ffff_ffff,
        )
    }
}

/// The handle of a message's newest receive from this queue.
pub(crate) fn handle_of(queue: &str, message: &Message) -> String {
    base64::encode(format!(
        "{queue} {} {} {}",
        message.key, message.newest_receive, message.id
    ))
}

/// # Errors
/// `ReceiptHandleIsInvalid` for what [`handle_of`] did not make for this queue.
fn read_handle(queue: &str, handle: &str) -> Result<Receipt, SqsError> {
    parse_handle(queue, handle).ok_or_else(|| {
        SqsError::new(
            Refusal::ReceiptHandleIsInvalid,
            "The input receipt handle is invalid.",
        )
    })
}

fn parse_handle(queue: &str, handle: &str) -> Option<Receipt> {
    let text = String::from_utf8(base64::decode(handle).ok()?).ok()?;
    let mut parts = text.split(' ');
    let of_this_queue = parts.next()? == queue;
    let receipt = Receipt {
        key: parts.next()?.parse().ok()?,
        receive: parts.next()?.parse().ok()?,
        message_id: parts.next()?.to_owned(),
    };
    (of_this_queue && parts.next().is_none()).then_some(receipt)
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
