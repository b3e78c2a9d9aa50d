//! The targets, one a file.

pub mod account;
pub mod bots_toml;
pub mod cursor;
pub mod gateway_answer;
pub mod if_match;
pub mod llm_answer;
pub mod llm_error;
pub mod search;
pub mod session;
pub mod signature;
pub mod trigger;
pub mod webhook_body;
pub mod webhook_request;

use std::path::Path;

/// The bodies that gateways really send, with their content types: the fixtures of the tests.
fn gateway_bodies() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/wuzapi");
    let index = std::fs::read(folder.join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let fixtures = index.as_array().unwrap().iter();
    fixtures
        .map(|fixture| {
            let kind = fixture["content_type"].as_str().unwrap_or_default();
            let file = fixture["file"].as_str().unwrap();
            (kind.to_owned(), std::fs::read(folder.join(file)).unwrap())
        })
        .collect()
}

/// An answer of somebody's HTTP server: the rest of an input.
fn response(status: u16, body: Vec<u8>) -> http::Response<bytes::Bytes> {
    let mut response = http::Response::new(bytes::Bytes::from(body));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response
}

/// A network that gives one answer.
struct Answers(http::Response<bytes::Bytes>);

impl clivy::http::Http for Answers {
    fn send(
        &self,
        _: http::Request<bytes::Bytes>,
        _: std::time::Duration,
    ) -> futures_util::future::BoxFuture<
        '_,
        Result<http::Response<bytes::Bytes>, clivy::http::HttpError>,
    > {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// A header's lines of an input, as a request or an answer carries them; what is no header value is left out.
fn headers(lines: impl IntoIterator<Item = (&'static str, String)>) -> http::HeaderMap {
    lines
        .into_iter()
        .filter_map(|(name, value)| {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).ok()?;
            Some((http::HeaderName::from_static(name), value))
        })
        .collect()
}
