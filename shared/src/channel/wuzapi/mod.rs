//! wuzapi, with whatsmeow underneath: every envelope generation in, replies out.
//!
//! [`read`] decodes a webhook's body into one [`Envelope`], whatever its generation and encoding;
//! [`Envelope::verify`] checks who sent it; [`Envelope::event`] says what it means. [`Sender`] is the way back.
//!
//! Field names are matched without regard to case: they changed in 2024 (`stanzaId` to `stanzaID`, `key.id` to
//! `key.ID`), and an instance that is not updated keeps the old ones.

mod content;
mod envelope;
mod event;
mod fields;
mod jid;
mod send;
mod signature;
mod text;

pub use super::{Edit, Event, Ignored, Incoming};
pub use envelope::{BadEnvelope, Envelope, read};
pub use send::{Presence, SendError, Sender};
pub use signature::BadSignature;
pub use signature::sign;
