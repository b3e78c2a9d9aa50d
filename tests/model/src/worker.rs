//! The worker, step by step. Each step is one effect; between any two of them it may die.

use clivy::conversation::decide::{Debounce, Decision, Done, Later, View, decide};

use crate::design::Design;
use crate::set::Set;
use crate::state::{
    Claim, Committed, Conversation, Hold, Job, NOW, State, Text, Trigger, Worker, first_at, key,
    owner,
};

/// Tries before the fallback text.
pub const MAX_TRIES: u8 = 2;

/// How the outside answers a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// As hoped for.
    Good,
    /// The model fails; another try may help.
    Fails,
    /// Something outside must happen first.
    Waits,
    /// It has worked, but the answer got lost.
    Lost,
}

const DEBOUNCE: Debounce = Debounce {
    seconds: 3,
    max_wait_seconds: 15,
    max_messages: 50,
    webhook_timeout_ms: 8_000,
};

/// What the rules say about a trigger and a HEAD: the same function that the real worker calls.
pub fn decided(design: Design, job: Job, head: Conversation, is_stored: bool) -> Decision {
    let is_idle = head.pend.is_empty() && head.claim.is_none();
    let own_message_is_stored = match design {
        Design::NoOwnMessageRule => true,
        Design::OwnMessageRuleWhenIdle => is_stored || !is_idle,
        _ => is_stored,
    };
    let known = head.as_head();
    let decision = decide(
        &View {
            head: head.exists.then_some(&known),
            own_message_is_stored,
            key: &key(job.trigger.message),
            first_at: first_at(job.trigger),
            owner: &owner(job.owner),
            now: NOW,
        },
        &DEBOUNCE,
    );
    match (design, decision) {
        (
            Design::BusyAcks,
            Decision::Rearm {
                why: Later::Busy, ..
            },
        ) => Decision::Ack(Done::NothingPending),
        _ => decision,
    }
}

/// The name of what was decided.
pub fn arm(decision: Decision) -> String {
    match decision {
        Decision::GoOn => "GoOn".to_owned(),
        Decision::Ack(done) => format!("Ack({done:?})"),
        Decision::Rearm { why, .. } => format!("Rearm({why:?})"),
        Decision::TakeOver { .. } => "TakeOver".to_owned(),
    }
}

/// The next step of a worker; none when the answer makes no sense there.
pub fn step(design: Design, state: &mut State, worker: Worker, answer: Answer) -> Option<Worker> {
    if answer != Answer::Good {
        return trouble(design, state, worker, answer);
    }
    Some(match worker {
        Worker::Idle => return None,
        Worker::Claim(job) => claim(design, state, job),
        Worker::Decide(job, seen) => {
            let is_stored = state.stored.has(job.trigger.message);
            let is_shown = shows(seen, job.trigger.message);
            if is_stored && !is_shown && design != Design::StaleHead {
                // HEAD is older than what was read just now.
                return Some(Worker::Look(job));
            }
            follow(design, job, seen, is_stored || is_shown)
        }
        Worker::Look(job) => follow(design, job, state.head, true),
        Worker::TakeOver(job, seen) => take_over(state, job, seen),
        Worker::Ask(job, hold) => asked(state, job, hold),
        Worker::Draft(job, hold, text) => draft(design, state, job, hold, text),
        Worker::Send(job, hold, text, head) => {
            send(state, hold, text);
            Worker::Cover(job, hold, text, head)
        }
        Worker::Cover(job, hold, text, head) => cover(design, state, job, hold, text, head),
        Worker::Commit(job, hold, text, rearmed) => commit(design, state, job, hold, text, rearmed),
        Worker::CoverLate(job, last) => {
            state.push(fresh(last));
            Worker::Ack(job)
        }
        Worker::Release(job, hold) => {
            release(state, hold);
            Worker::Ack(job)
        }
        Worker::Rearm(job) => {
            state.push(Trigger {
                retry: None,
                ..job.trigger
            });
            Worker::Ack(job)
        }
        Worker::Ack(_) => Worker::Idle,
    })
}

fn follow(design: Design, job: Job, seen: Conversation, is_stored: bool) -> Worker {
    match decided(design, job, seen, is_stored) {
        Decision::GoOn => match seen.claim {
            Some(claim) => go_on(job, seen, claim),
            None => Worker::Rearm(job),
        },
        Decision::Ack(_) => Worker::Ack(job),
        Decision::Rearm { .. } => Worker::Rearm(job),
        Decision::TakeOver { .. } => Worker::TakeOver(job, seen),
    }
}

/// Whether HEAD itself shows that a message is stored.
pub fn shows(head: Conversation, message: u8) -> bool {
    head.pend.has(message) || head.claim.is_some_and(|claim| claim.keys.has(message))
}

fn trouble(design: Design, state: &mut State, worker: Worker, answer: Answer) -> Option<Worker> {
    match (worker, answer) {
        // The write has happened; the SDK repeats it and sees its own claim.
        (Worker::Claim(job), Answer::Lost) => match claim(design, state, job) {
            Worker::Ask(..) => Some(Worker::Decide(job, state.head)),
            _ => None,
        },
        (Worker::Ask(job, hold), Answer::Fails) => {
            if hold.tries >= MAX_TRIES {
                return Some(Worker::Draft(job, hold, Text::Fallback));
            }
            release(state, hold);
            // The record itself comes again: it is the burst's trigger.
            state.push(job.trigger);
            Some(Worker::Idle)
        }
        (Worker::Ask(job, hold), Answer::Waits) => Some(come_back(state, job, hold)),
        // Sent, but nobody knows: the claim is handed back with its draft, and the record comes again.
        (Worker::Send(job, hold, text, _), Answer::Lost) => {
            send(state, hold, text);
            if let Some(claim) = state
                .head
                .claim
                .as_mut()
                .filter(|claim| claim.fence == hold.fence)
            {
                claim.has_expired = true;
            }
            state.push(job.trigger);
            Some(Worker::Idle)
        }
        _ => None,
    }
}

/// K1. The claim's condition is what `decide` calls `Changed` when nothing has: a trigger whose turn it is.
fn claim(design: Design, state: &mut State, job: Job) -> Worker {
    if let Some(burst) = job.trigger.retry {
        return put_back(state, job, burst);
    }
    let head = state.head;
    let may_claim = head.pend.has(job.trigger.message)
        && matches!(
            decided(design, job, head, true),
            Decision::Rearm {
                why: Later::Changed,
                ..
            }
        );
    if !may_claim {
        return Worker::Decide(job, head);
    }
    state.head.fence += 1;
    state.head.tries += 1;
    state.head.pend = Set::default();
    let claim = Claim {
        fence: state.head.fence,
        owner: job.owner,
        has_expired: false,
        keys: head.pend,
        draft: None,
    };
    state.head.claim = Some(claim);
    Worker::Ask(job, held(state.head, claim))
}

/// A dead letter: its turn's messages become pending again, once.
fn put_back(state: &mut State, job: Job, burst: u8) -> Worker {
    let index = usize::from(burst).saturating_sub(1);
    let Some(turn) = state.seen.committed.get_mut(index) else {
        return Worker::Ack(job);
    };
    let Some(newest) = turn.keys.newest() else {
        return Worker::Ack(job);
    };
    if !turn.is_retried {
        turn.is_retried = true;
        if state.head.pend.is_empty() {
            state.head.last = Some(newest);
        }
        state.head.pend = state.head.pend.with(turn.keys);
    }
    let trigger = Trigger {
        message: newest,
        is_old: false,
        retry: None,
    };
    Worker::Claim(Job { trigger, ..job })
}

fn held(head: Conversation, claim: Claim) -> Hold {
    Hold {
        fence: claim.fence,
        keys: claim.keys,
        burst: head.burst(),
        tries: head.tries,
    }
}

fn go_on(job: Job, head: Conversation, claim: Claim) -> Worker {
    let hold = held(head, claim);
    match claim.draft {
        None => Worker::Ask(job, hold),
        Some(text) => resume(job, hold, text, head),
    }
}

/// A draft of before: not sent again once a person has answered all of it.
fn resume(job: Job, hold: Hold, text: Text, head: Conversation) -> Worker {
    let is_left = hold.keys.without(head.left_to_person).is_empty();
    if text == Text::Nothing || is_left || head.is_paused {
        return Worker::Cover(job, hold, Text::Nothing, head);
    }
    Worker::Send(job, hold, text, head)
}

fn take_over(state: &mut State, job: Job, seen: Conversation) -> Worker {
    let head = state.head;
    let (Some(claim), Some(was)) = (head.claim, seen.claim) else {
        return Worker::Decide(job, head);
    };
    let is_same = claim.fence == was.fence
        && claim.has_expired
        && claim.draft.is_some() == was.draft.is_some()
        && (claim.draft.is_some()
            || (head.last == seen.last && head.pend.is_empty() == seen.pend.is_empty()));
    if !is_same {
        return Worker::Decide(job, head);
    }
    state.head.fence += 1;
    let mut taken = Claim {
        fence: state.head.fence,
        owner: job.owner,
        has_expired: false,
        ..claim
    };
    if claim.draft.is_none() {
        taken.keys = claim.keys.with(head.pend);
        state.head.pend = Set::default();
        state.head.tries += 1;
    }
    state.head.claim = Some(taken);
    go_on(job, state.head, taken)
}

/// K3. A person has answered all of it: nothing is asked. Too many tries that left no trace: nothing is paid for any more.
fn asked(state: &State, job: Job, hold: Hold) -> Worker {
    let text = if hold.keys.without(state.head.left_to_person).is_empty() {
        Text::Nothing
    } else if hold.tries > MAX_TRIES {
        Text::Fallback
    } else {
        Text::Answer(hold.fence)
    };
    Worker::Draft(job, hold, text)
}

/// K4.
fn draft(design: Design, state: &mut State, job: Job, hold: Hold, text: Text) -> Worker {
    let is_paused = state.head.is_paused;
    let Some(claim) = state
        .head
        .claim
        .as_mut()
        .filter(|claim| claim.fence == hold.fence)
    else {
        return fenced_out(design, job);
    };
    if is_paused && text != Text::Nothing && design != Design::DraftIgnoresPause {
        return come_back(state, job, hold);
    }
    if design == Design::NoStoredDraft {
        return Worker::Send(job, hold, text, state.head);
    }
    let stored = *claim.draft.get_or_insert(text);
    state.seen.drafted_in_pause |= is_paused && stored != Text::Nothing;
    match stored {
        Text::Nothing => Worker::Cover(job, hold, stored, state.head),
        _ => Worker::Send(job, hold, stored, state.head),
    }
}

/// K5: the gateway sees the burst's id and the text.
fn send(state: &mut State, hold: Hold, text: Text) {
    let sent = (hold.burst, text);
    if !state.seen.sends.contains(&sent) {
        state.seen.sends.push(sent);
    }
}

/// K6, first half (I3).
fn cover(
    design: Design,
    state: &mut State,
    job: Job,
    hold: Hold,
    text: Text,
    head: Conversation,
) -> Worker {
    let covers = !matches!(design, Design::NoCoverAtCommit | Design::CoverAfterCommit);
    let rearmed = head.last.filter(|_| covers && !head.pend.is_empty());
    if let Some(last) = rearmed {
        state.push(fresh(last));
    }
    Worker::Commit(job, hold, text, rearmed)
}

/// K6, second half.
fn commit(
    design: Design,
    state: &mut State,
    job: Job,
    hold: Hold,
    text: Text,
    rearmed: Option<u8>,
) -> Worker {
    let head = state.head;
    let Some(claim) = head.claim.filter(|claim| claim.fence == hold.fence) else {
        return fenced_out(design, job);
    };
    let asks = !matches!(design, Design::NoCoverAtCommit | Design::CoverAfterCommit);
    let is_covered = head.pend.is_empty() || (rearmed.is_some() && head.last == rearmed);
    if asks && !is_covered {
        return Worker::Cover(job, hold, text, head);
    }
    if text == Text::Fallback {
        // Parked before the commit; here it is one step, because a dead letter too many does nothing.
        state.dead.push(Trigger {
            retry: Some(hold.burst),
            ..job.trigger
        });
    }
    state.seen.committed.push(Committed {
        keys: claim.keys,
        text,
        is_retried: false,
    });
    state.head.bursts += 1;
    state.head.tries = 0;
    state.head.claim = None;
    state.head.cursor = state.head.cursor.max(claim.keys.newest());
    match (design, head.last.filter(|_| !head.pend.is_empty())) {
        (Design::CoverAfterCommit, Some(last)) => Worker::CoverLate(job, last),
        _ => Worker::Ack(job),
    }
}

fn fenced_out(design: Design, job: Job) -> Worker {
    match design {
        Design::FencedOutAcks => Worker::Ack(job),
        _ => Worker::Rearm(job),
    }
}

/// K2: the trigger is sent again, then the claim is released.
fn come_back(state: &mut State, job: Job, hold: Hold) -> Worker {
    state.push(Trigger {
        retry: None,
        ..job.trigger
    });
    Worker::Release(job, hold)
}

fn release(state: &mut State, hold: Hold) {
    let head = &mut state.head;
    let Some(claim) = head
        .claim
        .filter(|claim| claim.fence == hold.fence && claim.draft.is_none())
    else {
        return;
    };
    head.pend = head.pend.with(claim.keys);
    head.claim = None;
}

fn fresh(message: u8) -> Trigger {
    Trigger {
        message,
        is_old: false,
        retry: None,
    }
}
