//! I8: the ledger is the sum of the turns' own records, and of no more calls than were made.

use std::collections::{BTreeMap, BTreeSet};

use ::tests::faults::Role;
use clivy::conversation::outcome::TurnStatus;
use clivy::table::Turn;
use clivy::usage::{Day, Times, UsageCounts};

use crate::rates::Trouble;
use crate::stage::Stage;

/// Compares the ledger with the turns, conversation by conversation.
///
/// # Errors
/// Where they differ.
pub async fn balanced(stage: &Stage, conversations: &[Vec<Turn>]) -> Result<(), String> {
    let world = &stage.fleet.world;
    let now = world.world.clock.now();
    let mut usage = UsageCounts::default();
    for bot in &stage.plan.bots {
        usage.add(&world.usage(bot.bot_id.as_str(), now).await);
    }
    let turns: Vec<&Turn> = conversations.iter().flatten().collect();
    let mut days = BTreeSet::new();
    for (c, of_one) in conversations.iter().enumerate() {
        days.extend(
            of_one
                .iter()
                .filter_map(|turn| Some((c, Day::of(turn.ended_at?)))),
        );
    }
    let contacts = conversations
        .iter()
        .filter(|turns| !turns.is_empty())
        .count();
    let messages: usize = turns.iter().map(|turn| turn.keys.len()).sum();
    let count =
        |status: TurnStatus| turns.iter().filter(|turn| turn.status == status).count() as u64;
    same("turns", usage.turns, turns.len() as u64)?;
    same("messages", usage.messages, messages as u64)?;
    same("conversations", usage.conversations, days.len() as u64)?;
    same("new contacts", usage.new_contacts, contacts as u64)?;
    for status in TurnStatus::ENDS
        .into_iter()
        .filter(|status| !status.is_parked())
    {
        same(status.as_str(), usage.ended(status), count(status))?;
    }
    // A turn that was put back ended as one of these before.
    let parked = [TurnStatus::Failed, TurnStatus::Undelivered];
    let now_parked: u64 = parked.map(count).iter().sum();
    let ended: u64 = parked.map(|status| usage.ended(status)).iter().sum();
    same("parked", ended, now_parked + count(TurnStatus::Retried))?;
    waits(stage, &usage, &turns)?;
    calls(stage, &usage, &turns)
}

fn same<T: PartialEq + std::fmt::Debug + Copy>(
    what: &str,
    ledger: T,
    turns: T,
) -> Result<(), String> {
    if ledger == turns {
        return Ok(());
    }
    Err(format!(
        "I8: {what}: the ledger says {ledger:?}, the turns {turns:?}"
    ))
}

/// Every customer who got a text has waited for it once.
fn waits(stage: &Stage, usage: &UsageCounts, turns: &[&Turn]) -> Result<(), String> {
    let delivered = stage.fleet.world.outside.delivered();
    let got_a_text = |turn: &Turn| match turn.status {
        TurnStatus::Answered | TurnStatus::Failed | TurnStatus::OptedIn => true,
        // Confirmed once only.
        TurnStatus::OptedOut => turn
            .reply_id
            .as_ref()
            .is_some_and(|id| delivered.iter().any(|send| send.id == id.as_str())),
        _ => false,
    };
    if turns.iter().any(|turn| turn.status == TurnStatus::Retried) {
        // Whether such a turn got a text is not told any more.
        return Ok(());
    }
    let (mut waits, mut waited_ms, mut saved) = (Times::default(), 0, 0);
    for turn in turns {
        let waited = turn.ended_at.zip(turn.began_at);
        if let Some((ended_at, began_at)) = waited
            && got_a_text(turn)
        {
            let ms = ended_at.since_ms(began_at);
            waits.add_all(&Times::one(ms));
            waited_ms += u64::try_from(ms).unwrap_or(0);
        }
        if turn.status == TurnStatus::Answered {
            saved += (turn.keys.len() as u64).saturating_sub(1);
        }
    }
    same("response times", &usage.response_times, &waits)?;
    same("waited", usage.response_ms, waited_ms)?;
    same("saved", usage.saved_by_batching, saved)
}

/// A worker that died, or was ended, has told nobody of its calls; every other call is counted, and none twice.
fn calls(stage: &Stage, usage: &UsageCounts, turns: &[&Turn]) -> Result<(), String> {
    let world = &stage.fleet.world;
    let in_turns: u64 = turns.iter().map(|turn| u64::from(turn.llm_calls)).sum();
    // Those whose connection broke before they arrived are calls too.
    let effects = world.faults.effects(Role::Worker).into_iter();
    let made = effects
        .filter(|name| name.ends_with("/chat/completions"))
        .count() as u64;
    // Whoever loses the answer to its draft, and then a lease that should have outlasted it, takes the call for lost; the next
    // owner has counted it with the draft. Leases end early in this simulation only.
    let leases = {
        let state = stage.fleet.director.state();
        let faults = &state.transcript.faults;
        faults.get(Trouble::LeaseEnds.name()).copied().unwrap_or(0)
    };
    if !(in_turns..=made + leases).contains(&usage.llm_calls) {
        return Err(format!(
            "I8: {} calls in the ledger, {in_turns} in turns, {made} made",
            usage.llm_calls
        ));
    }
    let rates = stage.plan.rates;
    if Trouble::at_effects().all(|trouble| rates.rate(trouble) == 0)
        && world.faults.crashes() == 0
        && !stage.plan.has_skew()
    {
        same("calls", usage.llm_calls, made)?;
    }
    same("timed calls", usage.llm_times.count(), usage.llm_calls)?;
    let mut recorded: BTreeMap<&str, u64> = BTreeMap::new();
    for attempt in turns.iter().flat_map(|turn| &turn.attempts) {
        if attempt.class != "ok" {
            *recorded.entry(&attempt.class).or_default() += 1;
        }
    }
    for (class, count) in recorded {
        // More where a burst has waited, or was asked again with less: those left no attempt.
        if usage
            .errors
            .get(class)
            .is_none_or(|counted| *counted < count)
        {
            return Err(format!(
                "I8: {count} x {class} in turns, {:?} in the ledger",
                usage.errors.get(class)
            ));
        }
    }
    Ok(())
}
