//! How a bot's settings are written, by an edit or by bringing an earlier version back.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use clivy::access::Role;
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::{BotId, SMOKE_TEST};
use clivy::conversation::version::Stamp;
use clivy::table::{BotEdit, BotState, Edited, StoredBot};

use super::settings::{checked, unfit};
use crate::Inbox;
use crate::auth::Caller;
use crate::if_match::IfMatch;
use crate::problem::Problem;
use clivy::conversation::bot_limits::Unfit;

/// A caller who may write the bot of the path, be it there or not.
pub struct Writer {
    /// Who.
    pub caller: Caller,
    /// The bot.
    pub bot_id: BotId,
    /// What is there.
    pub state: BotState,
}

impl FromRequestParts<Arc<Inbox>> for Writer {
    type Rejection = Problem;

    /// Somebody else's bot is not there, whatever the role (I12); only then the role counts. It is asked for before the
    /// body is looked at.
    async fn from_request_parts(
        parts: &mut Parts,
        inbox: &Arc<Inbox>,
    ) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, inbox).await?;
        let path = RawPathParams::from_request_parts(parts, inbox)
            .await
            .map_err(|_| Problem::not_found())?;
        let name = path
            .iter()
            .find_map(|(name, value)| (name == "bot").then_some(value))
            .ok_or_else(Problem::not_found)?;
        let Some(bot_id) = bot_id(name) else {
            // There can be no such bot: a reader learns that, whoever wants to make it learns why.
            let is_owner = caller.role >= Role::Owner;
            return Err(if is_owner {
                bad_id()
            } else {
                Problem::not_found()
            });
        };
        if is_of_deployments(&bot_id) && caller.owner.as_str() != SMOKE_TEST {
            return Err(Problem::not_found());
        }
        let state = inbox.table.bot_state(&bot_id).await?;
        if state.owner().is_some_and(|owner| *owner != caller.owner) {
            return Err(Problem::not_found());
        }
        if caller.role < Role::Owner && !matches!(state, BotState::There(_)) {
            return Err(Problem::not_found());
        }
        caller.needs(Role::Owner)?;
        // One that is there already, from a bots file perhaps, can still be changed.
        let is_new = !matches!(state, BotState::There(_));
        if is_new && is_mistaken_in_addresses(&bot_id) {
            return Err(bad_id());
        }
        Ok(Self {
            caller,
            bot_id,
            state,
        })
    }
}

/// An id that can be a part of an address.
fn bot_id(name: &str) -> Option<BotId> {
    let is_path = name.contains('/') || matches!(name, "." | "..");
    BotId::new(name).ok().filter(|_| !is_path)
}

/// API Gateway hands paths over decoded, so an id with one of these is taken for another one wherever somebody decodes twice
/// or not at all.
fn is_mistaken_in_addresses(bot_id: &BotId) -> bool {
    bot_id.as_str().contains(['#', '?', '%'])
}

/// The bot by which a deployment tests itself. It is somebody else's even before the first test has made it.
fn is_of_deployments(bot_id: &BotId) -> bool {
    bot_id.as_str() == SMOKE_TEST
}

/// 422.
fn bad_id() -> Problem {
    unfit(&Unfit::new(
        "the bot's id",
        "is not 1 to 200 characters without / # ? % and control characters",
    ))
}

/// The bot that is there, and the caller's.
///
/// # Errors
/// 404.
pub async fn there(inbox: &Inbox, caller: &Caller, bot_id: &BotId) -> Result<StoredBot, Problem> {
    match inbox.table.bot_state(bot_id).await? {
        BotState::There(stored) if stored.bot.owner == caller.owner => Ok(stored),
        _ => Err(Problem::not_found()),
    }
}

/// What was written.
pub struct Written {
    /// The bot as it is now.
    pub bot: Bot,
    /// Its version.
    pub stamp: Stamp,
    /// Whether there was none before.
    pub is_new: bool,
}

/// Tries at a write that somebody else comes before.
const TRIES: u32 = 2;

/// Writes what `make` makes of the current bot. Somebody else's write in between is met once more, with what that has
/// made of it; then the caller is told.
///
/// # Errors
/// 404: somebody else has made it meanwhile. 409, 412, 422, 503.
pub async fn write(
    inbox: &Inbox,
    writer: Writer,
    if_match: &IfMatch,
    make: impl Fn(Option<&Bot>) -> Result<Bot, Problem>,
) -> Result<Written, Problem> {
    let Writer {
        caller,
        bot_id,
        mut state,
    } = writer;
    for _ in 0..TRIES {
        if state.owner().is_some_and(|owner| *owner != caller.owner) {
            return Err(Problem::not_found());
        }
        let current = match &state {
            BotState::There(stored) => Some(stored),
            BotState::Never | BotState::Deleted(_) => None,
        };
        if_match.check(current.map(|stored| stored.stamp.version))?;
        let bot = checked(
            make(current.map(|stored| &stored.bot))?,
            inbox.allow_private_gateways,
        )?;
        if let BotState::Deleted(was) = &state {
            let gone = was.stamp.version;
            inbox.table.erase_leftovers(&bot_id, gone).await?;
        }
        let edit = BotEdit {
            before: &state,
            bot: &bot,
            by: &caller.key_id,
            now: inbox.clock.now(),
        };
        match inbox.table.edit_bot(&edit).await? {
            Edited::Done(stamp) => {
                return Ok(Written {
                    is_new: current.is_none(),
                    bot,
                    stamp,
                });
            }
            // It does not say whose.
            Edited::TokenTaken => {
                return Err(Problem::conflict(
                    "gateway.token cannot be used: another bot has it",
                ));
            }
            Edited::Changed | Edited::Full | Edited::NoBot => {
                state = inbox.table.bot_state(&bot_id).await?;
            }
        }
    }
    Err(busy())
}

/// 409: others write the same thing again and again.
pub fn busy() -> Problem {
    Problem::conflict("somebody else writes it at the same moment")
}
