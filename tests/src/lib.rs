//! The world the tests run in: the real functions, adapters and SDK clients over the embedded DynamoDB and the
//! in-process SQS, on tokio's clock; the model, the gateway and the faults are scripted. Beside it, real
//! processes for what only a process shows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

pub mod api;
pub mod bubbles;
pub mod contract;
pub mod counted;
pub mod dashboard;
pub mod day;
pub mod emf;
pub mod exposition;
pub mod faults;
pub mod floor;
pub mod grown;
pub mod log;
pub mod look;
pub mod measure;
pub mod meter;
pub mod outside;
pub mod policy;
pub mod process;
pub mod refusal;
pub mod shop;
pub mod template;
pub mod world;
