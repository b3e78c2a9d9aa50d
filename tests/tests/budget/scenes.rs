//! The ways of a message, each played alone in a world that has been running for a while, with a customer who has a history
//! of forty messages.

use std::time::Duration;

use clivy::access::Role as KeyRole;
use figures::budget::Scene;
use serde_json::json;
use tests::bubbles::{bubble, written_at};
use tests::counted::Counted;
use tests::faults::{ROLE, Role};
use tests::outside::Model;
use tests::shop::QUESTION;

const RINA: &str = "6281100020001";
const OTHER: &str = "6281100020002";

fn down() -> Model {
    let error = json!({"error": {"code": 503, "message": "Service unavailable"}});
    Model::Http(503, error)
}

/// So many questions of one bubble, each answered, and a long silence.
pub async fn grow(counted: &Counted, bursts: usize) {
    for _ in 0..bursts {
        counted.burst(RINA, 1).await;
        counted.shop.silence().await;
    }
}

/// A burst of so many bubbles, from the first one to the answer. With `warm` another customer has just been answered, so
/// that the settings are at hand; else nobody has for a while.
async fn burst(counted: &Counted, bubbles: usize, warm: bool) -> Scene {
    if warm {
        counted.burst(OTHER, 1).await;
    }
    let stored = counted.stored_bytes().await;
    let mut scene = counted.burst(RINA, bubbles).await;
    scene.stored_bytes = (counted.stored_bytes().await - stored) as f64;
    counted.shop.silence().await;
    scene
}

/// The webhook's part of the first bubble of a burst and of the second, and the worker's part of the first one's trigger,
/// which the second has superseded.
async fn parts(counted: &Counted) -> [Scene; 3] {
    counted.burst(OTHER, 1).await;
    let mark = counted.mark();
    counted.shop.write(RINA).await;
    let first = counted.since(&mark);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mark = counted.mark();
    counted.shop.write(RINA).await;
    let second = counted.since(&mark);
    let mark = counted.mark();
    // The first trigger fires 3 s after the first bubble, the second one a second later.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let superseded = counted.since(&mark);
    counted.shop.world.settle().await;
    counted.shop.silence().await;
    [first, second, superseded]
}

/// A bubble that comes again: the gateway got no answer the first time.
pub async fn duplicate(counted: &Counted) -> Scene {
    let world = &counted.shop.world;
    let body = bubble("demo", RINA, "3EB0C767D097B7C99999", 0, QUESTION);
    let body = written_at(body, world.world.clock.now());
    world.post(&body).await;
    world.settle().await;
    let mark = counted.mark();
    let (status, answer) = ROLE.scope(Role::Webhook, world.post(&body)).await;
    assert_eq!((status, &answer["status"]), (200, &json!("duplicate")));
    let scene = counted.since(&mark);
    world.settle().await;
    counted.shop.silence().await;
    scene
}

/// What the gateway posts besides messages: here that somebody has read one.
async fn ignored(counted: &Counted) -> Scene {
    counted.burst(OTHER, 1).await;
    let mut body = bubble("demo", RINA, "X", 0, "");
    body["type"] = json!("ReadReceipt");
    let mark = counted.mark();
    counted.shop.post(body).await;
    let scene = counted.since(&mark);
    counted.shop.silence().await;
    scene
}

/// A burst of one bubble whose first try fails.
async fn retry(counted: &Counted) -> Scene {
    counted.shop.world.outside.model_does([down()]);
    burst(counted, 1, false).await
}

/// A burst of one bubble whose three tries fail: the fallback text, and a dead letter.
pub async fn fall_back(counted: &Counted) -> Scene {
    let outside = &counted.shop.world.outside;
    outside.model_does([down(), down(), down()]);
    burst(counted, 1, false).await
}

/// An hourly run of the credits.
async fn credits(counted: &Counted) -> Scene {
    let mark = counted.mark();
    let checked = counted.shop.world.check_credits().await;
    checked.unwrap().unwrap();
    counted.since(&mark)
}

/// One look of a page of the inbox that shows the list: nothing is new.
async fn look(counted: &Counted) -> Scene {
    let world = &counted.shop.world;
    let (key, _) = world.key("demo", KeyRole::Agent).await;
    let api = world.api_with(key.expose());
    let path = "/api/bots/demo/conversations";
    let first = ROLE.scope(Role::Inbox, api.get(path)).await;
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let mark = counted.mark();
    let headers = [("if-none-match", tag.as_str())];
    let look = api.send("GET", path, None, &headers);
    let reply = ROLE.scope(Role::Inbox, look).await;
    assert_eq!(reply.status.as_u16(), 304);
    counted.since(&mark)
}

/// All of them, in the order of a message's way.
pub async fn all() -> Vec<(&'static str, Scene)> {
    let counted = Counted::open().await;
    counted.shop.write(OTHER).await;
    let mark = counted.mark();
    counted.shop.write(RINA).await;
    let new_contact = counted.since(&mark);
    counted.shop.world.settle().await;
    counted.shop.silence().await;
    grow(&counted, 19).await;
    let [accepted, joining, superseded] = parts(&counted).await;
    vec![
        ("message_of_a_new_contact", new_contact),
        ("accepted_message", accepted),
        ("joining_message", joining),
        ("duplicate_message", duplicate(&counted).await),
        ("ignored_event", ignored(&counted).await),
        ("superseded_trigger", superseded),
        ("burst_of_1", burst(&counted, 1, true).await),
        ("burst_of_3", burst(&counted, 3, true).await),
        (
            "burst_of_1_after_a_silence",
            burst(&counted, 1, false).await,
        ),
        (
            "burst_of_3_after_a_silence",
            burst(&counted, 3, false).await,
        ),
        ("burst_of_1_with_a_retry", retry(&counted).await),
        ("burst_of_1_with_the_fallback", fall_back(&counted).await),
        ("sweep_with_nothing_to_do", counted.sweep().await),
        ("credits_run", credits(&counted).await),
        ("look_of_an_inbox_page", look(&counted).await),
    ]
}
