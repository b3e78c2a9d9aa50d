//! What there is at one moment: the webhooks, the queue, HEAD, the workers, and what has been seen from outside.

use std::collections::BTreeSet;

use clivy::conversation::head::{self, Head};
use clivy::conversation::ids::{EpochMs, Fence, MessageId, MessageKey, Owner};
use clivy::conversation::outcome::{Outcome, TurnStatus};

use crate::set::Set;

/// The moment at which everything happens. Time itself is not modelled: a lease is over or not, a trigger is old or not.
pub const NOW: EpochMs = EpochMs(1_000_000_000);
const LONG_MS: i64 = 100_000_000;

/// The webhook's way with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Post {
    /// The customer has not written it yet.
    NotYet,
    /// The first of the two steps, trigger and store, is done.
    Halfway,
    /// Answered with 200.
    Accepted,
    /// The webhook died; the gateway may post it again, or not.
    Died,
}

/// A message of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Trigger {
    /// Its own message.
    pub message: u8,
    /// Older than a webhook lives: its message will not become stored by the webhook that sent it.
    pub is_old: bool,
    /// The parked burst of a dead letter.
    pub retry: Option<u8>,
}

/// A text, by the claim that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Text {
    /// The model's answer, asked for under this fence.
    Answer(u8),
    /// The fallback text.
    Fallback,
    /// None: the burst ends without a reply.
    Nothing,
}

/// A claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Its number.
    pub fence: u8,
    /// Who holds it.
    pub owner: u8,
    /// Its lease is over.
    pub has_expired: bool,
    /// The burst.
    pub keys: Set,
    /// The stored reply.
    pub draft: Option<Text>,
}

/// HEAD, as far as the protocol goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Conversation {
    /// Nothing has been stored yet, when false.
    pub exists: bool,
    /// Messages that no burst has taken.
    pub pend: Set,
    /// The one that became pending last.
    pub last: Option<u8>,
    /// The claim.
    pub claim: Option<Claim>,
    /// The newest fence.
    pub fence: u8,
    /// Bursts committed.
    pub bursts: u8,
    /// Tries at the burst in flight.
    pub tries: u8,
    /// A person has the conversation.
    pub is_paused: bool,
    /// Written before a person's last words.
    pub left_to_person: Set,
    /// Only in the design with a cursor: answered up to this message.
    pub cursor: Option<u8>,
}

/// What a worker is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Worker {
    /// Nothing.
    Idle,
    /// Try the fast claim.
    Claim(Job),
    /// Decide, after a failed fast claim, from HEAD as it was then.
    Decide(Job, Conversation),
    /// Read HEAD again and decide: the own message is stored, and HEAD as it was does not show it.
    Look(Job),
    /// Take the expired claim over.
    TakeOver(Job, Conversation),
    /// Ask the model.
    Ask(Job, Hold),
    /// Store the draft.
    Draft(Job, Hold, Text),
    /// Send the draft. HEAD after the write that gave leave to send.
    Send(Job, Hold, Text, Conversation),
    /// Cover what has come in, then commit. HEAD as it was seen last.
    Cover(Job, Hold, Text, Conversation),
    /// Commit, with what a trigger was sent for.
    Commit(Job, Hold, Text, Option<u8>),
    /// Only in one broken design: cover what was pending after the commit.
    CoverLate(Job, u8),
    /// Release the claim; the trigger was sent again before.
    Release(Job, Hold),
    /// Send the trigger again, then end it.
    Rearm(Job),
    /// Delete the record.
    Ack(Job),
}

/// A record in the hands of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// The trigger.
    pub trigger: Trigger,
    /// Who the worker is in HEAD.
    pub owner: u8,
}

/// A claim in the hands of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hold {
    /// Its fence.
    pub fence: u8,
    /// The burst.
    pub keys: Set,
    /// Its number.
    pub burst: u8,
    /// The try.
    pub tries: u8,
}

/// The end of a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Committed {
    /// Its messages.
    pub keys: Set,
    /// What was said.
    pub text: Text,
    /// A dead letter has put its messages back since.
    pub is_retried: bool,
}

/// What the world outside has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// What the gateway was given: burst (its reply id) and text, in the order of the first time.
    pub sends: Vec<(u8, Text)>,
    /// The bursts that were committed, in order.
    pub committed: Vec<Committed>,
    /// A draft was stored while a person had the conversation.
    pub drafted_in_pause: bool,
}

/// How often things may still happen: it keeps the exploration finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Webhooks that die.
    pub webhook_crashes: u8,
    /// Messages that the gateway posts again.
    pub reposts: u8,
    /// Workers that die.
    pub worker_crashes: u8,
    /// Records that SQS delivers twice.
    pub duplicates: u8,
    /// Leases that end, early or not.
    pub expiries: u8,
    /// Answers of the gateway that get lost.
    pub lost_sends: u8,
    /// Claims whose answer gets lost.
    pub lost_claims: u8,
    /// Tries that fail.
    pub failures: u8,
    /// Waits for something outside: an open breaker, a rate limit.
    pub waits: u8,
    /// Messages of a person.
    pub persons: u8,
    /// Dead letters that are redriven.
    pub redrives: u8,
    /// Runs of the sweeper.
    pub sweeps: u8,
}

impl Budget {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        webhook_crashes: 0,
        reposts: 0,
        worker_crashes: 0,
        duplicates: 0,
        expiries: 0,
        lost_sends: 0,
        lost_claims: 0,
        failures: 0,
        waits: 0,
        persons: 0,
        redrives: 0,
        sweeps: 0,
    };
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The webhooks, by message.
    pub posts: Vec<Post>,
    /// Messages that exist.
    pub stored: Set,
    /// HEAD.
    pub head: Conversation,
    /// The queue; sorted, because its order means nothing.
    pub queue: Vec<Trigger>,
    /// The dead letters.
    pub dead: Vec<Trigger>,
    /// The workers.
    pub workers: Vec<Worker>,
    /// Seen from outside.
    pub seen: Seen,
    /// What may still go wrong.
    pub budget: Budget,
}

impl State {
    /// Puts a trigger into the queue.
    pub fn push(&mut self, trigger: Trigger) {
        let at = self.queue.partition_point(|other| *other < trigger);
        self.queue.insert(at, trigger);
    }

    /// The records in the hands of workers, with the step each is at.
    pub fn jobs(&self) -> impl Iterator<Item = (Job, &Worker)> {
        self.workers
            .iter()
            .filter_map(|worker| worker.job().map(|job| (job, worker)))
    }
}

impl Worker {
    /// The record it works on.
    pub fn job(&self) -> Option<Job> {
        match *self {
            Self::Idle => None,
            Self::Claim(job)
            | Self::Decide(job, _)
            | Self::Look(job)
            | Self::TakeOver(job, _)
            | Self::Ask(job, _)
            | Self::Draft(job, _, _)
            | Self::Send(job, _, _, _)
            | Self::Cover(job, _, _, _)
            | Self::Commit(job, _, _, _)
            | Self::CoverLate(job, _)
            | Self::Release(job, _)
            | Self::Rearm(job)
            | Self::Ack(job) => Some(job),
        }
    }
}

impl Conversation {
    /// The burst in flight, or the next one.
    pub fn burst(self) -> u8 {
        self.bursts + 1
    }

    /// The same as the rules know it: their own type, with times that say the same.
    pub fn as_head(self) -> Head {
        Head {
            pend: keys(self.pend),
            pend_since: (!self.pend.is_empty()).then_some(NOW),
            last_key: self.last.map(key),
            last_at: self.last.map(|_| NOW),
            bursts: self.bursts.into(),
            tries: self.tries.into(),
            paused_until: self.is_paused.then(|| NOW.plus_ms(LONG_MS)),
            claim: self.claim.map(|claim| head::Claim {
                fence: Fence(claim.fence.into()),
                owner: owner(claim.owner),
                until: NOW.plus_ms(if claim.has_expired { -1 } else { LONG_MS }),
                since: NOW,
                keys: keys(claim.keys),
                draft: claim.draft.and_then(|text| draft(text, self.burst())),
            }),
            ..Head::default()
        }
    }
}

fn draft(text: Text, burst: u8) -> Option<head::Draft> {
    Some(head::Draft {
        text: format!("{text:?}"),
        reply_id: MessageId::new(&burst.to_string()).ok()?,
        outcome: Outcome::without_answer(TurnStatus::Answered),
        sends: 1,
    })
}

/// A message's key.
pub fn key(message: u8) -> MessageKey {
    MessageKey::new(format!("M#{message}"))
}

fn keys(set: Set) -> BTreeSet<MessageKey> {
    set.iter().map(key).collect()
}

/// A worker's name in HEAD.
pub fn owner(owner: u8) -> Owner {
    Owner(owner.to_string())
}

/// A trigger's age, as the rules know it.
pub fn first_at(trigger: Trigger) -> EpochMs {
    if trigger.is_old {
        NOW.plus_ms(-LONG_MS)
    } else {
        NOW
    }
}
