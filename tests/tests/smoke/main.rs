//! The smoke test before a deployment, over the real webhook, worker, table and queue: what it lets through, what it stops, and
//! that it always tells CodeDeploy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

mod gateway;
mod report;
mod rights;
mod stage;
mod verdict;
