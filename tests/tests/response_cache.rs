//! The items of the response cache, on the embedded table.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use clivy::prompt::cache_key;
use clivy::table::{CACHED_FOR_MS, Cached, keys};
use local::world::TABLE;
use serde_json::json;
use tests::bubbles::bot;
use tests::world::{START, TestWorld};

fn answer(text: &str) -> Cached {
    Cached {
        text: text.to_owned(),
        model: "a/b".to_owned(),
        tokens: 643,
    }
}

fn key(bot_id: &str) -> String {
    cache_key(&bot(bot_id), "a/b", "Jam buka?")
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_a_day_and_not_a_moment_longer() {
    let world = TestWorld::new(&[]).await;
    let table = &world.world.table;
    let key = key("demo");
    assert_eq!(table.cached(&key, START).await.unwrap(), None);
    table
        .put_cached(&key, &answer("08-20"), START)
        .await
        .unwrap();
    let end = START.plus_ms(CACHED_FOR_MS);
    for (at, hit) in [(START, true), (end.plus_ms(-1_000), true), (end, false)] {
        let kept = table.cached(&key, at).await.unwrap();
        assert_eq!(kept, hit.then(|| answer("08-20")), "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bot_never_gets_the_answer_of_another_one() {
    let world = TestWorld::new(&[]).await;
    let table = &world.world.table;
    table
        .put_cached(&key("demo"), &answer("08-20"), START)
        .await
        .unwrap();
    assert_eq!(table.cached(&key("other"), START).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn hits_are_counted_and_what_is_gone_stays_gone() {
    let world = TestWorld::new(&[]).await;
    let table = &world.world.table;
    let key = key("demo");
    table.cache_hit(&key).await.unwrap();
    assert_eq!(hits(&world, &key), None, "no item was made of a hit");
    table
        .put_cached(&key, &answer("08-20"), START)
        .await
        .unwrap();
    table.cache_hit(&key).await.unwrap();
    table.cache_hit(&key).await.unwrap();
    assert_eq!(hits(&world, &key).as_deref(), Some("2"));
    let later = START.plus_ms(CACHED_FOR_MS);
    table
        .put_cached(&key, &answer("09-21"), later)
        .await
        .unwrap();
    let kept = table.cached(&key, later).await.unwrap();
    assert_eq!(kept.unwrap().text, "09-21");
}

/// How often the answer was given again; none when there is no item.
fn hits(world: &TestWorld, key: &str) -> Option<String> {
    let request = json!({"TableName": TABLE, "ConsistentRead": true, "Key": {
        "pk": {"S": keys::cached(key)}, "sk": {"S": keys::CACHED}}});
    let item = world.world.engines.read_item(&request)?;
    Some(item["hits"]["N"].as_str().unwrap().to_owned())
}
