//! One text to the gateway, whoever wrote it: a bot's reply, or a person's message.

use std::time::Duration;

use clivy::channel::wuzapi::SendError;
use clivy::conversation::bot::Gateway;
use clivy::conversation::ids::MessageId;

use crate::record::Job;

/// What must be left of the invocation after a send: the commit.
const AFTER_SEND_MS: i64 = 3_000;

/// What came of sending.
pub enum Sent<T> {
    /// The gateway took it.
    Out,
    /// It must not be sent any more; the outcome of the first call is unknown.
    Withdrawn(T),
}

/// Whether a call whose answer was lost may be repeated.
pub enum Repeat<T> {
    /// It may.
    Yes,
    /// Nobody can say: not now.
    NotNow,
    /// It must not be sent any more.
    Never(T),
}

/// Sends a text under its id. A lost answer is asked for again at once, with the same id and text: the gateway cannot
/// send it twice (I5). `may_repeat` is asked before that.
pub async fn send<T, Asked: Future<Output = Repeat<T>>>(
    job: &Job<'_>,
    gateway: &Gateway,
    mid: &MessageId,
    text: &str,
    may_repeat: impl FnOnce() -> Asked,
) -> Result<Sent<T>, SendError> {
    match call(job, gateway, mid, text).await {
        Ok(()) => Ok(Sent::Out),
        Err(error @ SendError::Unknown { .. }) => match may_repeat().await {
            Repeat::Yes => call(job, gateway, mid, text).await.map(|()| Sent::Out),
            Repeat::NotNow => Err(error),
            Repeat::Never(why) => Ok(Sent::Withdrawn(why)),
        },
        Err(error) => Err(error),
    }
}

async fn call(
    job: &Job<'_>,
    gateway: &Gateway,
    mid: &MessageId,
    text: &str,
) -> Result<(), SendError> {
    let sender = &job.worker.sender;
    let left_ms = u64::try_from(job.left_ms() - AFTER_SEND_MS).unwrap_or_default();
    let limit = sender.timeout.min(Duration::from_millis(left_ms));
    let send = sender.send_text(gateway, &job.trigger.conversation.contact, mid, text);
    let began_at = job.worker.clock.now();
    let sent = tokio::time::timeout(limit, send)
        .await
        .unwrap_or(Err(SendError::Unknown { status: None }));
    let ended_at = job.worker.clock.now();
    job.trace
        .called("gateway", began_at, ended_at, sent.is_ok());
    sent
}
