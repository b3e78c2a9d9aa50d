//! The event source mapping: takes records from a queue and gives them to a function, as Lambda does it.
//!
//! One task polls, and only while a place for an invocation is free, so that no record waits in flight for one. It sleeps
//! in a long poll while the queue is empty. Each invocation is a task of its own; a panic ends that invocation alone (I10).

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::encodings::Base64Data;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage, SqsMessageAttribute};
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::sqs::{self, AttributeValue, Message, Sqs};

/// One receive takes this many at most.
const RECEIVE_MAX: usize = 10;
/// The longest long poll that SQS has.
const POLL: Duration = Duration::from_secs(20);

/// A function that takes batches.
pub trait Invoke: Send + Sync {
    /// Runs the function on one batch; dropping the future ends the invocation.
    fn invoke(&self, event: SqsEvent) -> BoxFuture<'_, Result<SqsBatchResponse, InvokeError>>;
}

/// Why an invocation has no batch response. The whole batch counts as failed. The texts hold no record's body (I11).
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The function answered with an error, or panicked.
    #[error("the function failed")]
    Function(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The function ran longer than it may.
    #[error("the function timed out after {after:?}")]
    TimedOut {
        /// The function's timeout.
        after: Duration,
    },
    /// The function could not be reached, or its answer could not be read.
    #[error("the function could not be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An event source mapping with `ReportBatchItemFailures`.
pub struct Mapping {
    /// Where the queue is.
    pub sqs: Sqs,
    /// The queue's name; it may be made later.
    pub queue: String,
    /// Records in one invocation at most; 0 counts as 1.
    pub batch_size: usize,
    /// How long a batch that is not full waits for more, counted from its first record. Keep it well below the queue's
    /// visibility timeout, as on AWS: else a record is received again while it waits here.
    pub batch_window: Duration,
    /// Invocations at once at most; 0 counts as 1.
    pub max_concurrency: usize,
    /// The function.
    pub invoke: Arc<dyn Invoke>,
}

impl Mapping {
    /// Polls and invokes until `shutdown` resolves; then stops polling, invokes with what is already received, and
    /// returns when the last invocation has ended. Dropping it instead drops the invocations too, as a crash would:
    /// their records become visible again after their visibility timeout.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let places = Arc::new(Semaphore::new(
            self.max_concurrency.clamp(1, Semaphore::MAX_PERMITS),
        ));
        let mut invocations = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let place = tokio::select! {
                biased;
                () = &mut shutdown => break,
                place = Arc::clone(&places).acquire_owned() => place,
            };
            // Ended invocations are collected here, so that the set does not grow.
            while let Some(ended) = invocations.try_join_next() {
                report_end(&self.queue, ended);
            }
            // The semaphore is never closed.
            let Ok(place) = place else { break };
            let (batch, stop) = self.gather(&mut shutdown).await;
            if !batch.is_empty() {
                let invocation = Invocation {
                    sqs: self.sqs.clone(),
                    queue: self.queue.clone(),
                    invoke: Arc::clone(&self.invoke),
                };
                invocations.spawn(async move {
                    invocation.run(&batch).await;
                    drop(place);
                });
            }
            if stop {
                break;
            }
        }
        while let Some(ended) = invocations.join_next().await {
            report_end(&self.queue, ended);
        }
    }

    /// Receives until the batch is full, or its window has passed, or the shutdown comes (then true). What was received before stays in
    /// the batch whatever happens.
    async fn gather(&self, mut shutdown: impl Future<Output = ()> + Unpin) -> (Vec<Message>, bool) {
        let size = self.batch_size.max(1);
        let mut batch: Vec<Message> = Vec::new();
        let mut window_ends: Option<Instant> = None;
        while batch.len() < size {
            let wait =
                window_ends.map_or(POLL, |ends| ends.duration_since(Instant::now()).min(POLL));
            let ask = RECEIVE_MAX.min(size - batch.len());
            let received = tokio::select! {
                biased;
                () = &mut shutdown => return (batch, true),
                received = self.receive(ask, wait) => received,
            };
            let full = received.len() == ask;
            batch.extend(received);
            if batch.is_empty() {
                continue;
            }
            let ends = *window_ends.get_or_insert_with(|| Instant::now() + self.batch_window);
            if !full && Instant::now() >= ends {
                break;
            }
        }
        (batch, false)
    }

    /// Receives; without the queue, waits until something changes that could have made it.
    async fn receive(&self, max: usize, wait: Duration) -> Vec<Message> {
        let changed = self.sqs.changed();
        match self.sqs.receive(&self.queue, max, None, Some(wait)).await {
            Ok(messages) => messages,
            Err(error) => {
                tracing::warn!(queue = %self.queue, code = error.code(), "the event source mapping cannot receive");
                changed.await;
                Vec::new()
            }
        }
    }
}

fn report_end(queue: &str, ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(
            queue,
            panicked = error.is_panic(),
            "an invocation ended early; its batch stays in the queue"
        );
    }
}

/// What one invocation needs of its mapping.
struct Invocation {
    sqs: Sqs,
    queue: String,
    invoke: Arc<dyn Invoke>,
}

impl Invocation {
    /// Invokes with the batch and deletes what succeeded; the rest becomes visible when its visibility timeout ends.
    async fn run(&self, batch: &[Message]) {
        let records = batch
            .iter()
            .map(|message| record(&self.queue, message))
            .collect();
        let mut event = SqsEvent::default();
        event.records = records;
        let failed = match self.invoke.invoke(event).await {
            Ok(response) => failures(batch, &response),
            Err(error) => {
                tracing::warn!(queue = %self.queue, records = batch.len(), %error, "the invocation failed; its batch stays");
                return;
            }
        };
        let Some(failed) = failed else {
            tracing::warn!(
                queue = %self.queue, records = batch.len(),
                "the batch response names an unknown record; the whole batch counts as failed"
            );
            return;
        };
        for message in batch
            .iter()
            .filter(|message| !failed.contains(message.id.as_str()))
        {
            // Refused only when the queue is gone meanwhile, and the message with it.
            if let Err(error) = self
                .sqs
                .delete(&self.queue, &sqs::handle_of(&self.queue, message))
            {
                tracing::warn!(queue = %self.queue, code = error.code(), "a finished record could not be deleted");
            }
        }
    }
}

/// The ids that failed; `None` when the response names one that is not in the batch: then everything failed.
fn failures<'a>(batch: &'a [Message], response: &SqsBatchResponse) -> Option<HashSet<&'a str>> {
    let known: HashSet<&str> = batch.iter().map(|message| message.id.as_str()).collect();
    let failed = response.batch_item_failures.iter();
    failed
        .map(|failure| known.get(failure.item_identifier.as_str()).copied())
        .collect()
}

/// A message as Lambda hands it to a function.
fn record(queue: &str, message: &Message) -> SqsMessage {
    let own = message
        .system_attributes()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    let attributes = message.attributes.iter().map(|(name, attribute)| {
        let mut shown = SqsMessageAttribute::default();
        shown.data_type = Some(attribute.data_type.clone());
        match &attribute.value {
            AttributeValue::Text(text) => shown.string_value = Some(text.clone()),
            AttributeValue::Binary(bytes) => {
                let mut data = Base64Data::default();
                data.extend_from_slice(bytes);
                shown.binary_value = Some(data);
            }
        }
        (name.clone(), shown)
    });
    let mut record = SqsMessage::default();
    record.message_id = Some(message.id.clone());
    record.receipt_handle = Some(sqs::handle_of(queue, message));
    record.body = Some(message.body.clone());
    record.md5_of_body = Some(sqs::md5_of_body(&message.body));
    record.md5_of_message_attributes = sqs::md5_of_attributes(&message.attributes);
    record.attributes = own.collect::<HashMap<_, _>>();
    record.message_attributes = attributes.collect();
    record.event_source_arn = Some(sqs::arn(queue));
    record.event_source = Some("aws:sqs".to_owned());
    record.aws_region = Some(sqs::REGION.to_owned());
    record
}
