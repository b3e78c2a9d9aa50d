//! The documents of bots and their versions, through the HTTP API of the inbox; and what a bots file does to both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::time::Duration;

use clivy::access::Role;
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::world::TestWorld;

const DEMO: &str = "/api/bots/demo";

fn document(content: &str) -> Value {
    json!({"title": "Jam buka", "kind": "info", "content": content})
}

#[tokio::test(start_paused = true)]
async fn a_deleted_document_can_be_brought_back() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Owner).await;
    let path = "/api/bots/demo/documents/promo";
    api.put(path, document("diskon 10%")).await.expect(201);
    assert_eq!(api.delete(path).await.status, 204);
    api.delete(path).await.expect(404);
    api.get(path).await.expect(404);
    let versions = api.get(&format!("{path}/versions")).await.expect(200);
    assert_eq!(versions["items"][0]["version"], 1);
    let back = api
        .post(&format!("{path}/versions/1/restore"), json!({}))
        .await
        .expect(201);
    assert_eq!(
        (&back["version"], &back["content"]),
        (&json!(2), &json!("diskon 10%"))
    );
    api.post(&format!("{path}/versions/9/restore"), json!({}))
        .await
        .expect(404);
    api.post(&format!("{path}/versions/x/restore"), json!({}))
        .await
        .expect(404);
    let never = "/api/bots/demo/documents/never/versions";
    api.get(never).await.expect(404);
    // A new one under an old name does not write over its versions.
    assert_eq!(api.delete(path).await.status, 204);
    assert_eq!(
        api.put(path, document("baru")).await.expect(201)["version"],
        3
    );
    assert_eq!(
        api.get(&format!("{path}/versions/2")).await.expect(200)["document"]["content"],
        "diskon 10%"
    );
}

#[tokio::test(start_paused = true)]
async fn a_bot_has_ninety_documents_and_no_more_however_they_come() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Owner).await;
    for n in 0..88 {
        api.put(&format!("/api/bots/demo/documents/d{n:02}"), document("x"))
            .await
            .expect(201);
    }
    let at_once = (0..6).map(|n| {
        let api = &api;
        async move {
            api.put(&format!("/api/bots/demo/documents/e{n}"), document("x"))
                .await
                .status
                .as_u16()
        }
    });
    let statuses = futures_util::future::join_all(at_once).await;
    let made = statuses.iter().filter(|status| **status == 201).count();
    assert!(
        made <= 2 && statuses.iter().all(|status| [201, 409].contains(status)),
        "{statuses:?}"
    );
    for n in 6..8 {
        api.put(&format!("/api/bots/demo/documents/e{n}"), document("x"))
            .await;
    }
    let listed = api.get("/api/bots/demo/documents").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 90);
    api.put("/api/bots/demo/documents/more", document("x"))
        .await
        .expect(409);
    // One that is there can still be changed.
    api.put("/api/bots/demo/documents/d00", document("y"))
        .await
        .expect(200);
    for bad in ["a%2Fb", "a.b", "%00", &"a".repeat(65)] {
        api.put(&format!("/api/bots/demo/documents/{bad}"), document("x"))
            .await
            .expect(422);
    }
    for (body, field) in [
        (json!({"title": "é".repeat(201), "content": ""}), "title"),
        (
            json!({"title": "", "content": "é".repeat(50_001)}),
            "content",
        ),
    ] {
        let problem = api
            .put("/api/bots/demo/documents/d00", body)
            .await
            .expect(422);
        assert!(problem["detail"].as_str().unwrap().starts_with(field));
    }
}

#[tokio::test(start_paused = true)]
async fn an_edited_document_is_what_the_model_sees_next() {
    let world = TestWorld::with(&[bot("demo")], &[("BOT_CACHE_SECONDS", "1")]).await;
    world.start();
    let api = world.api(Role::Owner).await;
    let path = "/api/bots/demo/documents/jam";
    for (n, content) in ["Buka 08-20", "Buka 24 jam"].into_iter().enumerate() {
        api.put(path, document(content)).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let second = i64::try_from(n).unwrap() * 60;
        let body = bubble("demo", "6281", &format!("M{n}"), second, "Jam buka?");
        assert_eq!(world.post(&body).await.0, 200);
        world.settle().await;
        let asked = world.outside.asked();
        let system = asked[n]["messages"][0]["content"].as_str().unwrap();
        assert!(system.contains(content), "{system}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bots_file_is_written_again_only_when_it_says_something_else() {
    let mut demo = bot("demo");
    let text = |content: &str| serde_json::from_value(document(content)).unwrap();
    demo.documents = vec![text("satu"), text("dua")];
    let world = TestWorld::new(std::slice::from_ref(&demo)).await;
    let api = world.api(Role::Owner).await;
    let mut body = api.get(DEMO).await.expect(200)["bot"].clone();
    body["name"] = json!("Nama dari halaman");
    api.put(DEMO, body).await.expect(200);
    api.put("/api/bots/demo/documents/0000", document("dari halaman"))
        .await
        .expect(200);
    api.put("/api/bots/demo/documents/promo", document("promo"))
        .await
        .expect(201);
    // The next start, at another address of the demo gateway.
    demo.gateway.url = "http://127.0.0.1:9999/demo".to_owned();
    world
        .world
        .put_bots(std::slice::from_ref(&demo))
        .await
        .unwrap();
    let kept = api.get(DEMO).await.expect(200);
    assert_eq!(
        (&kept["version"], &kept["bot"]["name"]),
        (&json!(2), &json!("Nama dari halaman"))
    );
    assert_eq!(kept["bot"]["gateway"]["url"], demo.gateway.url);
    let ids = |list: Value| -> Vec<(String, u64)> {
        let items = list["items"].as_array().unwrap().iter();
        items
            .map(|item| {
                (
                    item["id"].as_str().unwrap().to_owned(),
                    item["version"].as_u64().unwrap(),
                )
            })
            .collect()
    };
    let listed = ids(api.get("/api/bots/demo/documents").await.expect(200));
    assert_eq!(
        listed,
        [
            ("0000".to_owned(), 2),
            ("0001".to_owned(), 1),
            ("promo".to_owned(), 1)
        ]
    );
    // The file says something else.
    demo.documents.pop();
    world
        .world
        .put_bots(std::slice::from_ref(&demo))
        .await
        .unwrap();
    let written = api.get(DEMO).await.expect(200);
    assert_eq!(
        (&written["version"], &written["bot"]["name"]),
        (&json!(3), &json!("Toko demo"))
    );
    let listed = ids(api.get("/api/bots/demo/documents").await.expect(200));
    assert_eq!(listed, [("0000".to_owned(), 3), ("promo".to_owned(), 1)]);
    let was = api.get("/api/bots/demo/versions/2").await.expect(200);
    assert_eq!(was["bot"]["name"], "Nama dari halaman");
    api.post(
        "/api/bots/demo/documents/0001/versions/1/restore",
        json!({}),
    )
    .await
    .expect(201);
    // A bot that was deleted stays away until the file says something else.
    assert_eq!(api.delete(DEMO).await.status, 204);
    let file = std::slice::from_ref(&demo);
    world.world.put_bots(file).await.unwrap();
    assert_eq!(api.get(DEMO).await.status, 404);
    demo.name = "Toko lain".to_owned();
    let file = std::slice::from_ref(&demo);
    world.world.put_bots(file).await.unwrap();
    assert_eq!(api.get(DEMO).await.expect(200)["version"], 5);
}

#[tokio::test(start_paused = true)]
async fn markup_in_names_and_documents_is_text_like_any_other() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Owner).await;
    let markup =
        "</script><script>alert('x')</script><img src=x onerror=alert(1)>\u{0}\u{202e}\"'`";
    let mut body = api.get(DEMO).await.expect(200)["bot"].clone();
    body["name"] = json!(markup);
    let answer = api.put(DEMO, body).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.expect(200)["bot"]["name"], markup);
    let path = "/api/bots/demo/documents/jam";
    api.put(
        path,
        json!({"title": markup, "kind": markup, "content": markup}),
    )
    .await
    .expect(201);
    let read = api.get(path).await.expect(200);
    for field in ["title", "kind", "content"] {
        assert_eq!(read[field], markup);
    }
    let listed = api.get("/api/bots/demo/documents").await.expect(200);
    assert_eq!(listed["items"][0]["characters"], markup.chars().count());
}
