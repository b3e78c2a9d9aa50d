//! The language model: the wire of OpenRouter and of OpenAI-compatible APIs, and what their failures mean.

mod account;
mod answer;
mod asking;
mod classify;
mod client;
mod error;
mod evidence;
mod kinds;
mod ladder;
mod names;
mod simple;
mod wait;
mod wording;

#[cfg(test)]
#[rustfmt::skip]
mod classify_table;
#[cfg(test)]
mod classify_tests;
#[cfg(test)]
mod client_tests;

pub use account::{Credits, KeyInfo};
pub use answer::{LlmAnswer, Usage};
pub use asking::{Asker, Asking, Called, Fitted};
pub use classify::classify;
pub use client::{Ask, Dialect, LlmClient, LlmSettings};
pub use error::{Class, ErrorKind, LlmError, Onward, Weight};
pub use ladder::{Provider, Rung, breaker_name, ladder};
pub use simple::is_simple;
pub use wait::MAX_WAIT;
pub use wording::TokenNumbers;
