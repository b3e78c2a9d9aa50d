//! Pausing the bot in a conversation, and ending a pause.

use std::sync::Arc;

use axum::extract::State as Shared;
use clivy::conversation::backoff::delay_seconds;
use clivy::conversation::decide::rest_of_silence;
use clivy::conversation::head::Head;
use clivy::conversation::ids::{ConversationId, EpochMs};
use clivy::conversation::room::UNTIL_RESUMED;
use clivy::conversation::trigger::Trigger;
use clivy::table::{Paused, Resumed};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::conversations::{Conversation, changed};
use crate::auth::{Agent, OnBot};
use crate::extract::{Json, Path};
use crate::{Inbox, Problem};

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new()
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// The longest pause with an end: a week.
const LONGEST_MINUTES: u32 = 10_080;

/// How long the bot is to be quiet.
#[derive(Debug, Deserialize, ToSchema)]
struct PauseFor {
    /// Minutes from now; null until somebody resumes.
    #[schema(required, minimum = 1, maximum = 10080)]
    #[serde(deserialize_with = "said")]
    minutes: Option<u32>,
}

/// Null must be said: a body without the field would otherwise be a pause without an end.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    Option::deserialize(from)
}

impl PauseFor {
    fn until(&self, now: EpochMs) -> Result<EpochMs, Problem> {
        match self.minutes {
            None => Ok(UNTIL_RESUMED),
            Some(minutes) if (1..=LONGEST_MINUTES).contains(&minutes) => {
                Ok(now.plus_ms(i64::from(minutes) * 60_000))
            }
            Some(_) => Err(Problem::invalid("minutes is from 1 to 10080, or null")),
        }
    }
}

/// Pauses the bot, instead of whatever pause there was. What it is answering right now is not sent any more, unless its
/// sending has begun. What the customer writes meanwhile is kept, and answered afterwards as far as no person has.
#[utoipa::path(
    post, path = "/api/bots/{bot}/conversations/{contact}/pause", tag = "conversations",
    params(("bot" = String, Path), ("contact" = String, Path)),
    request_body = PauseFor,
    responses(
        (status = 200, body = Conversation),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn pause(
    on: OnBot<Agent>,
    Shared(inbox): Shared<Arc<Inbox>>,
    Path((_, contact)): Path<(String, String)>,
    Json(body): Json<PauseFor>,
) -> Result<Json<Conversation>, Problem> {
    let id = on.conversation(&contact)?;
    let now = inbox.clock.now();
    let until = body.until(now)?;
    let (room, before) = match inbox.table.pause(&id, until).await? {
        Paused::Done(room, before) => (room, before),
        Paused::NoSuchConversation => return Err(Problem::not_found()),
    };
    tracing::info!(
        step = "paused",
        conversation = inbox.pseudonyms.conversation(&id),
        "a person has paused the bot"
    );
    // What was held back for longer comes back when it was to, or 15 minutes later at most: too late for a shorter pause.
    if before.paused(now).is_some_and(|before| before > until) {
        trigger(
            &inbox,
            &id,
            &before,
            now,
            delay_seconds(until.since_ms(now)),
        )
        .await?;
    }
    Ok(changed(room, now))
}

/// Ends the pause, whoever has paused. What is pending and was not answered by a person is answered now.
#[utoipa::path(
    post, path = "/api/bots/{bot}/conversations/{contact}/resume", tag = "conversations",
    params(("bot" = String, Path), ("contact" = String, Path)),
    responses(
        (status = 200, body = Conversation),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn resume(
    on: OnBot<Agent>,
    Shared(inbox): Shared<Arc<Inbox>>,
    Path((_, contact)): Path<(String, String)>,
) -> Result<Json<Conversation>, Problem> {
    let id = on.conversation(&contact)?;
    let now = inbox.clock.now();
    let (room, head) = match inbox.table.resume(&id, now).await? {
        Resumed::Done(room, head) => (room, head),
        Resumed::NoSuchConversation => return Err(Problem::not_found()),
    };
    let silence = rest_of_silence(inbox.settings.debounce_seconds, head.last_at, now);
    trigger(&inbox, &id, &head, now, silence).await?;
    tracing::info!(
        step = "resumed",
        conversation = inbox.pseudonyms.conversation(&id),
        "a person has ended the pause"
    );
    Ok(changed(room, now))
}

/// Sends a trigger for the newest message while something is owed, claimed messages included: a worker may be giving
/// its claim up because of the pause. It is one more: the trigger that was held back comes back too, in 15 minutes at
/// most, so nothing is lost when this one is not sent (I3). Who comes second finds nothing to do.
async fn trigger(
    inbox: &Inbox,
    id: &ConversationId,
    head: &Head,
    now: EpochMs,
    delay_seconds: u32,
) -> Result<(), Problem> {
    let Some(newest) = head.owes() else {
        return Ok(());
    };
    let trigger = Trigger::answer(id.clone(), newest.clone(), now);
    inbox.queue.send(&trigger, delay_seconds, None).await?;
    Ok(())
}
