//! API keys and sessions, as their holders see them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::time::Duration;

use clivy::access::{OwnerId, Role, Secret};
use serde_json::{Value, json};
use tests::api::{Api, OWNER};
use tests::world::TestWorld;

const DAY: Duration = Duration::from_secs(86_400);

async fn world() -> TestWorld {
    TestWorld::new(&[]).await
}

fn wanted(role: &str, days: Option<u32>) -> Value {
    json!({"name": "kasir", "role": role, "expires_in_days": days})
}

/// Makes a key; gives its id and itself.
async fn make(api: &Api<'_>, role: &str, days: Option<u32>) -> (String, String) {
    let made = api.post("/api/keys", wanted(role, days)).await.expect(201);
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_made_opens_what_its_role_may_until_it_is_revoked() {
    let world = world().await;
    let owner = world.api(Role::Owner).await;
    let (id, key) = make(&owner, "agent", None).await;
    let agent = world.api_with(&key);
    let who = json!({"owner": OWNER, "role": "agent", "key_id": id});
    assert_eq!(agent.get("/api/session").await.expect(200), who);
    agent.get("/api/keys").await.expect(403);
    let path = format!("/api/keys/{id}");
    agent.delete(&path).await.expect(403);
    for _ in 0..2 {
        owner.delete(&path).await.expect(204);
    }
    agent.get("/api/session").await.expect(401);
}

#[tokio::test(start_paused = true)]
async fn a_key_opens_nothing_from_the_moment_it_expires() {
    let world = world().await;
    let owner = world.api(Role::Owner).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (id, key) = make(&owner, "viewer", Some(2)).await;
    let viewer = world.api_with(&key);
    tokio::time::sleep(2 * DAY - Duration::from_secs(1)).await;
    viewer.get("/api/session").await.expect(200);
    tokio::time::sleep(Duration::from_secs(1)).await;
    viewer.get("/api/session").await.expect(401);
    let login = json!({"key": key});
    let refused = world.api_without_key().post("/api/session", login).await;
    refused.expect(401);
    // It is listed all the same, and may be revoked.
    let listed = owner.get("/api/keys").await.expect(200);
    assert_eq!(listed["items"][0]["id"], json!(id));
    owner.delete(&format!("/api/keys/{id}")).await.expect(204);
}

#[tokio::test(start_paused = true)]
async fn the_list_tells_of_every_key_and_holds_none() {
    let world = world().await;
    let owner = world.api(Role::Owner).await;
    tokio::time::sleep(DAY).await;
    let (id, key) = make(&owner, "viewer", Some(30)).await;
    owner.delete(&format!("/api/keys/{id}")).await.expect(204);
    let reply = owner.get("/api/keys").await;
    let hash = Secret::presented(&key).unwrap().hash();
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(!text.contains(&key) && !text.contains(hash.as_str()));
    let listed = reply.expect(200);
    assert_eq!(listed["next"], Value::Null);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let newest = json!({
        "id": id, "name": "kasir", "role": "viewer",
        "created_at": "2025-11-21T02:15:05.000Z", "expires_at": "2025-12-21T02:15:05.000Z",
        "revoked_at": "2025-11-21T02:15:05.000Z",
    });
    assert_eq!(listed["items"][0], newest);
    assert_eq!(listed["items"][1]["expires_at"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn the_table_keeps_no_key_and_forgets_one_that_has_ended_in_seconds_not_milliseconds() {
    let world = world().await;
    let owner = world.api(Role::Owner).await;
    let (_, key) = make(&owner, "viewer", Some(1)).await;
    let (revoked, _) = make(&owner, "viewer", None).await;
    owner
        .delete(&format!("/api/keys/{revoked}"))
        .await
        .expect(204);
    let scan = json!({"TableName": "clivy"});
    let items = world.dynamodb("Scan", scan).await;
    assert!(!items.to_string().contains(&key));
    let now = world.world.clock.now().0 / 1000;
    let ends: Vec<i64> = items["Items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item.get("expires_at")?["N"].as_str()?.parse().ok())
        .map(|at: i64| (at - now) / 86_400)
        .collect();
    // Each key is two items: found by its hash, and listed. What does not end has no such moment.
    assert_eq!(
        ends.iter().filter(|days| **days == 91).count(),
        2,
        "{ends:?}"
    );
    assert_eq!(
        ends.iter().filter(|days| **days == 90).count(),
        2,
        "{ends:?}"
    );
    assert_eq!(ends.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_owner_may_revoke_the_key_in_use_and_no_key_of_others() {
    let world = world().await;
    let (secret, key) = world.key(OWNER, Role::Owner).await;
    let (_, theirs) = world.key("lain", Role::Owner).await;
    let owner = world.api_with(secret.expose());
    let refused = owner
        .delete(&format!("/api/keys/{}", theirs.hash.id()))
        .await;
    refused.expect(404);
    let kept = world
        .world
        .table
        .api_key(&theirs.hash)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.revoked_at, None);
    let own = format!("/api/keys/{}", key.hash.id());
    owner.delete(&own).await.expect(204);
    owner.delete(&own).await.expect(401);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_key_to_make_is_refused_and_nothing_is_made() {
    let world = world().await;
    let owner = world.api(Role::Owner).await;
    let long = "é".repeat(101);
    for bad in [
        json!({"role": "owner"}),
        json!({"name": "x"}),
        json!({"name": "", "role": "owner"}),
        json!({"name": "  ", "role": "owner"}),
        json!({"name": "a\u{0}b", "role": "owner"}),
        json!({"name": long, "role": "owner"}),
        json!({"name": null, "role": "owner"}),
        json!({"name": "x", "role": "Owner"}),
        json!({"name": "x", "role": "owner", "owner": "lain"}),
        json!({"name": "x", "role": "owner", "expires_in_days": 0}),
        json!({"name": "x", "role": "owner", "expires_in_days": 3651}),
        json!({"name": "x", "role": "owner", "expires_in_days": -1}),
        json!({"name": "x", "role": "owner", "expires_in_days": 1e300}),
        json!({"name": "x", "role": "owner", "expires_in_days": "1"}),
        json!([]),
        json!(null),
    ] {
        let problem = owner.post("/api/keys", bad.clone()).await.expect(422);
        assert_eq!(problem["type"], "/problems/invalid", "{bad}");
    }
    let name = "é".repeat(100);
    let good = json!({"name": name, "role": "owner", "expires_in_days": 3650});
    owner.post("/api/keys", good).await.expect(201);
    for path in [
        "/api/keys/%00",
        "/api/keys/%ff",
        "/api/keys/..",
        "/api/keys/a%2Fb",
        "/api/keys/%",
    ] {
        let refused = owner.delete(path).await;
        assert!(refused.status == 404, "{path}: {}", refused.status);
    }
    let all = OwnerId::new(OWNER).unwrap();
    assert_eq!(world.world.table.api_keys(&all).await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_admin_makes_lists_and_revokes_keys_of_any_owner() {
    const SECRET: &str = "an-admin-secret-that-is-for-tests";
    let world = TestWorld::with(&[], &[("ADMIN_SECRET", SECRET)]).await;
    let admin = world.api_with(SECRET);
    let wanted = json!({"owner": "Bu Ani & co", "name": "pertama", "role": "owner", "expires_in_days": null});
    let made = admin
        .post("/api/admin/keys", wanted.clone())
        .await
        .expect(201);
    let ani = world.api_with(made["key"].as_str().unwrap());
    let session = ani.get("/api/session").await.expect(200);
    assert_eq!(session["owner"], "Bu Ani & co");
    let of_ani = "owner=Bu%20Ani%20%26%20co";
    let listed = admin
        .get(&format!("/api/admin/keys?{of_ani}"))
        .await
        .expect(200);
    assert_eq!(listed["items"][0]["id"], made["id"]);
    let id = made["id"].as_str().unwrap();
    let of_others = format!("/api/admin/keys/{id}?owner=lain");
    admin.delete(&of_others).await.expect(404);
    admin.get("/api/admin/keys").await.expect(400);
    admin.get("/api/admin/keys?owner=").await.expect(400);
    for wrong in [
        SECRET.trim_end_matches('s'),
        &SECRET.to_uppercase(),
        "",
        made["key"].as_str().unwrap(),
    ] {
        let refused = world
            .api_with(wrong)
            .post("/api/admin/keys", wanted.clone())
            .await;
        refused.expect(401);
    }
    let path = format!("/api/admin/keys/{id}?{of_ani}");
    admin.delete(&path).await.expect(204);
    ani.get("/api/session").await.expect(401);
    // The secret makes keys. It is none.
    admin.get("/api/session").await.expect(401);
}

#[tokio::test(start_paused = true)]
async fn a_login_is_a_cookie_that_opens_what_the_key_opens_and_a_logout_takes_it_away() {
    let world = world().await;
    let (secret, _) = world.key(OWNER, Role::Owner).await;
    let api = world.api_without_key();
    let login = json!({"key": format!(" {}\n", secret.expose())});
    let reply = api.post("/api/session", login).await;
    reply.expect(204);
    let cookie = reply.headers["set-cookie"].to_str().unwrap().to_owned();
    for part in [
        "; Secure",
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/",
        "; Max-Age=43200",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let session = cookie.split(';').next().unwrap();
    let with = |extra| [("cookie", session), extra];
    let page = with(("sec-fetch-site", "same-origin"));
    let got = api.send("GET", "/api/session", None, &page).await;
    assert_eq!(got.expect(200)["role"], "owner");
    let key = wanted("viewer", None);
    api.send("POST", "/api/keys", Some(key.clone()), &page)
        .await
        .expect(201);
    // A key in the header is meant, even when it is none.
    let wrong = with(("authorization", "Bearer clivy_00"));
    api.send("GET", "/api/session", None, &wrong)
        .await
        .expect(401);
    for site in ["cross-site", "same-site"] {
        let elsewhere = with(("sec-fetch-site", site));
        for (method, path) in [("POST", "/api/keys"), ("DELETE", "/api/session")] {
            let body = Some(key.clone());
            api.send(method, path, body, &elsewhere).await.expect(403);
        }
        // Nobody is logged in from there either.
        let login = Some(json!({"key": secret.expose()}));
        let refused = api.send("POST", "/api/session", login, &elsewhere).await;
        refused.expect(403);
        assert!(!refused.headers.contains_key("set-cookie"));
    }
    let out = api.send("DELETE", "/api/session", None, &page).await;
    out.expect(204);
    let gone = out.headers["set-cookie"].to_str().unwrap();
    assert!(
        gone.starts_with("__Host-clivy=;") && gone.contains("Max-Age=0"),
        "{gone}"
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_logs_in_with_what_is_no_key() {
    let world = world().await;
    let api = world.api_without_key();
    let never_made = format!("clivy_{}", "0".repeat(64));
    for key in [
        "",
        "clivy_",
        "x",
        &never_made,
        "clivy_\u{0}",
        &"9".repeat(10_000),
    ] {
        let reply = api.post("/api/session", json!({"key": key})).await;
        reply.expect(401);
        assert!(!reply.headers.contains_key("set-cookie"));
    }
    for (body, status) in [
        (json!({}), 422),
        (json!({"key": null}), 422),
        (json!({"key": 7}), 422),
    ] {
        api.post("/api/session", body).await.expect(status);
    }
    let large = json!({"key": "x".repeat(1024 * 1024)});
    api.post("/api/session", large).await.expect(413);
}
