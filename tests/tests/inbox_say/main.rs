//! A person says something in the inbox: it is stored once, sent once, and keeps the bot quiet.

mod crash;
mod gateway;
mod history;
mod races;
mod requests;

use std::time::Duration;

use clivy::access::Role;
use clivy::conversation::message::{Author, Delivery};
use serde_json::{Value, json};
use tests::api::{Api, Reply};
use tests::bubbles::{bot, bubble, written_at};
use tests::world::TestWorld;

const RINA: &str = "6281100090003";
const SAY: &str = "/api/bots/demo/conversations/6281100090003/messages";

/// A world in which the customer has asked something and was answered.
async fn chat(settings: &[(&str, &str)]) -> TestWorld {
    let world = TestWorld::with(&[bot("demo")], settings).await;
    world.start();
    ask(&world, "A", "Halo").await;
    world.settle().await;
    assert_eq!(said(&world), ["Jawaban atas: Halo"]);
    world
}

/// A bubble of the customer, now.
async fn ask(world: &TestWorld, mid: &str, text: &str) {
    let now = world.world.clock.now();
    let body = written_at(bubble("demo", RINA, mid, 0, text), now);
    let status = world.post(&body).await.0;
    assert_eq!((status, world.faults.refused()), (200, Vec::new()));
}

/// A person says something under an idempotency key.
async fn say(api: &Api<'_>, key: &str, text: &str) -> Reply {
    let headers = [("idempotency-key", key)];
    api.send("POST", SAY, Some(json!({"text": text})), &headers)
        .await
}

/// What the customer has read, in order.
fn said(world: &TestWorld) -> Vec<String> {
    let delivered = world.outside.delivered().into_iter();
    delivered.map(|send| send.text).collect()
}

/// What became of the persons' messages, in order.
async fn deliveries(world: &TestWorld) -> Vec<(String, Option<Delivery>, bool)> {
    let history = world.history("demo", RINA).await.into_iter();
    history
        .filter(|message| message.author == Author::Person)
        .map(|m| (m.content.text, m.delivery, m.delivered))
        .collect()
}

fn sent(text: &str) -> (String, Option<Delivery>, bool) {
    (text.to_owned(), Some(Delivery::Sent), true)
}

#[tokio::test(start_paused = true)]
async fn a_persons_message_is_sent_once_and_keeps_the_bot_quiet() {
    let world = chat(&[("TAKEOVER_PAUSE_MINUTES", "2")]).await;
    let api = world.api(Role::Agent).await;
    let now = world.world.clock.now();
    let accepted = say(&api, "k1", "  Siap kak \n").await.expect(202);
    assert_eq!(accepted["text"], "Siap kak");
    assert_eq!(accepted["author"], "person");
    assert_eq!(accepted["kind"], "text");
    assert_eq!(accepted["delivery"], "sending");
    assert_eq!(accepted["edited_at"], Value::Null);
    assert_eq!(accepted["turn"], Value::Null);
    assert_eq!(accepted["mid"].as_str().unwrap().len(), 20);
    assert_eq!(
        world.head("demo", RINA).await.paused_until,
        Some(now.plus_ms(120_000))
    );
    world.settle().await;
    assert_eq!(said(&world), ["Jawaban atas: Halo", "Siap kak"]);
    let send = world.outside.sends().pop().unwrap();
    assert_eq!(Some(send.id.as_str()), accepted["mid"].as_str());
    assert_eq!(deliveries(&world).await, [sent("Siap kak")]);
    // The customer's next question waits for the person, and is answered with their words in mind.
    ask(&world, "B", "ongkirnya?").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.outside.asked().len(), 1, "the bot is quiet");
    world.settle().await;
    assert_eq!(world.outside.questions()[1], "ongkirnya?");
    let asked = world.outside.asked()[1]["messages"].to_string();
    assert!(asked.contains("Siap kak"));
    world.assert_quiet().await;
    assert_eq!(world.faults.refused(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn three_quick_messages_arrive_in_the_order_in_which_they_were_written() {
    for slow in [0, 2_000] {
        let world = chat(&[]).await;
        let api = world.api(Role::Agent).await;
        let texts: Vec<String> = (0..3).map(|n| format!("pesan {n}")).collect();
        world.faults.always(
            "/chat/send/text",
            tests::faults::Fault::Late(Duration::from_millis(slow)),
        );
        for (n, text) in texts.iter().enumerate() {
            // Their ids sort otherwise than their times do.
            say(&api, &format!("{}", 7 - n), text).await.expect(202);
            tokio::time::sleep(Duration::from_millis(90)).await;
        }
        world.settle().await;
        assert_eq!(said(&world)[1..], texts);
        assert_eq!(world.outside.sends().len(), 4, "each is sent once");
        let all: Vec<_> = texts.iter().map(|text| sent(text)).collect();
        assert_eq!(deliveries(&world).await, all);
        world.assert_quiet().await;
    }
}
