//! What a person has said belongs to the history: at once, and once.

use std::time::Duration;

use clivy::access::Role;
use clivy::conversation::outcome::TurnStatus;
use serde_json::json;
use tests::bubbles::from_the_phone;
use tests::faults::Fault;
use tests::outside::Gateway;
use tests::world::TestWorld;

use crate::{RINA, ask, chat, deliveries, said, say, sent};

/// The gateway posts what was sent under `mid` back, as it does with all that leaves the number.
async fn echo(world: &TestWorld, mid: &str) {
    let now = world.world.clock.now();
    let body = from_the_phone("demo", RINA, &mid.to_uppercase(), now, "Siap kak");
    assert_eq!(
        world.post(&body).await,
        (200, json!({"status": "ignored", "reason": "own_message"}))
    );
}

#[tokio::test(start_paused = true)]
async fn an_echo_is_no_message_of_its_own_before_the_commit_and_after_it() {
    let world = chat(&[("TAKEOVER_PAUSE_MINUTES", "2")]).await;
    let api = world.api(Role::Agent).await;
    world
        .faults
        .always("/chat/send/text", Fault::Late(Duration::from_secs(10)));
    let accepted = say(&api, "k1", "Siap kak").await.expect(202);
    let paused = world.head("demo", RINA).await.paused_until;
    let mid = accepted["mid"].as_str().unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        world.head("demo", RINA).await.outbox.keys.len(),
        1,
        "not committed yet"
    );
    echo(&world, mid).await;
    world.settle().await;
    echo(&world, mid).await;
    assert_eq!(deliveries(&world).await, [sent("Siap kak")]);
    assert_eq!(world.head("demo", RINA).await.paused_until, paused);
    world.assert_quiet().await;
}

/// Whether what a person has said counts as said to whoever answers the question before it, when the pause is over.
async fn is_left_to_person(gateway: &[Gateway]) -> bool {
    let settings = [("TAKEOVER_PAUSE_MINUTES", "1"), ("AI_RETRY_SECONDS", "900")];
    let world = chat(&settings).await;
    world.outside.gateway_does(gateway.to_vec());
    ask(&world, "B", "ada kopi?").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let api = world.api(Role::Agent).await;
    say(&api, "k1", "Ada kak").await.expect(202);
    tokio::time::sleep(Duration::from_secs(90)).await;
    let turn = world.turn("demo", RINA, 2).await;
    world.settle().await;
    world.assert_quiet().await;
    turn.status == TurnStatus::LeftToPerson
}

#[tokio::test(start_paused = true)]
async fn a_message_on_its_way_counts_as_said_and_one_that_was_given_up_does_not() {
    assert!(is_left_to_person(&[]).await, "sent");
    assert!(
        is_left_to_person(&[Gateway::Refuses; 1]).await,
        "on its way"
    );
    assert!(!is_left_to_person(&[Gateway::Http(400)]).await, "given up");
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_trigger_is_lost_is_sent_by_the_sweeper() {
    let world = chat(&[]).await;
    world.start_sweeper();
    let api = world.api(Role::Agent).await;
    // Nobody has taken it yet: the mapping polls after this.
    say(&api, "k1", "Siap kak").await.expect(202);
    world.purge().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    world.settle().await;
    assert_eq!(said(&world)[1..], ["Siap kak"]);
    assert_eq!(deliveries(&world).await, [sent("Siap kak")]);
    world.assert_quiet().await;
}
