//! What may happen next, and what follows.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use stateright::{Model, Property};

use crate::design::Design;
use crate::properties;
use crate::set::Set;
use crate::state::{Budget, Conversation, Job, Post, Seen, State, Trigger, Worker};
use crate::worker::{self, Answer};

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The gateway posts a message: the webhook does its first step.
    Posted(u8),
    /// The webhook does its second step, and answers 200.
    Finished(u8),
    /// The webhook dies between the two.
    WebhookDies(u8),
    /// A message that was accepted is posted again.
    PostedAgain(u8),
    /// A worker is given a record; SQS may keep it all the same.
    Received {
        /// Which worker.
        worker: usize,
        /// Which record.
        trigger: Trigger,
        /// The record stays in the queue.
        is_duplicate: bool,
    },
    /// A worker does its next step.
    Stepped(usize, Answer),
    /// A worker dies; its record comes back.
    WorkerDies(usize),
    /// The lease of the claim ends.
    LeaseEnds,
    /// A person of the business writes.
    PersonWrites,
    /// The pause ends.
    PauseEnds,
    /// The dead letters are redriven.
    Redriven,
    /// The sweeper runs.
    Swept,
}

/// One conversation under a design.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// The design.
    pub design: Design,
    /// Messages that the customer writes, 8 at most.
    pub messages: u8,
    /// Workers.
    pub workers: usize,
    /// What may go wrong.
    pub budget: Budget,
    /// What was met on the way: arms of `decide`, and steps at which a worker died.
    pub met: Arc<Mutex<BTreeSet<String>>>,
}

impl Protocol {
    /// The design with so many messages, two workers, and nothing going wrong.
    pub fn new(design: Design, messages: u8, budget: Budget) -> Self {
        Self {
            design,
            messages,
            workers: 2,
            budget,
            met: Arc::default(),
        }
    }

    /// What was met so far.
    pub fn met(&self) -> BTreeSet<String> {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.clone()
    }

    fn meet(&self, what: String) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.insert(what);
    }

    /// The first step of a webhook.
    fn post(&self, state: &mut State, message: u8) {
        state.posts[usize::from(message)] = Post::Halfway;
        match self.design {
            Design::WriteBeforeSend => self.store(state, message),
            _ => state.push(new(message)),
        }
    }

    fn finish(&self, state: &mut State, message: u8) {
        state.posts[usize::from(message)] = Post::Accepted;
        match self.design {
            Design::WriteBeforeSend => state.push(new(message)),
            _ => self.store(state, message),
        }
    }

    /// One transaction: the message, if it does not exist, and HEAD.
    fn store(&self, state: &mut State, message: u8) {
        if state.stored.has(message) {
            return;
        }
        state.stored = state.stored.with(Set::of(message));
        let head = &mut state.head;
        head.exists = true;
        if self.design == Design::Cursor && head.cursor >= Some(message) {
            return;
        }
        head.pend = head.pend.with(Set::of(message));
        head.last = Some(message);
    }

    fn receive(&self, state: &mut State, at: usize, trigger: Trigger, is_duplicate: bool) {
        if is_duplicate {
            state.budget.duplicates -= 1;
        } else if let Some(place) = state.queue.iter().position(|other| *other == trigger) {
            state.queue.remove(place);
        }
        let taken: BTreeSet<u8> = state
            .jobs()
            .map(|(job, _)| job.owner)
            .chain(state.head.claim.map(|claim| claim.owner))
            .collect();
        let owner = (0..)
            .find(|owner| !taken.contains(owner))
            .unwrap_or(u8::MAX);
        state.workers[at] = Worker::Claim(Job { trigger, owner });
    }
}

fn new(message: u8) -> Trigger {
    Trigger {
        message,
        is_old: false,
        retry: None,
    }
}

/// From now on the triggers of a webhook that died are older than it could have lived.
fn age(state: &mut State, message: u8) {
    for trigger in &mut state.queue {
        trigger.is_old |= trigger.message == message;
    }
    state.queue.sort_unstable();
    for worker in &mut state.workers {
        if let Worker::Claim(job)
        | Worker::Decide(job, _)
        | Worker::Look(job)
        | Worker::Rearm(job) = worker
        {
            job.trigger.is_old |= job.trigger.message == message;
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            posts: vec![Post::NotYet; usize::from(self.messages)],
            stored: Set::default(),
            head: Conversation::default(),
            queue: Vec::new(),
            dead: Vec::new(),
            workers: vec![Worker::Idle; self.workers],
            seen: Seen::default(),
            budget: self.budget,
        }]
    }

    fn actions(&self, state: &State, events: &mut Vec<Event>) {
        let budget = state.budget;
        for (message, post) in (0..).zip(&state.posts) {
            match post {
                Post::NotYet => events.push(Event::Posted(message)),
                Post::Halfway => {
                    events.push(Event::Finished(message));
                    if budget.webhook_crashes > 0 {
                        events.push(Event::WebhookDies(message));
                    }
                }
                Post::Died if budget.reposts > 0 => events.push(Event::PostedAgain(message)),
                Post::Accepted if budget.reposts > 0 => events.push(Event::PostedAgain(message)),
                Post::Died | Post::Accepted => {}
            }
        }
        for (at, worker) in state.workers.iter().enumerate() {
            if *worker == Worker::Idle {
                // Workers are alike: the first idle one takes it.
                let is_first = state
                    .workers
                    .iter()
                    .take(at)
                    .all(|other| *other != Worker::Idle);
                let records: BTreeSet<Trigger> = state.queue.iter().copied().collect();
                for trigger in records.into_iter().filter(|_| is_first) {
                    let received = |is_duplicate| Event::Received {
                        worker: at,
                        trigger,
                        is_duplicate,
                    };
                    events.push(received(false));
                    if budget.duplicates > 0 {
                        events.push(received(true));
                    }
                }
                continue;
            }
            events.push(Event::Stepped(at, Answer::Good));
            match worker {
                Worker::Claim(_) if budget.lost_claims > 0 => {
                    events.push(Event::Stepped(at, Answer::Lost));
                }
                Worker::Ask(..) => {
                    if budget.failures > 0 {
                        events.push(Event::Stepped(at, Answer::Fails));
                    }
                    if budget.waits > 0 {
                        events.push(Event::Stepped(at, Answer::Waits));
                    }
                }
                Worker::Send(..) if budget.lost_sends > 0 => {
                    events.push(Event::Stepped(at, Answer::Lost));
                }
                _ => {}
            }
            if budget.worker_crashes > 0 {
                events.push(Event::WorkerDies(at));
            }
        }
        if budget.expiries > 0 && state.head.claim.is_some_and(|claim| !claim.has_expired) {
            events.push(Event::LeaseEnds);
        }
        if budget.persons > 0 && state.head.exists {
            events.push(Event::PersonWrites);
        }
        if state.head.is_paused {
            events.push(Event::PauseEnds);
        }
        if budget.redrives > 0 && !state.dead.is_empty() {
            events.push(Event::Redriven);
        }
        if budget.sweeps > 0 && (!state.head.pend.is_empty() || state.head.claim.is_some()) {
            events.push(Event::Swept);
        }
    }

    fn next_state(&self, before: &State, event: Event) -> Option<State> {
        let mut state = before.clone();
        match event {
            Event::Posted(message) => self.post(&mut state, message),
            Event::Finished(message) => self.finish(&mut state, message),
            Event::WebhookDies(message) => {
                state.budget.webhook_crashes -= 1;
                state.posts[usize::from(message)] = Post::Died;
                age(&mut state, message);
            }
            Event::PostedAgain(message) => {
                state.budget.reposts -= 1;
                if state.posts[usize::from(message)] == Post::Died {
                    self.post(&mut state, message);
                } else {
                    // A duplicate, met by the store's condition after its trigger was sent.
                    state.push(new(message));
                }
            }
            Event::Received {
                worker,
                trigger,
                is_duplicate,
            } => self.receive(&mut state, worker, trigger, is_duplicate),
            Event::Stepped(at, answer) => {
                match answer {
                    Answer::Good => {}
                    Answer::Fails => state.budget.failures -= 1,
                    Answer::Waits => state.budget.waits -= 1,
                    Answer::Lost if matches!(state.workers[at], Worker::Send(..)) => {
                        state.budget.lost_sends -= 1;
                    }
                    Answer::Lost => state.budget.lost_claims -= 1,
                }
                let doing = state.workers[at];
                let known = match doing {
                    Worker::Decide(job, seen) => {
                        Some((job, seen, state.stored.has(job.trigger.message)))
                    }
                    Worker::Look(job) => Some((job, state.head, true)),
                    _ => None,
                };
                if let Some((job, head, is_stored)) = known {
                    self.meet(worker::arm(worker::decided(
                        self.design,
                        job,
                        head,
                        is_stored,
                    )));
                }
                let next = worker::step(self.design, &mut state, doing, answer)?;
                state.workers[at] = next;
            }
            Event::WorkerDies(at) => {
                state.budget.worker_crashes -= 1;
                let doing = state.workers[at];
                let job = doing.job()?;
                self.meet(format!("died before {}", doing.name()));
                // In that broken design the record is deleted by then.
                if !matches!(doing, Worker::CoverLate(..)) {
                    state.push(job.trigger);
                }
                state.workers[at] = Worker::Idle;
            }
            Event::LeaseEnds => {
                state.budget.expiries -= 1;
                state.head.claim.as_mut()?.has_expired = true;
            }
            Event::PersonWrites => {
                state.budget.persons -= 1;
                state.head.is_paused = true;
                state.head.left_to_person = state.stored;
            }
            Event::PauseEnds => state.head.is_paused = false,
            Event::Redriven => {
                state.budget.redrives -= 1;
                for trigger in std::mem::take(&mut state.dead) {
                    state.push(trigger);
                }
            }
            Event::Swept => {
                state.budget.sweeps -= 1;
                state.push(new(state.head.last?));
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Worker {
    /// The step it is about to do.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Idle => "nothing",
            Self::Claim(_) => "the claim",
            Self::Decide(..) => "deciding",
            Self::Look(_) => "looking again",
            Self::TakeOver(..) => "the takeover",
            Self::Ask(..) => "asking",
            Self::Draft(..) => "the draft",
            Self::Send(..) => "the send",
            Self::Cover(..) => "the cover",
            Self::Commit(..) => "the commit",
            Self::CoverLate(..) => "the late cover",
            Self::Release(..) => "the release",
            Self::Rearm(_) => "the re-arm",
            Self::Ack(_) => "the ack",
        }
    }
}
