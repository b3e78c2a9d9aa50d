//! Races that an engine in one process does not lose. Embedded only, on a paused clock.

use clivy::breaker::Limits;
use clivy::conversation::ids::{MessageId, Owner};
use clivy::conversation::message::Delivery;
use clivy::conversation::outcome::TurnStatus;
use clivy::table::{
    BotState, Cause, Claimed, Edited, Failure, OutgoingCommitted, Repended, Revoked,
};

use crate::api_keys::key;
use crate::bots::{bot, try_edit};
use crate::endpoint::{after, request};
use crate::outbox::put_out;
use crate::troubles::{Trouble, troubled};

const TRANSACTION: &str = "TransactWriteItems";
const RACE: &str = "ConditionalCheckFailed";
/// A single write that came too late.
const LOST_RACE: Trouble = Trouble::Error("ConditionalCheckFailedException");

#[tokio::test(start_paused = true)]
async fn an_edit_that_lost_a_race_says_which() {
    let (e, troubles) = troubled().await;
    let (toko, moved) = (bot("toko", "t1"), bot("toko", "t2"));
    e.table.put_bot(&toko, after(0)).await.unwrap();
    let before = e.table.bot_state(&toko.bot_id).await.unwrap();
    for (bot, lost, told) in [
        (&moved, &[RACE][..], Edited::Changed),
        (&moved, &[RACE, RACE], Edited::Changed),
        (&moved, &["None", RACE], Edited::TokenTaken),
        (&moved, &["None", "None", RACE], Edited::Changed),
        (&toko, &["None", RACE], Edited::Changed),
    ] {
        troubles.begin_with(TRANSACTION, [Trouble::Cancelled(lost)]);
        assert_eq!(try_edit(&e, &before, bot).await, Ok(told), "{lost:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_is_written_again_when_others_write_and_gives_up_in_the_end() {
    let (e, troubles) = troubled().await;
    let toko = bot("toko", "t1");
    troubles.begin_with(TRANSACTION, [Trouble::Cancelled(&[RACE])]);
    e.table.sync_bot(&toko, after(0)).await.unwrap();
    assert_eq!(e.table.bot(&toko.bot_id).await, Ok(Some(toko.clone())));
    troubles.begin([]);
    e.table.sync_bot(&toko, after(1)).await.unwrap();
    assert_eq!(troubles.calls(), 1, "one read where nothing is to be done");
    troubles.begin_with(TRANSACTION, [Trouble::Cancelled(&[RACE]); 5]);
    let failed = e.table.put_bot(&toko, after(2)).await.unwrap_err();
    assert_eq!(failed.cause, Cause::Conflict);
}

#[tokio::test(start_paused = true)]
async fn a_bot_is_deleted_although_others_write() {
    let (e, troubles) = troubled().await;
    let toko = bot("toko", "t1");
    let delete = || e.table.delete_bot(&toko.owner, &toko.bot_id, after(1));
    for lost in 0..5 {
        e.table.put_bot(&toko, after(0)).await.unwrap();
        // What lists it is left to whoever has made it again meanwhile.
        let lost = std::iter::repeat_n(Trouble::Cancelled(&[RACE]), lost);
        troubles.begin_with(TRANSACTION, lost);
        delete().await.unwrap();
        let state = e.table.bot_state(&toko.bot_id).await.unwrap();
        assert!(matches!(state, BotState::Deleted(_)), "{state:?}");
    }
    e.table.put_bot(&toko, after(0)).await.unwrap();
    troubles.begin_with(TRANSACTION, [Trouble::Cancelled(&[RACE]); 5]);
    assert_eq!(delete().await.unwrap_err().cause, Cause::Conflict);
    // Its mark was written; the list is somebody else's now.
    troubles.begin_with(TRANSACTION, [Trouble::None, Trouble::Cancelled(&[RACE])]);
    delete().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_is_somebody_elses_is_left_at_once() {
    let (e, troubles) = troubled().await;
    let id = e.id("62811");
    e.say(&id, "A", 0).await;
    let key = put_out(&e, &id, "P1", 1).await;
    let (owner, other) = (Owner("x".to_owned()), Owner("y".to_owned()));
    let claimed = e.table.claim_outgoing(request(&id, &key, &owner, 2));
    assert!(matches!(claimed.await, Ok(Claimed::Won(_))));
    let done = |owner| e.table.commit_outgoing(&id, &key, owner, Delivery::Sent);
    troubles.begin([]);
    assert_eq!(done(&other).await, Ok(OutgoingCommitted::FencedOut), "I4");
    assert_eq!(troubles.calls(), 1);
    // Neither HEAD nor the message is what is in the way.
    troubles.begin([Trouble::Wrong]);
    assert_eq!(done(&owner).await.unwrap_err().cause, Cause::Refused);
    assert_eq!(done(&owner).await, Ok(OutgoingCommitted::Emptied));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_done_already_is_done() {
    let (e, troubles) = troubled().await;
    let key = key();
    e.table.put_api_key(&key).await.unwrap();
    troubles.begin_with("UpdateItem", [LOST_RACE; 2]);
    let name = key.hash.id();
    let revoked = e.table.revoke_api_key(&key.owner, &name, after(1));
    assert_eq!(revoked.await, Ok(Revoked::Done));

    let limits = Limits {
        max_failures: 1,
        cooldown_ms: 60_000,
    };
    let failure = Failure {
        weight: 1,
        reason: "timed_out",
    };
    troubles.begin_with("UpdateItem", [Trouble::None, LOST_RACE]);
    let failed = e
        .table
        .breaker_failure("openrouter", failure, limits, after(0));
    assert!(!failed.await.unwrap().1, "somebody else has opened it (I7)");

    let id = e.id("62811");
    let burst = e.burst(&id, "M1", 0, TurnStatus::Failed).await;
    troubles.begin_with(TRANSACTION, [Trouble::Cancelled(&[RACE])]);
    let put_back = e.table.repend(&id, burst, None, after(10)).await.unwrap();
    assert!(matches!(put_back, Repended::Pending(_)), "{put_back:?}");
    troubles.begin_with("UpdateItem", [LOST_RACE]);
    let mid = MessageId::new("M1").unwrap();
    let edited = e.table.edit(&id, &mid, true, "baru", after(20)).await;
    assert_eq!(edited, Ok(()), "it has expired");
    troubles.begin_with("DeleteItem", [LOST_RACE]);
    e.table.erase(&id, after(1)).await.unwrap();
}
