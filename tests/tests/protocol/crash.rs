//! The functions die, or lose an answer, at every one of their effects in turn: every accepted message is answered,
//! and the gateway sees one id and one text.

use std::time::Duration;

use tests::bubbles::{bot, bubble};
use tests::faults::{Fault, Role, When};
use tests::outside::{Gateway, Model};
use tests::world::TestWorld;

const RINA: &str = "6281100020001";
const FAULTS: [Fault; 4] = [
    Fault::Crash(When::Before),
    Fault::Crash(When::After),
    Fault::Error(When::Before),
    Fault::Error(When::After),
];

/// A scenario: bubbles with pauses between them, and what the outside does meanwhile.
#[derive(Clone, Copy, Debug)]
enum Scenario {
    /// Two bubbles, one burst.
    Burst,
    /// A bubble while the model thinks: two bursts, the second re-armed by the first one's commit.
    MoreMeanwhile,
    /// The first attempt fails and is retried.
    Retry,
    /// Every attempt fails: the fallback text, and a dead letter.
    Fallback,
    /// The gateway is unreachable for the first send.
    SendAgain,
}

impl Scenario {
    async fn run(self, world: &TestWorld) -> Vec<String> {
        match self {
            Self::Burst | Self::SendAgain => {
                if matches!(self, Self::SendAgain) {
                    world.outside.gateway_does([Gateway::Refuses]);
                }
                self.type_bubbles(world, &[("Halo", 1_000), ("ada kopi?", 0)])
                    .await
            }
            Self::MoreMeanwhile => {
                let slow = Model::Says("Jawaban pertama".to_owned());
                world
                    .outside
                    .model_does([Model::Slow(Duration::from_secs(8), Box::new(slow))]);
                self.type_bubbles(world, &[("Halo", 5_000), ("masih buka?", 0)])
                    .await
            }
            Self::Retry => {
                world.outside.model_does([Model::Breaks]);
                self.type_bubbles(world, &[("Halo", 0)]).await
            }
            Self::Fallback => {
                world.outside.model_does((0..30).map(|_| Model::Breaks));
                self.type_bubbles(world, &[("Halo", 0)]).await
            }
        }
    }

    /// Types bubbles; gives the ids of those that were accepted.
    async fn type_bubbles(self, world: &TestWorld, bubbles: &[(&str, u64)]) -> Vec<String> {
        let mut accepted = Vec::new();
        for (n, (text, pause_ms)) in bubbles.iter().enumerate() {
            let mid = format!("B{n}");
            let body = bubble("demo", RINA, &mid, n as i64, text);
            if world.post_until_accepted(&body).await {
                accepted.push(mid);
            }
            tokio::time::sleep(Duration::from_millis(*pause_ms)).await;
        }
        accepted
    }
}

async fn run(scenario: Scenario, fault: Option<(Role, usize, Fault)>) -> TestWorld {
    let world = TestWorld::new(&[bot("demo")]).await;
    if let Some((role, index, fault)) = fault {
        world.faults.arm(role, index, fault);
    }
    world.start();
    // A record whose worker died before it could shorten its visibility comes back after the outcome deadline.
    world.start_sweeper();
    let accepted = scenario.run(&world).await;
    world.settle().await;
    assert_eq!(
        accepted.len(),
        if matches!(scenario, Scenario::Retry | Scenario::Fallback) {
            1
        } else {
            2
        }
    );
    check(&world, scenario, &accepted).await;
    world
}

async fn check(world: &TestWorld, scenario: Scenario, accepted: &[String]) {
    world.assert_quiet().await;
    // I1, I2: every accepted message is in exactly one committed turn.
    let head = world.head("demo", RINA).await;
    let mut answered = Vec::new();
    for burst in 1..=head.bursts {
        let turn = world.turn("demo", RINA, burst).await;
        answered.extend(turn.keys);
    }
    assert_eq!(
        answered.len(),
        accepted.len(),
        "every message in one turn, none in two"
    );
    // I4: one reply per burst, in order, each under its own id.
    let delivered = world.outside.delivered();
    let id = world.id("demo", RINA);
    let ids: Vec<_> = delivered.iter().map(|send| send.id.clone()).collect();
    let expected: Vec<_> = (1..=head.bursts)
        .map(|b| id.reply_id(b, head.born_at).as_str().to_owned())
        .collect();
    assert_eq!(ids, expected);
    let replies = world.history("demo", RINA).await.len() - accepted.len();
    assert_eq!(replies, delivered.len(), "what was sent is in the history");
    // I8: counted once, however often it was begun.
    let day = world.usage("demo", world.world.clock.now()).await;
    assert_eq!(
        (day.turns, day.messages, day.response_times.count()),
        (head.bursts, accepted.len() as u64, head.bursts)
    );
    assert_eq!((day.conversations, day.new_contacts), (1, 1));
    if matches!(scenario, Scenario::Fallback) {
        assert_eq!(delivered[0].text, "Maaf Kak, tim kami akan membalas.");
        assert!(
            !world.dead_letters().is_empty(),
            "the failed turn is parked"
        );
        assert!(
            world
                .dead_letters()
                .iter()
                .all(|body| body.contains("retry_turn"))
        );
    } else {
        assert_eq!(world.dead_letters(), Vec::<String>::new());
    }
}

async fn every_fault_at_every_effect(scenario: Scenario, role: Role) {
    let effects = run(scenario, None).await.faults.effects(role);
    assert!(effects.len() >= 2, "{effects:?}");
    for (index, effect) in effects.iter().enumerate() {
        for fault in FAULTS {
            println!("{scenario:?}: {fault:?} at effect {index} of the {role:?}: {effect}");
            let world = run(scenario, Some((role, index, fault))).await;
            assert!(!world.faults.is_armed(), "the fault happened");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_worker_may_die_anywhere_in_a_burst() {
    every_fault_at_every_effect(Scenario::Burst, Role::Worker).await;
}

#[tokio::test(start_paused = true)]
async fn the_worker_may_die_anywhere_while_more_comes_in() {
    every_fault_at_every_effect(Scenario::MoreMeanwhile, Role::Worker).await;
}

#[tokio::test(start_paused = true)]
async fn the_worker_may_die_anywhere_in_a_retry() {
    every_fault_at_every_effect(Scenario::Retry, Role::Worker).await;
}

#[tokio::test(start_paused = true)]
async fn the_worker_may_die_anywhere_on_the_way_to_the_fallback_text() {
    every_fault_at_every_effect(Scenario::Fallback, Role::Worker).await;
}

#[tokio::test(start_paused = true)]
async fn the_worker_may_die_anywhere_while_a_send_is_repeated() {
    every_fault_at_every_effect(Scenario::SendAgain, Role::Worker).await;
}

#[tokio::test(start_paused = true)]
async fn the_webhook_may_die_anywhere() {
    every_fault_at_every_effect(Scenario::Burst, Role::Webhook).await;
}
