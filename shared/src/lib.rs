//! Clivy's shared library: the pure protocol in the middle, and the adapters around it.
//!
//! Data flows one way: function -> adapters ([`table`], [`queue`], [`llm`], [`channel`]) -> pure rules
//! ([`conversation`], [`prompt`]). The pure rules know neither AWS nor a clock.

pub mod access;
pub mod aws;
pub mod bots;
pub mod breaker;
pub mod breakers;
pub mod channel;
pub mod clock;
pub mod config;
pub mod conversation;
pub mod credits;
pub mod error;
pub mod http;
pub mod llm;
pub mod metrics;
pub mod prompt;
pub mod pseudonym;
pub mod queue;
pub mod random;
pub mod roots;
mod sealing;
pub mod secrets;
pub mod table;
pub mod telemetry;
pub mod trace;
pub mod usage;
pub mod vault;
