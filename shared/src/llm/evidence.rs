//! What an error object says, wherever its parts stand and whatever types they have.

use serde_json::Value;

/// How much of one text is looked at, in characters.
const MAX_TEXT_CHARACTERS: usize = 8_192;

/// The parts of an error that decide what it means. Never printed: texts may quote the customer (I11).
#[derive(Default)]
pub(super) struct Evidence {
    /// `metadata.error_type`.
    pub error_type: Option<String>,
    /// `availability.code` where it is a word.
    pub availability: Option<String>,
    /// `availability.retryable`.
    pub retryable: Option<bool>,
    /// `code` as an HTTP error status.
    pub code: Option<u16>,
    /// `code` and `type` where they are words.
    pub words: Vec<String>,
    /// `metadata.limit_source` and `metadata.reason`.
    pub limit: Vec<String>,
    /// Whether a content filter left its marks: reasons, the flagged text, or the patterns it matched.
    pub flagged: bool,
    /// Everything that says something in words, in lower case: the message first, then what it wraps.
    pub text: String,
}

impl Evidence {
    /// The evidence of an error: an object, or a mere text.
    pub(super) fn of(error: &Value) -> Self {
        if let Some(text) = error.as_str() {
            return Self::of_text(text);
        }
        let metadata = error.get("metadata");
        let of_metadata = |name: &str| metadata.and_then(|m| m.get(name));
        let availability = error
            .get("availability")
            .or_else(|| of_metadata("availability"));
        let codes = [
            error.get("code"),
            error.get("status"),
            availability.and_then(|a| a.get("code")),
        ];
        let texts = [
            error.get("message"),
            error.get("detail"),
            of_metadata("raw"),
            error.get("code"),
            error.get("type"),
            of_metadata("provider_code"),
        ];
        Self {
            error_type: of_metadata("error_type")
                .or_else(|| error.get("error_type"))
                .and_then(word),
            availability: availability.and_then(|a| a.get("code")).and_then(word),
            retryable: availability
                .and_then(|a| a.get("retryable"))
                .and_then(Value::as_bool),
            code: codes.iter().flatten().find_map(|code| status(code)),
            words: [error.get("code"), error.get("type")]
                .iter()
                .flatten()
                .filter_map(|v| word(v))
                .collect(),
            limit: ["limit_source", "reason"]
                .iter()
                .filter_map(|name| word(of_metadata(name)?))
                .collect(),
            flagged: ["reasons", "flagged_input", "patterns"]
                .iter()
                .any(|name| of_metadata(name).is_some_and(says)),
            text: texts
                .iter()
                .flatten()
                .map(|value| lowered(value))
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    /// The evidence of an answer that is no JSON.
    pub(super) fn of_text(text: &str) -> Self {
        Self {
            text: text
                .chars()
                .take(MAX_TEXT_CHARACTERS)
                .collect::<String>()
                .to_lowercase(),
            ..Self::default()
        }
    }

    /// Whether `metadata.limit_source` or `metadata.reason` is one of these.
    pub(super) fn is_limited_by(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.limit.iter().any(|source| matches(source))
    }
}

/// Whether a field is there in earnest: some send every field, as null, empty or false.
pub(super) fn says(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(said) => *said,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Number(_) => true,
    }
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(|text| text.trim().to_lowercase())
}

/// An HTTP error status, written as a number or as a text; anything else is none.
fn status(value: &Value) -> Option<u16> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok()?,
        _ => value.as_f64()?,
    };
    (400..600).find(|status| (f64::from(*status) - number).abs() < f64::EPSILON)
}

fn lowered(value: &Value) -> String {
    // What a provider said is quoted as a text by some and as an object by others.
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.chars()
        .take(MAX_TEXT_CHARACTERS)
        .collect::<String>()
        .to_lowercase()
}
