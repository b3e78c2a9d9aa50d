//! One standard queue: which message is delayed, visible or in flight, and when that changes. No clock, no waiting.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

use super::error::{Refusal, SqsError};
use super::message::{Key, Message, State};
use super::settings::Attributes;
use super::time::{At, Moment};

/// A message may stay in flight this long after it was received, whatever is asked for in between (12 h).
const MAX_IN_FLIGHT_SECONDS: u32 = 43_200;
/// AWS's quota of messages in flight per standard queue.
const MAX_IN_FLIGHT: usize = 120_000;
const PURGE_EVERY_SECONDS: u32 = 60;

pub(crate) struct Queue {
    pub(crate) attributes: Attributes,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
    purged: Option<At>,
    messages: HashMap<Key, Message>,
    /// Visible messages, longest visible first. May hold keys of messages that are gone; never a key twice.
    ready: VecDeque<Key>,
    /// When each delayed or in-flight message becomes visible.
    due: BTreeSet<(At, Key)>,
    /// When each message was sent, for retention.
    by_age: BTreeSet<(At, Key)>,
    in_flight: usize,
    /// Wakes long polls when a message is there for them, or is due earlier than they know.
    pub(crate) wake: Arc<Notify>,
}

/// What a receipt handle names: the receive, not only the message.
pub(crate) struct Receipt {
    pub(crate) key: Key,
    pub(crate) message_id: String,
    pub(crate) receive: u64,
}

/// How many messages are in each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) visible: usize,
    pub(crate) in_flight: usize,
    pub(crate) delayed: usize,
}

impl Queue {
    pub(crate) fn new(attributes: Attributes, now_ms: i64) -> Self {
        Self {
            attributes,
            created_ms: now_ms,
            modified_ms: now_ms,
            purged: None,
            messages: HashMap::new(),
            ready: VecDeque::new(),
            due: BTreeSet::new(),
            by_age: BTreeSet::new(),
            in_flight: 0,
            wake: Arc::new(Notify::new()),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let delayed = self.due.len().saturating_sub(self.in_flight);
        let visible = self.messages.len().saturating_sub(self.due.len());
        Counts {
            visible,
            in_flight: self.in_flight,
            delayed,
        }
    }

    /// When the next delayed or in-flight message becomes visible.
    pub(crate) fn next_due(&self) -> Option<At> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Every message, longest in the queue first.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.by_age
            .iter()
            .filter_map(|(_, key)| self.messages.get(key))
    }

    /// Lets time pass up to `now`: what is due becomes visible, what is too old goes. True when anything did.
    pub(crate) fn advance(&mut self, now: At) -> bool {
        let mut moved = false;
        while let Some(key) = self
            .due
            .first()
            .filter(|(at, _)| *at <= now)
            .map(|(_, key)| *key)
        {
            self.place(key, State::Visible);
            moved = true;
        }
        let retention = self.attributes.settings.retention_seconds;
        while let Some((sent, key)) = self.by_age.first().copied() {
            if sent.plus_seconds(retention) > now {
                break;
            }
            self.remove(key);
            moved = true;
        }
        moved
    }

    /// Puts a message in, in the state that it carries.
    pub(crate) fn insert(&mut self, message: Message) {
        let (key, state) = (message.key, message.state);
        self.by_age.insert((message.sent, key));
        // Entered as delayed since ever, so that `place` is the one way into a state and keeps the indexes true.
        let entering = State::Delayed { due: At(i64::MIN) };
        self.due.insert((At(i64::MIN), key));
        self.messages.insert(
            key,
            Message {
                state: entering,
                ..message
            },
        );
        self.place(key, state);
    }

    /// Moves a message into a state; the only place where the indexes and the count change with it.
    fn place(&mut self, key: Key, state: State) {
        let Some(message) = self.messages.get_mut(&key) else {
            return;
        };
        match message.state {
            State::Visible => {}
            State::Delayed { due } => {
                self.due.remove(&(due, key));
            }
            State::InFlight { due, .. } => {
                self.due.remove(&(due, key));
                self.in_flight = self.in_flight.saturating_sub(1);
            }
        }
        message.state = state;
        match state {
            State::Visible => self.ready.push_back(key),
            State::Delayed { due } => {
                self.due.insert((due, key));
            }
            State::InFlight { due, .. } => {
                self.due.insert((due, key));
                self.in_flight += 1;
            }
        }
        // A long poll sleeps until the first due time it saw: only an earlier one concerns it.
        if state == State::Visible || self.due.first().is_some_and(|(_, first)| *first == key) {
            self.wake.notify_waiters();
        }
    }

    fn remove(&mut self, key: Key) -> Option<Message> {
        let message = self.messages.remove(&key)?;
        self.by_age.remove(&(message.sent, key));
        match message.state {
            State::Visible => {}
            State::Delayed { due } => {
                self.due.remove(&(due, key));
            }
            State::InFlight { due, .. } => {
                self.due.remove(&(due, key));
                self.in_flight = self.in_flight.saturating_sub(1);
            }
        }
        Some(message)
    }

    /// Receives up to `max` messages and hides them for `visibility_seconds` (0: they stay visible).
    ///
    /// # Errors
    /// `OverLimit` with 120,000 messages in flight.
    pub(crate) fn receive(
        &mut self,
        now: Moment,
        max: usize,
        visibility_seconds: u32,
        next_receive: &mut u64,
    ) -> Result<Vec<Message>, SqsError> {
        if self.in_flight >= MAX_IN_FLIGHT {
            return Err(SqsError::new(
                Refusal::OverLimit,
                "Too many messages in flight.",
            ));
        }
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some(key) = self.ready.pop_front() else {
                break;
            };
            let Some(message) = self.messages.get_mut(&key) else {
                continue;
            };
            *next_receive += 1;
            message.newest_receive = *next_receive;
            message.receive_count = message.receive_count.saturating_add(1);
            message.first_received_ms.get_or_insert(now.wall_ms);
            taken.push(message.clone());
        }
        let state = match visibility_seconds {
            0 => State::Visible,
            seconds => State::InFlight {
                due: now.at.plus_seconds(seconds),
                received: now.at,
            },
        };
        for message in &taken {
            self.place(message.key, state);
        }
        Ok(taken)
    }

    /// Takes out the visible messages at the front that were received `max_receive_count` times; on AWS, too, a receive
    /// moves them, not a timer. Stops looking once `wanted` others are in front, as many as the receive will take.
    pub(crate) fn take_exhausted(&mut self, max_receive_count: u32, wanted: usize) -> Vec<Message> {
        let mut exhausted = Vec::new();
        let mut kept = Vec::new();
        while kept.len() < wanted {
            let Some(key) = self.ready.pop_front() else {
                break;
            };
            match self
                .messages
                .get(&key)
                .map(|message| message.receive_count >= max_receive_count)
            {
                Some(true) => exhausted.extend(self.remove(key)),
                Some(false) => kept.push(key),
                None => {}
            }
        }
        for key in kept.into_iter().rev() {
            self.ready.push_front(key);
        }
        exhausted
    }

    /// Takes the message that is visible longest out of the queue, if `fits` says so; else leaves it in its place.
    pub(crate) fn take_visible_if<T>(
        &mut self,
        fits: impl FnOnce(&Message) -> Option<T>,
    ) -> Taken<T> {
        while let Some(key) = self.ready.front().copied() {
            let Some(message) = self.messages.get(&key) else {
                self.ready.pop_front();
                continue;
            };
            let Some(fit) = fits(message) else {
                return Taken::Unfit;
            };
            self.ready.pop_front();
            return self.remove(key).map_or(Taken::Empty, |message| {
                Taken::Message(Box::new(message), fit)
            });
        }
        Taken::Empty
    }

    /// Deletes the message of the receipt. Only the newest receive's handle deletes (API reference, `DeleteMessage`:
    /// with an older one the request succeeds and the message stays). True when it was there.
    pub(crate) fn delete(&mut self, receipt: &Receipt) -> bool {
        let newest = self
            .of(receipt)
            .is_some_and(|message| message.newest_receive == receipt.receive);
        newest && self.remove(receipt.key).is_some()
    }

    /// Hides an in-flight message until `seconds` from now; 0 shows it at once.
    ///
    /// # Errors
    /// `MessageNotInflight` when it is visible again; `InvalidParameterValue` when it is gone, was received again
    /// since, or would stay hidden for more than 12 hours since it was received.
    pub(crate) fn change_visibility(
        &mut self,
        receipt: &Receipt,
        seconds: u32,
        now: At,
    ) -> Result<(), SqsError> {
        let gone = || {
            SqsError::new(
                Refusal::InvalidParameterValue,
                "The value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available \
                 for visibility timeout change.",
            )
        };
        let message = self
            .of(receipt)
            .filter(|message| message.newest_receive == receipt.receive)
            .ok_or_else(gone)?;
        let State::InFlight { received, .. } = message.state else {
            return Err(SqsError::new(
                Refusal::MessageNotInflight,
                "The specified message isn't in flight.",
            ));
        };
        let due = now.plus_seconds(seconds);
        if due > received.plus_seconds(MAX_IN_FLIGHT_SECONDS) {
            return Err(SqsError::invalid(
                "VisibilityTimeout",
                seconds,
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
            ));
        }
        let state = if seconds == 0 {
            State::Visible
        } else {
            State::InFlight { due, received }
        };
        self.place(receipt.key, state);
        Ok(())
    }

    /// Deletes every message.
    ///
    /// # Errors
    /// `PurgeQueueInProgress` within sixty seconds of the last purge.
    pub(crate) fn purge(&mut self, now: At) -> Result<(), SqsError> {
        if self
            .purged
            .is_some_and(|last| last.plus_seconds(PURGE_EVERY_SECONDS) > now)
        {
            return Err(SqsError::new(
                Refusal::PurgeQueueInProgress,
                "Only one PurgeQueue operation on a queue is allowed every 60 seconds.",
            ));
        }
        self.purged = Some(now);
        self.messages.clear();
        self.ready.clear();
        self.due.clear();
        self.by_age.clear();
        self.in_flight = 0;
        Ok(())
    }

    fn of(&self, receipt: &Receipt) -> Option<&Message> {
        self.messages
            .get(&receipt.key)
            .filter(|message| message.id == receipt.message_id)
    }
}

/// What [`Queue::take_visible_if`] found.
pub(crate) enum Taken<T> {
    /// No message is visible.
    Empty,
    /// The first visible one may not be taken.
    Unfit,
    /// This one, and what the caller derived from it.
    Message(Box<Message>, T),
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
