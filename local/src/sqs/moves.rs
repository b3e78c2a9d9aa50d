//! Message move tasks: the redrive of a dead-letter queue.
//!
//! A task without a rate moves all at once. With a rate it moves as time passes: every operation lets time pass first,
//! and long polls know when the next message is due ([`Engine::next_move`]), so it needs no timer of its own.

use std::time::Duration;

use aws_smithy_types::base64;

use super::engine::Engine;
use super::error::{Refusal, SqsError};
use super::message::{Message, State};
use super::queue::Taken;
use super::settings::arn;
use super::time::{At, Moment};

/// AWS shows the ten newest tasks of a source; older ones are forgotten.
const KEPT_TASKS: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MoveStatus {
    Running,
    Completed,
    Cancelled,
    Failed { reason: &'static str },
}

#[derive(Clone, Debug)]
pub(crate) struct MoveTask {
    pub(crate) handle: String,
    pub(crate) source: String,
    /// None: each message goes back to the queue that gave it up.
    pub(crate) destination: Option<String>,
    pub(crate) per_second: Option<u32>,
    started: At,
    pub(crate) started_ms: i64,
    /// Messages that were visible when the task started.
    pub(crate) to_move: u64,
    pub(crate) moved: u64,
    pub(crate) status: MoveStatus,
}

impl MoveTask {
    /// Messages that may have moved by now.
    fn allowed(&self, now: At) -> u64 {
        let by_rate = self.per_second.map_or(u64::MAX, |rate| {
            let micros = u64::try_from(now.since(self.started).as_micros()).unwrap_or(u64::MAX);
            (micros.saturating_mul(u64::from(rate)) / 1_000_000).saturating_add(1)
        });
        by_rate.min(self.to_move)
    }

    /// When the next message may move.
    fn next(&self) -> Option<At> {
        let rate = self
            .per_second
            .filter(|_| self.status == MoveStatus::Running)?;
        let micros = self
            .moved
            .saturating_mul(1_000_000)
            .div_ceil(u64::from(rate));
        Some(self.started.plus(Duration::from_micros(micros)))
    }
}

impl Engine {
    /// Starts a task; its handle.
    ///
    /// # Errors
    /// `ResourceNotFoundException` for a queue that does not exist; `InvalidParameterValue` for a source that is no
    /// queue's dead-letter queue or has a task running.
    pub(crate) fn start_move(
        &mut self,
        source: &str,
        destination: Option<&str>,
        per_second: Option<u32>,
        now: Moment,
    ) -> Result<String, SqsError> {
        for (parameter, name) in [("SourceArn", Some(source)), ("DestinationArn", destination)] {
            if name.is_some_and(|name| !self.queues.contains_key(name)) {
                return Err(not_found(parameter));
            }
        }
        if !self.is_dead_letter_queue(source) {
            return Err(refuse(
                "Source queue must be configured as a Dead Letter Queue.",
            ));
        }
        if self
            .moves
            .iter()
            .any(|task| task.source == source && task.status == MoveStatus::Running)
        {
            return Err(refuse(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
            ));
        }
        let to_move = u64::try_from(self.queue(source)?.counts().visible).unwrap_or(u64::MAX);
        let id = self.new_id();
        let handle = base64::encode(
            serde_json::json!({ "taskId": id, "sourceArn": arn(source) }).to_string(),
        );
        self.moves.push(MoveTask {
            handle: handle.clone(),
            source: source.to_owned(),
            destination: destination.map(str::to_owned),
            per_second,
            started: now.at,
            started_ms: now.wall_ms,
            to_move,
            moved: 0,
            status: MoveStatus::Running,
        });
        self.forget_old_moves(source);
        self.changed = true;
        self.advance_moves(now);
        Ok(handle)
    }

    /// Stops a running task; the messages it has moved.
    ///
    /// # Errors
    /// `ResourceNotFoundException` for a handle of no running task.
    pub(crate) fn cancel_move(&mut self, handle: &str) -> Result<u64, SqsError> {
        let running =
            |task: &&mut MoveTask| task.handle == handle && task.status == MoveStatus::Running;
        let task = self
            .moves
            .iter_mut()
            .find(running)
            .ok_or_else(|| not_found("TaskHandle"))?;
        task.status = MoveStatus::Cancelled;
        self.changed = true;
        Ok(task.moved)
    }

    /// The tasks of a source, newest first.
    ///
    /// # Errors
    /// `ResourceNotFoundException` for a queue that does not exist.
    pub(crate) fn moves_of(
        &self,
        source: &str,
    ) -> Result<impl Iterator<Item = &MoveTask>, SqsError> {
        if !self.queues.contains_key(source) {
            return Err(not_found("SourceArn"));
        }
        let source = source.to_owned();
        Ok(self
            .moves
            .iter()
            .rev()
            .filter(move |task| task.source == source))
    }

    /// When a running task next moves a message.
    pub(crate) fn next_move(&self) -> Option<At> {
        self.moves.iter().filter_map(MoveTask::next).min()
    }

    pub(crate) fn advance_moves(&mut self, now: Moment) {
        for index in 0..self.moves.len() {
            let Some(mut task) = self
                .moves
                .get(index)
                .filter(|task| task.status == MoveStatus::Running)
                .cloned()
            else {
                continue;
            };
            while task.status == MoveStatus::Running && task.moved < task.allowed(now.at) {
                self.move_one(&mut task, now);
            }
            if task.status == MoveStatus::Running && task.moved >= task.to_move {
                task.status = MoveStatus::Completed;
            }
            if let Some(slot) = self.moves.get_mut(index) {
                self.changed |= slot.moved != task.moved || slot.status != task.status;
                *slot = task;
            }
        }
    }

    /// Moves the next visible message, as a new message: new id, sent now, never received (as AWS redrives).
    fn move_one(&mut self, task: &mut MoveTask, now: Moment) {
        let known: Vec<String> = self.queues.keys().cloned().collect();
        let destination = |message: &Message| {
            let to = task
                .destination
                .as_ref()
                .or(message.dead_letter_source.as_ref())?;
            known.contains(to).then(|| to.clone())
        };
        let Some(source) = self.queues.get_mut(&task.source) else {
            task.status = MoveStatus::Failed {
                reason: "AWS.SimpleQueueService.NonExistentQueue",
            };
            return;
        };
        let (message, to) = match source.take_visible_if(destination) {
            Taken::Empty => {
                task.status = MoveStatus::Completed;
                return;
            }
            Taken::Unfit => {
                task.status = MoveStatus::Failed {
                    reason: "CouldNotDetermineMessageSource",
                };
                return;
            }
            Taken::Message(message, to) => (message, to),
        };
        let redriven = Message {
            key: self.new_key(),
            id: self.new_id(),
            sent: now.at,
            sent_ms: now.wall_ms,
            receive_count: 0,
            first_received_ms: None,
            newest_receive: 0,
            dead_letter_source: None,
            state: State::Visible,
            ..*message
        };
        task.moved += 1;
        if let Some(queue) = self.queues.get_mut(&to) {
            queue.insert(redriven);
        }
    }

    fn is_dead_letter_queue(&self, name: &str) -> bool {
        let gives_up_to = |redrive: &super::Redrive| redrive.dead_letter_queue == name;
        self.queues.values().any(|queue| {
            queue
                .attributes
                .settings
                .redrive
                .as_ref()
                .is_some_and(gives_up_to)
        })
    }

    fn forget_old_moves(&mut self, source: &str) {
        let of_source = self
            .moves
            .iter()
            .filter(|task| task.source == source)
            .count();
        if of_source > KEPT_TASKS
            && let Some(oldest) = self.moves.iter().position(|task| task.source == source)
        {
            self.moves.remove(oldest);
        }
    }
}

fn not_found(parameter: &str) -> SqsError {
    SqsError::new(
        Refusal::ResourceNotFound,
        format!("The resource that you specified for the {parameter} parameter doesn't exist."),
    )
}

fn refuse(message: &str) -> SqsError {
    SqsError::new(Refusal::InvalidParameterValue, message)
}
