//! The path of a request as its caller meant it.
//!
//! API Gateway decodes a path before it hands it over, and `lambda_http` makes an address of what it gets. There a `#` or a `?`
//! that belongs to a bot's id ends the path: the request would be about another bot, and delete that one.

use std::fmt::Write as _;

use http::Uri;
use http::uri::PathAndQuery;
use lambda_http::{Request, RequestExt};

/// The request with its whole path, where a `#` or a `?` has cut it; every other request as it is.
#[must_use]
pub fn whole(mut request: Request) -> Request {
    let path = request.raw_http_path();
    // A path that is still encoded holds neither.
    if !path.contains(['#', '?']) {
        return request;
    }
    let mut address = encoded(path);
    // The address's own query is lost behind the `#`, or begins at the wrong `?`.
    if let Some(query) = request.query_string_parameters_ref() {
        address.push('?');
        address.push_str(&query.to_query_string());
    }
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(address).ok();
    // What makes no address is no bot's; the one that was cut could be another bot's.
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    request
}

/// A decoded path with everything encoded that no path may hold. `%` stays what it is in every other request.
fn encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/%-._~!$&'()*+,;=:@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // A string takes everything.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Path;
    use axum::routing::any;
    use http_body_util::BodyExt;
    use lambda_http::request::LambdaRequest;
    use serde_json::json;
    use tower::ServiceExt;

    use super::*;

    /// A request as API Gateway hands it on (payload format 2.0).
    fn handed_on(path: &str, query: &str) -> Request {
        let event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"host": "inbox.test"},
            "requestContext": {
                "apiId": "inbox", "stage": "$default", "requestId": "r-1",
                "routeKey": "$default", "timeEpoch": 0,
                "http": {
                    "method": "DELETE", "path": path, "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1", "userAgent": "test"
                }
            },
            "isBase64Encoded": false
        });
        let request: LambdaRequest = serde_json::from_value(event).unwrap();
        request.into()
    }

    #[test]
    fn a_path_is_whole_and_its_query_is_the_callers() {
        for (path, query, expected) in [
            ("/api/bots/shop#2", "", "/api/bots/shop%232"),
            ("/api/bots/shop#2", "by=day", "/api/bots/shop%232?by=day"),
            ("/api/bots/shop?2", "", "/api/bots/shop%3F2"),
            ("/api/bots/shop?2", "by=day", "/api/bots/shop%3F2?by=day"),
            ("/api/bots/a?b#c/try", "", "/api/bots/a%3Fb%23c/try"),
            ("/api/bots/a#", "q=a%26b", "/api/bots/a%23?q=a%26b"),
            ("/api/bots/#", "", "/api/bots/%23"),
            ("/api/bots/tokó #1", "", "/api/bots/tok%C3%B3%20%231"),
            ("/api/bots/a\\b{c}#", "", "/api/bots/a%5Cb%7Bc%7D%23"),
            ("/api/bots/50%#", "", "/api/bots/50%%23"),
        ] {
            let expected = format!("https://inbox.test{expected}");
            let request = handed_on(path, query);
            assert_ne!(request.uri().to_string(), expected, "nothing is cut");
            assert_eq!(whole(request).uri().to_string(), expected);
        }
    }

    #[test]
    fn every_other_request_stays_as_it_is() {
        for (path, query) in [
            ("/", ""),
            ("/api/bots", "cursor=%23%3F&limit=10&limit=20"),
            ("/api/bots/tokó 1/usage", "by=day"),
            ("/api/bots/50%", ""),
            // From a server that does not decode.
            ("/api/bots/shop%232", "by=day"),
        ] {
            let before = handed_on(path, query).uri().to_string();
            assert_eq!(whole(handed_on(path, query)).uri().to_string(), before);
        }
        // Without a way through Lambda there is no raw path.
        let direct = Request::new(lambda_http::Body::Empty);
        assert_eq!(whole(direct).uri(), "/");
    }

    #[test]
    fn what_makes_no_address_is_no_bots() {
        // Three times as long when it is encoded.
        let long = format!("/api/bots/shop#{}", "{".repeat(30_000));
        assert_eq!(whole(handed_on(&long, "")).uri().path(), "/");
    }

    #[tokio::test]
    async fn a_route_finds_the_bot_that_was_meant() {
        let name = |Path(bot): Path<String>| async move { bot };
        let router: Router = Router::new().route("/api/bots/{bot}", any(name));
        for bot in ["shop#2", "shop?2", "tokó #1?"] {
            let request = whole(handed_on(&format!("/api/bots/{bot}"), "by=day"));
            let answer = router.clone().oneshot(request).await.unwrap();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, bot);
        }
    }
}
