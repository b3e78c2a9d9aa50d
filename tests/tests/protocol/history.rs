//! The history: edits, our own replies coming back, people, and the list of conversations.

use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::world::TestWorld;

const RINA: &str = "6281100020001";

#[tokio::test(start_paused = true)]
async fn an_edit_changes_the_question_that_is_still_pending() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "1 botol")).await;
    let mut edit = bubble("demo", RINA, "EDIT", 1, "");
    edit["event"]["IsEdit"] = json!(true);
    edit["event"]["Message"] = json!({"protocolMessage": {"type": 14, "key": {"ID": "A", "fromMe": true},
        "editedMessage": {"conversation": "2 botol"}}});
    assert_eq!(world.post(&edit).await.1["reason"], "protocol");
    world.settle().await;
    assert_eq!(world.outside.questions(), ["2 botol"]);
    // A customer knows the ids of our replies, and must not change what we said.
    let reply = world.outside.sends()[0].id.clone();
    edit["event"]["Message"]["protocolMessage"]["key"]["ID"] = json!(reply);
    world.post(&edit).await;
    let history = world.history("demo", RINA).await;
    assert_eq!(history[1].content.text, "Jawaban atas: 2 botol");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_comes_back_is_not_a_persons_message() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.settle().await;
    let reply = world.outside.sends()[0].clone();
    let mut echo = bubble("demo", RINA, &reply.id.to_uppercase(), 9, &reply.text);
    echo["event"]["Info"]["IsFromMe"] = json!(true);
    echo["event"]["Info"]["Sender"] = json!("6281900090009@s.whatsapp.net");
    assert_eq!(world.post(&echo).await.1["reason"], "own_message");
    assert_eq!(world.history("demo", RINA).await.len(), 2);
    // A person's message, twice: once in the history, and the next answer knows it.
    let mut person = echo.clone();
    person["event"]["Info"]["ID"] = json!("3AB1C2D3E4F5061728AA");
    person["event"]["Message"] = json!({"conversation": "Siap kak, saya cek dulu (admin)"});
    for _ in 0..2 {
        assert_eq!(world.post(&person).await.1["reason"], "own_message");
    }
    world.post(&bubble("demo", RINA, "B", 30, "jadi?")).await;
    world.settle().await;
    assert_eq!(world.history("demo", RINA).await.len(), 5);
    let asked = world.outside.asked()[1]["messages"].to_string();
    assert!(asked.contains("saya cek dulu (admin)"));
}

#[tokio::test(start_paused = true)]
async fn the_conversation_lists_its_name_last_message_activity_and_unread_count() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    for (n, text) in ["Halo", "ada kopi?"].iter().enumerate() {
        world
            .post(&bubble("demo", RINA, &format!("B{n}"), n as i64, text))
            .await;
    }
    let list = || async {
        let query = json!({"TableName": "clivy", "IndexName": "by_activity",
            "KeyConditionExpression": "list_pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "B#demo"}}});
        world.dynamodb("Query", query).await["Items"][0].clone()
    };
    world.settle().await;
    let item = list().await;
    assert_eq!(item["contact_name"]["S"], format!("Pelanggan {RINA}"));
    assert_eq!(item["last_text"]["S"], "Jawaban atas: Halo\nada kopi?");
    assert_eq!(item["last_author"]["S"], "bot");
    assert_eq!(item["unread"]["N"], "2");
    let answered_at: i64 = item["list_at"]["N"].as_str().unwrap().parse().unwrap();
    let mut person = bubble("demo", RINA, "P", 60, "Siap");
    person["event"]["Info"]["IsFromMe"] = json!(true);
    world.post(&person).await;
    let item = list().await;
    assert_eq!(item["last_author"]["S"], "person");
    assert_eq!(item["unread"]["N"], "0", "whoever answers has read it");
    assert!(
        item["list_at"]["N"]
            .as_str()
            .unwrap()
            .parse::<i64>()
            .unwrap()
            > answered_at
    );
}
