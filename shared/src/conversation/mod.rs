//! The pure rules of a conversation: its words, its HEAD and what a trigger may do. No I/O, no clock.

pub mod backoff;
pub mod bot;
pub mod bot_limits;
pub mod brake;
pub mod decide;
pub mod gateway_address;
pub mod head;
pub mod ids;
pub mod message;
mod models;
pub mod opt;
pub mod outcome;
pub mod outgoing;
pub mod question;
pub mod rate;
pub mod room;
pub mod trigger;
pub mod version;
