//! What is in the way for a moment is waited for, with growing pauses. Embedded only, on a paused clock.

use std::collections::BTreeSet;
use std::time::Duration;

use clivy::error::Class;
use clivy::table::{Cause, Paused, Stored, TableError};
use tests::refusal::Refusal;
use tokio::time::Instant;

use crate::endpoint::after;
use crate::troubles::{Trouble, failed, store, troubled};

const CONFLICT: Trouble = Trouble::Refused(Refusal::Conflict);
/// An operation is tried so often when others are in its way.
const TRIES: u32 = 8;

async fn timed<T>(operation: impl Future<Output = T>) -> (T, Duration) {
    let begin = Instant::now();
    let output = operation.await;
    (output, begin.elapsed())
}

/// The pauses after so many conflicts: 10, 20, 40 … ms, at most 320, each less up to half of it. The clock counts in whole ms.
fn are_the_pauses_after(conflicts: u32, took: Duration) -> bool {
    let longest: u64 = (1..=conflicts).map(|tried| 5 << tried.min(6)).sum();
    let ms = Duration::from_millis;
    (ms(longest / 2)..=ms(longest + u64::from(conflicts))).contains(&took)
}

#[tokio::test(start_paused = true)]
async fn a_transaction_waits_for_those_that_are_in_its_way() {
    let (e, troubles) = troubled().await;
    for conflicts in 0..TRIES {
        let id = e.id(&format!("62811{conflicts}"));
        troubles.begin((0..conflicts).map(|_| CONFLICT));
        let (stored, took) = timed(store(&e, &id, "M1")).await;
        assert_eq!(stored.unwrap(), Stored::New);
        assert_eq!(troubles.calls(), conflicts + 1);
        assert!(are_the_pauses_after(conflicts, took), "{took:?}");
    }
    troubles.begin((0..100).map(|_| CONFLICT));
    let (stored, took) = timed(store(&e, &e.id("62812"), "M1")).await;
    let (cause, code) = failed(stored);
    assert_eq!(
        (cause, code.as_str()),
        (Cause::Conflict, "TransactionConflict")
    );
    assert_eq!(troubles.calls(), TRIES);
    assert!(are_the_pauses_after(TRIES - 1, took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_write_waits_for_transactions_that_are_in_its_way() {
    let (e, troubles) = troubled().await;
    let id = e.id("62811");
    store(&e, &id, "M1").await.unwrap();
    for conflicts in 0..TRIES {
        troubles.begin((0..conflicts).map(|_| CONFLICT));
        let (paused, took) = timed(e.table.pause(&id, after(1_000))).await;
        assert!(matches!(paused.unwrap(), Paused::Done(..)));
        assert_eq!(troubles.calls(), conflicts + 1);
        assert!(are_the_pauses_after(conflicts, took), "{took:?}");
    }
    troubles.begin((0..100).map(|_| CONFLICT));
    let failed = e.table.pause(&id, after(1_000)).await.unwrap_err();
    assert_eq!(failed.cause, Cause::Conflict);
    assert_eq!(failed.class(), Class::Retry);
    assert_eq!(troubles.calls(), TRIES);
}

#[tokio::test(start_paused = true)]
async fn two_that_met_wait_differently() {
    let (e, troubles) = troubled().await;
    let mut waits = Vec::new();
    for mid in ["M1", "M2"] {
        troubles.begin([CONFLICT; 7]);
        let (stored, took) = timed(store(&e, &e.id(&format!("62811{mid}")), mid)).await;
        stored.unwrap();
        waits.push(took);
    }
    assert_ne!(waits[0], waits[1]);
    let mut waits = Vec::new();
    for contact in ["628131", "628132"] {
        let id = e.id(contact);
        store(&e, &id, "M1").await.unwrap();
        troubles.begin([CONFLICT; 7]);
        let (paused, took) = timed(e.table.pause(&id, after(1_000))).await;
        paused.unwrap();
        waits.push(took);
    }
    assert_ne!(waits[0], waits[1]);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_is_tried_again_only_where_that_may_help() {
    let (e, troubles) = troubled().await;
    let id = e.id("62811");
    for (number, code) in [
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    ]
    .into_iter()
    .enumerate()
    {
        let codes: &'static [&'static str] = Box::leak(Box::new([code]));
        troubles.begin([Trouble::Cancelled(codes)]);
        let stored = store(&e, &id, &format!("M{number}")).await;
        assert_eq!(stored.unwrap(), Stored::New, "{code}");
        assert_eq!(troubles.calls(), 2, "{code}");
    }
    // A condition that failed will fail again.
    troubles.begin([Trouble::Cancelled(&[
        "ConditionalCheckFailed",
        "TransactionConflict",
    ])]);
    assert_eq!(store(&e, &id, "M9").await.unwrap(), Stored::Duplicate);
    assert_eq!(troubles.calls(), 1);
    troubles.begin([Trouble::Cancelled(&["None", "ValidationError"])]);
    let (cause, code) = failed(store(&e, &id, "M9").await);
    assert_eq!(
        (cause, code.as_str()),
        (Cause::Refused, "None,ValidationError")
    );
    assert_eq!(troubles.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_leaves_out_is_asked_for_again() {
    let (e, troubles) = troubled().await;
    let id = e.id("62811");
    let mut keys = BTreeSet::new();
    for n in 0..3 {
        keys.insert(e.say(&id, &format!("M{n}"), n).await);
    }
    let read = || e.table.messages(&id, &keys);
    for left_out in 0..5 {
        troubles.begin_with(
            "BatchGetItem",
            [Trouble::Unprocessed; 4].into_iter().take(left_out),
        );
        let (read, took) = timed(read()).await;
        assert_eq!(read.unwrap().len(), 3);
        assert_eq!(troubles.calls() as usize, left_out + 1);
        assert!(
            are_the_pauses_after(left_out.try_into().unwrap(), took),
            "{took:?}"
        );
    }
    troubles.begin_with("BatchGetItem", [Trouble::Unprocessed; 5]);
    let failed = read().await.unwrap_err();
    let TableError { cause, code, .. } = failed;
    assert_eq!(
        (cause, code.as_str()),
        (Cause::Unavailable, "UnprocessedKeys")
    );

    troubles.begin_with("BatchWriteItem", [Trouble::Unprocessed; 7]);
    e.table.erase(&id, after(1)).await.unwrap();
    assert_eq!(e.table.messages(&id, &keys).await.unwrap().len(), 0);
    e.say(&id, "M9", 100_000).await;
    troubles.begin_with("BatchWriteItem", [Trouble::Unprocessed; 8]);
    let failed = e.table.erase(&id, after(200_000)).await.unwrap_err();
    assert_eq!(
        (failed.cause, failed.code.as_str()),
        (Cause::Unavailable, "UnprocessedItems")
    );
}
