//! The trigger: a delayed queue message that says "look at this conversation". It carries no state; the
//! worker decides from HEAD alone.

use super::ids::{ConversationId, EpochMs, MessageKey};

/// A trigger, or the parked turn of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Whose turn it may be.
    pub conversation: ConversationId,
    /// The message that this trigger was sent for.
    pub key: MessageKey,
    /// When the trigger was first sent for that message; re-arming keeps it.
    pub first_at: EpochMs,
    /// Set on the dead letter of a failed turn: redriving it answers that burst again.
    pub retry_turn: Option<u64>,
}
