//! Which ids bots may have, and which bot an address means, through the HTTP API of the inbox.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use clivy::access::Role;
use clivy::conversation::ids::SMOKE_TEST;
use http::Request;
use http_body_util::Full;
use lambda_http::request::LambdaRequest;
use serde_json::{Value, json};
use tests::api::Reply;
use tests::bubbles::bot;
use tests::world::TestWorld;

fn settings(token: &str) -> Value {
    json!({"name": "Toko", "gateway": {"kind": "wuzapi", "url": "http://gateway.test", "token": token}})
}

#[tokio::test(start_paused = true)]
async fn an_id_that_addresses_mistake_is_none_for_a_new_bot() {
    let world = TestWorld::new(&[bot("toko#1"), bot("toko")]).await;
    let api = world.api(Role::Owner).await;
    for id in ["baru%23", "baru%3F1", "%23", "50%25", "toko%2523"] {
        let path = format!("/api/bots/{id}");
        let problem = api.put(&path, settings("t")).await.expect(422);
        assert_eq!(
            problem["detail"],
            "the bot's id is not 1 to 200 characters without / # ? % and control characters"
        );
        api.get(&path).await.expect(404);
    }
    assert_eq!(world.world.table.bot_of_token("t").await.unwrap(), None);
    for role in [Role::Viewer, Role::Agent] {
        let reader = world.api(role).await;
        reader
            .put("/api/bots/baru%23", settings("t"))
            .await
            .expect(404);
    }
    // One that a bots file has made can be changed and deleted, and not be made again.
    let old = "/api/bots/toko%231";
    let changed = api.put(old, settings("t")).await.expect(200);
    assert_eq!(changed["version"], 2);
    assert_eq!(api.delete(old).await.status, 204);
    api.put(old, settings("t")).await.expect(422);
    api.get("/api/bots/toko").await.expect(200);
}

/// What the inbox answers to a request that comes through API Gateway, which decodes the path.
async fn through_api_gateway(world: &TestWorld, key: &str, method: &str, path: &str) -> Reply {
    let event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "inbox.test", "authorization": format!("Bearer {key}")},
        "requestContext": {
            "apiId": "inbox", "stage": "$default", "requestId": "r-1",
            "routeKey": "$default", "timeEpoch": 0,
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1", "userAgent": "test"
            }
        },
        "isBase64Encoded": false
    });
    let event: LambdaRequest = serde_json::from_value(event).unwrap();
    let (parts, _) = inbox::raw_path::whole(event.into()).into_parts();
    world
        .ask_inbox(Request::from_parts(parts, Full::default()))
        .await
}

#[tokio::test(start_paused = true)]
async fn a_request_about_one_bot_deletes_no_other_one() {
    let bots = ["shop", "shop#2", "shop?2"].map(bot);
    let world = TestWorld::new(&bots).await;
    let (secret, _) = world.key(tests::api::OWNER, Role::Owner).await;
    let key = secret.expose();
    for (gone, left) in [
        ("shop#2", vec!["shop", "shop?2"]),
        ("shop#3", vec!["shop", "shop?2"]),
        ("shop?2", vec!["shop"]),
        ("shop?3", vec!["shop"]),
    ] {
        let path = format!("/api/bots/{gone}");
        let is_there = bots.iter().any(|bot| bot.bot_id.as_str() == gone);
        let status: u16 = if is_there { 204 } else { 404 };
        let reply = through_api_gateway(&world, key, "DELETE", &path).await;
        assert_eq!(reply.status, status, "{gone}");
        let reply = through_api_gateway(&world, key, "GET", &path).await;
        assert_eq!(reply.status, 404, "{gone}");
        let list = through_api_gateway(&world, key, "GET", "/api/bots").await;
        let list = list.expect(200);
        let ids = list["items"].as_array().unwrap().iter();
        let ids: Vec<&str> = ids.map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!(ids, left, "{gone}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_bot_of_the_deployments_is_somebody_elses_before_there_is_one() {
    let world = TestWorld::new(&[]).await;
    let path = format!("/api/bots/{SMOKE_TEST}");
    let api = world.api(Role::Owner).await;
    let unlike = api.get("/api/bots/unlike").await.expect(404);
    let refused = api.put(&path, settings("t")).await.expect(404);
    assert_eq!(refused, unlike);
    assert_eq!(world.world.table.bot_of_token("t").await.unwrap(), None);
    let (own, _) = world.key(SMOKE_TEST, Role::Owner).await;
    let own = world.api_with(own.expose());
    own.put(&path, settings("t")).await.expect(201);
    own.put(&path, settings("t")).await.expect(200);
    assert_eq!(own.delete(&path).await.status, 204);
    api.put(&path, settings("t")).await.expect(404);
    own.put(&path, settings("t")).await.expect(201);
}
