//! How long each request took, as a metric.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use clivy::metrics::RequestServed;

use crate::Inbox;

/// Answers a request and measures it. What is told is the route as the code writes it, `/api/bots/{bot}`, and never the
/// path, which holds customers' numbers (I11).
pub async fn measure(
    State(inbox): State<Arc<Inbox>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let began_at = inbox.clock.now();
    let response = next.run(request).await;
    let now = inbox.clock.now();
    let served = RequestServed {
        function: "inbox",
        status: response.status().as_u16(),
        duration_ms: now.since_ms(began_at),
        route: Some(route.as_ref().map_or("none", MatchedPath::as_str)),
    };
    inbox.metrics.emit(now, &served);
    response
}
