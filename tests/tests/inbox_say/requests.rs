//! What may be asked for, by whom, and how often.

use clivy::access::Role;
use clivy::conversation::ids::EpochMs;
use serde_json::{Value, json};
use tests::bubbles::bot;

use crate::{RINA, SAY, chat, deliveries, said, say, sent};

#[tokio::test(start_paused = true)]
async fn the_same_key_again_is_the_same_message_and_another_text_is_refused() {
    let world = chat(&[]).await;
    let api = world.api(Role::Agent).await;
    let first = say(&api, "k1", "Siap kak").await.expect(202);
    assert_eq!(say(&api, "k1", "Siap kak").await.expect(202), first);
    world.settle().await;
    let paused = world.head("demo", RINA).await.paused_until;
    assert_eq!(say(&api, "k1", " Siap kak ").await.expect(202), first);
    say(&api, "k1", "Bukan").await.expect(422);
    world.settle().await;
    assert_eq!(said(&world), ["Jawaban atas: Halo", "Siap kak"]);
    assert_eq!(world.outside.sends().len(), 2);
    assert_eq!(
        world.head("demo", RINA).await.paused_until,
        paused,
        "a message that comes again extends nothing"
    );
    // The same text under another key, or under none, is another message.
    say(&api, "k2", "Siap kak").await.expect(202);
    for _ in 0..2 {
        api.post(SAY, json!({"text": "Siap kak"})).await.expect(202);
    }
    world.settle().await;
    assert_eq!(said(&world).len(), 5);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_button_pressed_twice_at_once_sends_one_message() {
    let world = chat(&[]).await;
    let api = world.api(Role::Agent).await;
    let pressed = (0..5).map(|_| say(&api, "k1", "Siap kak"));
    let replies = futures_util::future::join_all(pressed).await;
    let first = replies[0].expect(202);
    for reply in replies {
        assert_eq!(reply.expect(202), first);
    }
    world.settle().await;
    assert_eq!(said(&world), ["Jawaban atas: Halo", "Siap kak"]);
    assert_eq!(deliveries(&world).await, [sent("Siap kak")]);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_is_refused_and_changes_nothing() {
    let world = chat(&[]).await;
    let api = world.api(Role::Agent).await;
    let head = world.head("demo", RINA).await;
    let long = "a".repeat(4_097);
    for text in ["", " \n\u{a0}", "a\0b", long.as_str()] {
        say(&api, "k1", text).await.expect(422);
    }
    for body in [
        json!({}),
        json!({"text": null}),
        json!({"text": 7}),
        json!({"text": "a", "more": 1}),
        json!([]),
        Value::Null,
    ] {
        api.post(SAY, body).await.expect(422);
    }
    let spaced = [("idempotency-key", "a b")];
    let body = json!({"text": "a"});
    api.send("POST", SAY, Some(body.clone()), &spaced)
        .await
        .expect(422);
    let empty = [("idempotency-key", "")];
    api.send("POST", SAY, Some(body), &empty).await.expect(422);
    api.send("POST", SAY, None, &[]).await.expect(415);
    assert_eq!(world.head("demo", RINA).await, head);
    assert_eq!(world.queue().visible, 0);
    // The longest text that is one, in characters.
    let longest = "é".repeat(4_096);
    say(&api, "k1", &longest).await.expect(202);
    world.settle().await;
    assert_eq!(said(&world)[1], longest);
}

#[tokio::test(start_paused = true)]
async fn only_an_agent_of_the_owner_speaks_and_only_where_somebody_has_written() {
    let world = chat(&[]).await;
    say(&world.api(Role::Viewer).await, "k", "a")
        .await
        .expect(403);
    let (secret, _) = world.key("somebody", Role::Owner).await;
    say(&world.api_with(secret.expose()), "k", "a")
        .await
        .expect(404);
    say(&world.api_without_key(), "k", "a").await.expect(401);
    let api = world.api(Role::Agent).await;
    let body = || json!({"text": "a"});
    for path in [
        "/api/bots/demo/conversations/6281100099999/messages",
        "/api/bots/demo/conversations/a%23b/messages",
        "/api/bots/demo/conversations/%00/messages",
        "/api/bots/demo/conversations/%ff/messages",
        "/api/bots/other/conversations/6281100090003/messages",
    ] {
        api.post(path, body()).await.expect(404);
    }
    world.settle().await;
    assert_eq!(said(&world).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_person_speaks_to_whoever_has_opted_out_and_for_a_bot_that_is_off() {
    let world = chat(&[]).await;
    crate::ask(&world, "B", "/stop").await;
    world.settle().await;
    assert!(world.head("demo", RINA).await.opted_out_at.is_some());
    let mut off = bot("demo");
    off.active = false;
    world.world.put_bots(&[off]).await.unwrap();
    let api = world.api(Role::Agent).await;
    say(&api, "k1", "Baik kak").await.expect(202);
    world.settle().await;
    assert_eq!(said(&world).pop().unwrap(), "Baik kak");
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_longer_pause_stays_and_a_takeover_of_no_minutes_pauses_nothing() {
    let world = chat(&[]).await;
    let far = world.world.clock.now().plus_ms(86_400_000);
    world.pause("demo", RINA, far).await;
    let api = world.api(Role::Agent).await;
    say(&api, "k1", "Baik kak").await.expect(202);
    assert_eq!(world.head("demo", RINA).await.paused_until, Some(far));
    world.settle().await;
    let world = chat(&[("TAKEOVER_PAUSE_MINUTES", "0")]).await;
    let api = world.api(Role::Agent).await;
    say(&api, "k1", "Baik kak").await.expect(202);
    assert_eq!(world.head("demo", RINA).await.paused_until, None::<EpochMs>);
    world.settle().await;
    assert_eq!(said(&world).pop().unwrap(), "Baik kak");
}
