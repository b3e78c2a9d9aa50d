//! Who is calling, and what they may do. Every handler asks for what it needs in its signature: a [`Caller`], or
//! [`OnBot`] with the least role, which also checks that the bot is the caller's owner's (I12).

mod admin;
pub mod session;

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use clivy::access::{OwnerId, Role, Secret};
use clivy::conversation::ids::{BotId, Contact, ConversationId};

use crate::Inbox;
use crate::problem::Problem;

pub use admin::Admin;
pub use session::{NAME as SESSION_COOKIE, SameSite, cookie, expired_cookie};

/// Somebody with a valid API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose bots the key opens.
    pub owner: OwnerId,
    /// What it may do.
    pub role: Role,
    /// The key's name in its owner's list.
    pub key_id: String,
}

impl Caller {
    /// Refuses a caller whose role is less than `role`.
    ///
    /// # Errors
    /// 403.
    pub fn needs(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        Err(Problem::forbidden(format!(
            "this needs a key with the role {} or more",
            role.as_str()
        )))
    }
}

impl FromRequestParts<Arc<Inbox>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        inbox: &Arc<Inbox>,
    ) -> Result<Self, Self::Rejection> {
        let secret = presented(parts)?;
        Self::holding(&secret, inbox).await
    }
}

impl Caller {
    /// Whoever holds this key.
    ///
    /// # Errors
    /// 401: there is no such key, or it has ended. 503: the table cannot be asked.
    pub async fn holding(secret: &Secret, inbox: &Inbox) -> Result<Self, Problem> {
        let key = inbox
            .table
            .api_key(&secret.hash())
            .await?
            .filter(|key| key.is_valid(inbox.clock.now()))
            .ok_or_else(Problem::unauthorized)?;
        Ok(Self {
            owner: key.owner,
            role: key.role,
            key_id: key.hash.id(),
        })
    }
}

/// The key that a request presents: in its `Authorization` header, or else in its session. Whoever sends the header means
/// it: when it holds no key, the session does not take its place.
fn presented(parts: &Parts) -> Result<Secret, Problem> {
    if !parts.headers.contains_key(AUTHORIZATION) {
        return session::secret(parts);
    }
    bearer(&parts.headers)
        .and_then(|key| std::str::from_utf8(key).ok())
        .and_then(Secret::presented)
        .ok_or_else(Problem::unauthorized)
}

/// What follows `Bearer` in the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, rest) = value.as_bytes().split_at_checked(BEARER.len())?;
    (scheme.eq_ignore_ascii_case(BEARER) && rest.starts_with(b" ")).then(|| rest.trim_ascii())
}

const BEARER: &[u8] = b"bearer";

/// The least role that a route wants.
pub trait AtLeast {
    /// It.
    const ROLE: Role;
}

/// Whoever may read.
#[derive(Clone, Copy, Debug)]
pub struct Viewer;
/// Whoever may answer customers.
#[derive(Clone, Copy, Debug)]
pub struct Agent;
/// Whoever may change bots.
#[derive(Clone, Copy, Debug)]
pub struct Owner;

impl AtLeast for Viewer {
    const ROLE: Role = Role::Viewer;
}
impl AtLeast for Agent {
    const ROLE: Role = Role::Agent;
}
impl AtLeast for Owner {
    const ROLE: Role = Role::Owner;
}

/// A caller with a role that is enough, for what concerns no single bot.
#[derive(Clone, Debug)]
pub struct By<R: AtLeast> {
    /// Who.
    pub caller: Caller,
    role: PhantomData<R>,
}

impl<R: AtLeast> FromRequestParts<Arc<Inbox>> for By<R> {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        inbox: &Arc<Inbox>,
    ) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, inbox).await?;
        caller.needs(R::ROLE)?;
        Ok(Self {
            caller,
            role: PhantomData,
        })
    }
}

/// A caller on the bot of the path's `{bot}`, which is their owner's, with a role that is enough.
#[derive(Clone, Debug)]
pub struct OnBot<R: AtLeast> {
    /// Who.
    pub caller: Caller,
    /// The bot.
    pub bot_id: BotId,
    role: PhantomData<R>,
}

impl<R: AtLeast> OnBot<R> {
    /// The conversation of this bot with the path's contact.
    ///
    /// # Errors
    /// 404: there can be no such contact.
    pub fn conversation(&self, contact: &str) -> Result<ConversationId, Problem> {
        Ok(ConversationId {
            bot_id: self.bot_id.clone(),
            contact: Contact::new(contact).map_err(|_| Problem::not_found())?,
        })
    }
}

impl<R: AtLeast> FromRequestParts<Arc<Inbox>> for OnBot<R> {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        inbox: &Arc<Inbox>,
    ) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, inbox).await?;
        let path = RawPathParams::from_request_parts(parts, inbox)
            .await
            .map_err(|_| Problem::not_found())?;
        let bot_id = path
            .iter()
            .find(|(name, _)| *name == "bot")
            .and_then(|(_, value)| BotId::new(value).ok())
            .ok_or_else(Problem::not_found)?;
        // The bot before the role: somebody else's bot is not there, whatever the role.
        if !inbox.table.is_bot_of(&caller.owner, &bot_id).await? {
            return Err(Problem::not_found());
        }
        caller.needs(R::ROLE)?;
        Ok(Self {
            caller,
            bot_id,
            role: PhantomData,
        })
    }
}
