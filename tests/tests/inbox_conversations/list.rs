//! The list of conversations, and one of them.

use clivy::access::Role;
use clivy::conversation::ids::EpochMs;
use serde_json::{Value, json};
use tests::bubbles::bot;
use tests::faults::{ROLE, Role as Function};
use tests::outside::Model;
use tests::world::TestWorld;

use super::{BUDI, RINA, answer, contacts, list, of, path, sleep, write};

#[tokio::test(start_paused = true)]
async fn the_list_shows_who_what_was_said_last_and_what_is_unread() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Viewer).await;
    write(&world, RINA, "A", "Halo").await;
    let seen = world.world.clock.now();
    let item = &list(&api, "").await[0];
    assert_eq!(
        *item,
        json!({"contact": RINA, "name": format!("Pelanggan {RINA}"),
            "last": {"text": "Halo", "kind": "text", "author": "customer", "at": time(seen)},
            "unread": 1, "paused": null, "opted_out_at": null, "failed_turn": null, "active_at": time(seen)})
    );
    world.settle().await;
    let item = &list(&api, "").await[0];
    assert_eq!(item["last"]["text"], "Jawaban atas: Halo");
    assert_eq!(item["last"]["author"], "bot");
    assert_eq!(item["unread"], 1, "the bot reads for nobody");
    assert!(item["active_at"].as_str() > Some(time(seen).as_str()));
}

fn time(at: EpochMs) -> String {
    let written = serde_json::to_value(TimeOf(at)).unwrap();
    written.as_str().unwrap().to_owned()
}

/// RFC 3339 in milliseconds, by other means than the inbox's own.
struct TimeOf(EpochMs);

impl serde::Serialize for TimeOf {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // All of a test's day is in 2025-11-20, UTC.
        let ms = self.0.0 - 1_763_596_800_000;
        to.collect_str(&format_args!(
            "2025-11-20T{:02}:{:02}:{:02}.{:03}Z",
            ms / 3_600_000,
            ms / 60_000 % 60,
            ms / 1_000 % 60,
            ms % 1_000
        ))
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_moves_up_with_every_message_also_while_it_is_paused() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "Halo").await;
    world.settle().await;
    write(&world, BUDI, "B", "Halo").await;
    world.settle().await;
    assert_eq!(contacts(&api, "").await, [BUDI, RINA]);
    api.post(&of(RINA, "/pause"), json!({"minutes": null}))
        .await
        .expect(200);
    assert_eq!(contacts(&api, "").await, [BUDI, RINA], "nothing was said");
    write(&world, RINA, "C", "masih ada?").await;
    let items = list(&api, "").await;
    assert_eq!(items[0]["contact"], RINA);
    assert_eq!(items[0]["last"]["text"], "masih ada?");
    assert_eq!(items[0]["unread"], 2);
    assert_eq!(items[0]["paused"], json!({"until": null, "by": "person"}));
    answer(&world, BUDI, "P").await;
    let items = list(&api, "").await;
    assert_eq!(items[0]["contact"], BUDI);
    assert_eq!(items[0]["last"]["author"], "person");
    assert_eq!(items[0]["unread"], 0, "whoever answers has read it");
}

#[tokio::test(start_paused = true)]
async fn the_list_is_filtered_by_what_needs_attention() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "Halo").await;
    sleep(1).await;
    write(&world, BUDI, "B", "Halo").await;
    assert_eq!(contacts(&api, "?filter=unread").await, [BUDI, RINA]);
    let read = api.send("POST", &of(BUDI, "/read"), None, &[]).await;
    read.expect(204);
    assert_eq!(contacts(&api, "?filter=unread").await, [RINA]);
    assert_eq!(contacts(&api, "").await, [BUDI, RINA]);
    assert!(contacts(&api, "?filter=paused").await.is_empty());
    api.post(&of(RINA, "/pause"), json!({"minutes": 1}))
        .await
        .expect(200);
    assert_eq!(contacts(&api, "?filter=paused").await, [RINA]);
    sleep(61).await;
    assert!(contacts(&api, "?filter=paused").await.is_empty());
    assert_eq!(list(&api, "").await[1]["paused"], Value::Null);
    assert!(contacts(&api, "?filter=failed").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_conversation_is_found_by_name_or_number() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Viewer).await;
    let mut named = super::written(&world, RINA, "A", "Halo");
    named["event"]["Info"]["PushName"] = json!("Rina Élan 100%");
    world.post(&named).await;
    // A gateway that leaves the name out does not make us forget it.
    named["event"]["Info"]["ID"] = json!("A2");
    named["event"]["Info"]["PushName"] = json!("");
    world.post(&named).await;
    write(&world, BUDI, "B", "Rina").await;
    for query in ["rina", "RINA%20", "%C3%A9lan", "100%25", "0811-0009-0001"] {
        let found = contacts(&api, &format!("?q={query}")).await;
        assert_eq!(found, [RINA], "{query}");
    }
    assert_eq!(contacts(&api, "?q=%2B62%20811").await.len(), 2);
    assert_eq!(contacts(&api, "?q=").await.len(), 2);
    for query in ["nobody", "%00", "%F0%9F%98%80", "%5C%22'"] {
        assert!(contacts(&api, &format!("?q={query}")).await.is_empty());
    }
    assert_eq!(contacts(&api, "?q=rina&filter=unread").await, [RINA]);
    assert!(contacts(&api, "?q=rina&filter=paused").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn whoever_writes_first_from_the_phone_is_listed_too() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Viewer).await;
    answer(&world, RINA, "P").await;
    let item = &list(&api, "?q=0811").await[0];
    assert_eq!(item["name"], Value::Null);
    assert_eq!(item["last"]["author"], "person");
    write(&world, RINA, "A", "Halo").await;
    assert_eq!(contacts(&api, "?q=pelanggan").await, [RINA]);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_not_sent_again() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Viewer).await;
    write(&world, RINA, "A", "Halo").await;
    for path in [path(""), of(RINA, ""), of(RINA, "/messages")] {
        let first = api.get(&path).await;
        first.expect(200);
        assert_eq!(first.headers["cache-control"], "no-cache, private");
        let tag = first.headers["etag"].to_str().unwrap();
        let weak = format!("\"other\", W/{tag}");
        let known = [("if-none-match", weak.as_str())];
        let again = api.send("GET", &path, None, &known).await;
        assert_eq!(again.expect(304), Value::Null);
        assert_eq!(again.headers["etag"], tag);
        sleep(1).await;
        write(&world, RINA, &path, "lagi").await;
        api.send("GET", &path, None, &known).await.expect(200);
    }
}

#[tokio::test(start_paused = true)]
async fn one_conversation_says_what_it_waits_for_with_one_read() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let api = world.api(Role::Viewer).await;
    let state = || async {
        let one = api.get(&of(RINA, "")).await.expect(200);
        one["state"].as_str().unwrap().to_owned()
    };
    let slow = Model::Says("Ada kak".to_owned());
    let slow = Model::Slow(std::time::Duration::from_secs(10), Box::new(slow));
    world.outside.model_does([Model::Breaks, slow]);
    write(&world, RINA, "A", "ada kopi?").await;
    let mut seen = Vec::new();
    for _ in 0..600 {
        let now = state().await;
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let without_sending: Vec<_> = seen.iter().filter(|state| *state != "sending").collect();
    assert_eq!(
        without_sending,
        ["waiting", "answering", "retrying", "answering", "idle"],
        "{seen:?}"
    );
    let reads = ROLE.scope(Function::Inbox, async {
        state().await;
        world.faults.effects(Function::Inbox)
    });
    let reads = reads.await;
    assert_eq!(reads.len(), 3, "key, ownership, conversation: {reads:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_sees_a_conversation_of_another_owners_bot() {
    let mut other = bot("other");
    other.owner = clivy::access::OwnerId::new("somebody").unwrap();
    let world = TestWorld::new(&[bot("demo"), other]).await;
    write(&world, RINA, "A", "Halo").await;
    let (secret, _) = world.key("somebody", Role::Owner).await;
    let api = world.api_with(secret.expose());
    for (method, rest) in [
        ("GET", ""),
        ("GET", "/6281100090001"),
        ("GET", "/6281100090001/messages"),
        ("POST", "/6281100090001/read"),
        ("POST", "/6281100090001/resume"),
        ("DELETE", "/6281100090001"),
    ] {
        let reply = api.send(method, &path(rest), None, &[]).await;
        assert_eq!(reply.status.as_u16(), 404, "{method} {rest}");
    }
    let pause = api.post(&of(RINA, "/pause"), json!({"minutes": 5})).await;
    pause.expect(404);
    // The same contact at the caller's own bot is another conversation, which is not there.
    let own = api.get("/api/bots/other/conversations/6281100090001").await;
    own.expect(404);
    assert_eq!(world.head("demo", RINA).await.paused_until, None);
}

#[tokio::test(start_paused = true)]
async fn roles_are_asked_for() {
    let world = TestWorld::new(&[bot("demo")]).await;
    write(&world, RINA, "A", "Halo").await;
    let viewer = world.api(Role::Viewer).await;
    for rest in ["/read", "/resume"] {
        let reply = viewer.send("POST", &of(RINA, rest), None, &[]).await;
        reply.expect(403);
    }
    let body = json!({"minutes": 5});
    viewer.post(&of(RINA, "/pause"), body).await.expect(403);
    viewer.delete(&of(RINA, "")).await.expect(403);
    let agent = world.api(Role::Agent).await;
    agent.delete(&of(RINA, "")).await.expect(403);
    world.api_without_key().get(&of(RINA, "")).await.expect(401);
}
