//! How long the other side asks us to wait. No clock: a date counts from the answer's own `Date`.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;

use crate::conversation::ids::EpochMs;

/// The longest wait that is honoured, whatever the other side asks for.
pub const MAX_WAIT: Duration = Duration::from_secs(15 * 60);

/// Epoch times below this are seconds, from it on milliseconds: it is the year 5138 as the one and 1973 as
/// the other.
const FIRST_MILLISECONDS: f64 = 1e11;

/// `Retry-After`, from the header or from the places in the body that carry one.
pub(super) fn retry_after(headers: &HeaderMap, error: Option<&Value>) -> Option<Duration> {
    from_header(headers).or_else(|| from_body(error?))
}

fn from_header(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return bounded(seconds);
    }
    let until = rfc2822::parse(value).ok()?.timestamp();
    let now = rfc2822::parse(headers.get(DATE)?.to_str().ok()?.trim())
        .ok()?
        .timestamp();
    bounded(until.duration_since(now).as_secs_f64().max(0.0))
}

fn from_body(error: &Value) -> Option<Duration> {
    let metadata = error.get("metadata");
    let availability = error
        .get("availability")
        .or_else(|| metadata?.get("availability"));
    let places = [
        availability.and_then(|a| a.get("retry_after")),
        availability.and_then(|a| a.get("retry_after_seconds")),
        error.get("retry_after"),
        metadata.and_then(|m| m.get("retry_after")),
        metadata.and_then(|m| m.get("retry_after_seconds")),
        quoted_header(metadata, "retry-after"),
    ];
    places
        .into_iter()
        .flatten()
        .find_map(|value| bounded(number(value)?))
}

/// When the limit resets: `metadata.resets_at`, or the `X-RateLimit-Reset` of a 429.
pub(super) fn resets_at(headers: &HeaderMap, error: Option<&Value>) -> Option<EpochMs> {
    let metadata = error.and_then(|e| e.get("metadata"));
    let from_metadata = metadata.and_then(|m| m.get("resets_at")).and_then(moment);
    let quoted = || quoted_header(metadata, "x-ratelimit-reset").and_then(moment);
    let header = || {
        let value = headers.get("x-ratelimit-reset")?.to_str().ok()?;
        epoch(value.trim().parse().ok()?)
    };
    from_metadata.or_else(quoted).or_else(header)
}

/// A header of the provider that the body quotes in `metadata.headers`.
fn quoted_header<'v>(metadata: Option<&'v Value>, name: &str) -> Option<&'v Value> {
    let headers = metadata?.get("headers")?.as_object()?;
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

fn moment(value: &Value) -> Option<EpochMs> {
    match number(value) {
        Some(number) => epoch(number),
        None => {
            let timestamp: Timestamp = value.as_str()?.trim().parse().ok()?;
            Some(EpochMs(timestamp.as_millisecond()))
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, and wait() is bounded"
)]
fn epoch(number: f64) -> Option<EpochMs> {
    let ms = if number < FIRST_MILLISECONDS {
        number * 1_000.0
    } else {
        number
    };
    (number.is_finite() && number > 0.0).then_some(EpochMs(ms as i64))
}

fn bounded(seconds: f64) -> Option<Duration> {
    // Not a number and negative are no wait that anybody meant.
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(MAX_WAIT.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<http::HeaderName>().unwrap(),
                    value.parse().unwrap(),
                )
            })
            .collect()
    }

    fn header(value: &str) -> Option<Duration> {
        retry_after(&headers(&[("retry-after", value)]), None)
    }

    #[test]
    fn seconds_are_honoured_up_to_a_quarter_of_an_hour() {
        assert_eq!(header("30"), Some(Duration::from_secs(30)));
        assert_eq!(header(" 1.5 "), Some(Duration::from_millis(1_500)));
        assert_eq!(header("0"), Some(Duration::ZERO));
        assert_eq!(header("86400"), Some(MAX_WAIT));
        assert_eq!(header("inf"), Some(MAX_WAIT));
        assert_eq!(header("99999999999999999999999999"), Some(MAX_WAIT));
    }

    #[test]
    fn nonsense_is_no_wait() {
        for value in ["-5", "NaN", "soon", "", "12 minutes"] {
            assert_eq!(header(value), None, "{value:?}");
        }
        let bytes = http::HeaderValue::from_bytes(b"\xff\xfe").unwrap();
        let mut broken = HeaderMap::new();
        broken.insert(RETRY_AFTER, bytes);
        assert_eq!(retry_after(&broken, None), None);
    }

    #[test]
    fn a_date_counts_from_the_answers_own_date() {
        let until = "Sat, 21 Nov 2026 10:02:00 GMT";
        let both = headers(&[
            ("date", "Sat, 21 Nov 2026 10:00:00 GMT"),
            ("retry-after", until),
        ]);
        assert_eq!(retry_after(&both, None), Some(Duration::from_secs(120)));
        let past = headers(&[
            ("date", "Sat, 21 Nov 2026 11:00:00 GMT"),
            ("retry-after", until),
        ]);
        assert_eq!(retry_after(&past, None), Some(Duration::ZERO));
        assert_eq!(header(until), None, "no clock to compare with");
    }

    #[test]
    fn the_body_may_carry_the_wait() {
        for error in [
            json!({"availability": {"retry_after": 7}}),
            json!({"availability": {"retry_after": "7"}}),
            json!({"metadata": {"retry_after_seconds": 7}}),
            json!({"metadata": {"headers": {"Retry-After": "7"}}}),
        ] {
            assert_eq!(
                retry_after(&HeaderMap::new(), Some(&error)),
                Some(Duration::from_secs(7)),
                "{error}"
            );
        }
        let error = json!({"availability": {"retry_after": 7}});
        assert_eq!(
            retry_after(&headers(&[("retry-after", "3")]), Some(&error)),
            Some(Duration::from_secs(3))
        );
    }

    #[test]
    fn a_reset_may_be_a_date_or_an_epoch_in_either_unit() {
        let at = Some(EpochMs(1_795_219_200_000));
        for value in [
            json!("2026-11-21T00:00:00Z"),
            json!(1_795_219_200_000_i64),
            json!("1795219200"),
            json!(1_795_219_200),
        ] {
            let error = json!({"metadata": {"resets_at": value}});
            assert_eq!(resets_at(&HeaderMap::new(), Some(&error)), at, "{error}");
        }
        assert_eq!(
            resets_at(&headers(&[("x-ratelimit-reset", "1795219200000")]), None),
            at
        );
        let quoted = json!({"metadata": {"headers": {"X-RateLimit-Reset": "1795219200000"}}});
        assert_eq!(resets_at(&HeaderMap::new(), Some(&quoted)), at);
        let broken = json!({"metadata": {"resets_at": [], "headers": 5}});
        assert_eq!(
            resets_at(&headers(&[("x-ratelimit-reset", "soon")]), Some(&broken)),
            None
        );
    }
}
