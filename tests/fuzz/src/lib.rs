//! The targets: every place where bytes of strangers become something of ours, each with the properties that hold whatever
//! the bytes are. One harness serves three runs:
//! - `cargo test -p fuzz` replays the corpora and a short random run over them, without any tool;
//! - `infra/check-fuzz.sh` is a short coverage-guided run of all of them;
//! - `infra/fuzz.sh TARGET RUNS` is a long one.
//!
//! In an input the byte 1 stands for [`MARK`], a secret of the stranger's that no error may repeat (I11).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a property that does not hold ends the run right there"
)]

pub mod input;
pub mod mutate;
pub mod targets;

pub use input::MARK;

/// One place that reads what strangers write.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Reads an input and panics when a property does not hold.
    pub run: fn(&[u8]),
    /// Inputs to begin with, besides the corpus.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What libFuzzer and the random run put into inputs: words that the place knows.
    pub words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    targets::webhook_body::TARGET,
    targets::webhook_request::TARGET,
    targets::signature::TARGET,
    targets::gateway_answer::TARGET,
    targets::llm_answer::TARGET,
    targets::llm_error::TARGET,
    targets::account::TARGET,
    targets::cursor::TARGET,
    targets::bots_toml::TARGET,
    targets::trigger::TARGET,
    targets::if_match::TARGET,
    targets::session::TARGET,
    targets::search::TARGET,
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|target| target.name == name).copied()
}
