//! What is refused is said, and taken for nothing else. Embedded only, on a paused clock.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use clivy::error::Class;
use clivy::table::{Cause, schema};
use futures_util::FutureExt;
use tests::refusal::Refusal;

use crate::troubles::{Trouble, store, troubled};

/// The SDK tries so often when the service is.
const TRIES_OF_THE_SDK: usize = 3;

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told_from_what_may_pass() {
    let (e, troubles) = troubled().await;
    let id = e.id("62811");
    for name in [
        "AccessDeniedException",
        "ResourceNotFoundException",
        "ValidationException",
        "ItemCollectionSizeLimitExceededException",
    ] {
        troubles.begin([Trouble::Error(name)]);
        let failed = store(&e, &id, "M1").await.unwrap_err();
        assert_eq!((failed.cause, failed.code.as_str()), (Cause::Refused, name));
        assert_eq!(failed.class(), Class::Permanent);
    }
    for (trouble, code) in [
        (
            Trouble::Error("ProvisionedThroughputExceededException"),
            "ProvisionedThroughputExceededException",
        ),
        (
            Trouble::Error("RequestLimitExceeded"),
            "RequestLimitExceeded",
        ),
        (Trouble::Refused(Refusal::Unavailable), "ServiceUnavailable"),
        (Trouble::Lost, "Dispatch"),
        (Trouble::Garbage, "Unknown"),
        (Trouble::Hangs, "Timeout"),
    ] {
        troubles.begin(std::iter::repeat_n(trouble, TRIES_OF_THE_SDK));
        let failed = store(&e, &id, "M1").await.unwrap_err();
        assert_eq!(
            (failed.cause, failed.code.as_str()),
            (Cause::Unavailable, code)
        );
        assert_eq!(failed.class(), Class::Retry);
    }
}

/// The words of a panic.
fn words(panic: &(dyn Any + Send)) -> String {
    let owned = panic.downcast_ref::<String>().cloned();
    let borrowed = panic.downcast_ref::<&str>().map(ToString::to_string);
    owned.or(borrowed).unwrap_or_default()
}

/// Each call of each case is refused, in a run of its own: whoever made it says so.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_taken_for_nothing_else() {
    let mut refusals = 0;
    let mut untold = Vec::new();
    for (name, case) in crate::cases() {
        for number in 0.. {
            let (e, troubles) = troubled().await;
            let before = std::iter::repeat_n(Trouble::None, number);
            troubles.begin(before.chain([Trouble::Wrong]));
            let ended = AssertUnwindSafe(case(&e)).catch_unwind().await;
            if troubles.calls() as usize <= number {
                break;
            }
            refusals += 1;
            let said = match ended {
                Ok(verdict) => verdict.unwrap_or_default(),
                Err(panic) => words(panic.as_ref()),
            };
            if !said.contains("ValidationE") {
                untold.push(format!("{name}, call {number}: {said:?}"));
            }
        }
    }
    assert!(untold.is_empty(), "refused, and it said: {untold:#?}");
    assert!(refusals > 1_000, "{refusals}");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_not_there_is_noticed_during_init() {
    let (e, troubles) = troubled().await;
    troubles.begin([Trouble::Error("ResourceNotFoundException")]);
    let failed = e.table.warm_up().await.unwrap_err();
    assert_eq!(
        (failed.operation, failed.cause),
        ("warm_up", Cause::Refused)
    );
    assert_eq!(e.table.warm_up().await, Ok(()));
    // One that is there is left as it is.
    let create = || schema::create(&e.client, &e.name);
    create().await.unwrap();
    troubles.begin([Trouble::Error("AccessDeniedException")]);
    assert_eq!(create().await.unwrap_err().cause, Cause::Refused);
}
