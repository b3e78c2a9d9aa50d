//! What a trigger may do with a conversation it could not claim at once.
//!
//! The fast claim is one conditional write. When its condition fails, this function reads the HEAD that
//! made it fail and says what the trigger does instead. It is the only place where that is decided.

use super::backoff::delay_seconds;
use super::head::Head;
use super::ids::{EpochMs, Fence, MessageKey, Owner};

/// The thresholds of the debounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debounce {
    /// Silence after which a burst is answered (`DEBOUNCE_SECONDS`).
    pub seconds: u32,
    /// The longest a steady typist waits (`DEBOUNCE_MAX_WAIT_SECONDS`).
    pub max_wait_seconds: u32,
    /// Messages after which nobody waits (`DEBOUNCE_MAX_MESSAGES`).
    pub max_messages: u32,
    /// How long a webhook may take between its trigger and its write, in milliseconds
    /// (`WEBHOOK_TIMEOUT_MS`).
    pub webhook_timeout_ms: i64,
}

/// Slack on top of the webhook's timeout: an answer in flight and clocks that differ.
const STORE_SLACK_MS: i64 = 5_000;

/// The longest a trigger waits for somebody else's claim.
const BUSY_CAP_MS: i64 = 30_000;

impl Debounce {
    /// How long after its first trigger a message may still become stored, in milliseconds.
    #[must_use]
    pub fn store_limit_ms(&self) -> i64 {
        self.webhook_timeout_ms.saturating_add(STORE_SLACK_MS)
    }

    /// How long a trigger waits whose message is not stored, in milliseconds; none when it will never be.
    #[must_use]
    pub(super) fn wait_for_the_write(&self, first_at: EpochMs, now: EpochMs) -> Option<i64> {
        let left_ms = self.store_limit_ms().saturating_sub(now.since_ms(first_at));
        let pause_ms = i64::from(self.seconds.max(1)) * 1000;
        (left_ms >= 0).then(|| left_ms.min(pause_ms).max(1000))
    }

    /// The delay of a trigger that covers a pending message: what is left of its silence (I6).
    #[must_use]
    pub fn rest_seconds(&self, last_at: Option<EpochMs>, now: EpochMs) -> u32 {
        rest_of_silence(self.seconds, last_at, now)
    }

    fn waited_enough(&self, head: &Head, now: EpochMs) -> bool {
        head.pend_since
            .is_some_and(|since| now.since_ms(since) >= i64::from(self.max_wait_seconds) * 1000)
            || head.pend.len() >= self.max_messages as usize
    }
}

/// What is left, in whole seconds, of `seconds` of silence after the message that arrived last (I6).
#[must_use]
pub fn rest_of_silence(seconds: u32, last_at: Option<EpochMs>, now: EpochMs) -> u32 {
    let silence_ms = i64::from(seconds) * 1000;
    last_at.map_or(0, |at| {
        delay_seconds(at.plus_ms(silence_ms).since_ms(now).min(silence_ms))
    })
}

/// What the worker knows when it decides.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// HEAD as it was when the claim's condition failed.
    pub head: Option<&'a Head>,
    /// Whether the trigger's own message is stored.
    pub own_message_is_stored: bool,
    /// The trigger's own message.
    pub key: &'a MessageKey,
    /// When the trigger was first sent.
    pub first_at: EpochMs,
    /// Who asks.
    pub owner: &'a Owner,
    /// The time.
    pub now: EpochMs,
}

/// Why a trigger ends without work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Its message was never stored, and never will be: its sender got no 2xx.
    NeverStored,
    /// Every message has been answered.
    NothingPending,
    /// A newer message has its own trigger, which covers this one too (I3).
    Superseded,
}

/// Why a trigger comes back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// Its message is not stored yet.
    NotYetStored,
    /// Somebody works on the conversation.
    Busy,
    /// A person has the conversation.
    Paused,
    /// A failed burst waits for its next try.
    Backoff,
    /// HEAD changed while it was looked at.
    Changed,
}

/// What the trigger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The claim is ours: the answer to our own write was lost. Go on with it.
    GoOn,
    /// Nothing to do: delete the trigger.
    Ack(Done),
    /// Send the trigger again with this delay, then delete this one (I3: in that order).
    Rearm {
        /// Whole seconds.
        delay_seconds: u32,
        /// Why.
        why: Later,
    },
    /// The claim has expired: take it over, if it is still the one with this fence.
    TakeOver {
        /// The fence that was seen.
        seen: Fence,
    },
}

/// Decides what a trigger does after its fast claim failed.
#[must_use]
pub fn decide(view: &View<'_>, debounce: &Debounce) -> Decision {
    // The own-message rule comes before everything else, taking over an expired claim included: a trigger
    // may overtake the write of its message, and it is that message's only cover until then (I3).
    if !view.own_message_is_stored {
        return before_it_is_stored(view, debounce);
    }
    let Some(head) = view.head else {
        return Decision::Ack(Done::NothingPending);
    };
    if let Some(claim) = &head.claim {
        if claim.owner == *view.owner {
            return Decision::GoOn;
        }
        let left_ms = claim.until.since_ms(view.now);
        if left_ms < 0 {
            return Decision::TakeOver { seen: claim.fence };
        }
        return Decision::Rearm {
            delay_seconds: busy_seconds(claim.until, view.now),
            why: Later::Busy,
        };
    }
    unclaimed(head, view, debounce)
}

/// How long a trigger waits for somebody who holds what it wants until then, in seconds. One more than is left, so that the
/// lease is over when the trigger comes back; never longer than the cap, because it may be given up long before.
#[must_use]
pub fn busy_seconds(until: EpochMs, now: EpochMs) -> u32 {
    let left_ms = until.since_ms(now).max(0);
    delay_seconds(left_ms.saturating_add(1000).min(BUSY_CAP_MS))
}

fn before_it_is_stored(view: &View<'_>, debounce: &Debounce) -> Decision {
    match debounce.wait_for_the_write(view.first_at, view.now) {
        None => Decision::Ack(Done::NeverStored),
        Some(ms) => rearm(ms, Later::NotYetStored),
    }
}

fn unclaimed(head: &Head, view: &View<'_>, debounce: &Debounce) -> Decision {
    if head.pend.is_empty() {
        return Decision::Ack(Done::NothingPending);
    }
    let is_newest = head.last_key.as_ref() == Some(view.key);
    let own_turn =
        head.pend.contains(view.key) && (is_newest || debounce.waited_enough(head, view.now));
    if !own_turn {
        // The trigger of the newest message was enqueued before that message became visible (I3).
        return Decision::Ack(Done::Superseded);
    }
    for (until, why) in [
        (head.paused_until, Later::Paused),
        (head.retry_at, Later::Backoff),
    ] {
        if let Some(until) = until
            && until > view.now
        {
            if !is_newest {
                // Nobody may claim yet, and the newest message's trigger comes back when somebody may (I3). A flood
                // would otherwise keep one trigger per message alive.
                return Decision::Ack(Done::Superseded);
            }
            return rearm(until.since_ms(view.now), why);
        }
    }
    rearm(1000, Later::Changed)
}

fn rearm(ms: i64, why: Later) -> Decision {
    Decision::Rearm {
        delay_seconds: delay_seconds(ms),
        why,
    }
}

#[cfg(test)]
mod tests;
