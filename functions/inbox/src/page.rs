//! The web page: files that are part of the binary. The page uses the API like everybody else, with the session's cookie.
//!
//! All files but the page itself are under a folder that is named by the hash of all of them. So a browser keeps them for
//! good, modules find each other by relative names, and a page never runs with half of another version.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use crate::Inbox;

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const HTML: &str = "text/html; charset=utf-8";

/// The page. `{assets}` in it stands for the folder of its files.
const PAGE: &str = include_str!("../assets/inbox.html");

/// A file: its name, its media type, its text.
type File = (&'static str, &'static str, &'static str);

macro_rules! file {
    ($kind:expr, $name:literal) => {
        ($name, $kind, include_str!(concat!("../assets/", $name)))
    };
}

/// What the page loads: at once, or when a view wants it.
const FILES: [File; 24] = [
    file!(SVG, "icon.svg"),
    file!(CSS, "inbox.css"),
    file!(CSS, "views.css"),
    file!(JS, "theme.js"),
    file!(JS, "app.js"),
    file!(JS, "api.js"),
    file!(JS, "bot.js"),
    file!(JS, "bubble.js"),
    file!(JS, "chart.js"),
    file!(JS, "chats.js"),
    file!(JS, "composer.js"),
    file!(JS, "documents.js"),
    file!(JS, "dom.js"),
    file!(JS, "fields.js"),
    file!(JS, "health.js"),
    file!(JS, "keys.js"),
    file!(JS, "lists.js"),
    file!(JS, "login.js"),
    file!(JS, "poll.js"),
    file!(JS, "takeover.js"),
    file!(JS, "thread.js"),
    file!(JS, "trial.js"),
    file!(JS, "turns.js"),
    file!(JS, "usage.js"),
];

/// No script, style, picture or connection but the page's own, whatever text a message holds; no page may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The page names the version of its files, so it is asked for each time.
const ALWAYS_ASK: &str = "no-cache";
/// A year: the name changes with the text.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// The page and what it loads.
pub fn routes() -> Router<Arc<Inbox>> {
    let version = version();
    let page = PAGE.replace("{assets}", &format!("/assets/{version}"));
    let serve_page = move || async move { served(HTML, page, ALWAYS_ASK) };
    let serve_file = move |Path((asked, name)): Path<(String, String)>| async move {
        let known = FILES.iter().find(|(known, ..)| *known == name);
        // Another version's file is not there: this one under its name would be kept for good.
        match known.filter(|_| asked == version) {
            Some((_, kind, text)) => served(kind, *text, FOR_GOOD),
            None => (
                StatusCode::NOT_FOUND,
                [(header::CACHE_CONTROL, "no-store")],
                "not found",
            )
                .into_response(),
        }
    };
    Router::new()
        .route("/", get(serve_page))
        .route("/assets/{version}/{name}", get(serve_file))
        .layer(map_response(guarded))
}

fn served(kind: &'static str, text: impl Into<String>, cache: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)];
    (headers, text.into()).into_response()
}

/// The version of all files together: 16 hex digits of the hash of their names and texts.
fn version() -> String {
    let mut hash = Sha256::new();
    for (name, _, text) in FILES {
        for part in [name, text] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
    }
    let digest = hash.finalize();
    digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_served_and_no_other() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
        let names = std::fs::read_dir(folder).unwrap();
        let names: BTreeSet<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "inbox.html")
            .collect();
        let served: BTreeSet<String> = FILES.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(served, names);
    }

    #[test]
    fn what_a_customer_writes_can_never_become_markup_or_code() {
        // The DOM's doors from text to markup or code. The page makes nodes and sets their text.
        let doors = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "setHTML",
            "srcdoc",
            "createContextualFragment",
            "eval(",
            "new Function",
            "javascript:",
        ];
        for (name, kind, text) in FILES {
            for door in doors {
                assert!(!(kind == JS && text.contains(door)), "{name}: {door}");
            }
        }
    }

    #[test]
    fn the_page_holds_no_script_or_style_of_its_own_and_names_no_other_host() {
        let scripts = PAGE.matches("<script").count();
        assert_eq!(
            PAGE.matches("<script src=\"{assets}/").count()
                + PAGE
                    .matches("<script type=\"module\" src=\"{assets}/")
                    .count(),
            scripts
        );
        assert!(!PAGE.contains("<style") && !PAGE.contains(" style=") && !PAGE.contains(" on"));
        let html = ("inbox.html", HTML, PAGE);
        for (name, _, text) in FILES.into_iter().chain([html]) {
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("://"), "{name}");
        }
    }
}
