//! The web page: files that are part of the binary.

use std::sync::Arc;

use axum::Router;

use crate::Inbox;

/// The page and what it loads.
pub fn routes() -> Router<Arc<Inbox>> {
    Router::new()
}
