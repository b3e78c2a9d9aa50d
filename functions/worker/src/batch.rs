//! A batch: its records run side by side, and each fails alone (I10).

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use clivy::conversation::ids::{EpochMs, Owner};
use clivy::metrics::BatchEnded;
use clivy::random;
use clivy::trace::{Record, SegmentId, TraceHeader};
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::Worker;
use crate::observe;
use crate::record::{self, Job};

/// A record is started only while this much is left: less would not do for one answer of the model.
const START_MARGIN_MS: i64 = 15_000;
/// Every record ends this long before the deadline, so that the batch can still be answered: without an
/// answer all of its records would come again.
const ANSWER_MARGIN_MS: i64 = 1_500;
/// When a record comes again that was not started or did not end.
const SOON_SECONDS: u32 = 5;

/// How a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is done: delete it.
    Done,
    /// It must come again after this many seconds.
    Again {
        /// Whole seconds.
        seconds: u32,
    },
}

/// Handles all records of a batch and names those that must come again.
pub async fn handle(
    worker: &Worker,
    event: SqsEvent,
    request_id: &str,
    deadline: EpochMs,
) -> SqsBatchResponse {
    let ends = event.records.iter().enumerate().map(|(index, record)| {
        // One owner per record and invocation: the same record may be in a batch twice.
        let owner = Owner(format!("{request_id}#{index}"));
        isolated(worker, record, owner, deadline)
    });
    let mut response = SqsBatchResponse::default();
    for (end, record) in join_all(ends).await.into_iter().zip(&event.records) {
        if matches!(end, End::Again { .. }) {
            response.add_failure(record.message_id.clone().unwrap_or_default());
        }
    }
    let ended = BatchEnded {
        records: event.records.len(),
        again: response.batch_item_failures.len(),
    };
    worker.metrics.emit(worker.clock.now(), &ended);
    response
}

async fn isolated(worker: &Worker, record: &SqsMessage, owner: Owner, deadline: EpochMs) -> End {
    let began_at = worker.clock.now();
    let header = record.attributes.get("AWSTraceHeader");
    let header = header.and_then(|header| TraceHeader::parse(header));
    let trace = Record::new(header, began_at);
    let trace_id = trace.trace_id();
    let left_ms = deadline.since_ms(began_at);
    let end = if left_ms < START_MARGIN_MS {
        tracing::warn!(
            step = "not_started",
            trace_id,
            left_ms,
            "the deadline is near"
        );
        End::Again {
            seconds: SOON_SECONDS,
        }
    } else {
        let limit = u64::try_from(left_ms - ANSWER_MARGIN_MS).unwrap_or_default();
        let work = AssertUnwindSafe(work(worker, record, owner, deadline, &trace)).catch_unwind();
        match tokio::time::timeout(Duration::from_millis(limit), work).await {
            Ok(Ok(end)) => end,
            Ok(Err(_panic)) => {
                tracing::error!(step = "panicked", trace_id, "a record panicked");
                End::Again {
                    seconds: SOON_SECONDS,
                }
            }
            Err(_) => {
                tracing::error!(step = "timed_out", trace_id, "a record ran out of time");
                End::Again {
                    seconds: SOON_SECONDS,
                }
            }
        }
    };
    tell(worker, &trace, end);
    futures_util::join!(
        come_back(worker, record, end),
        observe::keep_outcomes(worker)
    );
    end
}

/// What the record did is told to X-Ray, where its trace is sampled. Best effort, and at once: it waits for nobody.
fn tell(worker: &Worker, trace: &Record, end: End) {
    let (Some(daemon), Ok(id)) = (&worker.xray, random::bytes().map(SegmentId)) else {
        return;
    };
    if let Some(segment) = trace.segment(id, worker.clock.now(), end == End::Done) {
        daemon.send(&segment);
    }
}

/// A record that must come again does so when its end says.
async fn come_back(worker: &Worker, record: &SqsMessage, end: End) {
    if let (End::Again { seconds }, Some(receipt)) = (end, &record.receipt_handle) {
        // Without it the record comes again all the same, when its visibility timeout ends.
        let _ = tokio::time::timeout(
            Duration::from_millis(1_000),
            worker.queue.set_visibility(receipt, seconds),
        )
        .await;
    }
}

async fn work(
    worker: &Worker,
    record: &SqsMessage,
    owner: Owner,
    deadline: EpochMs,
    trace: &Record,
) -> End {
    let trigger = match worker
        .queue
        .read(record.body.as_deref().unwrap_or_default())
    {
        Ok(trigger) => trigger,
        Err(bad) => {
            tracing::error!(step = "bad_record", trace_id = trace.trace_id(), error = %bad, "a record is no trigger");
            return End::Again {
                seconds: SOON_SECONDS,
            };
        }
    };
    let job = Job {
        worker,
        trigger,
        owner,
        deadline,
        receipt: record.receipt_handle.clone().unwrap_or_default(),
        receives: receives(record),
        trace,
    };
    // Boxed: the future of a whole turn is large, and a batch holds ten of them.
    Box::pin(record::run(job)).await
}

fn receives(record: &SqsMessage) -> u32 {
    record
        .attributes
        .get("ApproximateReceiveCount")
        .and_then(|count| count.parse().ok())
        .unwrap_or(1)
}
