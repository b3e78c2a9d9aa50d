//! Whatever is asked, the answer is one that is documented.

use clivy::access::Role;
use serde_json::{Value, json};
use tests::bubbles::bot;
use tests::world::TestWorld;

use super::{RINA, of, path, write};

#[tokio::test(start_paused = true)]
async fn a_list_that_is_asked_for_wrongly_is_refused() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Viewer).await;
    write(&world, RINA, "A", "Halo").await;
    let long = format!("q={}", "x".repeat(101));
    let queries = [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=",
        "limit=1.5",
        "limit=99999999999999999999",
        "limit=ten",
        "limit=1&limit=2",
        "filter=",
        "filter=Unread",
        "filter=all",
        "filter=unread%00",
        "cursor=",
        "cursor=%00",
        "cursor=x",
        "cursor=bnVsbA",
        "q=%FF",
        &long,
    ];
    for query in queries {
        let reply = api.get(&path(&format!("?{query}"))).await;
        let problem = if query == "q=%FF" {
            // Not UTF-8: refused, or read as the replacement character.
            assert!([200, 400].contains(&reply.status.as_u16()));
            continue;
        } else {
            reply.expect(400)
        };
        assert_eq!(problem["status"], 400, "{query}");
        assert_eq!(reply.headers["content-type"], "application/problem+json");
    }
    for query in ["limit=0", "limit=101", "cursor=x", "cursor="] {
        let thread = of(RINA, &format!("/messages?{query}"));
        api.get(&thread).await.expect(400);
    }
    api.get(&path("?q=%20%20&limit=100")).await.expect(200);
}

/// A cursor as somebody would forge it who has read the source: with the mark of the list.
fn forged(mark_of: &str, place: &Value) -> String {
    use std::process::Command;
    // Base64 by other means than a dependency of the inbox.
    let json = json!([mark_of, place]).to_string();
    let output = Command::new("sh")
        .args([
            "-c",
            "printf %s \"$0\" | base64 -w0 | tr '+/' '-_' | tr -d '='",
            &json,
        ])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn mark(list: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(list);
    digest.iter().take(6).map(|b| format!("{b:02x}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_forged_cursor_leads_nowhere() {
    let world = TestWorld::new(&[bot("demo"), bot("other")]).await;
    let api = world.api(Role::Viewer).await;
    write(&world, RINA, "A", "Halo").await;
    let thread = mark(&json!(["messages", "demo", RINA]).to_string());
    let list = mark(&json!(["conversations", "demo", null, null]).to_string());
    let places = [
        json!({"sk": ""}),
        json!({"sk": "HEAD"}),
        json!({"sk": "T#0000000001"}),
        json!({"sk": "M#".repeat(600)}),
        json!({"sk": "HEAD", "pk": "", "at": 1}),
        json!({"sk": "HEAD", "pk": "C#other#1", "at": 1}),
        json!({"sk": "CFG", "pk": "C#demo#1", "at": 1}),
        json!({"sk": "HEAD", "pk": "C#demo#1"}),
        json!({"sk": null}),
        json!({}),
    ];
    for place in &places {
        let cursor = forged(&thread, place);
        let thread = of(RINA, &format!("/messages?cursor={cursor}"));
        assert_eq!(api.get(&thread).await.status.as_u16(), 400, "{place}");
        let cursor = forged(&list, place);
        let reply = api.get(&path(&format!("?cursor={cursor}"))).await;
        assert_eq!(reply.status.as_u16(), 400, "{place}");
    }
    // The marks are right: a place that can be one is followed.
    let cursor = forged(&thread, &json!({"sk": "M#9999999999999#Z"}));
    let page = api
        .get(&of(RINA, &format!("/messages?cursor={cursor}")))
        .await;
    assert_eq!(page.expect(200)["items"].as_array().unwrap().len(), 1);
    let place = json!({"sk": "HEAD", "pk": "C#demo#1", "at": 9_999_999_999_999_i64});
    let cursor = forged(&list, &place);
    let page = api.get(&path(&format!("?cursor={cursor}"))).await;
    assert_eq!(page.expect(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_cannot_be_is_not_there() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Owner).await;
    let long = "6".repeat(201);
    for contact in ["62%231", "%00", "a%20b", "%F0%9F%98%80", "..%2F..", &long] {
        for (method, rest) in [
            ("GET", ""),
            ("GET", "/messages"),
            ("POST", "/read"),
            ("POST", "/resume"),
            ("DELETE", ""),
        ] {
            let reply = api.send(method, &of(contact, rest), None, &[]).await;
            assert_eq!(reply.status.as_u16(), 404, "{method} {contact} {rest}");
        }
        let pause = of(contact, "/pause");
        api.post(&pause, json!({"minutes": 1})).await.expect(404);
    }
    api.get(&of("%FF", "")).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_of_a_contact_that_never_wrote() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Owner).await;
    for (method, rest) in [("GET", ""), ("POST", "/read"), ("POST", "/resume")] {
        let reply = api.send(method, &of(RINA, rest), None, &[]).await;
        reply.expect(404);
    }
    let pause = api.post(&of(RINA, "/pause"), json!({"minutes": 1})).await;
    pause.expect(404);
    api.delete(&of(RINA, "")).await.expect(204);
    let scan = world.dynamodb("Scan", json!({"TableName": "clivy"})).await;
    let items = scan["Items"].to_string();
    assert!(!items.contains(RINA), "{items}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_no_sensible_length_is_refused() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Agent).await;
    write(&world, RINA, "A", "Halo").await;
    for minutes in [
        json!(0),
        json!(-1),
        json!(10_081),
        json!(99_999_999_999_999_999_999.0),
        json!(1.5),
        json!("5"),
        json!(true),
        json!([5]),
        json!({}),
    ] {
        let pause = json!({"minutes": minutes});
        api.post(&of(RINA, "/pause"), pause).await.expect(422);
    }
    for body in [
        json!({}),
        json!([]),
        json!(null),
        json!("x"),
        json!({"minute": 5}),
    ] {
        api.post(&of(RINA, "/pause"), body).await.expect(422);
    }
    let without = api.send("POST", &of(RINA, "/pause"), None, &[]).await;
    without.expect(415);
    assert_eq!(world.head("demo", RINA).await.paused_until, None);
}
