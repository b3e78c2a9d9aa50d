//! HEAD: the one item a conversation is decided from.

use std::collections::BTreeSet;
use std::fmt;

use super::ids::{EpochMs, Fence, MessageId, MessageKey, Owner};
use super::outcome::Outcome;

/// The protocol's part of a conversation's HEAD.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    /// Messages that no burst has taken yet.
    pub pend: BTreeSet<MessageKey>,
    /// When the oldest of them became pending.
    pub pend_since: Option<EpochMs>,
    /// The message that arrived last.
    pub last_key: Option<MessageKey>,
    /// When it arrived.
    pub last_at: Option<EpochMs>,
    /// Bursts committed so far. The burst in flight, if any, is this plus one.
    pub bursts: u64,
    /// Tries at the burst in flight or released, this one included.
    pub tries: u32,
    /// Until when a failed burst waits for its next try.
    pub retry_at: Option<EpochMs>,
    /// Until when a person has the conversation.
    pub paused_until: Option<EpochMs>,
    /// Who works on it, if anybody.
    pub claim: Option<Claim>,
}

/// The claim part of HEAD: the burst somebody works on.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Its number.
    pub fence: Fence,
    /// Who holds it.
    pub owner: Owner,
    /// When it may be taken over.
    pub until: EpochMs,
    /// When the burst's oldest message became pending.
    pub since: EpochMs,
    /// The messages of the burst.
    pub keys: BTreeSet<MessageKey>,
    /// The reply, once there is one. It never changes again (I2).
    pub draft: Option<Draft>,
}

/// A reply that is stored but perhaps not yet sent.
#[derive(Clone, PartialEq)]
pub struct Draft {
    /// What the customer will read. Empty when the burst ends without a reply.
    pub text: String,
    /// The id the gateway will see, every time (I5).
    pub reply_id: MessageId,
    /// What the turn's record will say.
    pub outcome: Outcome,
    /// Calls to the gateway that were begun for it.
    pub sends: u32,
}

/// Without the text: it must not reach a log (I11).
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("text", &"[redacted]")
            .field("reply_id", &self.reply_id)
            .field("outcome", &self.outcome)
            .field("sends", &self.sends)
            .finish()
    }
}

impl Head {
    /// The number of the burst in flight, or of the next one.
    #[must_use]
    pub fn burst(&self) -> u64 {
        self.bursts.saturating_add(1)
    }

    /// Whether HEAD itself shows that a message is stored. `false` says nothing: the message may have
    /// been answered long ago, and only its item tells.
    #[must_use]
    pub fn shows(&self, key: &MessageKey) -> bool {
        self.pend.contains(key) || self.claim.as_ref().is_some_and(|c| c.keys.contains(key))
    }
}
