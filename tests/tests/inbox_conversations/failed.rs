//! The mark of a failed turn: until it is put back, or a person writes.

use clivy::access::Role;
use serde_json::{Value, json};
use tests::api::Api;
use tests::bubbles::bot;
use tests::outside::{Gateway, Model};
use tests::world::TestWorld;

use super::{RINA, answer, contacts, of, write};

async fn world() -> TestWorld {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.outside.model_does((0..3).map(|_| Model::Breaks));
    write(&world, RINA, "A", "ada kopi?").await;
    world.settle().await;
    world
}

async fn failed_turn(api: &Api<'_>) -> Value {
    let one = api.get(&of(RINA, "")).await.expect(200);
    let listed = contacts(api, "?filter=failed").await;
    assert_eq!(listed.is_empty(), one["failed_turn"].is_null());
    one["failed_turn"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_failed_turn_is_marked_until_it_is_put_back() {
    let world = world().await;
    let api = world.api(Role::Viewer).await;
    assert_eq!(failed_turn(&api).await, json!(1));
    write(&world, RINA, "B", "jam buka?").await;
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 2);
    assert_eq!(failed_turn(&api).await, json!(1), "another turn's answer");
    world.redrive().await;
    world.settle().await;
    assert_eq!(failed_turn(&api).await, Value::Null);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_turn_that_is_put_back_leaves_the_mark_of_a_later_one() {
    let world = world().await;
    let api = world.api(Role::Viewer).await;
    world.outside.model_does((0..3).map(|_| Model::Breaks));
    write(&world, RINA, "B", "jam buka?").await;
    world.settle().await;
    assert_eq!(failed_turn(&api).await, json!(2));
    let first = world.id("demo", RINA);
    let now = world.world.clock.now();
    world
        .world
        .table
        .repend(&first, 1, None, now)
        .await
        .unwrap();
    assert_eq!(failed_turn(&api).await, json!(2));
    world
        .world
        .table
        .repend(&first, 2, None, now)
        .await
        .unwrap();
    assert_eq!(failed_turn(&api).await, Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_failed_turn_is_dealt_with_when_a_person_writes() {
    let world = world().await;
    let api = world.api(Role::Viewer).await;
    answer(&world, RINA, "P").await;
    assert_eq!(failed_turn(&api).await, Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_the_gateway_refuses_is_a_failed_turn_too() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.outside.gateway_does([Gateway::Http(400)]);
    let api = world.api(Role::Viewer).await;
    write(&world, RINA, "A", "ada kopi?").await;
    world.settle().await;
    assert_eq!(failed_turn(&api).await, json!(1));
}
