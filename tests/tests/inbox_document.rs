//! The inbox's OpenAPI document.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use tests::world::TestWorld;

#[tokio::test(start_paused = true)]
async fn the_document_names_every_route_and_each_of_its_references_leads_somewhere() {
    let world = TestWorld::new(&[]).await;
    let document = world
        .api_without_key()
        .get("/api/openapi.json")
        .await
        .expect(200);
    for (path, methods) in [
        ("", "get put delete"),
        ("/versions", "get"),
        ("/versions/{version}", "get"),
        ("/versions/{version}/restore", "post"),
        ("/documents", "get"),
        ("/documents/{document}", "get put delete"),
        ("/documents/{document}/versions", "get"),
        ("/documents/{document}/versions/{version}", "get"),
        ("/documents/{document}/versions/{version}/restore", "post"),
        ("/try", "post"),
    ] {
        for method in methods.split(' ') {
            let route = &document["paths"][format!("/api/bots/{{bot}}{path}")][method];
            for status in ["401", "403", "404", "503"] {
                let problem = &route["responses"][status]["content"]["application/problem+json"];
                assert!(problem.is_object(), "{method} {path} {status}");
            }
        }
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let settings = &document["components"]["schemas"]["BotSettings"];
    assert_eq!(settings["additionalProperties"], false);
    assert_eq!(settings["properties"]["openrouter_key"]["writeOnly"], true);
    let mut ids: Vec<&str> = text
        .split("\"operationId\":\"")
        .skip(1)
        .map(|id| id.split('"').next().unwrap())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "two routes share an operation's id");
}
