//! What must hold in every state, and what must be possible.

use stateright::Property;

use crate::events::Protocol;
use crate::set::Set;
use crate::state::{Post, State, Text, Worker};

/// All of them.
pub fn all() -> Vec<Property<Protocol>> {
    vec![
        Property::always(
            "I1 what was accepted is answered, parked or left to a person",
            |_, state: &State| {
                is_finished(state).is_none_or(|accepted| accepted.without(ended(state)).is_empty())
            },
        ),
        Property::always(
            "I1 nothing is left claimed or pending when all is quiet",
            |_, state: &State| {
                is_finished(state).is_none()
                    || (state.head.pend.is_empty() && state.head.claim.is_none())
            },
        ),
        Property::always("I2 a message belongs to one burst", |_, state: &State| {
            one_burst_each(state)
        }),
        Property::always(
            "I2 and I5: a burst has one text, and its id goes out with no other",
            |_, state: &State| one_text_each(state),
        ),
        Property::always(
            "I3 what is pending has a live trigger",
            |_, state: &State| is_covered(state),
        ),
        Property::always(
            "I4 replies leave in the order of their bursts",
            |_, state: &State| are_in_order(state),
        ),
        Property::always(
            "I13 a burst is committed once, under its number",
            |_, state: &State| state.seen.committed.len() == usize::from(state.head.bursts),
        ),
        Property::always(
            "no draft is stored while a person has the conversation",
            |_, state: &State| !state.seen.drafted_in_pause,
        ),
        Property::sometimes(
            "everything is answered",
            |protocol: &Protocol, state: &State| {
                ended(state).iter().count() == usize::from(protocol.messages)
                    && is_finished(state).is_some()
            },
        ),
    ]
}

/// Nothing is on its way any more; gives what the gateways got a 200 for.
fn is_finished(state: &State) -> Option<Set> {
    let is_quiet = state.queue.is_empty()
        && state.workers.iter().all(|worker| *worker == Worker::Idle)
        && !state.posts.contains(&Post::Halfway)
        && !state.posts.contains(&Post::NotYet);
    is_quiet.then(|| {
        (0..)
            .zip(&state.posts)
            .filter(|(_, post)| **post == Post::Accepted)
            .fold(Set::default(), |all, (message, _)| {
                all.with(Set::of(message))
            })
    })
}

/// Messages whose burst has ended and was not put back.
fn ended(state: &State) -> Set {
    let live = state
        .seen
        .committed
        .iter()
        .filter(|burst| !burst.is_retried);
    live.fold(Set::default(), |all, burst| all.with(burst.keys))
}

fn one_burst_each(state: &State) -> bool {
    let mut so_far = Set::default();
    let live = state
        .seen
        .committed
        .iter()
        .filter(|burst| !burst.is_retried);
    for keys in live
        .map(|burst| burst.keys)
        .chain(state.head.claim.map(|claim| claim.keys))
    {
        if keys.iter().any(|message| so_far.has(message)) {
            return false;
        }
        so_far = so_far.with(keys);
    }
    true
}

fn one_text_each(state: &State) -> bool {
    let sends = &state.seen.sends;
    let is_twice = sends
        .iter()
        .enumerate()
        .any(|(at, (burst, _))| sends.iter().skip(at + 1).any(|(other, _)| other == burst));
    // What was committed as said is what went out.
    let differs = (1..).zip(&state.seen.committed).any(|(burst, committed)| {
        sends
            .iter()
            .any(|(number, text)| *number == burst && *text != committed.text)
            && committed.text != Text::Nothing
    });
    !is_twice && !differs
}

/// A reply that was withheld because a person has answered may still leave late, when its sender outlives its lease: the
/// gateway takes part in no transaction (`docs/decisions/0010`).
fn are_in_order(state: &State) -> bool {
    let is_withheld = |burst: u8| {
        let committed = state
            .seen
            .committed
            .get(usize::from(burst).saturating_sub(1));
        committed.is_some_and(|committed| committed.text == Text::Nothing)
    };
    let sends = state.seen.sends.iter().map(|(burst, _)| *burst);
    sends.filter(|burst| !is_withheld(*burst)).is_sorted()
}

/// The newest pending message has a trigger that is queued, or in hands that have not let it go.
fn is_covered(state: &State) -> bool {
    let head = &state.head;
    let Some(last) = head
        .last
        .filter(|_| !head.pend.is_empty() && head.claim.is_none())
    else {
        return true;
    };
    let is_queued = state.queue.iter().any(|trigger| trigger.message == last);
    let is_held = state
        .jobs()
        .any(|(job, worker)| job.trigger.message == last && !matches!(worker, Worker::Ack(_)));
    // A dead letter that is being redriven is the cover of what it puts back.
    let is_redriven = state.queue.iter().any(|trigger| trigger.retry.is_some())
        || state.jobs().any(|(job, _)| job.trigger.retry.is_some());
    is_queued || is_held || is_redriven
}
