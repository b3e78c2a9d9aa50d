//! Bodies as wuzapi posts them, and what each of them tells. `fixtures/wuzapi/index.json` says how a body is sent
//! and what must come of it.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be read is a failed test, in the helpers too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use clivy::channel::wuzapi::{BadEnvelope, BadSignature, Event, read};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    file: String,
    content_type: Option<String>,
    headers: BTreeMap<String, String>,
    hmac_key: Option<String>,
    instance_name: Option<String>,
    token: Option<String>,
    expected: Expected,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
enum Expected {
    Message(Said),
    OwnMessage(Said),
    Edit {
        contact: String,
        text: String,
        kind: Value,
        mid: String,
    },
    Ignored {
        reason: String,
    },
    Bad,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Said {
    contact: String,
    text: String,
    kind: Value,
    mid: String,
    name: Option<String>,
    platform_at_ms: Option<i64>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/wuzapi")
}

fn fixtures() -> Vec<Fixture> {
    let index = std::fs::read(folder().join("index.json")).unwrap();
    serde_json::from_slice(&index).unwrap()
}

impl Fixture {
    fn body(&self) -> Bytes {
        std::fs::read(folder().join(&self.file)).unwrap().into()
    }

    /// The body as JSON, of a fixture that is nothing but a JSON object.
    fn json(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&self.body()).ok()
    }

    fn signature(&self) -> Option<&str> {
        self.headers.get("x-hmac-signature").map(String::as_str)
    }
}

async fn event(content_type: Option<&str>, body: &Bytes) -> Result<Event, BadEnvelope> {
    read(content_type, body).await?.event()
}

fn outcome(event: Result<Event, BadEnvelope>) -> Expected {
    let said = |incoming: clivy::channel::Incoming| Said {
        contact: incoming.contact.as_str().to_owned(),
        text: incoming.content.text,
        kind: json!(incoming.content.kind),
        mid: incoming.mid.as_str().to_owned(),
        name: incoming.name,
        platform_at_ms: incoming.platform_at.map(|at| at.0),
    };
    match event {
        Ok(Event::Message(incoming)) => Expected::Message(said(incoming)),
        Ok(Event::Own(incoming)) => Expected::OwnMessage(said(incoming)),
        Ok(Event::Edit(edit)) => Expected::Edit {
            contact: edit.contact.as_str().to_owned(),
            text: edit.content.text,
            kind: json!(edit.content.kind),
            mid: edit.original.as_str().to_owned(),
        },
        Ok(Event::Ignored(why)) => Expected::Ignored {
            reason: why.as_str().to_owned(),
        },
        Err(_) => Expected::Bad,
    }
}

/// The same numbers in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

#[tokio::test]
async fn every_fixture_tells_what_the_index_says() {
    for fixture in fixtures() {
        let body = fixture.body();
        let event = event(fixture.content_type.as_deref(), &body).await;
        assert_eq!(outcome(event), fixture.expected, "{}", fixture.file);
        if let Ok(envelope) = read(fixture.content_type.as_deref(), &body).await {
            let who = (envelope.instance_name(), envelope.token());
            let expected = (fixture.instance_name.as_deref(), fixture.token.as_deref());
            assert_eq!(who, expected, "{}", fixture.file);
        }
    }
}

#[test]
fn every_file_is_in_the_index_once() {
    let listed: Vec<String> = fixtures().into_iter().map(|fixture| fixture.file).collect();
    let names: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "index.json")
        .collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), names);
    assert_eq!(listed.len(), names.len());
}

#[tokio::test]
async fn every_signed_fixture_fits_its_own_key_only() {
    let mut signed = 0;
    for fixture in fixtures() {
        let Some(key) = fixture.hmac_key.as_deref() else {
            continue;
        };
        signed += 1;
        let body = fixture.body();
        let envelope = read(fixture.content_type.as_deref(), &body).await.unwrap();
        let signature = fixture.signature();
        let file = &fixture.file;
        assert_eq!(envelope.verify(key, signature, &body), Ok(()), "{file}");
        let other = envelope.verify("kunci lain", signature, &body);
        assert_eq!(other, Err(BadSignature::Mismatch), "{file}");
        let missing = envelope.verify(key, None, &body);
        assert_eq!(missing, Err(BadSignature::Missing), "{file}");
        let empty = envelope.verify("", signature, &body);
        assert_eq!(empty, Err(BadSignature::EmptyKey), "{file}");
    }
    assert!(signed >= 3, "JSON, form and multipart");
}

/// Where the changed byte is of consequence (a file part is not signed), the signature no longer fits.
#[tokio::test]
async fn a_signed_body_cannot_be_changed_unseen() {
    let mut dice = Dice(7);
    for fixture in fixtures() {
        let Some(key) = fixture.hmac_key.as_deref() else {
            continue;
        };
        let original = fixture.body();
        let content_type = fixture.content_type.as_deref();
        let untouched = event(content_type, &original).await;
        for _ in 0..400 {
            let mut changed = original.to_vec();
            let at = dice.below(changed.len());
            changed[at] ^= 1 << dice.below(8);
            let changed = Bytes::from(changed);
            let Ok(envelope) = read(content_type, &changed).await else {
                continue;
            };
            if envelope.verify(key, fixture.signature(), &changed).is_ok() {
                assert_eq!(envelope.event(), untouched, "{} at {at}", fixture.file);
            }
        }
    }
}

#[tokio::test]
async fn every_encoding_of_one_envelope_tells_the_same() {
    for fixture in fixtures() {
        let Some(object) = fixture.json() else {
            continue;
        };
        let said = event(Some("application/json"), &fixture.body()).await;
        let inside = Value::from(object.clone()).to_string();
        let escaped: String = inside.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let form = Bytes::from(format!("userID=u&jsonData={escaped}"));
        let multipart = Bytes::from(format!(
            "--b\r\nContent-Disposition: form-data; name=\"jsonData\"\r\n\r\n{inside}\r\n--b--\r\n"
        ));
        for (content_type, body) in [
            ("application/x-www-form-urlencoded", form),
            ("multipart/form-data; boundary=b", multipart),
        ] {
            let same = event(Some(content_type), &body).await;
            assert_eq!(same, said, "{} as {content_type}", fixture.file);
        }
    }
}

fn recase(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Object(object) => {
            for (key, mut value) in std::mem::take(object) {
                recase(&mut value, dice);
                let key: String = key
                    .chars()
                    .map(|c| match dice.below(2) {
                        0 => c.to_ascii_uppercase(),
                        _ => c.to_ascii_lowercase(),
                    })
                    .collect();
                object.insert(key, value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| recase(value, dice)),
        _ => {}
    }
}

#[tokio::test]
async fn the_case_of_a_name_never_changes_the_outcome() {
    let mut dice = Dice(11);
    for fixture in fixtures() {
        let Some(object) = fixture.json() else {
            continue;
        };
        let said = event(Some("application/json"), &fixture.body()).await;
        for _ in 0..20 {
            let mut value = Value::from(object.clone());
            recase(&mut value, &mut dice);
            let body = Bytes::from(value.to_string());
            let same = event(Some("application/json"), &body).await;
            assert_eq!(same, said, "{}\n{value}", fixture.file);
        }
    }
}

/// Cut off at every byte: never a panic, and never a message out of half a JSON.
#[tokio::test]
async fn a_cut_off_body_is_refused_and_never_a_panic() {
    for name in [
        "json_signed.body",
        "form_of_2022.form",
        "form_without_content_type.form",
        "multipart_image_signed.body",
        "event_string_with_data.json",
        "qr_code.json",
    ] {
        let fixture = fixtures().into_iter().find(|f| f.file == name).unwrap();
        let body = fixture.body();
        let whole = event(fixture.content_type.as_deref(), &body).await;
        let json = fixture.json().is_some();
        for end in 0..body.trim_ascii_end().len() {
            let part = body.slice(..end);
            let event = event(fixture.content_type.as_deref(), &part).await;
            // A form is whole once its jsonData is, whatever follows.
            let refused = event.is_err() || (!json && event == whole);
            assert!(refused, "{name} cut at {end}: {event:?}");
        }
    }
}

/// The places of every value in a tree.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                places(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn any_value_may_be_of_any_type_without_a_panic() {
    let strange = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("\u{0}@\u{202e}"),
        json!([]),
        json!([[], {}]),
        json!({}),
        json!({"message": {"message": 5}}),
    ];
    let mut dice = Dice(13);
    for fixture in fixtures() {
        let Some(object) = fixture.json() else {
            continue;
        };
        let whole = Value::from(object);
        let mut found = Vec::new();
        places(&whole, "", &mut found);
        for place in found {
            let mut changed = whole.clone();
            *changed.pointer_mut(&place).unwrap() = strange[dice.below(strange.len())].clone();
            let body = Bytes::from(changed.to_string());
            // Whatever it is, it is said in a word that holds nothing of the content.
            if let Err(error) = event(Some("application/json"), &body).await {
                assert!(!error.to_string().contains("6285700031234"), "{place}");
            }
        }
    }
}

#[tokio::test]
async fn random_bytes_in_place_of_others_never_panic() {
    let mut dice = Dice(17);
    for fixture in fixtures() {
        let original = fixture.body();
        for _ in 0..50 {
            let mut changed = original.to_vec();
            for _ in 0..=dice.below(8) {
                let at = dice.below(changed.len());
                changed[at] = u8::try_from(dice.below(256)).unwrap();
            }
            let body = Bytes::from(changed);
            let first = event(fixture.content_type.as_deref(), &body).await;
            let second = event(fixture.content_type.as_deref(), &body).await;
            assert_eq!(first, second, "{}", fixture.file);
        }
    }
}

#[tokio::test]
async fn endless_nesting_is_refused_and_never_a_stack_overflow() {
    let deep = |open: &str, close: &str| {
        let tree = format!("{}1{}", open.repeat(400_000), close.repeat(400_000));
        Bytes::from(format!(
            r#"{{"token":"t","type":"Message","event":{tree}}}"#
        ))
    };
    for body in [deep("[", "]"), deep(r#"{"message":"#, "}")] {
        let event = event(Some("application/json"), &body).await;
        assert!(
            matches!(event, Err(BadEnvelope::NotJson { .. })),
            "{event:?}"
        );
    }
}

#[tokio::test]
async fn media_in_the_envelope_are_read_over_and_not_kept() {
    let fixture = fixtures()
        .into_iter()
        .find(|fixture| fixture.file == "image_with_caption.json")
        .unwrap();
    let mut object = fixture.json().unwrap();
    object.insert("base64".to_owned(), json!("A".repeat(5_000_000)));
    let body = Bytes::from(Value::from(object).to_string());
    let Ok(Event::Message(incoming)) = event(Some("application/json"), &body).await else {
        panic!("not a message")
    };
    let kept = json!(incoming.content);
    assert_eq!(
        kept,
        json!({"kind": "image", "text": "Ini fotonya kak, gelasnya retak 😢"})
    );
}
