//! A webhook's body, decoded: one shape for every generation and encoding.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde_json::Value;

use super::fields::{self, Object};
use super::signature::{self, BadSignature};
use super::text::non_blank;
use crate::conversation::ids::InvalidId;

/// What no generation of wuzapi sends. Names the field and the fault, never the content (I11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEnvelope {
    /// Neither JSON nor a form, by content type or by look.
    #[error("the body is neither JSON nor a form with jsonData")]
    UnknownBody,
    /// Text that ends in the middle of a JSON value.
    #[error("{field} is JSON that ends too early")]
    CutOff {
        /// Where.
        field: &'static str,
    },
    /// Text that is not JSON, or is nested deeper than 128 levels.
    #[error("{field} is not JSON that can be read (line {line}, column {column})")]
    NotJson {
        /// Where.
        field: &'static str,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("{field} is not UTF-8")]
    NotUtf8 {
        /// Where.
        field: &'static str,
    },
    /// A multipart body without a boundary, or that does not follow it.
    #[error("the multipart body is broken")]
    Multipart,
    /// A multipart body that names a text field twice: it would be unclear which one was signed.
    #[error("a field of the multipart body appears twice")]
    Repeated,
    /// A field that every generation sends.
    #[error("{field} is missing")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// A field of another JSON type.
    #[error("{field} must be {expected}")]
    WrongType {
        /// Which.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A value that cannot be an id.
    #[error("{field} {fault}")]
    InvalidId {
        /// Which.
        field: &'static str,
        /// Why.
        fault: InvalidId,
    },
    /// None of the fields that name the other side holds a phone number or a JID.
    #[error("{field} and its alternatives hold no phone number or JID")]
    NoContact {
        /// The first of the fields.
        field: &'static str,
    },
}

/// The decoded body of a webhook.
pub struct Envelope {
    /// The fields of the form, or the JSON body itself.
    outer: Object,
    /// The fields of `jsonData`; empty where the body is the JSON.
    inner: Object,
    signed: Signed,
}

/// What the gateway signs.
enum Signed {
    /// The bytes of the body.
    Body,
    /// The text fields of a multipart body.
    Fields(BTreeMap<String, Bytes>),
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Envelope([redacted])")
    }
}

/// How a body is encoded.
enum Encoding {
    Json,
    Form,
    Multipart(String),
}

/// Decodes a webhook's body: JSON, a form with `jsonData`, or the same as multipart. The content type decides;
/// where it is absent or unknown, the body's first bytes do.
///
/// # Errors
/// Anything that no generation of wuzapi sends.
pub async fn read(content_type: Option<&str>, body: &Bytes) -> Result<Envelope, BadEnvelope> {
    match encoding(content_type, body)? {
        Encoding::Json => {
            let outer = json("the body", body)?;
            Envelope::new(outer, Signed::Body)
        }
        Encoding::Form => {
            let outer = form(body)?;
            has_json_data(&outer)?;
            Envelope::new(outer, Signed::Body)
        }
        Encoding::Multipart(boundary) => {
            let parts = multipart(body, boundary).await?;
            let mut outer = Object::new();
            for (name, value) in &parts {
                match std::str::from_utf8(value) {
                    Ok(value) => _ = outer.insert(name.clone(), Value::from(value)),
                    Err(_) if name.eq_ignore_ascii_case("jsonData") => {
                        return Err(BadEnvelope::NotUtf8 { field: "jsonData" });
                    }
                    // Signed like the others, but nothing that we read.
                    Err(_) => {}
                }
            }
            has_json_data(&outer)?;
            Envelope::new(outer, Signed::Fields(parts))
        }
    }
}

fn encoding(content_type: Option<&str>, body: &[u8]) -> Result<Encoding, BadEnvelope> {
    let declared = content_type.unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let looks_like_json = body.trim_ascii_start().first() == Some(&b'{');
    match essence.as_str() {
        "multipart/form-data" => multer::parse_boundary(declared)
            .map(Encoding::Multipart)
            .map_err(|_| BadEnvelope::Multipart),
        // `curl -d '{…}'` says it is a form when nobody says otherwise.
        "application/x-www-form-urlencoded" if looks_like_json => Ok(Encoding::Json),
        "application/x-www-form-urlencoded" => Ok(Encoding::Form),
        json if json.ends_with("/json") || json.ends_with("+json") => Ok(Encoding::Json),
        _ if looks_like_json => Ok(Encoding::Json),
        _ if looks_like_form(body) => Ok(Encoding::Form),
        _ => Err(BadEnvelope::UnknownBody),
    }
}

fn looks_like_form(body: &[u8]) -> bool {
    body.split(|byte| *byte == b'&').any(|pair| {
        pair.get(..9)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"jsonData="))
    })
}

fn has_json_data(outer: &Object) -> Result<(), BadEnvelope> {
    match fields::get(outer, "jsonData") {
        Some(_) => Ok(()),
        None => Err(BadEnvelope::Missing { field: "jsonData" }),
    }
}

fn json(field: &'static str, text: &[u8]) -> Result<Object, BadEnvelope> {
    // serde_json stops at 128 levels, so deep nesting is an error and not a stack overflow.
    let value = serde_json::from_slice(text).map_err(|error| {
        if error.is_eof() {
            BadEnvelope::CutOff { field }
        } else if std::str::from_utf8(text).is_err() {
            BadEnvelope::NotUtf8 { field }
        } else {
            BadEnvelope::NotJson {
                field,
                line: error.line(),
                column: error.column(),
            }
        }
    })?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(BadEnvelope::WrongType {
            field,
            expected: "an object",
        }),
    }
}

/// The pairs of an urlencoded form; of a repeated name the first one counts.
fn form(body: &[u8]) -> Result<Object, BadEnvelope> {
    let mut object = Object::new();
    for pair in body.split(|byte| *byte == b'&') {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = unescape(halves.next().unwrap_or_default())?;
        let value = unescape(halves.next().unwrap_or_default())?;
        object.entry(name).or_insert(Value::String(value));
    }
    Ok(object)
}

fn unescape(text: &[u8]) -> Result<String, BadEnvelope> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    // Strict, where `form_urlencoded` would replace: invalid UTF-8 is refused in every encoding alike.
    percent_encoding::percent_decode(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| BadEnvelope::NotUtf8 {
            field: "a form field",
        })
}

/// The text fields of a multipart body. Parts with a file name are files: read over, not kept, not signed.
async fn multipart(body: &Bytes, boundary: String) -> Result<BTreeMap<String, Bytes>, BadEnvelope> {
    let whole = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(body.clone())]);
    let mut parts = multer::Multipart::new(whole, boundary);
    let mut texts = BTreeMap::new();
    loop {
        let part = parts.next_field().await;
        let Some(part) = part.map_err(|_| BadEnvelope::Multipart)? else {
            return Ok(texts);
        };
        if part.file_name().is_some() {
            continue;
        }
        let name = part.name().ok_or(BadEnvelope::Multipart)?.to_owned();
        let value = part.bytes().await.map_err(|_| BadEnvelope::Multipart)?;
        if texts.insert(name, value).is_some() {
            return Err(BadEnvelope::Repeated);
        }
    }
}

impl Envelope {
    fn new(mut outer: Object, signed: Signed) -> Result<Self, BadEnvelope> {
        let name = outer.keys().find(|key| *key == "jsonData").or_else(|| {
            outer
                .keys()
                .find(|key| key.eq_ignore_ascii_case("jsonData"))
        });
        let inner = match name.cloned().and_then(|name| outer.remove(&name)) {
            None | Some(Value::Null) => Object::new(),
            Some(Value::String(text)) => json("jsonData", text.as_bytes())?,
            Some(Value::Object(object)) => object,
            Some(_) => {
                return Err(BadEnvelope::WrongType {
                    field: "jsonData",
                    expected: "a string of JSON",
                });
            }
        };
        let envelope = Self {
            outer,
            inner,
            signed,
        };
        if envelope.identity("instanceName")?.is_none() && envelope.identity("token")?.is_none() {
            return Err(BadEnvelope::Missing {
                field: "instanceName or token",
            });
        }
        Ok(envelope)
    }

    /// The gateway's name of the instance, which is the bot's id. Absent in the oldest generations.
    #[must_use]
    pub fn instance_name(&self) -> Option<&str> {
        self.identity("instanceName").ok().flatten()
    }

    /// The session token, by which the oldest generations name the bot. Not for logs.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.identity("token").ok().flatten()
    }

    /// Checks the value of the header `x-hmac-signature` over `raw_body`, which must be the exact bytes that
    /// were given to [`read`]. Of a multipart body wuzapi signs the text fields instead.
    ///
    /// # Errors
    /// No signature, one that is not hex, one that does not fit, or an empty key.
    pub fn verify(
        &self,
        key: &str,
        signature: Option<&str>,
        raw_body: &[u8],
    ) -> Result<(), BadSignature> {
        match &self.signed {
            Signed::Body => signature::verify(key, signature, [raw_body]),
            Signed::Fields(fields) => signature::verify_fields(key, signature, fields),
        }
    }

    /// What stands outside counts before what stands in `jsonData`.
    pub(super) fn objects(&self) -> [&Object; 2] {
        [&self.outer, &self.inner]
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.objects()
            .into_iter()
            .find_map(|object| fields::get(object, name))
    }

    fn identity(&self, name: &'static str) -> Result<Option<&str>, BadEnvelope> {
        for object in self.objects() {
            if let Some(text) = fields::text(object, name)?.and_then(non_blank) {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
