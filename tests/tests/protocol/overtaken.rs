//! The own-message rule: a trigger may overtake the write of its message.

use std::time::Duration;

use tests::bubbles::{bot, bubble};
use tests::faults::{Fault, ROLE, Role, When};
use tests::world::TestWorld;

const RINA: &str = "6281100020001";

/// Effects of the webhook for a bot it has not cached: its settings, the trigger, the write.
const WRITE: usize = 2;

#[tokio::test(start_paused = true)]
async fn a_message_that_is_stored_after_its_trigger_fired_is_answered() {
    for late_ms in [2_900, 3_100, 5_000, 7_000] {
        let world = TestWorld::new(&[bot("demo")]).await;
        world.start();
        let late = Fault::Late(Duration::from_millis(late_ms));
        world.faults.arm(Role::Webhook, WRITE, late);
        let body = bubble("demo", RINA, "A", 0, "Halo");
        let (status, _) = ROLE.scope(Role::Webhook, world.post(&body)).await;
        assert_eq!(status, 200);
        world.settle().await;
        assert_eq!(world.outside.questions(), ["Halo"], "{late_ms}");
        assert_eq!(world.outside.sends().len(), 1);
        world.assert_quiet().await;
    }
}

/// Found by the model: the claim sees HEAD before the write, the look at the messages sees the message after it. Together
/// they must not read as "stored, and answered long ago".
#[tokio::test(start_paused = true)]
async fn a_message_that_is_stored_between_the_two_reads_of_its_trigger_is_answered() {
    /// Effects of the worker for a bot it has not cached: its settings, the claim, the newest messages, and then the
    /// look at the message itself.
    const READS: [usize; 2] = [2, 3];
    for read in READS {
        let world = TestWorld::new(&[bot("demo")]).await;
        world.start();
        let late = |ms| Fault::Late(Duration::from_millis(ms));
        world.faults.arm(Role::Webhook, WRITE, late(3_500));
        world.faults.arm(Role::Worker, read, late(1_000));
        let body = bubble("demo", RINA, "A", 0, "Halo");
        let (status, _) = ROLE.scope(Role::Webhook, world.post(&body)).await;
        assert_eq!(status, 200);
        world.settle().await;
        assert_eq!(world.outside.questions(), ["Halo"], "read {read}");
        assert_eq!(world.outside.sends().len(), 1);
        world.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_write_does_not_make_another_burst_lose_it() {
    // B is stored and answered while A's write is still on its way.
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let late = Fault::Late(Duration::from_millis(6_500));
    world.faults.arm(Role::Webhook, WRITE, late);
    let a = bubble("demo", RINA, "A", 0, "pertama");
    let b = bubble("demo", RINA, "B", 1, "kedua");
    let first = ROLE.scope(Role::Webhook, world.post(&a));
    let second = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.post(&b).await
    };
    let both = Box::pin(futures_util::future::join(first, second));
    let ((first, _), (second, _)) = both.await;
    assert_eq!((first, second), (200, 200));
    world.settle().await;
    assert_eq!(world.outside.questions(), ["kedua", "pertama"]);
    assert_eq!(world.outside.sends().len(), 2);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_trigger_whose_message_is_never_stored_comes_back_for_a_while_and_ends() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world
        .faults
        .arm(Role::Webhook, WRITE, Fault::Crash(When::Before));
    let body = bubble("demo", RINA, "A", 0, "Halo");
    let dead = ROLE.scope(Role::Webhook, world.post(&body));
    tokio::select! {
        _ = dead => panic!("it died"),
        () = world.faults.death() => {}
    }
    tokio::time::sleep(Duration::from_secs(9)).await;
    let queue = world.queue();
    assert_eq!(
        queue.visible + queue.in_flight + queue.delayed,
        1,
        "it still covers the message"
    );
    world.settle().await;
    assert!(world.world.clock.now().since_ms(tests::world::START) < 25_000);
    assert!(world.outside.asked().is_empty());
    assert!(world.dead_letters().is_empty());
}
