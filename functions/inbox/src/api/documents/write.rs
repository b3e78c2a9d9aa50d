//! How a document is written, by an edit or by bringing an earlier version back, and how it is deleted.

use axum::http::StatusCode;
use axum::response::Response;
use clivy::conversation::bot::Document;
use clivy::conversation::bot_limits::{MAX_DOCUMENTS, check_document};
use clivy::conversation::ids::BotId;
use clivy::conversation::version::DocumentId;
use clivy::table::{DocumentEdit, DocumentState, Edited};

use super::shapes::answer;
use crate::Inbox;
use crate::api::bots::settings::unfit;
use crate::api::bots::write::busy;
use crate::auth::Caller;
use crate::if_match::IfMatch;
use crate::problem::Problem;

/// Tries at a write that somebody else comes before.
const TRIES: u32 = 2;

/// Writes a document over whatever `if_match` allows. Somebody else's write in between is met once more.
///
/// # Errors
/// 404: the bot is gone. 409, 412, 422, 503.
pub async fn write(
    inbox: &Inbox,
    caller: &Caller,
    bot_id: &BotId,
    id: &DocumentId,
    if_match: &IfMatch,
    document: &Document,
) -> Result<Response, Problem> {
    check_document(document).map_err(|field| unfit(&field))?;
    for _ in 0..TRIES {
        let before = inbox.table.document(bot_id, id).await?;
        let (current, status) = match &before {
            DocumentState::There(stored) => (Some(stored.stamp.version), StatusCode::OK),
            DocumentState::Gone(_) => (None, StatusCode::CREATED),
        };
        if_match.check(current)?;
        let edit = edit(inbox, caller, bot_id, id, &before);
        match inbox.table.edit_document(&edit, document).await? {
            Edited::Done(stamp) => {
                return Ok(answer(status, id, document.clone(), stamp.version));
            }
            Edited::NoBot => return Err(Problem::not_found()),
            Edited::Full => {
                return Err(Problem::conflict(format!(
                    "the bot has {MAX_DOCUMENTS} documents, and more are not possible"
                )));
            }
            Edited::Changed | Edited::TokenTaken => {}
        }
    }
    Err(busy())
}

/// Deletes a document that `if_match` allows to be deleted.
///
/// # Errors
/// 404: it is not there. 409, 412, 503.
pub async fn delete(
    inbox: &Inbox,
    caller: &Caller,
    bot_id: &BotId,
    id: &DocumentId,
    if_match: &IfMatch,
) -> Result<(), Problem> {
    for _ in 0..TRIES {
        let before = inbox.table.document(bot_id, id).await?;
        let DocumentState::There(was) = &before else {
            return Err(Problem::not_found());
        };
        if_match.check(Some(was.stamp.version))?;
        let edit = edit(inbox, caller, bot_id, id, &before);
        match inbox.table.delete_document(&edit).await? {
            Edited::Done(_) => return Ok(()),
            Edited::NoBot => return Err(Problem::not_found()),
            Edited::Changed | Edited::Full | Edited::TokenTaken => {}
        }
    }
    Err(busy())
}

fn edit<'a>(
    inbox: &Inbox,
    caller: &'a Caller,
    bot_id: &'a BotId,
    id: &'a DocumentId,
    before: &'a DocumentState,
) -> DocumentEdit<'a> {
    DocumentEdit {
        owner: &caller.owner,
        bot_id,
        id,
        before,
        by: &caller.key_id,
        now: inbox.clock.now(),
    }
}
