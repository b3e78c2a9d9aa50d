//! Answers that are sent again only when they have changed: `ETag` and `If-None-Match` (RFC 9110).

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use clivy::conversation::ids::hex;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// Hex digits of a tag: no two answers of a page's life have the same.
const DIGITS: usize = 32;
/// A browser may keep it, and must ask before it shows it again; nobody in between may keep it.
const CACHED: HeaderValue = HeaderValue::from_static("no-cache, private");

/// The body as JSON with its tag, or 304 when the caller has it already.
///
/// # Errors
/// 503: the body cannot be written, which is a mistake of ours.
pub fn answer(request: &HeaderMap, body: &impl Serialize) -> Result<Response, Problem> {
    let Ok(body) = serde_json::to_vec(body) else {
        tracing::error!(step = "trouble", "an answer could not be written");
        return Err(Problem::unavailable());
    };
    let tag: String = hex(&Sha256::digest(&body)).chars().take(DIGITS).collect();
    let tag = format!("\"{tag}\"");
    let mut response = if is_known(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let json = HeaderValue::from_static("application/json");
        ([(CONTENT_TYPE, json)], body).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, CACHED);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}

/// Weak comparison with every tag of every header, or `*`. No tag holds a quote, so a piece between commas that is
/// ours is a tag and no part of one.
fn is_known(request: &HeaderMap, tag: &str) -> bool {
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_with(tags: &[&str]) -> Response {
        let mut headers = HeaderMap::new();
        for tag in tags {
            headers.append(IF_NONE_MATCH, HeaderValue::from_str(tag).unwrap());
        }
        answer(&headers, &["a body"]).unwrap()
    }

    #[test]
    fn a_body_that_the_caller_has_is_not_sent_again() {
        let first = asked_with(&[]);
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[CACHE_CONTROL], "no-cache, private");
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        let weak = format!("W/{tag}");
        let listed = format!("\"x\", {weak} ,\"y\"");
        for known in [
            vec![tag.as_str()],
            vec![&weak],
            vec![&listed],
            vec!["\"x\"", &tag],
            vec!["*"],
        ] {
            let again = asked_with(&known);
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known:?}");
            assert_eq!(again.headers()[ETAG], tag.as_str());
            assert!(again.headers().get(CONTENT_TYPE).is_none());
        }
    }

    #[test]
    fn any_other_tag_gets_the_body() {
        let tag = asked_with(&[]).headers()[ETAG].to_str().unwrap().to_owned();
        let naked = tag.trim_matches('"').to_owned();
        let cut: String = tag.chars().skip(1).collect();
        for other in ["", ",", "\"x\"", "w/*", "W/", &naked, &cut] {
            assert_eq!(asked_with(&[other]).status(), StatusCode::OK, "{other}");
        }
    }
}
