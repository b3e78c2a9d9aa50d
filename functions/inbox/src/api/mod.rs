//! The JSON API. One noun a module; each lists its own routes, and the OpenAPI document is made of them.

mod bots;
mod conversations;
mod documents;
mod erase;
mod health;
mod keys;
mod messages;
mod metrics;
mod pause;
mod say;
mod session;
mod trial;
mod turns;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;

use crate::Inbox;
use crate::auth::SESSION_COOKIE;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Clivy inbox",
        description = "See every chat, take over, know the cost. Errors are RFC 9457 problem details. Lists are pages: \
                       pass `next` as `cursor` to go on; a page may be short, even empty, and still have a next one."
    ),
    security(("api_key" = []), ("session" = [])),
    modifiers(&Schemes)
)]
struct Document;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "api_key",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE))),
        );
        components.add_security_scheme(
            "admin_secret",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
    }
}

/// All routes of the API, with their documentation.
pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(session::routes())
        .merge(keys::routes())
        .merge(bots::routes())
        .merge(documents::routes())
        .merge(trial::routes())
        .merge(conversations::routes())
        .merge(messages::routes())
        .merge(say::routes())
        .merge(pause::routes())
        .merge(erase::routes())
        .merge(turns::routes())
        .merge(usage::routes())
        .merge(health::routes())
        .merge(metrics::routes())
}

/// The OpenAPI document, for everybody: it says nothing that is secret.
pub fn document(document: &OpenApi) -> Router<Arc<Inbox>> {
    let json = document.to_json().unwrap_or_default();
    let serve = move || async move { ([(header::CONTENT_TYPE, "application/json")], json) };
    Router::new().route("/api/openapi.json", get(serve))
}
