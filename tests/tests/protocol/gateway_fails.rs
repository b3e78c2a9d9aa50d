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
        world.assert_quiet().await;
    }
}
