//! The inbox and the worker die, or lose an answer, at every one of their effects in turn: what was accepted is sent once.

use std::time::Duration;

use clivy::access::Role as Key;
use tests::faults::{Fault, ROLE, Role, When};
use tests::outside::Gateway;
use tests::world::TestWorld;

use crate::{chat, deliveries, said, say, sent};

const FAULTS: [Fault; 5] = [
    Fault::Crash(When::Before),
    Fault::Crash(When::After),
    Fault::Error(When::Before),
    Fault::Error(When::After),
    Fault::Late(Duration::from_secs(3)),
];

/// Presses the button until it is accepted, as a page does: with one key.
async fn say_until_accepted(world: &TestWorld, may_die: bool, key: &str, text: &str) {
    let api = world.api(Key::Agent).await;
    for _ in 0..5 {
        let served = ROLE.scope(Role::Inbox, say(&api, key, text));
        let status = if may_die {
            tokio::select! {
                reply = served => reply.status.as_u16(),
                () = world.faults.death() => 502,
            }
        } else {
            served.await.status.as_u16()
        };
        if status == 202 {
            return;
        }
        assert!([502, 503].contains(&status), "{status}");
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    panic!("never accepted");
}

/// Two messages of a person; gives the effects of `role` in it.
async fn run(gateway: &[Gateway], role: Role, fault: Option<(usize, Fault)>) -> Vec<String> {
    let world = chat(&[]).await;
    world.start_sweeper();
    world.outside.gateway_does(gateway.to_vec());
    let before = world.faults.effects(role).len();
    if let Some((index, fault)) = fault {
        world.faults.arm(role, index, fault);
    }
    let may_die = role == Role::Inbox;
    say_until_accepted(&world, may_die, "k1", "satu").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    say_until_accepted(&world, may_die, "k2", "dua").await;
    // A record whose worker died before it could shorten its visibility comes back long after the sweeper's trigger.
    world.settle().await;
    assert!(!world.faults.is_armed(), "the fault happened");
    let said: Vec<String> = said(&world).into_iter().skip(1).collect();
    assert_eq!(said, ["satu", "dua"]);
    assert_eq!(deliveries(&world).await, [sent("satu"), sent("dua")]);
    assert_eq!(world.dead_letters(), Vec::<String>::new());
    assert_eq!(world.faults.refused(), Vec::<String>::new());
    world.assert_quiet().await;
    world.faults.effects(role).split_off(before)
}

async fn every_fault_at_every_effect(gateway: &[Gateway], role: Role, least: usize) {
    let effects = run(gateway, role, None).await;
    assert!(effects.len() >= least, "{effects:?}");
    for (index, effect) in effects.iter().enumerate() {
        for fault in FAULTS {
            println!("{gateway:?}: {fault:?} at effect {index} of the {role:?}: {effect}");
            run(gateway, role, Some((index, fault))).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_inbox_may_die_anywhere() {
    // Key, bot, HEAD, what was said before, trigger, transaction.
    every_fault_at_every_effect(&[], Role::Inbox, 12).await;
}

#[tokio::test(start_paused = true)]
async fn the_worker_may_die_anywhere() {
    // Outbox, messages, send, commit.
    every_fault_at_every_effect(&[], Role::Worker, 8).await;
}

#[tokio::test(start_paused = true)]
async fn the_worker_may_die_anywhere_while_a_send_waits_for_its_next_try() {
    // Outbox, messages, the next try's time, and what comes back meanwhile.
    every_fault_at_every_effect(&[Gateway::Refuses], Role::Worker, 11).await;
}

#[tokio::test(start_paused = true)]
async fn the_worker_may_die_anywhere_while_a_send_is_repeated_at_once() {
    every_fault_at_every_effect(&[Gateway::SendsAndBreaks], Role::Worker, 9).await;
}
