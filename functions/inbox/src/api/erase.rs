//! Erasing a contact.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::Inbox;

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new()
}
