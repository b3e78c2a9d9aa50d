//! Erasing a contact.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{OnBot, Owner};
use crate::extract::Path;
use crate::{Inbox, Problem};

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new().routes(routes!(erase))
}

/// Erases everything of a contact: messages, turns, name, pause. Nothing is kept, so an opt-out goes with the rest: a
/// contact that writes again is a new one, and is answered. After a failure it can be asked for again, and must be.
/// Counters of the bot's usage stay; they name nobody.
#[utoipa::path(
    delete, path = "/api/bots/{bot}/conversations/{contact}", tag = "conversations",
    params(("bot" = String, Path), ("contact" = String, Path)),
    responses(
        (status = 204, description = "Nothing of the contact is left, or there was nothing"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn erase(
    on: OnBot<Owner>,
    Shared(inbox): Shared<Arc<Inbox>>,
    Path((_, contact)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let id = on.conversation(&contact)?;
    inbox.table.erase(&id, inbox.clock.now()).await?;
    tracing::info!(
        step = "erased",
        conversation = inbox.pseudonyms.conversation(&id),
        by = on.caller.key_id,
        "erased a contact"
    );
    Ok(StatusCode::NO_CONTENT)
}
