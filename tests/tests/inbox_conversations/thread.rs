//! The messages of a conversation, and what became of each.

use clivy::access::Role;
use serde_json::{Value, json};
use tests::bubbles::bot;
use tests::faults::{ROLE, Role as Function};
use tests::outside::{Gateway, Model};
use tests::world::TestWorld;

use super::{BUDI, RINA, answer, of, sleep, thread, write};

#[tokio::test(start_paused = true)]
async fn a_bots_message_tells_its_turn_without_another_read() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.outside.model_does([Model::Breaks]);
    let api = world.api(Role::Viewer).await;
    write(&world, RINA, "A", "ada kopi?").await;
    world.settle().await;
    let (messages, calls) = ROLE
        .scope(Function::Inbox, async {
            let messages = thread(&api, RINA).await;
            (messages, world.faults.effects(Function::Inbox))
        })
        .await;
    let of_list: Vec<_> = calls
        .iter()
        .filter(|call| call.ends_with("Query"))
        .collect();
    assert_eq!((of_list.len(), calls.len()), (1, 3), "{calls:?}");
    assert_eq!(messages.len(), 2);
    let [reply, question] = [&messages[0], &messages[1]];
    assert_eq!(question["author"], "customer");
    assert_eq!(question["delivery"], "received");
    assert_eq!(question["turn"], Value::Null);
    assert_eq!(
        (&question["mid"], &question["text"]),
        (&json!("A"), &json!("ada kopi?"))
    );
    assert_eq!(reply["delivery"], "sent");
    assert_eq!(reply["text"], "Jawaban atas: ada kopi?");
    assert_eq!(reply["mid"], world.reply_id("demo", RINA, 1).await.as_str());
    let stored = world.turn("demo", RINA, 1).await;
    assert_eq!(
        reply["turn"],
        json!({"number": 1, "status": "answered", "model": stored.model, "cost_usd": stored.cost_usd,
            "tokens_in": stored.tokens_in, "tokens_out": stored.tokens_out, "attempts": 2,
            "latency_ms": stored.llm_latency_ms})
    );
    assert_eq!(stored.attempts.len(), 2);
    assert!(stored.cost_usd > 0.0 && stored.tokens_in > 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_gateway_refuses_is_undelivered_and_what_a_person_stops_is_withheld() {
    for (gateway, delivery) in [
        (Gateway::Http(400), "undelivered"),
        (Gateway::SendsAndHangs, "withheld"),
    ] {
        let world = TestWorld::new(&[bot("demo")]).await;
        world.start();
        world.outside.gateway_does([gateway]);
        let api = world.api(Role::Viewer).await;
        write(&world, RINA, "A", "ada kopi?").await;
        while world.outside.sends().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        if delivery == "withheld" {
            answer(&world, RINA, "P").await;
        }
        world.settle().await;
        let messages = thread(&api, RINA).await;
        let reply = messages.iter().find(|m| m["author"] == "bot").unwrap();
        assert_eq!(reply["delivery"], delivery);
        let person = messages.iter().find(|m| m["author"] == "person");
        assert!(person.is_none_or(|m| m["delivery"] == "sent" && m["turn"].is_null()));
    }
}

/// Changes an item past everything.
async fn change(world: &TestWorld, key: &str, expression: &str, values: Value) {
    let key = json!({"pk": {"S": format!("C#demo#{RINA}")}, "sk": {"S": key}});
    let mut update = json!({"TableName": "clivy", "Key": key, "UpdateExpression": expression});
    if !values.is_null() {
        update["ExpressionAttributeValues"] = values;
    }
    let answer = world.dynamodb("UpdateItem", update).await;
    assert!(answer.get("__type").is_none(), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn messages_of_before_and_of_the_inbox_are_read_as_they_are() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Viewer).await;
    write(&world, RINA, "A", "ada kopi?").await;
    world.settle().await;
    sleep(1).await;
    answer(&world, RINA, "P").await;
    let messages = thread(&api, RINA).await;
    let key = |n: usize| messages[n]["id"].as_str().unwrap().to_owned();
    change(&world, &key(1), "REMOVE turn", Value::Null).await;
    for delivery in ["sending", "undelivered", "sent"] {
        let value = json!({":d": {"S": delivery}});
        change(&world, &key(0), "SET delivery = :d", value).await;
        let now = thread(&api, RINA).await;
        assert_eq!(now[0]["delivery"], delivery);
        assert_eq!(now[1]["turn"], Value::Null);
        assert_eq!(now[1]["delivery"], "sent");
        assert_eq!(now.len(), 3);
    }
    let not_said = json!({":d": {"BOOL": false}});
    change(&world, &key(1), "SET delivered = :d", not_said).await;
    assert_eq!(thread(&api, RINA).await[1]["delivery"], "undelivered");
}

#[tokio::test(start_paused = true)]
async fn an_edited_message_says_when_it_was_edited() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Viewer).await;
    write(&world, RINA, "A", "ada kopi?").await;
    assert_eq!(thread(&api, RINA).await[0]["edited_at"], Value::Null);
    let id = world.id("demo", RINA);
    let now = world.world.clock.now();
    let original = clivy::conversation::ids::MessageId::new("A").unwrap();
    let edited = world
        .world
        .table
        .edit(&id, &original, true, "ada teh?", now);
    edited.await.unwrap();
    let message = &thread(&api, RINA).await[0];
    assert_eq!(message["text"], "ada teh?");
    assert!(message["edited_at"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_thread_is_walked_by_cursors_that_are_good_for_nothing_else() {
    let world = TestWorld::new(&[bot("demo"), bot("other")]).await;
    let api = world.api(Role::Viewer).await;
    for n in 0..7 {
        write(&world, RINA, &format!("A{n}"), &format!("pesan {n}")).await;
        sleep(1).await;
    }
    write(&world, BUDI, "B", "Halo").await;
    let mut texts = Vec::new();
    let mut cursor = String::new();
    let mut cursors = Vec::new();
    loop {
        let page = format!("/messages?limit=3{cursor}");
        let page = api.get(&of(RINA, &page)).await.expect(200);
        for item in page["items"].as_array().unwrap() {
            texts.push(item["text"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursors.push(next.to_owned());
        cursor = format!("&cursor={next}");
    }
    let newest_first: Vec<_> = (0..7).rev().map(|n| format!("pesan {n}")).collect();
    assert_eq!(texts, newest_first);
    let cursor = &cursors[0];
    for path in [
        of(BUDI, "/messages"),
        format!("/api/bots/other/conversations/{RINA}/messages"),
        super::path(""),
    ] {
        let refused = api.get(&format!("{path}?cursor={cursor}")).await;
        assert_eq!(refused.expect(400)["type"], "/problems/bad-request");
    }
    let nobody = api.get(&of("6281", "/messages")).await.expect(200);
    assert_eq!(nobody, json!({"items": [], "next": null}));
}
