//! Clivy's shared library: the pure protocol in the middle, and the adapters around it.
//!
//! Data flows one way: function -> adapters ([`table`], [`queue`], [`llm`], [`channel`]) -> pure rules
//! ([`conversation`], [`prompt`]). The pure rules know neither AWS nor a clock.

pub mod channel;
pub mod conversation;
pub mod http;
pub mod llm;
pub mod prompt;
