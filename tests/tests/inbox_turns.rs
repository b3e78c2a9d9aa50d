//! Turns in the inbox: listed by how they stand, shown, and tried again.

use std::time::Duration;

use clivy::access::Role;
use clivy::conversation::outcome::TurnStatus;
use serde_json::{Value, json};
use tests::api::Api;
use tests::bubbles::{bot, bubble};
use tests::outside::{Gateway, Model};
use tests::world::TestWorld;

const RINA: &str = "6281100090004";
const FALLBACK: &str = "Maaf Kak, tim kami akan membalas.";
const TURNS: &str = "/api/bots/demo/turns";

async fn ask(world: &TestWorld, phone: &str, mid: &str, text: &str) {
    let body = bubble("demo", phone, mid, 0, text);
    assert_eq!(world.post(&body).await.0, 200);
    world.settle().await;
}

/// A world in which the model was down when the customer asked.
async fn failed() -> TestWorld {
    let world = TestWorld::new(&[bot("demo"), bot("other")]).await;
    world.start();
    world.outside.model_follows(|_| Some(Model::Breaks));
    ask(&world, RINA, "A", "ada kopi?").await;
    world.outside.model_is_well();
    assert_eq!(said(&world), [FALLBACK]);
    assert_eq!(world.dead_letters().len(), 1);
    world
}

fn said(world: &TestWorld) -> Vec<String> {
    let delivered = world.outside.delivered().into_iter();
    delivered.map(|send| send.text).collect()
}

fn path(number: u64) -> String {
    format!("{TURNS}/{RINA}.{number}")
}

async fn retry(api: &Api<'_>, how: Value) -> tests::api::Reply {
    api.post(&format!("{}/retry", path(1)), how).await
}

async fn listed(api: &Api<'_>, status: &str) -> Vec<Value> {
    let page = api
        .get(&format!("{TURNS}?status={status}"))
        .await
        .expect(200);
    page.pointer("/items")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_turn_shows_what_was_asked_what_went_wrong_and_what_it_cost() {
    let world = failed().await;
    let api = world.api(Role::Viewer).await;
    let page = api.get(TURNS).await.expect(200);
    assert_eq!(page["next"], Value::Null);
    let summary = page["items"][0].clone();
    assert_eq!(summary["id"], format!("{RINA}.1"));
    assert_eq!(summary["contact"], RINA);
    assert_eq!(summary["status"], "failed");
    assert_eq!(summary["tries"], 3);
    assert_eq!(summary["messages"], 1);
    let attempts = summary["attempts"].as_array().unwrap();
    assert_eq!(summary["error"], attempts.last().unwrap()["class"]);
    assert_eq!(summary["burst"], Value::Null, "only in the one");
    let mut one = api.get(&path(1)).await.expect(200);
    assert_eq!(one["burst"][0]["text"], "ada kopi?");
    assert_eq!(one["burst"][0]["kind"], "text");
    assert_eq!(one["burst"].as_array().unwrap().len(), 1);
    assert_eq!(one["reply"], FALLBACK);
    let fields = one.as_object_mut().unwrap();
    fields.remove("burst");
    fields.remove("reply");
    assert_eq!(one, summary);
    // One that was answered has an error only if an attempt failed.
    ask(&world, RINA, "B", "masih buka?").await;
    let one = api.get(&path(2)).await.expect(200);
    assert_eq!(one["status"], "answered");
    assert_eq!(one["error"], Value::Null);
    assert_eq!(one["model"], "test/model");
    assert_eq!(one["prompt_tokens"], one["tokens_in"]);
    assert_eq!(one["reply"], "Jawaban atas: masih buka?");
    assert_eq!(one["llm_calls"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_page_is_one_query_and_its_cursor_is_good_for_its_own_list_alone() {
    let world = failed().await;
    for n in 0..5 {
        ask(&world, &format!("62811000{n}"), "A", "Halo").await;
    }
    let api = world.api(Role::Viewer).await;
    let mut seen = Vec::new();
    let mut next = format!("{TURNS}?status=answered&limit=2");
    let mut first_cursor = None;
    loop {
        let page = api.get(&next).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(
            items
                .iter()
                .map(|turn| turn["contact"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next"].as_str() else {
            break;
        };
        first_cursor.get_or_insert(cursor.to_owned());
        next = format!("{TURNS}?status=answered&limit=2&cursor={cursor}");
    }
    let newest_first: Vec<_> = (0..5).rev().map(|n| format!("62811000{n}")).collect();
    assert_eq!(seen, newest_first);
    let cursor = first_cursor.unwrap();
    for refused in [
        format!("{TURNS}?status=failed&cursor={cursor}"),
        format!("/api/bots/other/turns?status=answered&cursor={cursor}"),
        format!("{TURNS}?cursor=x"),
        format!("{TURNS}?cursor="),
        format!("{TURNS}?limit=0"),
        format!("{TURNS}?limit=101"),
        format!("{TURNS}?limit=99999999999999999999"),
        format!("{TURNS}?status="),
        format!("{TURNS}?status=retrying"),
        format!("{TURNS}?status=%00"),
    ] {
        api.get(&refused).await.expect(400);
    }
    let other = api.get("/api/bots/other/turns?status=answered").await;
    assert_eq!(other.expect(200)["items"], json!([]));
    assert_eq!(world.faults.refused(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_failed_turn_is_tried_again_and_answered_once() {
    let world = failed().await;
    let api = world.api(Role::Agent).await;
    for _ in 0..2 {
        let accepted = retry(&api, json!({"model": null, "text": null})).await;
        assert_eq!(accepted.expect(202), json!({"status": "queued"}));
    }
    world.settle().await;
    assert_eq!(said(&world), [FALLBACK, "Jawaban atas: ada kopi?"]);
    assert_eq!(
        world.turn("demo", RINA, 1).await.status,
        TurnStatus::Retried
    );
    assert_eq!(
        world.turn("demo", RINA, 2).await.status,
        TurnStatus::Answered
    );
    assert_eq!(listed(&api, "failed").await, Vec::<Value>::new());
    assert_eq!(listed(&api, "retried").await[0]["id"], format!("{RINA}.1"));
    assert_eq!(listed(&api, "answered").await[0]["id"], format!("{RINA}.2"));
    retry(&api, json!({})).await.expect(409);
    // The dead letter has nothing left to do.
    world.redrive().await;
    world.settle().await;
    assert_eq!(said(&world).len(), 2);
    assert_eq!(world.outside.asked().len(), 4);
    world.assert_quiet().await;
    assert_eq!(world.faults.refused(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn another_model_is_asked_for_that_turn_and_for_no_other() {
    for reply_fails in [false, true] {
        let world = failed().await;
        let api = world.api(Role::Agent).await;
        if reply_fails {
            world.outside.model_does([Model::Breaks]);
        }
        let wanted = json!({"model": "some/other", "text": null});
        retry(&api, wanted).await.expect(202);
        world.settle().await;
        assert_eq!(said(&world)[1..], ["Jawaban atas: ada kopi?"]);
        let models = |world: &TestWorld| -> Vec<String> {
            let calls = world.outside.calls();
            calls[3..]
                .iter()
                .map(|call| call.model().to_owned())
                .collect()
        };
        let asked = 1 + usize::from(reply_fails);
        assert_eq!(models(&world), vec!["some/other"; asked]);
        let turn = world.turn("demo", RINA, 2).await;
        assert_eq!(turn.model.as_deref(), Some("some/other"));
        ask(&world, RINA, "B", "masih buka?").await;
        assert_eq!(models(&world).last().unwrap(), "test/model");
        world.redrive().await;
        world.settle().await;
        assert_eq!(said(&world).len(), 3);
        world.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_wanted_for_a_retried_turn_is_not_spent_on_the_burst_in_flight() {
    let world = failed().await;
    let slow = Box::new(Model::Says("Buka kak".to_owned()));
    world
        .outside
        .model_does([Model::Slow(Duration::from_secs(20), slow)]);
    let body = bubble("demo", RINA, "B", 30, "masih buka?");
    assert_eq!(world.post(&body).await.0, 200);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let api = world.api(Role::Agent).await;
    retry(&api, json!({"model": "some/other"}))
        .await
        .expect(202);
    world.settle().await;
    let models: Vec<_> = world
        .outside
        .calls()
        .iter()
        .map(|call| call.model().to_owned())
        .collect();
    assert_eq!(models[3..], ["test/model", "some/other"]);
    assert_eq!(said(&world)[1..], ["Buka kak", "Jawaban atas: ada kopi?"]);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_says_something_instead_and_the_turn_is_left_to_them() {
    let world = failed().await;
    let api = world.api(Role::Agent).await;
    let twice = (0..2).map(|_| retry(&api, json!({"text": " Ada kak "})));
    for accepted in futures_util::future::join_all(twice).await {
        assert_eq!(accepted.expect(202), json!({"status": "sending"}));
    }
    world.settle().await;
    retry(&api, json!({"text": "Ada kak"})).await.expect(202);
    retry(&api, json!({"text": "Habis kak"})).await.expect(409);
    retry(&api, json!({})).await.expect(409);
    world.redrive().await;
    world.settle().await;
    assert_eq!(said(&world), [FALLBACK, "Ada kak"]);
    assert_eq!(world.outside.sends().len(), 2);
    assert_eq!(
        world.turn("demo", RINA, 1).await.status,
        TurnStatus::LeftToPerson
    );
    assert_eq!(listed(&api, "failed").await, Vec::<Value>::new());
    assert_eq!(listed(&api, "left_to_person").await[0]["number"], 1);
    assert!(world.head("demo", RINA).await.paused_until.is_some());
    assert_eq!(world.outside.asked().len(), 3);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_undelivered_reply_can_be_tried_again() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.outside.gateway_does([Gateway::Http(400)]);
    ask(&world, RINA, "A", "ada kopi?").await;
    let api = world.api(Role::Agent).await;
    assert_eq!(listed(&api, "undelivered").await.len(), 1);
    retry(&api, json!({})).await.expect(202);
    world.settle().await;
    assert_eq!(said(&world), ["Jawaban atas: ada kopi?"]);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_parked_or_may_not_be_answered_is_not_tried_again() {
    let world = failed().await;
    let api = world.api(Role::Agent).await;
    let until = world.world.clock.now().plus_ms(60_000);
    world.pause("demo", RINA, until).await;
    retry(&api, json!({})).await.expect(409);
    retry(&api, json!({"model": "a/b"})).await.expect(409);
    world.pause("demo", RINA, until.plus_ms(-60_000)).await;
    world
        .update_head(
            "demo",
            RINA,
            "SET opted_out_at = :at",
            json!({":at": {"N": "1"}}),
        )
        .await;
    retry(&api, json!({})).await.expect(409);
    ask(&world, "628110009", "A", "Halo").await;
    let answered = format!("{TURNS}/628110009.1/retry");
    for how in [json!({}), json!({"model": "a/b"}), json!({"text": "a"})] {
        api.post(&answered, how).await.expect(409);
    }
    world.settle().await;
    assert_eq!(said(&world).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_way_of_retrying_is_refused() {
    let world = failed().await;
    let api = world.api(Role::Agent).await;
    let long = "a".repeat(201);
    for how in [
        json!({"model": "a/b", "text": "a"}),
        json!({"model": ""}),
        json!({"model": "a b"}),
        json!({"model": "a\0"}),
        json!({"model": long}),
        json!({"text": ""}),
        json!({"text": "\0"}),
        json!({"text": 7}),
        json!({"other": 7}),
        json!([]),
    ] {
        retry(&api, how).await.expect(422);
    }
    let viewer = world.api(Role::Viewer).await;
    retry(&viewer, json!({})).await.expect(403);
    let (secret, _) = world.key("somebody", Role::Owner).await;
    let foreign = world.api_with(secret.expose());
    retry(&foreign, json!({})).await.expect(404);
    foreign.get(&path(1)).await.expect(404);
    foreign.get(TURNS).await.expect(404);
    for id in [
        format!("{RINA}.2"),
        format!("{RINA}.01"),
        format!("{RINA}.+1"),
        format!("{RINA}.99999999999999999999"),
        format!("{RINA}."),
        RINA.to_owned(),
        ".1".to_owned(),
        "%00.1".to_owned(),
        "%ff".to_owned(),
        "a%23b.1".to_owned(),
    ] {
        api.get(&format!("{TURNS}/{id}")).await.expect(404);
        let retried = api.post(&format!("{TURNS}/{id}/retry"), json!({})).await;
        retried.expect(404);
    }
    // The turn of another bot's conversation with the same contact.
    api.get(&format!("/api/bots/other/turns/{RINA}.1"))
        .await
        .expect(404);
    world.settle().await;
    assert_eq!(said(&world), [FALLBACK]);
}

#[tokio::test(start_paused = true)]
async fn a_contact_may_hold_dots() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let mut body = bubble("demo", RINA, "A", 0, "Halo");
    body["event"]["Info"]["Chat"] = json!("84203917755120@lid");
    body["event"]["Info"]["Sender"] = json!("84203917755120@lid");
    body["event"]["Info"]["SenderAlt"] = json!("");
    world.post(&body).await;
    world.settle().await;
    let api = world.api(Role::Viewer).await;
    let turn = listed(&api, "answered").await.remove(0);
    let id = turn["id"].as_str().unwrap();
    assert_eq!(
        api.get(&format!("{TURNS}/{id}")).await.expect(200)["id"],
        id
    );
    let path = format!("{TURNS}/a.b.c@s.whatsapp.net.1");
    api.get(&path).await.expect(404);
}
