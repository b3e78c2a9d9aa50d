//! A claim is left without an end of its burst: another try, a wait, somebody else's claim, a draft that waits for its
//! next sender.

use clivy::conversation::backoff::{delay_seconds, fraction};
use clivy::conversation::ids::EpochMs;
use clivy::step;
use clivy::table::{Release, Released, Why};

use crate::answer::fallback;
use crate::ask::Tried;
use crate::batch::End;
use crate::failure::{Trouble, outcome_at};
use crate::insist::insist;
use crate::record::{Held, Job};

/// How soon a fenced-out trigger looks again.
const LOOK_AGAIN_SECONDS: u32 = 2;

/// The claim is released with its try counted, and the record itself comes again: it is the burst's trigger.
pub async fn retry(
    job: &Job<'_>,
    held: &Held,
    retry_at: EpochMs,
    seconds: u32,
    tried: &Tried,
) -> Result<End, Trouble> {
    match release(job, held, retry_at, Why::Failed(&tried.attempts), tried).await? {
        Released::Done => again(job, seconds).await,
        Released::FencedOut => fenced_out(job, held, tried).await,
    }
}

/// Something outside must happen first: the trigger is sent again, then the claim is released without having cost a try
/// or a receive. When that can only be too late, the customer gets the fallback text now.
pub async fn wait(
    job: &Job<'_>,
    held: &Held,
    until: EpochMs,
    why: &str,
    tried: Tried,
) -> Result<End, Trouble> {
    if until >= outcome_at(job, held) {
        return fallback(job, held, tried).await;
    }
    come_back(job, held, until, why, Why::Waiting, &tried).await
}

/// The customer is held back by a limit: as above, but the time does not count as ours.
pub async fn hold(
    job: &Job<'_>,
    held: &Held,
    until: EpochMs,
    why: &str,
    tried: &Tried,
) -> Result<End, Trouble> {
    come_back(job, held, until, why, Why::Held, tried).await
}

/// A person has the conversation until then, or until somebody says otherwise: nothing is paid for, and the time does
/// not count as ours.
pub async fn paused(
    job: &Job<'_>,
    held: &Held,
    until: EpochMs,
    tried: &Tried,
) -> Result<End, Trouble> {
    come_back(job, held, until, "Paused", Why::Paused, tried).await
}

async fn come_back(
    job: &Job<'_>,
    held: &Held,
    until: EpochMs,
    reason: &str,
    why: Why<'_>,
    tried: &Tried,
) -> Result<End, Trouble> {
    let now = job.worker.clock.now();
    let jitter_ms = (fraction(&job.owner.0) * 3_000.0) as i64;
    let delay_ms = until.since_ms(now).saturating_add(jitter_ms);
    // I3: re-arm, then release.
    job.rearm(delay_seconds(delay_ms), reason).await?;
    if release(job, held, until, why, tried).await? == Released::FencedOut {
        count_lost(job, held, tried).await;
    }
    Ok(End::Done)
}

async fn release(
    job: &Job<'_>,
    held: &Held,
    retry_at: EpochMs,
    why: Why<'_>,
    tried: &Tried,
) -> Result<Released, Trouble> {
    let id = &job.trigger.conversation;
    let release = Release {
        retry_at,
        spent: held.head.spent.plus(&tried.spent),
        why,
    };
    let now = job.worker.clock.now();
    let released = insist(job, held, || {
        let table = &job.worker.table;
        table.release(id, held.head.burst(), &held.claim, &release, now)
    });
    let released = released.await?;
    if released == Released::Done {
        step!(info, "released", held.log, {}, "released the claim");
    }
    Ok(released)
}

/// Somebody else has the conversation: look again shortly, because the own message may still be owed an
/// answer (I3). What was spent is counted here: the other one's commit knows nothing of it.
pub async fn fenced_out(job: &Job<'_>, held: &Held, tried: &Tried) -> Result<End, Trouble> {
    step!(
        warn,
        "fenced_out",
        held.log,
        {},
        "the claim is somebody else's by now"
    );
    job.rearm(LOOK_AGAIN_SECONDS, "FencedOut").await?;
    count_lost(job, held, tried).await;
    Ok(End::Done)
}

/// Calls of a claim that is somebody else's by now.
async fn count_lost(job: &Job<'_>, held: &Held, tried: &Tried) {
    if tried.spent.calls == 0 {
        return;
    }
    let id = &job.trigger.conversation;
    let now = job.worker.clock.now();
    let counted = job
        .worker
        .table
        .count_lost(id, held.claim.fence, &tried.spent, now);
    if let Err(error) = counted.await {
        step!(
            error,
            "not_counted",
            held.log,
            { error = %error, cost_usd = tried.spent.cost_usd, },
            "calls are missing from the ledger"
        );
    }
}

/// Keeps a claim with a draft for `seconds` more and no longer: whichever trigger comes then sends it again, and
/// none does before. `sends` is how often the draft was sent that counts.
pub async fn hand_back(job: &Job<'_>, held: &Held, seconds: u32, sends: u32) {
    let id = &job.trigger.conversation;
    let until = job
        .worker
        .clock
        .now()
        .plus_ms(i64::from(seconds) * 1000 - 1);
    let fence = held.claim.fence;
    let handed_back = job.worker.table.hand_back(id, fence, until, sends);
    // If it does not work, the lease runs out by itself.
    if let Err(error) = handed_back.await {
        step!(warn, "not_handed_back", held.log, { error = %error, }, "the lease must run out");
    }
}

/// The record comes again after `seconds`. A record that is close to the dead letters is replaced by a
/// fresh trigger instead: the turn's own rules say when it ends, not the queue's (I3).
pub async fn again(job: &Job<'_>, seconds: u32) -> Result<End, Trouble> {
    if job.receives.saturating_add(1) >= job.worker.rules.queue_max_receive_count {
        job.rearm(seconds, "ReceivesUsedUp").await?;
        return Ok(End::Done);
    }
    Ok(End::Again { seconds })
}
