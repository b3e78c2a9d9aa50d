//! K5 and K6: the stored draft is sent, and the burst is committed.

use std::time::Duration;

use clivy::channel::wuzapi::{Presence, SendError};
use clivy::conversation::head::{Draft, Head};
use clivy::conversation::ids::MessageKey;
use clivy::conversation::outcome::TurnStatus;
use clivy::conversation::trigger::{Errand, Trigger};
use clivy::error::Class;
use clivy::step;
use clivy::table::{Commit, Committed, keys};

use crate::ask::Tried;
use crate::batch::End;
use crate::burst::gather;
use crate::failure::{self, Trouble};
use crate::insist::insist;
use crate::observe;
use crate::record::{Held, Job};
use crate::release;
use crate::send::{self, Repeat, Sent};

/// Commits lost in a row to messages that keep coming in.
const COMMIT_TRIES: u32 = 6;
/// How long the end of "typing…" may take once the reply is out.
const PAUSED_PATIENCE: Duration = Duration::from_secs(2);

/// Goes on with a draft that an earlier owner has stored. Much time may have passed: what a person has answered since is
/// not sent any more, also when that pause is over.
pub async fn resume(job: &Job<'_>, held: &Held, draft: &Draft) -> Result<End, Trouble> {
    let is_left = gather(job, held).await?.is_left_to_person();
    // That may have taken a read, and a person may have written meanwhile.
    let head = job.worker.table.head(&job.trigger.conversation).await?;
    let Some(head) = head.filter(|head| held.is_still_ours(head)) else {
        return release::fenced_out(job, held, &Tried::default()).await;
    };
    if is_left && !draft.text.is_empty() {
        return withhold(job, held, &head, draft).await;
    }
    deliver(job, held, &head, draft).await
}

/// Sends a draft, again with the same id and text if need be (I5), and commits. `head` is HEAD after the write that gave
/// us leave to send: it tells whether more has come in, and whether a person has taken the conversation before that.
pub async fn deliver(
    job: &Job<'_>,
    held: &Held,
    head: &Head,
    draft: &Draft,
) -> Result<End, Trouble> {
    if draft.text.is_empty() {
        return commit(job, held, head, draft).await;
    }
    if head.paused(job.worker.clock.now()).is_some() {
        return withhold(job, held, head, draft).await;
    }
    match send(job, held, draft).await {
        Ok(Sent::Withdrawn(head)) => withhold(job, held, &head, draft).await,
        Ok(Sent::Out) => {
            step!(info, "sent", held.log, {}, "sent the reply");
            let stop_typing = async {
                let contact = &job.trigger.conversation.contact;
                let stopped =
                    job.worker
                        .sender
                        .presence(&held.bot.gateway, contact, Presence::Paused);
                let _ = tokio::time::timeout(PAUSED_PATIENCE, stopped).await;
            };
            let (end, ()) = futures_util::join!(commit(job, held, head, draft), stop_typing);
            end
        }
        Err(error) => not_sent(job, held, head, draft, &error).await,
    }
}

/// A person has taken the conversation since the draft was stored. An earlier call may have sent it: nobody sends it
/// again, and nobody makes another text of this burst (I2, I5).
async fn withhold(job: &Job<'_>, held: &Held, head: &Head, draft: &Draft) -> Result<End, Trouble> {
    step!(info, "withheld", held.log, { sends = draft.sends, }, "a person has the conversation; the reply is not sent");
    commit(job, held, head, &draft.withheld()).await
}

/// K5. A call whose answer was lost is not repeated when a person has taken the conversation in the meantime, when somebody
/// else has the claim (a newer reply may be out by now, I4), or when nobody can say.
async fn send(job: &Job<'_>, held: &Held, draft: &Draft) -> Result<Sent<Head>, SendError> {
    let may_repeat = || async {
        match job.worker.table.head(&job.trigger.conversation).await {
            Ok(Some(head)) if head.paused(job.worker.clock.now()).is_some() => Repeat::Never(head),
            Ok(Some(head)) if held.is_still_ours(&head) => Repeat::Yes,
            Ok(_) | Err(_) => Repeat::NotNow,
        }
    };
    send::send(
        job,
        &held.bot.gateway,
        &draft.reply_id,
        &draft.text,
        may_repeat,
    )
    .await
}

/// The gateway did not take the reply, or did not say so. The draft stays; the model is not asked again.
async fn not_sent(
    job: &Job<'_>,
    held: &Held,
    head: &Head,
    draft: &Draft,
    error: &SendError,
) -> Result<End, Trouble> {
    step!(warn, "send_failed", held.log, { error = %error, sends = draft.sends, }, "the gateway did not take the reply");
    let rules = &job.worker.rules;
    let used_up = draft.sends >= rules.gateway_max_attempts;
    let sends = match error.class() {
        // Too many at once says nothing about this one.
        Class::Wait if !failure::is_overdue(job, held) => draft.sends.saturating_sub(1),
        Class::Retry if !used_up => draft.sends,
        Class::Wait | Class::Retry | Class::Permanent => {
            let mut parked = draft.clone();
            parked.outcome.status = TurnStatus::Undelivered;
            return commit(job, held, head, &parked).await;
        }
    };
    let seconds = failure::backoff_seconds(job, draft.sends);
    release::hand_back(job, held, seconds, sends).await;
    release::again(job, seconds).await
}

/// K6. Where the burst cannot be committed, the claim is left to whoever comes next: the record itself, in a moment.
async fn commit(job: &Job<'_>, held: &Held, head: &Head, draft: &Draft) -> Result<End, Trouble> {
    let end = try_to_commit(job, held, head, draft).await;
    if end.is_err() {
        release::hand_back(job, held, 1, draft.sends).await;
    }
    end
}

/// What has come in meanwhile gets its trigger first, then the burst is committed (I3).
async fn try_to_commit(
    job: &Job<'_>,
    held: &Held,
    head: &Head,
    draft: &Draft,
) -> Result<End, Trouble> {
    // A reply that was sent was sent just before.
    let sent_at = job.worker.clock.now();
    if draft.outcome.status.is_parked() {
        // Before the commit: the dead letter may come twice, but never not at all (I1).
        let parked = Trigger {
            errand: Errand::Retry {
                turn: held.head.burst(),
                model: None,
            },
            ..job.trigger.clone()
        };
        let (dlq_url, trace) = (&job.worker.dlq_url, job.trace.header());
        job.worker.queue.park(dlq_url, &parked, trace).await?;
    }
    let counts = !draft.text.is_empty() && draft.outcome.status != TurnStatus::LeftToPerson;
    let mut paused_until = head.paused_until;
    let mut rearmed = cover(job, head).await?;
    for _ in 0..COMMIT_TRIES {
        let now = job.worker.clock.now();
        let (messages, rules) = (held.claim.keys.len(), &job.worker.rules);
        let brake_until = now.plus_ms(rules.loop_pause_ms);
        let is_braked = draft.outcome.status == TurnStatus::Braked;
        let commit = Commit {
            id: &job.trigger.conversation,
            burst: held.head.burst(),
            tries: held.head.tries,
            claim: &held.claim,
            draft,
            reply_at: keys::reply_at(&held.claim.keys, now),
            now,
            // I9: counted here, where a reply is counted once.
            window: counts.then(|| held.head.window.after(rules.rate_limit, messages, now)),
            // A person who writes right now may want a longer pause.
            brake_until: (is_braked && paused_until <= Some(brake_until)).then_some(brake_until),
            used_wanted_model: head.wanted_model(&held.claim.keys).is_some(),
            counted_day: held.head.counted_day,
            rearmed: rearmed.as_ref(),
        };
        match insist(job, held, || job.worker.table.commit(commit)).await? {
            Committed::Done => {
                let status = draft.outcome.status.as_str();
                step!(info, "committed", held.log, { status, }, "committed the burst");
                observe::turn(job, held, draft, sent_at, now);
                return Ok(End::Done);
            }
            Committed::FencedOut => {
                return release::fenced_out(job, held, &Tried::default()).await;
            }
            Committed::Uncovered(head) => {
                paused_until = head.paused_until;
                rearmed = cover(job, &head).await?;
            }
        }
    }
    release::hand_back(job, held, 1, draft.sends).await;
    release::again(job, 1).await
}

/// Sends a trigger for the newest pending message, if there is one: after what is left of its silence (I6).
async fn cover(job: &Job<'_>, head: &Head) -> Result<Option<MessageKey>, Trouble> {
    let Some(newest) = head.last_key.as_ref().filter(|_| !head.pend.is_empty()) else {
        return Ok(None);
    };
    let now = job.worker.clock.now();
    let delay_seconds = job.worker.rules.debounce.rest_seconds(head.last_at, now);
    let trigger = Trigger::answer(job.trigger.conversation.clone(), newest.clone(), now);
    job.send(&trigger, delay_seconds, "MoreCameIn").await?;
    Ok(Some(newest.clone()))
}
