//! A run of the sweeper: a part of the index that fails, many who wait, and too little time.

use std::sync::Arc;
use std::time::Duration;

use clivy::table::{TableError, keys};
use futures_util::future::BoxFuture;
use local::engines::{Call, Engines, Intercept, Lost, Reply};
use sweeper::Swept;
use tests::bubbles::{bot, bubble};
use tests::faults::{Fault, ROLE, Role, When};
use tests::refusal;
use tests::world::TestWorld;
use tokio::time::Instant;

/// So many contacts whose conversations are in this part of the index.
fn contacts(world: &TestWorld, shard: u32, count: usize) -> Vec<String> {
    let is_in = |contact: &String| {
        let id = world.id("demo", contact);
        keys::owed(&id) == keys::owed_shard(shard)
    };
    let all = (0_u32..).map(|n| format!("62811{n:08}"));
    all.filter(is_in).take(count).collect()
}

/// They have been owed an answer for longer than the sweeper's patience, and their triggers are lost.
async fn forget(world: &TestWorld, contacts: &[String]) {
    for contact in contacts {
        let (status, answer) = world.post(&bubble("demo", contact, "A", 0, "Halo")).await;
        assert_eq!(status, 200, "{answer}");
    }
    world.purge().await;
    tokio::time::sleep(Duration::from_secs(250)).await;
}

/// A run that has so much time, and what it took of it.
async fn sweep(world: &TestWorld, ms: i64) -> (Result<Swept, TableError>, Duration) {
    let begin = Instant::now();
    let deadline = world.world.clock.now().plus_ms(ms);
    let run = world.world.sweeper.sweep(deadline);
    let swept = Box::pin(ROLE.scope(Role::Sweeper, run)).await;
    (swept, begin.elapsed())
}

/// One part of the index cannot be read.
struct Broken {
    shard: String,
    inner: Arc<dyn Intercept>,
}

impl Intercept for Broken {
    fn intercept<'a>(
        &'a self,
        call: Call,
        engines: &'a Engines,
    ) -> BoxFuture<'a, Result<Reply, Lost>> {
        let is_read = String::from_utf8_lossy(&call.body).contains(&self.shard);
        if call.target.ends_with(".Query") && is_read {
            return Box::pin(async { Ok(refusal::error(500, "InternalServerError")) });
        }
        self.inner.intercept(call, engines)
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_of_the_index_that_cannot_be_read_keeps_no_other_from_being_swept() {
    for broken in 0..keys::OWED_SHARDS {
        let shard = format!("\"{}\"", keys::owed_shard(broken));
        let front = |inner| Arc::new(Broken { shard, inner }) as Arc<dyn Intercept>;
        let world = Box::pin(TestWorld::behind(&[bot("demo")], &[], front)).await;
        let of_each = (0..keys::OWED_SHARDS).flat_map(|shard| contacts(&world, shard, 1));
        forget(&world, &of_each.collect::<Vec<_>>()).await;
        let failed = sweep(&world, 50_000).await.0.unwrap_err();
        assert_eq!(failed.operation, "owed");
        let triggers = world.queue();
        assert_eq!(triggers.visible + triggers.delayed, 7, "{triggers:?}");
        assert_eq!(world.values("sweeper_hits_total", &[]), [7.0]);
        assert_eq!(world.values("sweeper_incomplete", &[]), [1.0]);
    }
}

#[tokio::test(start_paused = true)]
async fn conversations_are_looked_at_side_by_side() {
    let world = TestWorld::new(&[bot("demo")]).await;
    forget(&world, &contacts(&world, 3, 16)).await;
    let look = Fault::Late(Duration::from_secs(2));
    world.faults.always("GetItem", look);
    let (swept, took) = sweep(&world, 50_000).await;
    let swept = swept.unwrap();
    assert_eq!((swept.hits, swept.failed, swept.complete), (16, 0, true));
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert_eq!(world.queue().visible + world.queue().delayed, 16);
}

#[tokio::test(start_paused = true)]
async fn a_run_begins_nothing_more_when_its_deadline_is_near() {
    let world = TestWorld::new(&[bot("demo")]).await;
    forget(&world, &contacts(&world, 3, 40)).await;
    let look = Fault::Late(Duration::from_secs(2));
    world.faults.always("GetItem", look);
    // Eight at once at 0, 2 and 4 s; at 6 s less than 3 s are left.
    let (swept, took) = sweep(&world, 8_900).await;
    let swept = swept.unwrap();
    assert_eq!((swept.hits, swept.complete), (24, false));
    assert!(took < Duration::from_millis(8_900), "{took:?}");
    assert_eq!(world.values("sweeper_incomplete", &[]), [1.0]);
    // The next run looks at the rest.
    world.faults.well();
    let swept = sweep(&world, 50_000).await.0.unwrap();
    assert_eq!((swept.hits, swept.complete), (40, true));
}

#[tokio::test(start_paused = true)]
async fn a_table_that_never_answers_does_not_keep_a_run_from_its_report() {
    let world = TestWorld::new(&[bot("demo")]).await;
    forget(&world, &contacts(&world, 3, 1)).await;
    world.faults.always("GetItem", Fault::Silence(When::Before));
    let (swept, took) = sweep(&world, 6_000).await;
    let swept = swept.unwrap();
    assert_eq!((swept.hits, swept.complete), (0, false));
    assert!(took < Duration::from_secs(6), "{took:?}");
    let kept = world.world.table.last_sweep().await;
    assert_eq!(kept.unwrap().map(|run| run.complete), Some(false));
}
