//! Bots and their versions, through the HTTP API of the inbox.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use clivy::access::Role;
use clivy::conversation::ids::BotId;
use serde_json::{Value, json};
use tests::api::Api;
use tests::bubbles::bot;
use tests::faults::{Fault, ROLE, Role as FaultRole, When};
use tests::world::TestWorld;

const DEMO: &str = "/api/bots/demo";
const INBOX: FaultRole = FaultRole::Inbox;

fn settings(token: &str) -> Value {
    json!({"name": "Toko", "system_prompt": "Anda melayani.", "models": ["a/b", {"name": "c/d", "context_tokens": 4096}],
        "max_price": {"prompt": 1.5}, "gateway": {"kind": "wuzapi", "url": "http://gateway.test/", "token": token}})
}

fn document(content: &str) -> Value {
    json!({"title": "Jam buka", "kind": "info", "content": content})
}

/// What a GET gives, as a PUT takes it: the secrets stay.
async fn current(api: &Api<'_>, path: &str) -> Value {
    api.get(path).await.expect(200)["bot"].clone()
}

async fn everything(world: &TestWorld) -> Vec<Value> {
    let scan = world.dynamodb("Scan", json!({"TableName": "clivy"})).await;
    scan["Items"].as_array().unwrap().clone()
}

async fn partitions(world: &TestWorld, bot: &str) -> Vec<String> {
    let (current, past) = (format!("B#{bot}"), format!("V#{bot}"));
    let items = everything(world).await.into_iter();
    items
        .filter(|item| item["pk"]["S"] == current || item["pk"]["S"] == past)
        .map(|item| item["sk"]["S"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_bot_is_made_changed_listed_and_deleted() {
    let world = TestWorld::new(&[]).await;
    let api = world.api(Role::Owner).await;
    assert_eq!(api.get(DEMO).await.status, 404);
    let made = api.put(DEMO, settings("t1")).await;
    assert_eq!(made.headers["etag"], "\"1\"");
    let made = made.expect(201);
    assert_eq!(
        (&made["version"], &made["secrets"]),
        (&json!(1), &json!(["token"]))
    );
    assert_eq!(
        made["bot"]["gateway"],
        json!({"kind": "wuzapi", "url": "http://gateway.test"})
    );
    assert_eq!(made["bot"]["opt_in_words"], json!(["/start", "mulai"]));
    let mut changed = current(&api, DEMO).await;
    changed["name"] = json!("Toko Maju");
    changed["active"] = json!(false);
    let answer = api.put(DEMO, changed.clone()).await.expect(200);
    assert_eq!((&answer["version"], &answer["bot"]), (&json!(2), &changed));
    let listed =
        json!({"items": [{"id": "demo", "name": "Toko Maju", "active": false}], "next": null});
    assert_eq!(api.get("/api/bots").await.expect(200), listed);
    api.put("/api/bots/demo/documents/jam", document("08-20"))
        .await
        .expect(201);
    assert_eq!(api.delete(DEMO).await.status, 204);
    for gone in [DEMO, "/api/bots/demo/documents", "/api/bots/demo/versions"] {
        assert_eq!(api.get(gone).await.status, 404, "{gone}");
    }
    assert_eq!(api.get("/api/bots").await.expect(200)["items"], json!([]));
    // Whose it was is all that is left.
    assert_eq!(partitions(&world, "demo").await, ["CFG"]);
    assert_eq!(world.world.table.bot_of_token("t1").await.unwrap(), None);
    let again = api.put(DEMO, settings("t1")).await.expect(201);
    assert_eq!(
        again["version"], 4,
        "an earlier version's tag must not fit the new bot"
    );
}

#[tokio::test(start_paused = true)]
async fn no_answer_and_no_version_holds_a_secret() {
    let world = TestWorld::new(&[]).await;
    let api = world.api(Role::Owner).await;
    let mut body = settings("hunter2-token");
    body["openrouter_key"] = json!("hunter2-key");
    body["gateway"]["hmac_key"] = json!("hunter2-hmac");
    body["gateway"]["secret_path"] = json!("hunter2-path");
    let mut answers = vec![api.put(DEMO, body).await];
    answers[0].expect(201);
    // Absent secrets stay.
    answers.push(api.put(DEMO, settings_without_token()).await);
    let all = json!(["token", "hmac_key", "secret_path", "openrouter_key"]);
    assert_eq!(answers[1].expect(200)["secrets"], all);
    for path in [
        DEMO,
        "/api/bots",
        "/api/bots/demo/versions",
        "/api/bots/demo/versions/1",
        "/api/bots/demo/versions/2",
    ] {
        answers.push(api.get(path).await);
    }
    answers.push(
        api.post("/api/bots/demo/versions/1/restore", json!({}))
            .await,
    );
    for answer in &answers {
        let text = String::from_utf8_lossy(&answer.body);
        assert!(
            answer.status.is_success() && !text.contains("hunter2"),
            "{text}"
        );
    }
    let stored = world
        .world
        .table
        .bot(&BotId::new("demo").unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.gateway.token, "hunter2-token");
    assert_eq!(stored.openrouter_key.as_deref(), Some("hunter2-key"));
    let past = everything(&world)
        .await
        .into_iter()
        .filter(|item| item["pk"]["S"] == "V#demo");
    let past: Vec<String> = past.map(|item| item.to_string()).collect();
    assert_eq!(past.len(), 2);
    assert!(!past.concat().contains("hunter2"));
    // Null removes.
    let mut body = settings_without_token();
    body["openrouter_key"] = json!(null);
    body["gateway"]["hmac_key"] = json!(null);
    let left = api.put(DEMO, body).await.expect(200);
    assert_eq!(left["secrets"], json!(["token", "secret_path"]));
}

fn settings_without_token() -> Value {
    let mut body = settings("");
    body["gateway"].as_object_mut().unwrap().remove("token");
    body
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_is_refused_and_the_field_is_named() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Owner).await;
    let long = "é".repeat(20_001);
    for (pointer, value, field) in [
        ("/name", json!("é".repeat(201)), "name"),
        ("/system_prompt", json!(long), "system_prompt"),
        ("/opt_out_words", json!(vec!["a"; 51]), "opt_out_words"),
        ("/models", json!(vec!["m"; 11]), "models"),
        ("/max_price", json!({"prompt": 1e9}), "max_price.prompt"),
        ("/openrouter_key", json!(" "), "openrouter_key"),
        ("/gateway/token", json!(null), "gateway.token"),
        ("/gateway/token", json!("hunter2\n"), "gateway.token"),
        (
            "/gateway/secret_path",
            json!("hunter2/x"),
            "gateway.secret_path",
        ),
        ("/gateway/hmac_key", json!(""), "gateway.hmac_key"),
        ("/gateway/url", json!("demo"), "gateway.url"),
        (
            "/gateway/url",
            json!("http://a:hunter2@b.test"),
            "gateway.url",
        ),
    ] {
        let mut body = settings_without_token();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value;
        let problem = api.put(DEMO, body).await.expect(422);
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.starts_with(field) && !detail.contains("hunter2"),
            "{pointer}: {detail}"
        );
    }
    for body in [
        json!(null),
        json!([]),
        json!({}),
        json!({"gateway": null}),
        json!({"id": "x"}),
        json!({"gateway": {"kind": "smoke", "url": "http://g.test"}}),
    ] {
        assert_eq!(api.put(DEMO, body.clone()).await.status, 422, "{body}");
    }
    let new = api
        .put("/api/bots/new", settings_without_token())
        .await
        .expect(422);
    assert_eq!(new["detail"], "gateway.token is needed");
    assert_eq!(api.get(DEMO).await.expect(200)["version"], 1);
    for (id, status) in [
        ("a%2Fb", 422),
        ("a%00b", 422),
        ("%FF", 404),
        ("%2e%2e", 422),
        ("toko%231", 422),
        ("toko%3F1", 422),
        ("toko%251", 422),
    ] {
        let path = format!("/api/bots/{id}");
        assert_eq!(api.put(&path, settings("x")).await.status, status, "{id}");
    }
    let odd = "/api/bots/toko%20%F0%9F%98%80";
    api.put(odd, settings("x")).await.expect(201);
    assert_eq!(api.get(odd).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_on_aws_is_on_the_public_internet() {
    let world = TestWorld::new(&[]).await;
    let (secret, _) = world.key(tests::api::OWNER, Role::Owner).await;
    let mut deployed = world;
    let inbox = std::sync::Arc::get_mut(&mut deployed.world.inbox).unwrap();
    inbox.allow_private_gateways = false;
    let api = deployed.api_with(secret.expose());
    for url in [
        "http://127.0.0.1:9001",
        "http://169.254.169.254",
        "http://[::1]",
        "http://2130706433",
    ] {
        let mut body = settings("t");
        body["gateway"]["url"] = json!(url);
        let problem = api.put(DEMO, body).await.expect(422);
        assert_eq!(
            problem["detail"],
            "gateway.url is not an address of the public internet"
        );
    }
    let mut body = settings("t");
    body["gateway"]["url"] = json!("https://wuzapi.example.com");
    api.put(DEMO, body).await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_bot_is_not_there_and_its_token_cannot_be_taken() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let (thief, _) = world.key("thief", Role::Owner).await;
    let thief = world.api_with(thief.expose());
    let before = everything(&world).await;
    for (method, path, body) in [
        ("GET", "/api/bots/demo", None),
        ("PUT", "/api/bots/demo", Some(settings("x"))),
        ("DELETE", "/api/bots/demo", None),
        ("GET", "/api/bots/demo/versions", None),
        ("GET", "/api/bots/demo/versions/1", None),
        ("POST", "/api/bots/demo/versions/1/restore", None),
        ("GET", "/api/bots/demo/documents", None),
        ("PUT", "/api/bots/demo/documents/a", Some(document("x"))),
        ("DELETE", "/api/bots/demo/documents/0000", None),
    ] {
        let reply = thief.send(method, path, body, &[]).await;
        assert_eq!(reply.status, 404, "{method} {path}");
    }
    let stolen = thief.put("/api/bots/mine", settings("token-demo")).await;
    stolen.expect(409);
    assert_eq!(everything(&world).await, before);
    thief.put("/api/bots/mine", settings("t")).await.expect(201);
    thief
        .put("/api/bots/mine", settings("token-demo"))
        .await
        .expect(409);
    let table = &world.world.table;
    let owner_of = |token| async move { table.bot_of_token(token).await.unwrap().unwrap() };
    assert_eq!(owner_of("token-demo").await.as_str(), "demo");
    assert_eq!(owner_of("t").await.as_str(), "mine");
    // The token of a bot that gave it up is free.
    thief
        .put("/api/bots/mine", settings("t2"))
        .await
        .expect(200);
    assert_eq!(table.bot_of_token("t").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn of_two_owners_who_want_one_id_one_gets_it() {
    let world = TestWorld::new(&[]).await;
    let (a, _) = world.key("a", Role::Owner).await;
    let (b, _) = world.key("b", Role::Owner).await;
    for n in 0..20 {
        let path = format!("/api/bots/race-{n}");
        let (one, other) = (world.api_with(a.expose()), world.api_with(b.expose()));
        let (one, other) = tokio::join!(
            one.put(&path, settings(&format!("a{n}"))),
            other.put(&path, settings(&format!("b{n}"))),
        );
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 404]);
        let tokens = [format!("a{n}"), format!("b{n}")];
        let mut owned = 0;
        for token in &tokens {
            owned += usize::from(
                world
                    .world
                    .table
                    .bot_of_token(token)
                    .await
                    .unwrap()
                    .is_some(),
            );
        }
        assert_eq!(owned, 1, "the loser's token leads nowhere");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_over_another_version_than_the_one_read_is_refused() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Owner).await;
    let path = "/api/bots/demo/documents/jam";
    for (path, body) in [(DEMO, settings_without_token()), (path, document("08-20"))] {
        let put = async |tag: &str| {
            let headers = [("if-match", tag)];
            api.send("PUT", path, Some(body.clone()), &headers).await
        };
        if path != DEMO {
            put("*").await.expect(412);
            api.put(path, body.clone()).await.expect(201);
        }
        put("\"1\"").await.expect(200);
        put("\"1\"").await.expect(412);
        put("W/\"2\"").await.expect(412);
        put("*").await.expect(200);
        assert_eq!(api.get(path).await.headers["etag"], "\"3\"");
    }
    let with = async |method: &str, path: &str, tag: &str| {
        let headers = [("if-match", tag)];
        api.send(method, path, None, &headers).await.status
    };
    let restore = "/api/bots/demo/versions/1/restore";
    assert_eq!(with("POST", restore, "\"1\"").await, 412);
    assert_eq!(with("DELETE", path, "\"1\"").await, 412);
    assert_eq!(with("DELETE", path, "\"3\"").await, 204);
    // Two at once with the same tag: one.
    let put = || {
        api.send(
            "PUT",
            DEMO,
            Some(settings_without_token()),
            &[("if-match", "\"3\"")],
        )
    };
    let (one, other) = tokio::join!(put(), put());
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test(start_paused = true)]
async fn of_twenty_one_versions_twenty_are_kept_and_any_can_be_brought_back() {
    let world = TestWorld::new(&[]).await;
    let api = world.api(Role::Owner).await;
    api.put(DEMO, settings("t")).await.expect(201);
    let path = "/api/bots/demo/documents/jam";
    for n in 1..=21 {
        let mut body = settings_without_token();
        body["name"] = json!(format!("Toko {n}"));
        if n > 1 {
            api.put(DEMO, body).await.expect(200);
        }
        let status = if n == 1 { 201 } else { 200 };
        api.put(path, document(&format!("jam {n}")))
            .await
            .expect(status);
    }
    for of in [DEMO, path] {
        let list = api.get(&format!("{of}/versions")).await.expect(200);
        let numbers: Vec<u64> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["version"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, (2..=21).rev().collect::<Vec<_>>(), "{of}");
        assert!(list["items"][5]["by"].is_string() && list["items"][5]["at"].is_string());
        api.get(&format!("{of}/versions/1")).await.expect(404);
    }
    assert_eq!(
        api.get("/api/bots/demo/versions/2").await.expect(200)["bot"]["name"],
        "Toko 2"
    );
    let restored = api
        .post("/api/bots/demo/versions/2/restore", json!({}))
        .await
        .expect(200);
    assert_eq!(
        (&restored["version"], &restored["bot"]["name"]),
        (&json!(22), &json!("Toko 2"))
    );
    assert_eq!(restored["secrets"], json!(["token"]));
    assert_eq!(
        api.get(&format!("{path}/versions/21")).await.expect(200)["document"]["content"],
        "jam 21"
    );
    let restored = api
        .post(&format!("{path}/versions/2/restore"), json!({}))
        .await
        .expect(200);
    assert_eq!(
        (&restored["version"], &restored["content"]),
        (&json!(22), &json!("jam 2"))
    );
    let kept = partitions(&world, "demo").await;
    assert_eq!(kept.len(), 2 + 2 * 19, "{kept:?}");
    assert_eq!(world.faults.refused(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn who_may_only_read_or_answer_changes_nothing() {
    let world = TestWorld::new(&[bot("demo")]).await;
    for role in [Role::Viewer, Role::Agent] {
        let api = world.api(role).await;
        api.get(DEMO).await.expect(200);
        api.put(DEMO, json!({"not": "settings"})).await.expect(403);
        api.put("/api/bots/new", settings("t")).await.expect(404);
        api.delete(DEMO).await.expect(403);
        api.put("/api/bots/demo/documents/a", document("x"))
            .await
            .expect(403);
        api.post("/api/bots/demo/versions/1/restore", json!({}))
            .await
            .expect(403);
    }
    let none = world.api_without_key();
    none.get("/api/bots").await.expect(401);
    none.put(DEMO, settings("t")).await.expect(401);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_is_one_write() {
    let world = TestWorld::new(&[]).await;
    let api = world.api(Role::Owner).await;
    for at in 0..4 {
        let path = format!("/api/bots/lost-{at}");
        let put = api.put(&path, settings(&format!("t{at}")));
        world.faults.arm(INBOX, at, Fault::Error(When::After));
        ROLE.scope(INBOX, put).await.expect(201);
        assert_eq!(api.get(&path).await.expect(200)["version"], 1, "{at}");
    }
}
