//! The protocol, from the webhook to the reply, on the embedded world and a paused clock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

mod breaker;
mod burst;
mod crash;
mod credits;
mod credits_fail;
mod deadline;
mod error_rows;
mod gateway_fails;
mod history;
mod kept;
mod ladder;
mod ledger;
mod limits;
mod long_trouble;
mod model_fails;
mod opting;
mod overtaken;
mod records;
mod sweeping;
mod takeover;
mod takeover_races;
mod twins;
mod webhook;
