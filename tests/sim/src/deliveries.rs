//! SQS and the event source mapping, with what they may do: deliver twice, late, in another order, or not at all, and lose
//! answers.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::future::BoxFuture;
use local::mapping::{Invoke, InvokeError};
use local::world::QUEUE;

use crate::fleet::Fleet;
use crate::rates::Trouble;

/// How long after an answer its records are gone from the queue.
const DELETED_WITHIN: Duration = Duration::from_millis(100);

/// The worker behind them.
pub struct Deliveries(pub Arc<Fleet>);

impl Invoke for Deliveries {
    fn invoke(&self, event: SqsEvent) -> BoxFuture<'_, Result<SqsBatchResponse, InvokeError>> {
        Box::pin(self.deliver(event))
    }
}

impl Deliveries {
    async fn deliver(&self, mut event: SqsEvent) -> Result<SqsBatchResponse, InvokeError> {
        let (lease_ends, twice, late, over_polled, lost, scattered, copies) = {
            let mut state = self.0.director.state();
            let records = event.records.len();
            state
                .transcript
                .say(format_args!("SQS: a batch of {records}"));
            if state.happens(Trouble::RecordTwice) {
                let again = event.records.first().cloned();
                event.records.extend(again);
            }
            (
                state.happens_after(Trouble::LeaseEnds, 10_000),
                state.happens_after(Trouble::BatchTwice, 20_000),
                state.happens_after(Trouble::BatchLate, 30_000),
                state.happens(Trouble::OverPolled),
                state.happens(Trouble::BatchLost),
                state
                    .happens(Trouble::Scattered)
                    .then(|| state.dice.split()),
                state.happens(Trouble::Copied).then(|| state.dice.below(30)),
            )
        };
        if let Some(after) = lease_ends {
            let fleet = Arc::clone(&self.0);
            #[expect(
                clippy::disallowed_methods,
                reason = "the lease ends while its owner works"
            )]
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                fleet.end_leases().await;
            });
        }
        if let Some(seconds) = copies
            && let Some(body) = event.records.first().and_then(|record| record.body.clone())
        {
            let url = self.0.world.world.engines.sqs.queue_url(QUEUE);
            let copy =
                serde_json::json!({"QueueUrl": url, "MessageBody": body, "DelaySeconds": seconds});
            self.0.world.sqs("SendMessage", copy).await;
        }
        if let Some(late) = late {
            tokio::time::sleep(late).await;
        }
        if over_polled {
            return Err(InvokeError::Unreachable("throttled".into()));
        }
        if let Some(after) = twice {
            let (fleet, event) = (Arc::clone(&self.0), event.clone());
            #[expect(
                clippy::disallowed_methods,
                reason = "the other delivery runs beside this one"
            )]
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                // What becomes of it is not said to the queue, which knows of one receive only.
                let _ = fleet.work(event).await;
            });
        }
        let answer = match scattered {
            Some(mut dice) => self.scattered(event, &mut dice).await,
            None => self.0.work(event).await,
        };
        if lost {
            return Err(InvokeError::Unreachable("no answer".into()));
        }
        let fleet = Arc::clone(&self.0);
        #[expect(
            clippy::disallowed_methods,
            reason = "the queue deletes what this answer does not name, which is to be looked at"
        )]
        tokio::spawn(async move {
            tokio::time::sleep(DELETED_WITHIN).await;
            fleet.director.look();
        });
        answer
    }

    /// Every record alone, in another order, with pauses between them.
    async fn scattered(
        &self,
        event: SqsEvent,
        dice: &mut crate::dice::Dice,
    ) -> Result<SqsBatchResponse, InvokeError> {
        let mut records = event.records;
        dice.shuffle(&mut records);
        let mut all = SqsBatchResponse::default();
        for record in records {
            let id = record.message_id.clone().unwrap_or_default();
            let mut alone = SqsEvent::default();
            alone.records = vec![record];
            match self.0.work(alone).await {
                Ok(answer) => all.batch_item_failures.extend(answer.batch_item_failures),
                Err(_) => all.add_failure(id),
            }
            tokio::time::sleep(dice.within(Duration::from_secs(4))).await;
        }
        Ok(all)
    }
}
