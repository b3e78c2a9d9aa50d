//! The body of a queue's record. A byte says whether the contact is sealed for the stranger: nobody can guess a seal.

use clivy::conversation::ids::{BotId, Contact, ConversationId, EpochMs, MessageKey};
use clivy::conversation::trigger::{Errand, Trigger};
use clivy::pseudonym::Pseudonyms;
use clivy::queue::{BadTrigger, Queue};
use clivy::secrets::Rotating;

use crate::Target;
use crate::input::{Input, tells_nothing};

/// The target.
pub const TARGET: Target = Target {
    name: "trigger",
    run,
    seeds,
    words: &[
        "v",
        "bot_id",
        "contact",
        "mid",
        "first_ms",
        "retry_turn",
        "retry_model",
        "outgoing",
        "true",
        "false",
        "null",
        "1",
        "2",
        "3",
        "-1",
        "4294967296",
        "18446744073709551616",
        "SEALED",
        "toko",
        "M#0000000000007#A",
        "{\"",
        "\":",
        "\\u0000",
    ],
};

/// What stands for a sealed contact in an input.
const SEALED: &str = "SEALED";

fn seeds() -> Vec<Vec<u8>> {
    [
        r#"{"v":1,"bot_id":"toko","contact":"SEALED","mid":"M#1763604905000#A","first_ms":1763604905000}"#,
        r#"{"v":1,"bot_id":"toko","contact":"SEALED","mid":"M#1763604905000#A","first_ms":0,"retry_turn":7}"#,
        r#"{"v":2,"bot_id":"toko","contact":"SEALED","mid":"M#1763604905000#A","first_ms":0,"retry_turn":7,"retry_model":"a/b"}"#,
        r#"{"v":2,"bot_id":"toko","contact":"SEALED","mid":"M#1763604905000#A","first_ms":0,"outgoing":true}"#,
        r#"{"v":3,"bot_id":"toko","contact":"SEALED","mid":"x","first_ms":0,"new":[]}"#,
        "{\"v\":1,\"bot_id\":\"\u{1}\",\"contact\":\"\u{1}\",\"mid\":\"\u{1}\",\"first_ms\":\"\u{1}\"}",
        r#"{"v":2,"bot_id":"other","contact":"SEALED","mid":"x","first_ms":0,"outgoing":true,"retry_turn":1}"#,
        "not json \u{1}",
    ]
    .map(|body| body.as_bytes().to_vec())
    .to_vec()
}

struct Fixture {
    queue: Queue,
    sealed: String,
}

fn fixture() -> Fixture {
    let key = Rotating::new("a-key-for-tests-only").unwrap();
    let pseudonyms = Pseudonyms::new(&key).unwrap();
    let (bot, contact) = (
        BotId::new("toko").unwrap(),
        Contact::new("6281300045678").unwrap(),
    );
    Fixture {
        sealed: pseudonyms.seal(&bot, &contact).unwrap(),
        queue: Queue::new(client(), "http://queue.test".to_owned(), pseudonyms),
    }
}

/// A client that is never asked: reading needs the key of the seals only.
fn client() -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::from_conf(
        aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .region(aws_sdk_sqs::config::Region::new("us-east-1"))
            .build(),
    )
}

fn run(bytes: &[u8]) {
    thread_local! {
        static FIXTURE: Fixture = fixture();
    }
    FIXTURE.with(|fixture| {
        let body = Input::new(bytes).text().replace(SEALED, &fixture.sealed);
        let read = fixture.queue.read(&body);
        assert_eq!(
            read,
            fixture.queue.read(&body),
            "the same body is two triggers"
        );
        match read {
            Err(error) => refused(&error, &body),
            Ok(trigger) => taken(&trigger, &body),
        }
    });
}

fn refused(error: &BadTrigger, body: &str) {
    tells_nothing(error);
    if let BadTrigger::Version(version) = error {
        assert!(*version > 2, "a version that this reader knows is refused");
        let value: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(value["v"].as_u64(), Some(u64::from(*version)));
    }
}

fn taken(trigger: &Trigger, body: &str) {
    let Trigger {
        conversation: ConversationId { bot_id, contact },
        key,
        first_at: EpochMs(first_ms),
        errand,
    } = trigger;
    // I12: a seal opens for the bot that it was made for, and nothing but a seal names a contact.
    assert_eq!(
        (bot_id.as_str(), contact.as_str()),
        ("toko", "6281300045678")
    );
    assert!(
        (1..=1024).contains(&MessageKey::as_str(key).len()),
        "a key that the table cannot have"
    );
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(value["first_ms"].as_i64(), Some(*first_ms));
    assert!(value["v"].as_u64().is_some_and(|v| v <= 2));
    match errand {
        Errand::Answer => assert!(value["retry_turn"].is_null() && value["outgoing"] != true),
        Errand::Send => assert_eq!(value["outgoing"], true),
        Errand::Retry { turn, model } => {
            assert_eq!(value["retry_turn"].as_u64(), Some(*turn));
            assert_eq!(
                value["retry_model"].as_str(),
                model.as_ref().map(|model| model.as_str())
            );
        }
    }
    // I11: neither the trigger nor its seal shows the number.
    assert!(!format!("{trigger:?}").contains("6281300045678"));
    assert!(body.contains("6281300045678") || !body.contains("81300045678"));
}
