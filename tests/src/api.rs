//! The inbox as its callers see it.

use std::sync::Arc;

use bytes::Bytes;
use clivy::access::{ApiKey, KEY_BYTES, OwnerId, Role, Secret};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;

use crate::world::TestWorld;

/// The owner of the bots that [`crate::bubbles::bot`] makes.
pub const OWNER: &str = "owner";

/// An answer of the inbox.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON; null when it is empty.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The JSON of an answer that must have this status.
    pub fn expect(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        self.json()
    }
}

/// A client of the inbox with one API key.
pub struct Api<'a> {
    world: &'a TestWorld,
    key: Option<String>,
}

impl TestWorld {
    /// A new API key.
    pub async fn key(&self, owner: &str, role: Role) -> (Secret, ApiKey) {
        let created_at = self.world.clock.now();
        let mut bytes = [0; KEY_BYTES];
        // Different for each holder is all that a test needs.
        let seed = format!("{owner}|{role:?}|{}", created_at.0);
        for (byte, from) in bytes.iter_mut().zip(seed.bytes().rev()) {
            *byte = from;
        }
        let secret = Secret::of(&bytes);
        let key = ApiKey {
            hash: secret.hash(),
            owner: OwnerId::new(owner).unwrap(),
            role,
            name: format!("{role:?}"),
            created_at,
            expires_at: None,
            revoked_at: None,
        };
        self.world.table.put_api_key(&key).await.unwrap();
        (secret, key)
    }

    /// The inbox with a new key of [`OWNER`].
    pub async fn api(&self, role: Role) -> Api<'_> {
        let (secret, _) = self.key(OWNER, role).await;
        self.api_with(secret.expose())
    }

    /// The inbox with this key.
    pub fn api_with(&self, key: &str) -> Api<'_> {
        Api {
            world: self,
            key: Some(key.to_owned()),
        }
    }

    /// The inbox without a key.
    pub fn api_without_key(&self) -> Api<'_> {
        Api {
            world: self,
            key: None,
        }
    }

    /// Any request to the inbox.
    pub async fn ask_inbox(&self, request: Request<Full<Bytes>>) -> Reply {
        ask(inbox::router(Arc::clone(&self.world.inbox)), request).await
    }
}

/// Any request to an inbox.
pub async fn ask(inbox: axum::Router, request: Request<Full<Bytes>>) -> Reply {
    let response = inbox.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

impl Api<'_> {
    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None, &[]).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(body), &[]).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send("PUT", path, Some(body), &[]).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None, &[]).await
    }

    /// Any method, with headers.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = body.map_or_else(Bytes::new, |body| body.to_string().into());
        self.world
            .ask_inbox(request.body(Full::new(bytes)).unwrap())
            .await
    }
}
