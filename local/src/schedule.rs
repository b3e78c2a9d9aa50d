//! The schedules: what EventBridge does on AWS.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Runs `job` every `period`, first after `first`, until `shutdown`. A run that takes longer than the period
/// delays the next one; what it reports about its own failures is its own affair.
pub async fn every<J, F>(
    first: Duration,
    period: Duration,
    mut job: J,
    shutdown: impl Future<Output = ()>,
) where
    J: FnMut() -> F,
    F: Future<Output = ()>,
{
    let mut ticks = interval_at(Instant::now() + first, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            _ = ticks.tick() => job().await,
        }
    }
}
