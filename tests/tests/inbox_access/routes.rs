//! Every route of the inbox, and the least that it wants.

use clivy::access::Role;

/// The least that a route wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Least {
    /// Nothing: it answers everybody.
    Nobody,
    /// A key with this role.
    Key(Role),
    /// `ADMIN_SECRET`.
    Admin,
}

pub const OPEN: Least = Least::Nobody;
pub const VIEWER: Least = Least::Key(Role::Viewer);
pub const AGENT: Least = Least::Key(Role::Agent);
pub const OWNERS: Least = Least::Key(Role::Owner);

/// What a request carries; the text between `<` and `>` is filled in.
pub const NOTHING: &str = "";
pub const LOGIN: &str = r#"{"key": "<key>"}"#;
pub const KEY: &str = r#"{"name": "baru", "role": "viewer", "expires_in_days": 1}"#;
pub const ADMIN_KEY: &str = r#"{"owner": "siapa", "name": "baru", "role": "viewer"}"#;
pub const DOCUMENT: &str = r#"{"title": "Baru", "kind": "harga", "content": "Rp 1"}"#;
pub const QUESTION: &str = r#"{"question": "Halo?"}"#;

/// Every route of the contract.
pub const ROUTES: &[(&str, &str, Least, &str)] = &[
    ("GET", "/api/session", VIEWER, NOTHING),
    ("POST", "/api/session", OPEN, LOGIN),
    ("DELETE", "/api/session", OPEN, NOTHING),
    ("GET", "/api/keys", OWNERS, NOTHING),
    ("POST", "/api/keys", OWNERS, KEY),
    ("DELETE", "/api/keys/{key}", OWNERS, NOTHING),
    ("GET", "/api/admin/keys", Least::Admin, NOTHING),
    ("POST", "/api/admin/keys", Least::Admin, ADMIN_KEY),
    ("DELETE", "/api/admin/keys/{key}", Least::Admin, NOTHING),
    ("GET", "/api/bots", VIEWER, NOTHING),
    ("GET", "/api/bots/{bot}", VIEWER, NOTHING),
    ("PUT", "/api/bots/{bot}", OWNERS, "<bot>"),
    ("DELETE", "/api/bots/{bot}", OWNERS, NOTHING),
    ("GET", "/api/bots/{bot}/versions", VIEWER, NOTHING),
    ("GET", "/api/bots/{bot}/versions/{version}", VIEWER, NOTHING),
    (
        "POST",
        "/api/bots/{bot}/versions/{version}/restore",
        OWNERS,
        NOTHING,
    ),
    ("GET", "/api/bots/{bot}/documents", VIEWER, NOTHING),
    (
        "GET",
        "/api/bots/{bot}/documents/{document}",
        VIEWER,
        NOTHING,
    ),
    (
        "PUT",
        "/api/bots/{bot}/documents/{document}",
        OWNERS,
        DOCUMENT,
    ),
    (
        "DELETE",
        "/api/bots/{bot}/documents/{document}",
        OWNERS,
        NOTHING,
    ),
    (
        "GET",
        "/api/bots/{bot}/documents/{document}/versions",
        VIEWER,
        NOTHING,
    ),
    (
        "GET",
        "/api/bots/{bot}/documents/{document}/versions/{version}",
        VIEWER,
        NOTHING,
    ),
    (
        "POST",
        "/api/bots/{bot}/documents/{document}/versions/{version}/restore",
        OWNERS,
        NOTHING,
    ),
    ("POST", "/api/bots/{bot}/try", AGENT, QUESTION),
    ("GET", "/api/bots/{bot}/conversations", VIEWER, NOTHING),
    (
        "GET",
        "/api/bots/{bot}/conversations/{contact}",
        VIEWER,
        NOTHING,
    ),
    (
        "DELETE",
        "/api/bots/{bot}/conversations/{contact}",
        OWNERS,
        NOTHING,
    ),
    (
        "GET",
        "/api/bots/{bot}/conversations/{contact}/messages",
        VIEWER,
        NOTHING,
    ),
    (
        "POST",
        "/api/bots/{bot}/conversations/{contact}/messages",
        AGENT,
        r#"{"text": "Halo"}"#,
    ),
    (
        "POST",
        "/api/bots/{bot}/conversations/{contact}/read",
        AGENT,
        NOTHING,
    ),
    (
        "POST",
        "/api/bots/{bot}/conversations/{contact}/pause",
        AGENT,
        r#"{"minutes": 5}"#,
    ),
    (
        "POST",
        "/api/bots/{bot}/conversations/{contact}/resume",
        AGENT,
        NOTHING,
    ),
    ("GET", "/api/bots/{bot}/turns", VIEWER, NOTHING),
    ("GET", "/api/bots/{bot}/turns/{turn}", VIEWER, NOTHING),
    (
        "POST",
        "/api/bots/{bot}/turns/{turn}/retry",
        AGENT,
        r#"{"model": null, "text": "Halo"}"#,
    ),
    ("GET", "/api/bots/{bot}/usage", VIEWER, NOTHING),
    ("GET", "/health", OPEN, NOTHING),
    ("GET", "/health/live", OPEN, NOTHING),
    ("GET", "/health/ready", OPEN, NOTHING),
    ("GET", "/health/detailed", VIEWER, NOTHING),
    ("GET", "/metrics", VIEWER, NOTHING),
];
