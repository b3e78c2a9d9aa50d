//! SQS in this process: standard queues as AWS has them, spoken to in AWS JSON 1.0.
//!
//! [`Sqs::call`] is the whole protocol without a socket; [`Sqs::router`] puts it behind HTTP for any AWS SDK. Inside:
//! [`queue`] and [`engine`] are rules without a clock; [`operations`] and [`queue_operations`] are what a client may
//! ask; this file holds the clock, the lock and the waiting. Nothing ticks: every operation first lets time pass, and a
//! long poll sleeps until a message arrives or the next one is due, on tokio's clock, so that a paused one drives it.
//!
//! Left out, and refused rather than ignored: FIFO queues, policies, encryption, tags, permissions.

mod engine;
mod error;
mod http;
mod message;
mod moves;
mod operations;
mod queue;
mod queue_operations;
mod sending;
mod settings;
mod snapshot;
mod time;
mod wire;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

pub use error::{Refusal, SqsError};
pub use http::Answer;
pub use settings::{MAX_MESSAGE_BYTES, QueueSettings, Redrive};
pub use snapshot::SnapshotError;

pub(crate) use engine::handle_of;
pub(crate) use message::{AttributeValue, Message, md5_of_attributes, md5_of_body};
pub(crate) use settings::arn;

use engine::Engine;
use message::State;
use time::{At, Moment};

/// The account that every queue belongs to, as in `{base_url}/000000000000/{name}`.
pub const ACCOUNT_ID: &str = "000000000000";
/// The region in ARNs and Lambda records.
pub const REGION: &str = "us-east-1";

/// Milliseconds since 1970, for what clients are shown (`SentTimestamp`); waiting runs on tokio's clock.
pub type WallClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The service. Clones share it.
#[derive(Clone)]
pub struct Sqs {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Mutex<Engine>,
    base_url: Mutex<String>,
    wall_clock: WallClock,
    started: Instant,
    /// Counts changes, for [`Sqs::changed`].
    changes: watch::Sender<u64>,
}

/// How many messages a queue has in each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueStats {
    /// A receive would get them.
    pub visible: usize,
    /// Received, and hidden until their visibility timeout ends.
    pub in_flight: usize,
    /// Sent with a delay that has not passed.
    pub delayed: usize,
    /// Until the next delayed or in-flight message becomes visible.
    pub next_due_in: Option<Duration>,
}

/// One message, looked at without receiving it.
#[derive(Clone, PartialEq, Eq)]
pub struct Peek {
    /// The message's id.
    pub message_id: String,
    /// The whole body.
    pub body: String,
    /// Where it is in its life.
    pub state: PeekState,
    /// Receives so far, over all queues.
    pub receive_count: u32,
}

/// Without the body: it must not reach a log (I11).
impl std::fmt::Debug for Peek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peek")
            .field("message_id", &self.message_id)
            .field("state", &self.state)
            .field("receive_count", &self.receive_count)
            .finish_non_exhaustive()
    }
}

/// Where a message is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeekState {
    /// Sent, and hidden for this much longer.
    Delayed {
        /// Until it becomes visible.
        due_in: Duration,
    },
    /// A receive would get it.
    Visible,
    /// Received and neither deleted nor timed out.
    InFlight,
}

impl Sqs {
    /// An SQS without queues. `base_url` is the front of queue URLs; see [`Sqs::set_base_url`].
    #[must_use]
    pub fn new(base_url: &str, clock: WallClock) -> Self {
        let inner = Inner {
            engine: Mutex::new(Engine::new()),
            base_url: Mutex::new(String::new()),
            wall_clock: clock,
            started: Instant::now(),
            changes: watch::Sender::new(0),
        };
        let sqs = Self {
            inner: Arc::new(inner),
        };
        sqs.set_base_url(base_url);
        sqs
    }

    /// Sets the front of queue URLs once the port is known. URLs given before stay valid: only a URL's last part counts.
    pub fn set_base_url(&self, base_url: &str) {
        *lock(&self.inner.base_url) = base_url.trim_end_matches('/').to_owned();
    }

    /// The URL of the queue of this name, whether or not it exists.
    #[must_use]
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT_ID}/{name}", lock(&self.inner.base_url))
    }

    /// Makes a queue, or gives the one that exists these settings; its messages stay. The dead-letter queue may be made later.
    pub fn create_queue(&self, name: &str, settings: QueueSettings) {
        self.with(|engine, now| engine.put_queue(name, settings, now));
    }

    /// How many messages the queue has in each state; `None` when there is no such queue.
    #[must_use]
    pub fn stats(&self, name: &str) -> Option<QueueStats> {
        self.with(|engine, now| {
            let queue = engine.queue(name).ok()?;
            let counts = queue.counts();
            Some(QueueStats {
                visible: counts.visible,
                in_flight: counts.in_flight,
                delayed: counts.delayed,
                next_due_in: queue.next_due().map(|due| due.since(now.at)),
            })
        })
    }

    /// Every message of the queue, oldest first, without receiving any; empty when there is no such queue.
    #[must_use]
    pub fn peek(&self, name: &str) -> Vec<Peek> {
        self.with(|engine, now| {
            let Ok(queue) = engine.queue(name) else {
                return Vec::new();
            };
            let look = |message: &Message| Peek {
                message_id: message.id.clone(),
                body: message.body.clone(),
                state: match message.state {
                    State::Delayed { due } => PeekState::Delayed {
                        due_in: due.since(now.at),
                    },
                    State::Visible => PeekState::Visible,
                    State::InFlight { .. } => PeekState::InFlight,
                },
                receive_count: message.receive_count,
            };
            queue.messages().map(look).collect()
        })
    }

    /// Resolves at the next change after this call (not after its first poll), time's own changes included: take it,
    /// look, then await it, and no change is missed.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut changes = self.inner.changes.subscribe();
        let sqs = self.clone();
        async move {
            loop {
                let due = sqs
                    .with(|engine, _| engine.next_due())
                    .map(|at| sqs.instant(at));
                let due = async {
                    match due {
                        Some(due) => tokio::time::sleep_until(due).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    // The sender lives as long as `sqs`, so this cannot fail.
                    _ = changes.changed() => return,
                    () = due => {}
                }
            }
        }
    }

    /// Receives up to `max` messages, waiting up to `wait` (`None`: the queue's own) for the first. Dropping the future loses nothing:
    /// a message is taken only in the poll that returns it.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, also when the queue is deleted meanwhile; `OverLimit`.
    pub(crate) async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility_seconds: Option<u32>,
        wait: Option<Duration>,
    ) -> Result<Vec<Message>, SqsError> {
        let (wake, own_wait) = self.with(|engine, _| {
            let queue = engine.queue(queue)?;
            Ok((
                Arc::clone(&queue.wake),
                queue.attributes.settings.receive_wait_seconds,
            ))
        })?;
        let deadline = Instant::now() + wait.unwrap_or(Duration::from_secs(u64::from(own_wait)));
        loop {
            let woken = wake.notified();
            tokio::pin!(woken);
            // Listening starts before looking, so that a message sent in between wakes us.
            woken.as_mut().enable();
            let (taken, next_due) = self.with(|engine, now| {
                let taken = engine.receive(queue, max, visibility_seconds, now)?;
                Ok((taken, engine.next_due_in(queue)))
            })?;
            if !taken.is_empty() || Instant::now() >= deadline {
                return Ok(taken);
            }
            let until = next_due.map_or(deadline, |due| self.instant(due).min(deadline));
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Deletes what the receipt handle names. # Errors: `QueueDoesNotExist`, `ReceiptHandleIsInvalid`.
    pub(crate) fn delete(&self, queue: &str, handle: &str) -> Result<(), SqsError> {
        self.with(|engine, _| engine.delete(queue, handle))
    }

    /// Lets time pass, then does `f`, all under the lock and at one moment; then tells the observers if anything changed.
    fn with<R>(&self, f: impl FnOnce(&mut Engine, Moment) -> R) -> R {
        let mut engine = lock(&self.inner.engine);
        let since = self.inner.started.elapsed();
        let now = Moment {
            at: At(time::micros(since)),
            wall_ms: (self.inner.wall_clock)(),
        };
        engine.advance(now);
        let result = f(&mut engine, now);
        let changed = engine.take_changed();
        drop(engine);
        if changed {
            self.inner
                .changes
                .send_modify(|count| *count = count.wrapping_add(1));
        }
        result
    }

    fn instant(&self, at: At) -> Instant {
        self.inner.started + at.since(At(0))
    }
}

/// A panic under the lock leaves whole messages (each step is one map operation), so the service goes on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
