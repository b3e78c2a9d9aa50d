//! The signature's header: it verifies exactly when it is the HMAC of what was signed.
//!
//! The key and the header on a line each, then the text of a JSON body's customer and of a form's field.

use std::collections::BTreeMap;

use bytes::Bytes;
use clivy::channel::wuzapi::{self, BadSignature, sign};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::Target;
use crate::input::{Input, tells_nothing, wait};

/// The target.
pub const TARGET: Target = Target {
    name: "signature",
    run,
    seeds,
    words: &[
        "\u{2028}",
        "\u{2029}",
        "<b>&amp;",
        "\u{8}\u{c}\u{7f}",
        "\\u003c",
        "\r\n",
        " ",
        "0x",
        "😀",
    ],
};

fn seeds() -> Vec<Vec<u8>> {
    let right = sign("kunci", br#"{"instanceName":"toko","text":"halo"}"#);
    [
        format!("kunci\n{right}\nhalo"),
        format!("kunci\n {} \nhalo", right.to_uppercase()),
        "kunci\n\u{1}\n<b>&\u{2028}\u{8}\u{c}\"\\".to_owned(),
        format!("\n{right}\nhalo"),
        "kunci\nabc\nhalo".to_owned(),
        "\u{1}\n\n\u{1}".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (key, header, text) = (input.line(), input.line(), input.text());
    let fields = BTreeMap::from([("instanceName", "toko"), ("text", text.as_str())]);
    let json = serde_json::to_vec(&fields).unwrap();
    let kind = "application/json";
    verifies(&key, &header, kind, &json, &json);
    if !text.contains("\r\n--b") {
        let form = multipart(&text, std::str::from_utf8(&json).unwrap());
        let signed = go_json(&BTreeMap::from([
            ("jsonData", std::str::from_utf8(&json).unwrap()),
            ("text", text.as_str()),
        ]));
        let kind = "multipart/form-data; boundary=b";
        verifies(&key, &header, kind, form.as_bytes(), signed.as_bytes());
    }
}

/// `given` is refused unless it is the signature of `signed`; that one is taken, and no neighbour of it.
fn verifies(key: &str, given: &str, kind: &str, body: &[u8], signed: &[u8]) {
    let body = Bytes::copy_from_slice(body);
    let envelope = wait(wuzapi::read(Some(kind), &body)).unwrap();
    let right = hmac_hex(key, signed);
    let verify = |signature: Option<&str>| envelope.verify(key, signature, &body);
    let outcome = verify(Some(given));
    if let Err(error) = outcome {
        tells_nothing(&error);
    }
    if key.is_empty() {
        assert_eq!(
            outcome,
            Err(BadSignature::EmptyKey),
            "anybody signs with no key"
        );
        assert_eq!(verify(Some(&right)), Err(BadSignature::EmptyKey));
        return;
    }
    assert_eq!(
        outcome.is_ok(),
        given.trim().eq_ignore_ascii_case(&right),
        "what is no signature is taken, or one is refused"
    );
    assert_eq!(verify(None), Err(BadSignature::Missing));
    assert_eq!(verify(Some(&right)), Ok(()));
    let neighbour: String = right
        .char_indices()
        .map(|(index, digit)| match (index == body.len() % 64, digit) {
            (true, '0') => '1',
            (true, _) => '0',
            (false, digit) => digit,
        })
        .collect();
    assert_eq!(verify(Some(&neighbour)), Err(BadSignature::Mismatch));
    assert_ne!(
        envelope.verify(&format!("{key}x"), Some(&right), &body),
        Ok(()),
        "another key signs the same"
    );
}

/// The signature, made without the code under test.
fn hmac_hex(key: &str, text: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    let digest = mac.chain_update(text).finalize().into_bytes();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn multipart(text: &str, json: &str) -> String {
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    format!("{}{}--b--\r\n", part("jsonData", json), part("text", text))
}

/// The fields as Go 1.22 and later write them: serde's JSON is the same but for what Go escapes for HTML's sake.
fn go_json(fields: &BTreeMap<&str, &str>) -> String {
    let json = serde_json::to_string(fields).unwrap();
    ["<", ">", "&", "\u{2028}", "\u{2029}"]
        .iter()
        .fold(json, |json, character| {
            let code = u32::from(character.chars().next().unwrap());
            json.replace(character, &format!("\\u{code:04x}"))
        })
}
