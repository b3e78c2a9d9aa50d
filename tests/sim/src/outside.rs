//! What the model and the gateway do when they do not do what they should.

use std::time::Duration;

use ::tests::outside::{Gateway, Model};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::dice::Dice;

/// The last marker in a text; see [`crate::plan::marker`].
#[must_use]
pub fn marker_of(text: &str) -> Option<String> {
    let (_, rest) = text.rsplit_once("<c")?;
    let (number, _) = rest.split_once('>')?;
    Some(format!("<c{number}>"))
}

/// A good answer, which says whom it is for.
pub fn answer(dice: &mut Dice, marker: Option<String>, after: Duration) -> Model {
    let said = marker.unwrap_or_else(|| "semua".to_owned());
    let says = Model::Says(format!("jawab {} {said}", dice.below(1_000_000)));
    Model::Slow(after, Box::new(says))
}

fn error(status: u16, message: &str) -> Model {
    Model::Http(
        status,
        json!({"error": {"code": status, "message": message}}),
    )
}

/// Trouble of the model.
pub fn trouble(dice: &mut Dice, marker: Option<String>) -> Model {
    const TOO_LONG: &str =
        "maximum context length is 4096 tokens. However, you requested 5000 tokens";
    match dice.below(18) {
        0 => Model::Breaks,
        1 => error(503, "down"),
        2 => error(502, "bad gateway"),
        3 => error(401, "no"),
        4 => Model::Hangs,
        5 => error(402, "Insufficient credits"),
        6 => error(404, "No endpoints found"),
        7 => error(429, "Rate limit exceeded: free-models-per-day"),
        8 => error(429, "busy"),
        9 => Model::HttpWith(
            429,
            vec![("retry-after", dice.below(100).to_string())],
            json!({"error": {"code": 429, "message": "busy"}}),
        ),
        10 => error(400, TOO_LONG),
        11 => Model::Http(
            402,
            json!({"error": {"code": 402, "metadata": {"limit_source": "openrouter_in_flight_budget"}}}),
        ),
        12 => error(
            402,
            "This request requires more credits, or fewer max_tokens. You requested up to 800 tokens, but can only afford 90.",
        ),
        13 => Model::Raw(200, Bytes::from_static(b"<html>not JSON</html>")),
        14 => Model::Raw(200, Bytes::new()),
        15 => Model::Raw(200, Bytes::from(vec![b'x'; 1024 * 1024])),
        16 => Model::Http(200, Value::Null),
        _ => {
            let after = Duration::from_millis(dice.between(3_000, 40_000));
            answer(dice, marker, after)
        }
    }
}

/// What it is called in the transcript, and whether it is a fault.
#[must_use]
pub fn name_of(model: &Model) -> (&'static str, bool) {
    match model {
        Model::Says(_) => ("answers", false),
        Model::Slow(after, _) if *after < Duration::from_secs(3) => ("answers soon", false),
        Model::Slow(..) => ("model slow", true),
        Model::Http(200, _) => ("model says null", true),
        Model::Http(400, _) => ("model: too long", true),
        Model::Http(401, _) => ("model 401", true),
        Model::Http(402, _) => ("model 402", true),
        Model::Http(404, _) => ("model 404", true),
        Model::Http(429, _) => ("model 429", true),
        Model::Http(..) => ("model 5xx", true),
        Model::HttpWith(..) => ("model 429 with Retry-After", true),
        Model::Raw(_, body) if body.is_empty() => ("model says nothing", true),
        Model::Raw(_, body) if body.len() > 100_000 => ("model says 1 MB", true),
        Model::Raw(..) => ("model says garbage", true),
        Model::Breaks => ("model breaks", true),
        Model::Hangs => ("model hangs", true),
    }
}

/// Trouble of the gateway, and what it is called.
pub fn gateway(dice: &mut Dice) -> (&'static str, Gateway) {
    match dice.below(6) {
        0 | 1 => ("gateway answer lost", Gateway::SendsAndBreaks),
        2 => ("gateway hangs", Gateway::SendsAndHangs),
        3 => ("gateway 500", Gateway::Http(500)),
        4 => ("gateway 429", Gateway::Http(429)),
        _ => ("gateway refuses", Gateway::Refuses),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_its_conversation() {
        assert_eq!(marker_of("tanya 3 <c12>").as_deref(), Some("<c12>"));
        assert_eq!(marker_of("jam buka?"), None);
    }

    #[test]
    fn every_kind_of_trouble_has_a_name() {
        let mut dice = Dice::new(1);
        let names: std::collections::BTreeSet<_> = (0..2_000)
            .map(|_| name_of(&trouble(&mut dice, None)).0)
            .collect();
        assert!(names.len() >= 13, "{names:?}");
    }
}
