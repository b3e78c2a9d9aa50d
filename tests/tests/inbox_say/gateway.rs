//! The gateway fails: a person's message stays the same, is tried again, and is given up where one can see it.

use std::time::Duration;

use clivy::access::Role;
use clivy::conversation::message::Delivery;
use tests::outside::Gateway;

use crate::{chat, deliveries, said, say, sent};

#[tokio::test(start_paused = true)]
async fn a_message_gets_through_when_the_gateway_is_up_again() {
    for (step, times) in [
        (Gateway::Refuses, 3),
        (Gateway::Http(401), 3),
        (Gateway::Http(500), 5),
        (Gateway::SendsAndBreaks, 3),
        (Gateway::SendsAndHangs, 3),
        (Gateway::Http(429), 5),
    ] {
        let world = chat(&[]).await;
        world.outside.gateway_does((0..times).map(|_| step));
        let api = world.api(Role::Agent).await;
        say(&api, "k1", "satu").await.expect(202);
        tokio::time::sleep(Duration::from_millis(50)).await;
        say(&api, "k2", "dua").await.expect(202);
        world.settle().await;
        assert_eq!(said(&world)[1..], ["satu", "dua"], "{step:?}");
        assert_eq!(deliveries(&world).await, [sent("satu"), sent("dua")]);
        let sends = world.outside.sends();
        let satu = sends.iter().filter(|send| send.text == "satu");
        let reached = if step == Gateway::Refuses {
            1
        } else {
            times + 1
        };
        assert_eq!(
            satu.count(),
            reached,
            "{step:?}: the first waits for nobody, the second for the first"
        );
        assert_eq!(world.dead_letters(), Vec::<String>::new());
        world.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_gateway_never_takes_is_given_up_and_the_next_one_is_sent() {
    for (step, most) in [
        (Gateway::Http(400), 1),
        (Gateway::Http(401), 5),
        (Gateway::Http(500), 10),
    ] {
        let world = chat(&[]).await;
        world.outside.gateway_does((0..most).map(|_| step));
        let api = world.api(Role::Agent).await;
        say(&api, "k1", "satu").await.expect(202);
        tokio::time::sleep(Duration::from_millis(50)).await;
        say(&api, "k2", "dua").await.expect(202);
        world.settle().await;
        assert_eq!(said(&world)[1..], ["dua"], "{step:?}");
        let given_up = ("satu".to_owned(), Some(Delivery::Undelivered), false);
        assert_eq!(deliveries(&world).await, [given_up, sent("dua")]);
        assert_eq!(world.outside.sends().len(), most + 2, "{step:?}");
        world.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_cost_no_send_until_the_deadline() {
    let world = chat(&[("OUTCOME_DEADLINE_SECONDS", "300")]).await;
    world
        .outside
        .gateway_does((0..1_000).map(|_| Gateway::Http(429)));
    let api = world.api(Role::Agent).await;
    let began = tokio::time::Instant::now();
    say(&api, "k1", "satu").await.expect(202);
    world.settle().await;
    assert!(began.elapsed() >= Duration::from_secs(300));
    assert!(world.outside.sends().len() > 6);
    assert_eq!(deliveries(&world).await[0].1, Some(Delivery::Undelivered));
    world.assert_quiet().await;
}
