//! wuzapi's signature: HMAC-SHA256 in hex, in the header `x-hmac-signature`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::conversation::ids::{hex, unhex};

/// Why a webhook is not from whom it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The bot's key is empty: anybody could sign with it.
    #[error("the bot's signing key is empty")]
    EmptyKey,
    /// No header.
    #[error("the signature is missing")]
    Missing,
    /// Not 64 hex digits.
    #[error("the signature is not 64 hex digits")]
    Malformed,
    /// The signature of something else, or with another key.
    #[error("the signature does not fit")]
    Mismatch,
}

/// Checks that `signature` fits one of `texts`.
///
/// # Errors
/// See [`BadSignature`].
pub(super) fn verify<T: AsRef<[u8]>>(
    key: &str,
    signature: Option<&str>,
    texts: impl IntoIterator<Item = T>,
) -> Result<(), BadSignature> {
    if key.is_empty() {
        return Err(BadSignature::EmptyKey);
    }
    let signature: [u8; 32] = unhex(signature.ok_or(BadSignature::Missing)?.trim())
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(BadSignature::Malformed)?;
    let fits = texts.into_iter().any(|text| {
        // HMAC takes keys of every length, so this is never an error; if it were, nothing would fit.
        Hmac::<Sha256>::new_from_slice(key.as_bytes()).is_ok_and(|mac| {
            // Compares in constant time.
            mac.chain_update(text).verify_slice(&signature).is_ok()
        })
    });
    if fits {
        Ok(())
    } else {
        Err(BadSignature::Mismatch)
    }
}

/// Signs a body as wuzapi does: for gateways that this project plays itself.
#[must_use]
pub fn sign(key: &str, body: &[u8]) -> String {
    // HMAC takes keys of every length, so there is always a signature.
    Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map(|mac| hex(&mac.chain_update(body).finalize().into_bytes()))
        .unwrap_or_default()
}

/// Checks the signature of a multipart body: over its text fields as Go's `json.Marshal` writes a map of strings.
///
/// # Errors
/// See [`BadSignature`].
pub(super) fn verify_fields(
    key: &str,
    signature: Option<&str>,
    fields: &BTreeMap<String, Bytes>,
) -> Result<(), BadSignature> {
    verify(
        key,
        signature,
        [GoEscapes::Since122, GoEscapes::Before122].map(|go| go_json(fields, go)),
    )
}

/// How Go writes backspace and form feed: a gateway is compiled with one or the other.
#[derive(Clone, Copy)]
enum GoEscapes {
    /// `\b`, `\f`.
    Since122,
    /// `\u0008`, `\u000c`.
    Before122,
}

/// The fields as Go's `json.Marshal(map[string]string)` writes them: compact, keys sorted by their bytes.
fn go_json(fields: &BTreeMap<String, Bytes>, go: GoEscapes) -> String {
    let mut out = String::from("{");
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        go_string(&mut out, name.as_bytes(), go);
        out.push(':');
        go_string(&mut out, value, go);
    }
    out.push('}');
    out
}

fn go_string(out: &mut String, text: &[u8], go: GoEscapes) {
    out.push('"');
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            go_char(out, c, go);
        }
        // Go replaces every byte that cannot be read on its own, not every sequence.
        for _ in chunk.invalid() {
            out.push_str("\\ufffd");
        }
    }
    out.push('"');
}

fn go_char(out: &mut String, c: char, go: GoEscapes) {
    match (c, go) {
        ('"', _) => out.push_str("\\\""),
        ('\\', _) => out.push_str("\\\\"),
        ('\n', _) => out.push_str("\\n"),
        ('\r', _) => out.push_str("\\r"),
        ('\t', _) => out.push_str("\\t"),
        ('\u{8}', GoEscapes::Since122) => out.push_str("\\b"),
        ('\u{c}', GoEscapes::Since122) => out.push_str("\\f"),
        ('\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}', _) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
        _ => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "kunci-rahasia-toko-32-karakter!!";

    fn fields(pairs: &[(&str, &[u8])]) -> BTreeMap<String, Bytes> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Bytes::copy_from_slice(value)))
            .collect()
    }

    fn go(value: &[u8]) -> String {
        let mut out = String::new();
        go_string(&mut out, value, GoEscapes::Since122);
        out
    }

    #[test]
    fn the_known_answer_of_rfc_4231_test_2_fits() {
        let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let text = b"what do ya want for nothing?";
        assert_eq!(verify("Jefe", Some(signature), [text]), Ok(()));
        let shouted = signature.to_uppercase();
        assert_eq!(verify("Jefe", Some(&shouted), [text]), Ok(()));
        assert_eq!(
            verify("Jefe", Some(&format!(" {signature}\t")), [text]),
            Ok(())
        );
    }

    #[test]
    fn one_changed_byte_of_body_key_or_signature_does_not_fit() {
        let body = br#"{"type":"Message"}"#;
        let good = sign(KEY, body);
        assert_eq!(verify(KEY, Some(&good), [body]), Ok(()));
        for at in 0..body.len() {
            let mut changed = body.to_vec();
            changed[at] ^= 1;
            assert_eq!(
                verify(KEY, Some(&good), [changed]),
                Err(BadSignature::Mismatch)
            );
        }
        for at in 0..good.len() {
            let mut changed = good.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(
                verify(KEY, Some(&changed), [body]),
                Err(BadSignature::Mismatch)
            );
        }
        assert_eq!(
            verify("kunci lain", Some(&good), [body]),
            Err(BadSignature::Mismatch)
        );
    }

    #[test]
    fn an_empty_key_never_matches_even_what_was_signed_with_it() {
        let signature = sign("", b"body");
        assert_eq!(
            verify("", Some(&signature), [b"body"]),
            Err(BadSignature::EmptyKey)
        );
        assert_eq!(verify("", None, [b"body"]), Err(BadSignature::EmptyKey));
    }

    #[test]
    fn a_missing_or_malformed_signature_is_told_apart() {
        let good = sign(KEY, b"body");
        assert_eq!(verify(KEY, None, [b"body"]), Err(BadSignature::Missing));
        let malformed = [
            String::new(),
            "zz".repeat(32),
            good.chars().take(63).collect(),
            format!("{good}0"),
            format!("{good}00"),
            format!("sha256={good}"),
            "é".repeat(32),
            "+1".repeat(32),
        ];
        for signature in malformed {
            assert_eq!(
                verify(KEY, Some(&signature), [b"body"]),
                Err(BadSignature::Malformed),
                "{signature}"
            );
        }
    }

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        assert_eq!(
            go(br#"<a & "b"> \ /"#),
            r#""\u003ca \u0026 \"b\"\u003e \\ /""#
        );
        assert_eq!(go(b"\n\r\t\0\x1f\x7f"), "\"\\n\\r\\t\\u0000\\u001f\u{7f}\"");
        assert_eq!(
            go("\u{2028}\u{2029}é🙏".as_bytes()),
            "\"\\u2028\\u2029é🙏\""
        );
        assert_eq!(go("\u{fffd}".as_bytes()), "\"\u{fffd}\"");
    }

    #[test]
    fn every_byte_that_is_not_utf_8_is_replaced_on_its_own() {
        assert_eq!(go(b"a\xffb"), r#""a\ufffdb""#);
        // The first two bytes of a euro sign: two replacements, where Rust's lossy decoding makes one.
        assert_eq!(go(b"\xe2\x82"), r#""\ufffd\ufffd""#);
        assert_eq!(go(b"\xf0\x9f\x99x"), r#""\ufffd\ufffd\ufffdx""#);
    }

    #[test]
    fn multipart_fields_are_sorted_by_their_bytes() {
        let fields = fields(&[
            ("userID", b"u1"),
            ("Zeta", b""),
            ("instanceName", b"toko"),
            ("jsonData", br#"{"a":1}"#),
        ]);
        assert_eq!(
            go_json(&fields, GoEscapes::Since122),
            r#"{"Zeta":"","instanceName":"toko","jsonData":"{\"a\":1}","userID":"u1"}"#
        );
        assert_eq!(go_json(&BTreeMap::new(), GoEscapes::Since122), "{}");
    }

    #[test]
    fn both_ways_of_go_to_write_a_backspace_fit() {
        let fields = fields(&[("jsonData", b"a\x08b\x0cc")]);
        for text in [
            r#"{"jsonData":"a\bb\fc"}"#,
            r#"{"jsonData":"a\u0008b\u000cc"}"#,
        ] {
            let signature = sign(KEY, text.as_bytes());
            assert_eq!(
                verify_fields(KEY, Some(&signature), &fields),
                Ok(()),
                "{text}"
            );
        }
        let mixed = sign(KEY, br#"{"jsonData":"a\bb\u000cc"}"#);
        assert_eq!(
            verify_fields(KEY, Some(&mixed), &fields),
            Err(BadSignature::Mismatch)
        );
    }
}
