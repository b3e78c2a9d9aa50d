//! What goes for every answer, whoever gives it: its headers, a size that bodies may have, and a [`Problem`] where there is
//! no route, no such method, or a handler that panics.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use crate::problem::Problem;

/// The largest body that is read, in bytes.
pub const LARGEST_BODY: usize = 1024 * 1024;

/// The routes with a [`Problem`] for what is none of them.
pub fn with_fallbacks<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
}

/// The routes with what goes for every answer around them.
pub fn around(routes: Router) -> Router {
    routes
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(answered))
}

async fn answered(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let asked = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = asked.unwrap_or_else(|_| {
        // The panic's own words went to the standard error already; they are not repeated to the caller (I11).
        tracing::error!(step = "panicked", "a handler panicked");
        Problem::broken().into_response()
    });
    guard(&mut response);
    if method == Method::HEAD {
        // Lambda, other than a web server, would send the body of a refusal too.
        return response.map(|_| axum::body::Body::empty());
    }
    response
}

/// Headers that every answer carries; a handler may have set one itself, as the page does.
fn guard(response: &mut Response) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Without cross-origin rules of our own, no other site's page reads an answer; nor may it embed one.
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ] {
        let headers = response.headers_mut();
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use http_body_util::BodyExt;
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;
    use crate::extract::Json;

    fn router() -> Router {
        let cached = || async { ([(header::CACHE_CONTROL, "max-age=60")], "page") };
        let broken = || async {
            let none: Option<u8> = None;
            none.map(|_| "never").expect("hunter2")
        };
        around(with_fallbacks(
            Router::new()
                .route("/page", get(cached))
                .route("/broken", get(broken))
                .route("/body", post(|_: Json<Value>| async {})),
        ))
    }

    async fn ask(
        method: &str,
        path: &str,
        body: String,
    ) -> (StatusCode, header::HeaderMap, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap();
        let response = router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        (parts.status, parts.headers, text)
    }

    #[tokio::test]
    async fn every_refusal_is_a_problem_with_all_headers() {
        let large = format!("\"{}\"", "x".repeat(LARGEST_BODY));
        for (method, path, body, status) in [
            ("GET", "/nothing", "", 404),
            ("PUT", "/page", "", 405),
            ("OPTIONS", "/page", "", 405),
            ("GET", "/broken", "", 500),
            ("POST", "/body", "{", 400),
            ("POST", "/body", &large, 413),
        ] {
            let (answered, headers, text) = ask(method, path, body.to_owned()).await;
            assert_eq!(answered.as_u16(), status, "{method} {path}");
            let problem: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(problem["status"], status, "{method} {path}");
            assert!(!text.contains("hunter2"));
            for (name, value) in [
                ("content-type", "application/problem+json"),
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
            ] {
                assert_eq!(headers[name], value, "{method} {path}");
            }
            assert_eq!(headers.contains_key("allow"), status == 405, "{path}");
        }
    }

    #[tokio::test]
    async fn a_body_of_the_largest_size_is_read() {
        let body = format!("\"{}\"", "x".repeat(LARGEST_BODY - 2));
        assert_eq!(ask("POST", "/body", body).await.0, 200);
    }

    #[tokio::test]
    async fn a_handler_may_say_itself_how_long_its_answer_is_kept() {
        let (status, headers, text) = ask("GET", "/page", String::new()).await;
        assert_eq!((status.as_u16(), text.as_str()), (200, "page"));
        assert_eq!(headers["cache-control"], "max-age=60");
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }

    #[tokio::test]
    async fn head_is_answered_as_get_without_the_body() {
        for (path, status) in [("/page", 200), ("/nothing", 404), ("/broken", 500)] {
            let (answered, _, text) = ask("HEAD", path, String::new()).await;
            assert_eq!((answered.as_u16(), text.as_str()), (status, ""), "{path}");
        }
    }
}
