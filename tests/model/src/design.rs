//! The design that is built, and the ones that were thrown away. Each of those is plausible, and loses a message or sends
//! two texts; the checker must find how.

/// A design of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Design {
    /// The one that is built.
    Ours,
    /// The message is stored before its trigger is sent.
    WriteBeforeSend,
    /// A trigger acts whether or not its own message is stored.
    NoOwnMessageRule,
    /// It asks whether its own message is stored only when nothing is pending.
    OwnMessageRuleWhenIdle,
    /// A trigger that meets a claim ends.
    BusyAcks,
    /// The commit does not ask what has come in.
    NoCoverAtCommit,
    /// The commit and the end of the record come first, the trigger for what has come in second.
    CoverAfterCommit,
    /// A worker that was fenced out ends its trigger.
    FencedOutAcks,
    /// HEAD holds "answered up to" in place of a set.
    Cursor,
    /// The reply is sent without being stored first.
    NoStoredDraft,
    /// Whether the own message is stored is read after HEAD, and HEAD is not read again.
    StaleHead,
    /// The draft is stored whether or not a person has the conversation.
    DraftIgnoresPause,
}

impl Design {
    /// Those that must be refuted.
    pub const BROKEN: [Self; 11] = [
        Self::WriteBeforeSend,
        Self::NoOwnMessageRule,
        Self::OwnMessageRuleWhenIdle,
        Self::BusyAcks,
        Self::NoCoverAtCommit,
        Self::CoverAfterCommit,
        Self::FencedOutAcks,
        Self::Cursor,
        Self::NoStoredDraft,
        Self::StaleHead,
        Self::DraftIgnoresPause,
    ];
}
