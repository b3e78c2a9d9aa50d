//! By which host this machine is asked. A page of any site may ask a server on this machine, and could read the answers once the
//! site's own name points here (DNS rebinding). So what listens to this machine alone answers to this machine's hosts alone.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

/// The host by which this machine was asked, without the port. A name other than `localhost` may be anybody's: a page of
/// theirs would count as this one's own once the name points here.
pub fn of_this_machine(headers: &HeaderMap) -> Option<String> {
    let authority: Authority = headers.get(HOST)?.to_str().ok()?.parse().ok()?;
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_this_machine = host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    is_this_machine.then(|| host.to_owned())
}

/// The answer to whoever asks by another host.
pub fn refusal() -> Response {
    let how = "Ask by this machine's address: 127.0.0.1, [::1] or localhost.\n";
    (StatusCode::FORBIDDEN, how).into_response()
}

/// The routes behind that check, where they listen on a loopback address. Other machines, where they reach the routes, know this
/// one by names that are not known here.
pub fn guarded(routes: Router, address: SocketAddr) -> Router {
    if address.ip().is_loopback() {
        routes.layer(from_fn(checked))
    } else {
        routes
    }
}

async fn checked(request: Request, next: Next) -> Response {
    match of_this_machine(request.headers()) {
        Some(_) => next.run(request).await,
        None => refusal(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::post;
    use tower::ServiceExt;

    use super::*;

    const OWN: [&str; 8] = [
        "localhost",
        "LocalHost:8070",
        "127.0.0.1",
        "127.0.0.1:8070",
        "127.9.9.9:8070",
        "[::1]",
        "[::1]:8070",
        "[0:0:0:0:0:0:0:1]:8070",
    ];
    const FOREIGN: [&str; 11] = [
        "",
        "evil.example",
        "evil.example:8070",
        "localhost.evil.example:8070",
        "127.0.0.1.evil.example",
        "evil.example:127.0.0.1",
        "localhost@evil.example",
        "10.0.0.7:8070",
        "0.0.0.0:8070",
        "[::]:8070",
        "[fe80::1]:8070",
    ];

    async fn ask(listens: &str, path: &str, host: Option<&str>) -> u16 {
        let routes = Router::new().route("/", post(|| async { "the table" }));
        let routes = guarded(routes, listens.parse().unwrap());
        let mut request = Request::post(path);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let request = request.body(Body::empty()).unwrap();
        routes.oneshot(request).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn on_loopback_only_a_host_of_this_machine_is_answered() {
        for listens in ["127.0.0.1:8070", "127.0.0.2:8070", "[::1]:8070"] {
            for host in OWN {
                assert_eq!(ask(listens, "/", Some(host)).await, 200, "{host}");
            }
            for host in FOREIGN {
                assert_eq!(ask(listens, "/", Some(host)).await, 403, "{host}");
            }
            assert_eq!(ask(listens, "/", None).await, 403);
            // Not even that there is nothing is said.
            assert_eq!(ask(listens, "/nothing", Some("evil.example")).await, 403);
        }
    }

    #[tokio::test]
    async fn where_other_machines_reach_it_every_host_is_answered() {
        for listens in ["0.0.0.0:8070", "10.0.0.7:8070", "[::]:8070"] {
            for host in OWN.into_iter().chain(FOREIGN) {
                assert_eq!(ask(listens, "/", Some(host)).await, 200, "{host}");
            }
            assert_eq!(ask(listens, "/", None).await, 200);
        }
    }
}
