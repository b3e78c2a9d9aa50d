//! `If-Match` and `If-None-Match`: a line for each header.

use clivy::conversation::version::Version;
use http::{HeaderMap, HeaderValue, StatusCode};
use inbox::etag;
use inbox::if_match::{IfMatch, tag};

use crate::Target;
use crate::input::Input;

/// The target.
pub const TARGET: Target = Target {
    name: "if_match",
    run,
    seeds,
    words: &[
        "\"7\"",
        "W/\"7\"",
        "*",
        ",",
        " ",
        "\"",
        "\"007\"",
        "\"18446744073709551615\"",
        "\"18446744073709551616\"",
        "W/",
        "TAG",
    ],
};

fn seeds() -> Vec<Vec<u8>> {
    [
        "\"7\"\nTAG",
        "*\n*",
        "\"1\", \"7\"\nW/TAG, \"x\"",
        "W/\"7\"\n",
        "\"007\"\nTAG,",
        "\"7\" , *\n\"",
        "\u{1}\n\u{1}",
        "\n",
    ]
    .map(|lines| lines.as_bytes().to_vec())
    .to_vec()
}

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (first, second) = (input.line(), input.line());
    if_match([&first, &second]);
    if_none_match(&first, &second);
}

/// A write goes through exactly when one of the tags is the current one, character by character.
fn if_match(lines: [&String; 2]) {
    let values: Vec<HeaderValue> = lines
        .iter()
        .filter_map(|line| HeaderValue::from_bytes(line.as_bytes()).ok())
        .collect();
    let read = IfMatch::read(values.iter());
    assert_eq!(read, IfMatch::read(values.iter()));
    let texts: Vec<&str> = values
        .iter()
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    let is_anything = texts.iter().any(|text| text.trim() == "*");
    assert_eq!(read.check(None).is_ok(), values.is_empty());
    for version in [0, 1, 7, 8, u64::MAX].map(Version) {
        let named = texts
            .iter()
            .flat_map(|text| text.split(','))
            .any(|piece| piece.trim() == tag(version));
        assert_eq!(
            read.check(Some(version)).is_ok(),
            values.is_empty() || is_anything || named,
            "{read:?} of {texts:?} over {version:?}"
        );
    }
    if let IfMatch::OneOf(versions) = read {
        for version in versions {
            let again = HeaderValue::from_str(&tag(version)).unwrap();
            assert_eq!(
                IfMatch::read([&again].into_iter()),
                IfMatch::OneOf(vec![version])
            );
        }
    }
}

/// An answer that the caller has is not sent again; every other one is, whole.
fn if_none_match(first: &str, second: &str) {
    let body = serde_json::json!({"first": first});
    let own = etag::answer(&HeaderMap::new(), &body).unwrap().headers()[http::header::ETAG].clone();
    let own = own.to_str().unwrap();
    let mut request = HeaderMap::new();
    let line = second.replace("TAG", own);
    let Ok(value) = HeaderValue::from_bytes(line.as_bytes()) else {
        return;
    };
    request.insert(http::header::IF_NONE_MATCH, value);
    let response = etag::answer(&request, &body).unwrap();
    let has_it = line.is_ascii()
        && line
            .split(',')
            .map(str::trim)
            .any(|known| known == "*" || known == own || known.strip_prefix("W/") == Some(own));
    let status = if has_it {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    assert_eq!(response.status(), status, "{line:?}");
    assert_eq!(response.headers()[http::header::ETAG], own);
}
