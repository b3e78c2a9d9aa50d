//! The simulation: the real functions, adapters and AWS SDK clients over the embedded DynamoDB in memory and the in-process
//! SQS, with a scripted model and gateway, on tokio's paused clock. One seed is one schedule, always the same.
//!
//! A schedule: [`plan`] (what the seed decides) -> [`schedule`] (everybody plays on the [`stage`], the [`director`] lets things go wrong at
//! every effect, [`safety`] looks after each at every conversation that is [`watched`]) -> [`quiescence`] (all is made well; what must hold then, with the
//! [`ledger`]). [`fleet`] is Lambda: instances with their caches and clocks; [`deliveries`] is SQS. [`runner`] runs many, [`exhaustive`] every
//! fault at every effect, and [`report`] says what came of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a simulation that cannot go on should end right there"
)]

pub mod arms;
pub mod deliveries;
pub mod dice;
pub mod director;
pub mod exhaustive;
pub mod fleet;
pub mod head;
pub mod leaks;
pub mod ledger;
pub mod outside;
pub mod plan;
pub mod quiescence;
pub mod rates;
pub mod report;
pub mod runner;
pub mod safety;
pub mod schedule;
pub mod seeds;
pub mod stage;
pub mod transcript;
pub mod watched;
