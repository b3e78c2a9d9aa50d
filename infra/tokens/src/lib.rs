//! What an answer costs in calls and tokens, on a corpus of customers' bursts, with the product's own rules: the tables of
//! `docs/TOKENS.md`.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test that cannot go on should end right there"
    )
)]

pub mod bill;
pub mod bursts;
pub mod corpus;
pub mod page;
pub mod prefix;
pub mod prompts;
pub mod rules;
pub mod settings;
pub mod tokenizer;
pub mod world;
