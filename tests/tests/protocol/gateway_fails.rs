//! The gateway fails: the reply stays the same.

use clivy::conversation::outcome::TurnStatus;
use tests::bubbles::{bot, bubble};
use tests::outside::Gateway;
use tests::world::TestWorld;

const RINA: &str = "6281100020001";

#[tokio::test(start_paused = true)]
async fn a_gateway_that_loses_its_answer_gets_the_same_id_and_text_again() {
    for lost in [
        Gateway::SendsAndBreaks,
        Gateway::SendsAndHangs,
        Gateway::Http(500),
    ] {
        for times in [1, 3] {
            let world = TestWorld::new(&[bot("demo")]).await;
            world.outside.gateway_does((0..times).map(|_| lost));
            world.start();
            world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
            world.settle().await;
            let sends = world.outside.sends();
            assert_eq!(sends.len(), times + 1, "{lost:?}");
            assert!(
                sends
                    .iter()
                    .all(|s| s.id == sends[0].id && s.text == sends[0].text),
                "I5"
            );
            assert_eq!(
                world.outside.asked().len(),
                1,
                "the model is not asked again"
            );
            assert_eq!(
                world.turn("demo", RINA, 1).await.status,
                TurnStatus::Answered
            );
            world.assert_quiet().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_the_gateway_never_takes_is_parked_where_one_can_see_it() {
    for (step, most) in [
        (Gateway::Http(400), 1),
        (Gateway::Refuses, 0),
        (Gateway::Http(500), 20),
    ] {
        let world = TestWorld::new(&[bot("demo")]).await;
        world.outside.gateway_does((0..50).map(|_| step));
        world.start();
        world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
        world.settle().await;
        assert!(world.outside.delivered().is_empty());
        assert!(world.outside.sends().len() <= most, "{step:?}");
        assert_eq!(world.outside.asked().len(), 1);
        assert_eq!(
            world.turn("demo", RINA, 1).await.status,
            TurnStatus::Undelivered
        );
        let dead = world.dead_letters();
        assert_eq!(dead.len(), 1, "{step:?}");
        assert!(dead[0].contains("retry_turn"));
        let history = world.history("demo", RINA).await;
        assert!(!history[1].delivered, "the history says so");
        // The next question is not asked as if that answer had been read.
        world.outside.gateway_is_well();
        world.post(&bubble("demo", RINA, "B", 9, "halo?")).await;
        world.settle().await;
        let asked = world.outside.asked()[1]["messages"].to_string();
        assert!(!asked.contains("Jawaban atas"), "{asked}");
        world.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_customer_who_keeps_typing_does_not_use_up_the_sends_of_a_draft() {
    let world = TestWorld::with(&[bot("demo")], &[("AI_RETRY_SECONDS", "300")]).await;
    world
        .outside
        .gateway_does((0..3).map(|_| Gateway::Http(401)));
    world.start();
    let pause = || tokio::time::sleep(std::time::Duration::from_secs(5));
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    pause().await;
    // The first send has failed. Until its backoff ends, no trigger of another bubble sends again.
    let until = world.head("demo", RINA).await.claim.unwrap().until;
    assert!(
        until.since_ms(world.world.clock.now()) > 10_000,
        "a backoff worth the name"
    );
    let mut n = 0;
    while world.world.clock.now().plus_ms(1_000) < until {
        assert_eq!(world.outside.sends().len(), 1);
        n += 1;
        let body = bubble("demo", RINA, &format!("B{n:02}"), n, &format!("kata {n}"));
        world.post(&body).await;
        pause().await;
    }
    world.settle().await;
    assert_eq!(world.outside.delivered()[0].text, "Jawaban atas: Halo");
    assert!(world.dead_letters().is_empty(), "nothing was parked");
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_has_too_much_to_do_costs_no_send() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world
        .outside
        .gateway_does((0..7).map(|_| Gateway::Http(429)));
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.settle().await;
    assert_eq!(world.outside.delivered().len(), 1);
    assert_eq!(
        world.turn("demo", RINA, 1).await.status,
        TurnStatus::Answered
    );
    world.assert_quiet().await;
}
