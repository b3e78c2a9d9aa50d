//! Secrets: where they come from, how they change, how they lie in the table; and that nothing secret ever leaves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

mod bot_secrets;
mod canary;
mod canary_paths;
mod ministack;
mod renewing;
mod rotation;
