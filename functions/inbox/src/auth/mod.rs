//! Who is calling, and what they may do. Every handler asks for what it needs in its signature: a [`Caller`], or
//! [`OnBot`] with the least role, which also checks that the bot is the caller's owner's (I12).

mod session;

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use clivy::access::{OwnerId, Role, Secret};
use clivy::conversation::ids::{BotId, Contact, ConversationId};

use crate::Inbox;
use crate::problem::Problem;

pub use session::{cookie, expired_cookie};

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
        let secret = match bearer(parts) {
            Some(secret) => secret,
            None => session::secret(parts)?,
        };
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

/// The key of an `Authorization: Bearer …` header.
fn bearer(parts: &Parts) -> Option<Secret> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    Secret::presented(key.trim())
}

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
