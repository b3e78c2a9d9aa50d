//! A person speaks at every step of a running turn: once the inbox has accepted it, no send of the bot's answer begins.

use std::time::Duration;

use clivy::access::Role as Key;
use clivy::conversation::outcome::TurnStatus;
use tests::bubbles::bot;
use tests::faults::{Fault, ROLE, Role};
use tests::outside::Gateway;
use tests::world::TestWorld;

use crate::{RINA, ask, chat, deliveries, said, say, sent};

const SEND: &str = "/chat/send/text";

/// A person speaks before the worker's effect number `index`. None when there is no such effect.
async fn a_person_speaks_before(index: usize, gateway: &[Gateway]) -> Option<()> {
    let settings = [("TAKEOVER_PAUSE_MINUTES", "2")];
    let world = TestWorld::with(&[bot("demo")], &settings).await;
    world.outside.gateway_does(gateway.to_vec());
    world
        .faults
        .arm(Role::Worker, index, Fault::Late(Duration::from_secs(2)));
    world.start();
    ask(&world, "A", "ada kopi?").await;
    let mut waited = 0;
    while world.faults.effects(Role::Worker).len() <= index {
        tokio::time::sleep(Duration::from_millis(50)).await;
        waited += 1;
        if waited > 4_000 {
            return None;
        }
    }
    let effect = world.faults.effects(Role::Worker).get(index).cloned()?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let api = world.api(Key::Agent).await;
    say(&api, "k1", "Ada kak (admin)").await.expect(202);
    let accepted = world.outside.sends().len();
    world.settle().await;
    println!("a person speaks before effect {index}, {effect}; the gateway: {gateway:?}");
    let mut sends = world.outside.sends().split_off(accepted);
    sends.retain(|send| send.text != "Ada kak (admin)");
    // Only a send that had begun may go on.
    if !effect.ends_with(SEND) {
        assert_eq!(
            sends,
            [],
            "a send of the bot began after the person was heard"
        );
    }
    assert_eq!(deliveries(&world).await, [sent("Ada kak (admin)")]);
    let persons = said(&world)
        .into_iter()
        .filter(|text| text == "Ada kak (admin)");
    assert_eq!(persons.count(), 1);
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(world.head("demo", RINA).await.bursts, 1);
    if said(&world).len() == 1 {
        assert_eq!(turn.status, TurnStatus::LeftToPerson);
    }
    assert_eq!(turn.keys.len(), 1);
    world.assert_quiet().await;
    Some(())
}

async fn a_person_speaks_at_every_step(gateway: &[Gateway], steps: usize) {
    let mut index = 0;
    while a_person_speaks_before(index, gateway).await.is_some() {
        index += 1;
    }
    assert!(index >= steps, "only {index} steps");
}

#[tokio::test(start_paused = true)]
async fn the_customer_never_gets_both_answers_after_the_person_was_accepted() {
    // Claim, query, visibility, model, draft, send, commit.
    a_person_speaks_at_every_step(&[], 7).await;
}

#[tokio::test(start_paused = true)]
async fn nor_while_a_send_of_the_bot_is_tried_again() {
    a_person_speaks_at_every_step(&[Gateway::Refuses], 12).await;
    a_person_speaks_at_every_step(&[Gateway::SendsAndBreaks], 9).await;
}

/// The trigger is sent before the message is written. It may find the outbox as it was before the write, and then the
/// message as it is after it: together they must not read as "stored, and sent long ago".
#[tokio::test(start_paused = true)]
async fn a_message_that_is_stored_while_its_trigger_looks_for_it_is_sent() {
    let late = |ms| Fault::Late(Duration::from_millis(ms));
    // Whichever of its effects the worker does after the write.
    for slow in 0..6 {
        let world = chat(&[]).await;
        let api = world.api(Key::Agent).await;
        let accepted = ROLE.scope(Role::Inbox, say(&api, "k0", "Halo kak"));
        accepted.await.expect(202);
        world.settle().await;
        let effects = world.faults.effects(Role::Inbox);
        let store = effects.len() - 1;
        assert!(
            effects[store].ends_with("TransactWriteItems"),
            "{effects:?}"
        );
        world.faults.arm(Role::Inbox, store, late(1_000));
        world.faults.arm(Role::Worker, slow, late(2_000));
        let accepted = ROLE.scope(Role::Inbox, say(&api, "k1", "Siap kak"));
        accepted.await.expect(202);
        world.settle().await;
        assert!(!world.faults.is_armed(), "effect {slow}");
        let said = said(&world);
        assert_eq!(said[1..], ["Halo kak", "Siap kak"], "effect {slow}");
        world.assert_quiet().await;
    }
}
