//! The test bot's gateway is open to the internet.

use serde_json::json;

use crate::stage::Stage;

fn text(id: &str, body: &str) -> String {
    json!({"Phone": "999123", "Body": body, "Id": id}).to_string()
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_know_the_token_finds_nothing() {
    let stage = Box::pin(Stage::new()).await;
    let halo = text("A", "Halo");
    // Before there is a test bot, no token is the right one.
    assert_eq!(stage.gateway("/chat/send/text", "", &halo).await.0, 404);
    stage.deploy().await;
    let token = stage.token().await;
    let shorter = token.split_at(10).0;
    for wrong in ["", "token-demo", shorter, &format!("{token} ")] {
        assert_eq!(stage.gateway("/chat/send/text", wrong, &halo).await.0, 404);
    }
    assert_eq!(stage.replies().await, [1], "the deployment's own");
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_counted_once_however_often_it_is_sent() {
    let stage = Box::pin(Stage::new()).await;
    stage.deploy().await;
    let token = stage.token().await;
    let send = async |path: &str, body: &str| stage.gateway(path, &token, body).await;
    for (id, words, count) in [
        ("A", "Halo", 1),
        ("A", "Halo", 1),
        ("A", "Hai", 2),
        ("B", "Halo", 3),
    ] {
        let (status, answer) = send("/chat/send/text", &text(id, words)).await;
        assert_eq!((status, &answer["data"]["Id"]), (200, &json!(id)));
        let replies = stage.replies().await;
        assert!(replies.contains(&count), "{id} {words}: {replies:?}");
    }
    for path in ["/chat/presence", "/chat/markread"] {
        assert_eq!(send(path, "{}").await.0, 200);
    }
    for bad in ["", "{}", "[]", r#"{"Phone":"a#b","Body":"x","Id":"y"}"#] {
        assert_eq!(send("/chat/send/text", bad).await.0, 400, "{bad}");
    }
    assert_eq!(stage.replies().await.iter().sum::<usize>(), 4);
}
