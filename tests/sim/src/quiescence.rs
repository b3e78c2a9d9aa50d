//! What must hold in the end: all is made well, everything comes to rest within a stated time, and then what customers,
//! table, queue and ledger say must fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::PoisonError;
use std::time::Duration;

use ::tests::world::TestWorld;
use clivy::conversation::ids::ConversationId;
use clivy::conversation::outcome::TurnStatus;
use clivy::table::Turn;
use futures_util::FutureExt;
use local::world::QUEUE;
use tokio::time::Instant;

use crate::leaks;
use crate::ledger;
use crate::plan::{OUTCOME_DEADLINE_SECONDS, Plan};
use crate::safety;
use crate::stage::Stage;
use crate::watched::PERSON;

/// What a quiet world looked like.
pub struct Settled {
    /// Turns, by how they ended.
    pub turns: BTreeMap<&'static str, u64>,
    /// How long it took until nothing was owed, in milliseconds.
    pub after_ms: u64,
}

/// I1 in numbers: so long after all is well nothing is owed any more. A pause that was just begun (60 s), the lease of
/// an owner that has just died (62 s), for how long the sweeper lets it count after its end (10 s), the sweeper's patience
/// with it (90 s) and its period (60 s), and then the outcome deadline of what comes in last.
#[must_use]
pub fn bound() -> Duration {
    Duration::from_secs(60 + 62 + 10 + 90 + 60 + u64::from(OUTCOME_DEADLINE_SECONDS))
}

/// The longest that a record without an owner can hide: its visibility timeout and the longest delay, twice.
const QUEUE_EMPTY: Duration = Duration::from_secs(2 * (1_080 + 900));

macro_rules! must {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

/// Heals, waits and looks.
///
/// # Errors
/// What does not hold.
pub async fn reached(stage: &Stage) -> Result<Settled, String> {
    let world = &stage.fleet.world;
    stage.fleet.director.heal();
    let redrives_at_once = stage.plan.redrives && stage.plan.seed.is_multiple_of(2);
    if redrives_at_once {
        world.redrive().await;
    }
    let after_ms = rest(stage).await?;
    if stage.plan.redrives && !redrives_at_once {
        stage
            .fleet
            .director
            .say(format_args!("the dead letters are redriven"));
        world.redrive().await;
        rest(stage).await?;
    }
    if stage.fleet.director.state().violation.is_some() {
        return Ok(Settled {
            turns: BTreeMap::new(),
            after_ms,
        });
    }
    let quiet = AssertUnwindSafe(Box::pin(world.assert_quiet()))
        .catch_unwind()
        .await;
    must!(quiet.is_ok(), "something is left");
    let mut refused = world.faults.refused();
    // A record may be gone, or received again, by the time at which its visibility is to change.
    refused.retain(|what| !what.contains("not available for visibility timeout change"));
    must!(refused.is_empty(), "a request was malformed: {refused:?}");
    for letter in world.dead_letters() {
        let leak = leaks::find(&letter);
        must!(leak.is_none(), "I11: {leak:?} in a dead letter");
    }
    let mut all = Vec::new();
    for c in 0..stage.plan.conversations() {
        all.push(conversation(stage, c).await?);
    }
    said_once(world)?;
    ledger::balanced(stage, &all).await?;
    let mut turns = BTreeMap::new();
    for turn in all.iter().flatten() {
        *turns.entry(turn.status.as_str()).or_default() += 1;
    }
    Ok(Settled { turns, after_ms })
}

/// Waits until nothing is owed, then until the queue is empty and nobody is at work. Gives the milliseconds until nothing was owed.
async fn rest(stage: &Stage) -> Result<u64, String> {
    let began = Instant::now();
    let director = &stage.fleet.director;
    while director.state().safety.owes() {
        must!(director.state().violation.is_none(), "it has failed before");
        must!(
            began.elapsed() <= bound(),
            "I1: something is still owed {:?} after all is well",
            bound()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let after_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    stage.fleet.stop_sweeping();
    loop {
        let queue = stage.fleet.world.queue();
        let is_empty = queue.visible + queue.in_flight + queue.delayed == 0;
        if is_empty && !stage.fleet.is_working() && !director.state().safety.owes() {
            return Ok(after_ms);
        }
        must!(director.state().violation.is_none(), "it has failed before");
        must!(
            began.elapsed() <= QUEUE_EMPTY,
            "{QUEUE} is not empty {QUEUE_EMPTY:?} after all is well: {queue:?}"
        );
        let due = queue.next_due_in.unwrap_or_default();
        tokio::time::sleep(due.clamp(Duration::from_millis(500), Duration::from_secs(60))).await;
    }
}

/// The turns of one conversation, once they fit what was accepted and what the customer saw.
async fn conversation(stage: &Stage, c: usize) -> Result<Vec<Turn>, String> {
    let world = &stage.fleet.world;
    let id = safety::conversation(&stage.plan, c);
    let accepted = {
        let all = stage
            .accepted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.get(&c).cloned().unwrap_or_default()
    };
    let head = world
        .world
        .table
        .head(&id)
        .await
        .map_err(|e| e.to_string())?;
    must!(
        accepted.is_empty() || head.is_some(),
        "I1: no HEAD of <c{c}>"
    );
    let mut turns = Vec::new();
    for burst in 1..=head.map_or(0, |head| head.bursts) {
        let turn = world
            .world
            .table
            .turn(&id, burst)
            .await
            .map_err(|e| e.to_string())?;
        turns.push(turn.ok_or_else(|| format!("turn {burst} of <c{c}> is missing"))?);
    }
    each_message_in_one_turn(c, &turns, &accepted)?;
    statuses_have_reasons(&stage.plan, c, &turns)?;
    replies_in_order(world, c, &turns)?;
    parked_where_one_sees_it(world, &id, &turns)?;
    Ok(turns)
}

/// I1, I2.
fn each_message_in_one_turn(
    c: usize,
    turns: &[Turn],
    accepted: &BTreeSet<String>,
) -> Result<(), String> {
    let mut answered = BTreeSet::new();
    let mut put_back = BTreeSet::new();
    for turn in turns {
        must!(
            turn.ended_at.is_some(),
            "<c{c}>: turn {} has no end",
            turn.burst
        );
        for key in &turn.keys {
            let mid = key
                .as_str()
                .rsplit_once('#')
                .map_or("", |(_, mid)| mid)
                .to_owned();
            put_back.remove(&mid);
            if turn.status == TurnStatus::Retried {
                put_back.insert(mid);
            } else {
                must!(
                    answered.insert(mid.clone()),
                    "I2: {mid} of <c{c}> is in two turns"
                );
            }
        }
    }
    must!(
        put_back.is_empty(),
        "I1: {put_back:?} of <c{c}> were put back and not answered"
    );
    let lost: Vec<_> = accepted.difference(&answered).collect();
    must!(
        lost.is_empty(),
        "I1: {lost:?} of <c{c}> were accepted and never answered"
    );
    Ok(())
}

/// A turn ends as it does for a reason that is in the plan.
fn statuses_have_reasons(plan: &Plan, c: usize, turns: &[Turn]) -> Result<(), String> {
    let mut opted_out = false;
    for turn in turns {
        let burst = turn.burst;
        match turn.status {
            TurnStatus::Answered => {
                must!(!opted_out, "<c{c}> opted out; turn {burst} was answered");
            }
            TurnStatus::Failed | TurnStatus::Undelivered | TurnStatus::Retried => {
                must!(
                    plan.has_faults() || turn.tries > 1,
                    "<c{c}>: turn {burst} is {} without a fault",
                    turn.status.as_str()
                );
                // After an opt-out nothing else is sent but the confirmation of an opt-in, which counts though it was not delivered.
                if turn.status != TurnStatus::Failed {
                    opted_out = false;
                }
            }
            TurnStatus::Skipped | TurnStatus::LeftToPerson => must!(
                plan.has_persons(),
                "<c{c}>: turn {burst} is {} without a person",
                turn.status.as_str()
            ),
            TurnStatus::OptedOut => opted_out = true,
            TurnStatus::OptedIn => opted_out = false,
            TurnStatus::Braked => {}
            TurnStatus::Retrying => return Err(format!("<c{c}>: turn {burst} is still retrying")),
        }
    }
    Ok(())
}

/// I4, I5: one reply per burst that got one, in the order of the bursts.
fn replies_in_order(world: &TestWorld, c: usize, turns: &[Turn]) -> Result<(), String> {
    let replied = |turn: &&Turn| {
        matches!(
            turn.status,
            TurnStatus::Answered | TurnStatus::Failed | TurnStatus::OptedIn
        )
    };
    let replies: Vec<&str> = turns
        .iter()
        .filter(replied)
        .filter_map(|turn| Some(turn.reply_id.as_ref()?.as_str()))
        .collect();
    let delivered = world.outside.delivered();
    let seen: Vec<&str> = delivered
        .iter()
        .map(|send| send.id.as_str())
        .filter(|id| replies.contains(id))
        .collect();
    must!(
        seen == replies,
        "I4: <c{c}> saw {seen:?}, its turns say {replies:?}"
    );
    Ok(())
}

/// I1: what was not answered can be seen, and tried again.
fn parked_where_one_sees_it(
    world: &TestWorld,
    id: &ConversationId,
    turns: &[Turn],
) -> Result<(), String> {
    let sealed = world
        .world
        .pseudonyms
        .seal(&id.bot_id, &id.contact)
        .map_err(|e| e.to_string())?;
    let letters = world.dead_letters();
    for turn in turns.iter().filter(|turn| turn.status.is_parked()) {
        let named = [',', '}'].map(|end| format!("\"retry_turn\":{}{end}", turn.burst));
        let parked = letters.iter().any(|letter| {
            letter.contains(&sealed) && named.iter().any(|named| letter.contains(named))
        });
        must!(
            parked,
            "I1: turn {} is {} without a dead letter",
            turn.burst,
            turn.status.as_str()
        );
    }
    Ok(())
}

/// I5, I13: what a person wrote in the inbox has one id.
fn said_once(world: &TestWorld) -> Result<(), String> {
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for send in world.outside.sends() {
        if send.text.starts_with(PERSON) {
            ids.entry(send.text).or_default().insert(send.id);
        }
    }
    for (text, ids) in ids {
        must!(ids.len() == 1, "I5: {text:?} was sent as {ids:?}");
    }
    Ok(())
}
