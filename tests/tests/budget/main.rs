//! What a message costs, counted: every request to AWS, every capacity unit by the key it is consumed at, every call of
//! the model and the gateway, every byte of log. `tests/budget.toml` holds the figures; more than is in it, or less, fails.
//! `docs/COST.md` and `docs/SCALE.md` are computed from that file.
//!
//! After a change that is meant to cost something else: `CLIVY_WRITE_BUDGET=1 cargo test -p tests --test budget`, and look
//! at the difference.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

mod scenes;
mod written;

use std::collections::BTreeMap;

use figures::budget::Scene;
use tests::counted::Counted;
use tests::template::project_root;

#[tokio::test(start_paused = true)]
async fn every_way_of_a_message_costs_exactly_what_the_budget_says() {
    // Boxed: every scene holds a world.
    let measured = Box::pin(scenes::all()).await;
    let path = project_root().join("tests/budget.toml");
    if std::env::var_os("CLIVY_WRITE_BUDGET").is_some() {
        std::fs::write(&path, written::written(&measured)).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let budget: BTreeMap<String, Scene> = toml::from_str(&text).unwrap();
    let names = |all: &[(&str, Scene)]| {
        let mut names: Vec<String> = all.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&measured), budget.keys().cloned().collect::<Vec<_>>());
    for (name, scene) in &measured {
        assert_eq!(
            scene, &budget[*name],
            "{name}: measured (left), budget (right)"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_engine_reports_the_same_units_for_every_write_that_it_reports() {
    let counted = Counted::open().await;
    scenes::grow(&counted, 3).await;
    scenes::fall_back(&counted).await;
    assert_eq!(counted.meter.disagreements(), Vec::<String>::new());
    assert_eq!(counted.shop.world.faults.refused(), Vec::<String>::new());
    let writes = counted.meter.since(0);
    let transactions = writes
        .iter()
        .filter(|asked| asked.operation.ends_with("TransactWriteItems"));
    assert!(transactions.count() > 8, "there was something to compare");
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_condition_fails_costs_the_item_that_is_there() {
    let counted = Counted::open().await;
    scenes::grow(&counted, 1).await;
    let again = scenes::duplicate(&counted).await;
    // Both items of the transaction, twice each, and no index.
    assert_eq!(again.requests["dynamodb:TransactWriteItems"], 1.0);
    let units = &again.write_units;
    assert!(units["conversation"] >= 4.0, "{units:?}");
    assert_eq!(units.len(), 1, "{units:?}");
}
