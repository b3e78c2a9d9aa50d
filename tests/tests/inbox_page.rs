//! The inbox's page as a browser gets it: what it may do, how long it is kept, how much a first load is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::collections::BTreeSet;

use clivy::access::Role;
use serde_json::json;
use tests::api::{Api, Reply};
use tests::bubbles::bot;
use tests::world::TestWorld;

/// What a first load may weigh, uncompressed, in bytes: the page, and everything it needs to show the chats.
const FIRST_LOAD: usize = 100_000;
/// The first view: the frame loads it when it knows who is there.
const FIRST_VIEW: &str = "chats.js";

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.headers[name].to_str().unwrap()
}

/// What stands between `before` and the next `after`, each time.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    let parts = text.split(before).skip(1);
    parts.filter_map(|part| part.split(after).next()).collect()
}

/// The addresses of the files that the page names.
fn named(page: &str) -> BTreeSet<String> {
    let attributes = ["href=\"/assets/", "src=\"/assets/"].into_iter();
    let names = attributes.flat_map(|attribute| between(page, attribute, "\""));
    names.map(|name| format!("/assets/{name}")).collect()
}

/// A file and every module that it imports before it runs.
async fn load(api: &Api<'_>, folder: &str, addresses: BTreeSet<String>) -> Vec<(String, Reply)> {
    let mut wanted: Vec<String> = addresses.into_iter().collect();
    let mut seen = BTreeSet::new();
    let mut loaded = Vec::new();
    while let Some(address) = wanted.pop() {
        if !seen.insert(address.clone()) {
            continue;
        }
        let reply = api.get(&address).await;
        assert_eq!(reply.status, 200, "{address}");
        let source = text(&reply);
        let imports = between(&source, " from './", "'");
        wanted.extend(imports.iter().map(|name| format!("{folder}/{name}")));
        loaded.push((address, reply));
    }
    loaded
}

fn folder_of(page: &str) -> String {
    let names = named(page);
    let (folder, _) = names.first().unwrap().rsplit_once('/').unwrap();
    folder.to_owned()
}

#[tokio::test(start_paused = true)]
async fn everybody_gets_the_page_and_it_may_load_and_reach_nothing_but_its_own_host() {
    let world = TestWorld::new(&[]).await;
    let reply = world.api_without_key().get("/").await;
    assert_eq!(reply.status, 200);
    assert_eq!(header(&reply, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&reply, "cache-control"), "no-cache");
    assert_eq!(header(&reply, "referrer-policy"), "no-referrer");
    assert_eq!(header(&reply, "x-content-type-options"), "nosniff");
    let policy: BTreeSet<&str> = header(&reply, "content-security-policy")
        .split("; ")
        .collect();
    let expected = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ];
    assert_eq!(policy, BTreeSet::from(expected));
}

#[tokio::test(start_paused = true)]
async fn a_file_is_kept_for_good_under_the_name_of_its_version_and_is_nowhere_else() {
    let world = TestWorld::new(&[]).await;
    let api = world.api_without_key();
    let page = text(&api.get("/").await);
    let folder = folder_of(&page);
    assert_eq!(named(&page).len(), 5, "icon, two styles, two scripts");
    for (address, reply) in load(&api, &folder, named(&page)).await {
        let cache = header(&reply, "cache-control");
        assert_eq!(cache, "public, max-age=31536000, immutable", "{address}");
        assert_eq!(header(&reply, "x-content-type-options"), "nosniff");
        assert!(reply.headers.contains_key("content-security-policy"));
    }
    let elsewhere = [
        "/assets/0000000000000000/app.js".to_owned(),
        "/assets/app.js".to_owned(),
        format!("{folder}/inbox.html"),
        format!("{folder}/nothing.js"),
        format!("{folder}/..%2Finbox.html"),
        format!("{folder}/%00"),
        format!("{folder}/%ff"),
    ];
    for address in elsewhere {
        let reply = api.get(&address).await;
        assert!(
            reply.status.is_client_error(),
            "{address}: {}",
            reply.status
        );
        let cache = reply.headers.get("cache-control");
        assert!(
            cache.is_none_or(|cache| cache == "no-store"),
            "{address}: a refusal is not kept"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_load_is_less_than_100_kilobytes_without_compression() {
    let world = TestWorld::new(&[]).await;
    let api = world.api_without_key();
    let page = text(&api.get("/").await);
    let folder = folder_of(&page);
    let mut first = named(&page);
    first.insert(format!("{folder}/{FIRST_VIEW}"));
    let loaded = load(&api, &folder, first).await;
    assert!(loaded.len() > 10, "the imports were followed");
    let files: usize = loaded.iter().map(|(_, reply)| reply.body.len()).sum();
    let all = page.len() + files;
    assert!(all <= FIRST_LOAD, "{all} bytes");
}

#[tokio::test(start_paused = true)]
async fn what_the_page_says_of_a_deleted_document_is_so() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let api = world.api(Role::Owner).await;
    let folder = folder_of(&text(&api.get("/").await));
    let script = text(&api.get(&format!("{folder}/documents.js")).await);
    assert!(script.contains("Its versions stay, and can be brought back."));
    let path = "/api/bots/demo/documents/promo";
    let document = json!({"title": "Promo", "kind": "info", "content": "diskon 10%"});
    api.put(path, document).await.expect(201);
    assert_eq!(api.delete(path).await.status, 204);
    let restore = format!("{path}/versions/1/restore");
    let back = api.post(&restore, json!({})).await.expect(201);
    assert_eq!(back["content"], "diskon 10%");
}
