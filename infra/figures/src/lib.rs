//! The tables of `docs/COST.md` and `docs/SCALE.md`, computed from `tests/budget.toml` and `infra/cost/*.toml`.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        reason = "a test that cannot go on should end right there"
    )
)]

pub mod budget;
pub mod cost;
pub mod inputs;
pub mod page;
pub mod peer;
pub mod scale;
