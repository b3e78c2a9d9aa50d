//! The tables of `docs/COST.md` and `docs/SCALE.md`, computed from `tests/budget.toml` and `infra/cost/*.toml`.

pub mod budget;
pub mod cost;
pub mod inputs;
pub mod page;
pub mod scale;
