//! The language model: OpenRouter's wire, and what its failures mean.

mod account;
mod answer;
mod classify;
mod error;
mod evidence;
mod kinds;
mod openrouter;
mod wait;
mod wording;

#[cfg(test)]
#[rustfmt::skip]
mod classify_table;
#[cfg(test)]
mod classify_tests;
#[cfg(test)]
mod openrouter_tests;

pub use account::{Credits, KeyInfo};
pub use answer::{LlmAnswer, Usage};
pub use classify::classify;
pub use error::{Class, ErrorKind, LlmError};
pub use openrouter::{Ask, OpenRouter, OpenRouterSettings};
pub use wait::MAX_WAIT;
pub use wording::TokenNumbers;
