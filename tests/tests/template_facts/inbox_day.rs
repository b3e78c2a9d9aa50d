//! What people do with the inbox in a day: every route once.

use std::time::Duration;

use serde_json::json;
use tests::faults::{ROLE, Role};
use tests::world::TestWorld;

/// Uses everything that the inbox offers, on a conversation that has been answered and one whose turn has failed.
pub async fn inbox_day(day: &TestWorld, answered: &str, failed: &str) {
    ROLE.scope(Role::Inbox, day.world.inbox.warm_up()).await;
    let bot = "/api/bots/demo";
    let admin = day.api_with("a-secret-of-more-than-thirty-two-characters");
    let made = json!({"owner": "owner", "name": "first", "role": "owner", "expires_in_days": null});
    let key = ROLE
        .scope(Role::Inbox, admin.post("/api/admin/keys", made))
        .await
        .expect(201);
    let api = day.api_with(key["key"].as_str().unwrap_or_default());
    let get = async |path: &str| ROLE.scope(Role::Inbox, api.get(path)).await.expect(200);
    let conversations = format!("{bot}/conversations");
    for path in [
        "/api/keys".to_owned(),
        "/api/bots".to_owned(),
        bot.to_owned(),
        format!("{bot}/usage"),
        "/health/detailed".to_owned(),
        format!("{bot}/documents"),
        format!("{bot}/versions"),
        format!("{conversations}?filter=failed"),
        format!("{conversations}/{answered}"),
        format!("{conversations}/{answered}/messages"),
        format!("{bot}/turns?status=answered"),
        format!("{bot}/turns/{answered}.1"),
    ] {
        get(&path).await;
    }
    let metrics = ROLE.scope(Role::Inbox, api.get("/metrics")).await;
    assert_eq!(metrics.status.as_u16(), 200);

    let post = async |path: String, body: serde_json::Value, status: u16| {
        ROLE.scope(Role::Inbox, api.post(&path, body))
            .await
            .expect(status)
    };
    let chat = format!("{conversations}/{answered}");
    post(format!("{chat}/read"), json!({}), 204).await;
    post(format!("{chat}/messages"), json!({"text": "Halo Kak"}), 202).await;
    post(format!("{chat}/pause"), json!({"minutes": 5}), 200).await;
    post(format!("{chat}/resume"), json!({}), 200).await;
    let retry = format!("{bot}/turns/{failed}.1/retry");
    post(retry, json!({"text": "Maaf Kak, ini jawabannya"}), 202).await;
    day.settle().await;
    post(format!("{bot}/try"), json!({"question": "Jam buka?"}), 200).await;

    let document = json!({"title": "Jam", "kind": "faq", "content": "08.00 - 20.00"});
    for (path, body) in [
        (format!("{bot}/documents/jam"), document),
        (
            bot.to_owned(),
            json!({"name": "Toko", "gateway": {"kind": "wuzapi", "url": "http://gateway.example"}}),
        ),
    ] {
        let put = ROLE.scope(Role::Inbox, api.put(&path, body)).await;
        assert!(put.status.is_success(), "{path}: {:?}", put.body);
    }
    for path in [
        chat.clone(),
        format!("{bot}/documents/jam"),
        bot.to_owned(),
        format!("/api/keys/{}", key["id"].as_str().unwrap_or_default()),
    ] {
        ROLE.scope(Role::Inbox, api.delete(&path)).await.expect(204);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
}
