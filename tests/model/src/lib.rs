//! One conversation as a state machine: webhooks, queue, HEAD, workers that may die between any two steps. Explored whole
//! by a model checker, with the very `decide` that the worker calls. The designs that were thrown away are here too: each
//! must be refuted, which shows that the properties bite.

#![allow(
    clippy::indexing_slicing,
    reason = "a model that reaches outside of itself should end right there"
)]

pub mod design;
pub mod events;
mod properties;
pub mod set;
pub mod state;
mod worker;

pub use design::Design;
pub use events::{Event, Protocol};
pub use state::Budget;
