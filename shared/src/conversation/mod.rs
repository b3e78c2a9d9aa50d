//! The pure rules of a conversation: its words, its HEAD and what a trigger may do. No I/O, no clock.

pub mod bot;
pub mod ids;
pub mod message;
