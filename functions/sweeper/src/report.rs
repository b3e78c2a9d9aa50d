//! What a run tells: to the table, so that the health route sees that the sweeper runs, and to CloudWatch. Best effort: the
//! sweep itself is done by then.

use std::time::Duration;

use clivy::conversation::ids::EpochMs;
use clivy::llm::Provider;
use clivy::metrics::{ProviderSeen, SweepDone};
use clivy::table::{SweeperRun, TableError};

use crate::{Sweeper, Swept};

/// How long one look at the table may take: two of them fit into what is left before the deadline.
const PATIENCE: Duration = Duration::from_secs(1);

impl Sweeper {
    /// Tells what a run has found, and gives it with what was missing. `before` is since when an answer had to be owed to
    /// be looked at.
    pub(crate) async fn report(&self, mut swept: Swept, before: EpochMs) -> Swept {
        let (young, (), ()) = futures_util::join!(
            in_time(self.table.oldest_owed_of_all(before)),
            self.see(Provider::OpenRouter),
            self.see(Provider::Second),
        );
        let now = self.clock.now();
        // Those that were looked at are older than those that were not.
        if let (0, Some(Some(since))) = (swept.oldest_owed_ms, young) {
            swept.oldest_owed_ms = now.since_ms(since).max(0);
        }
        let is_known = swept.oldest_owed_ms > 0 || (swept.complete && young.is_some());
        let run = SweeperRun {
            at: now,
            hits: swept.hits as u64,
            turns_without_outcome: swept.turns_without_outcome as u64,
            failed: swept.failed as u64,
            oldest_owed_ms: swept.oldest_owed_ms,
            complete: swept.complete,
        };
        let is_kept = in_time(self.table.keep_sweep(&run)).await.is_some();
        let done = SweepDone {
            complete: swept.complete && is_kept,
            oldest_owed_ms: is_known.then_some(swept.oldest_owed_ms),
            ..measured(swept)
        };
        self.metrics.emit(now, &done);
        swept
    }

    /// Tells of a run that has ended in an error. It is not kept: the health route shows when the last good one was.
    pub(crate) fn report_failed(&self, swept: Swept) {
        self.metrics.emit(self.clock.now(), &measured(swept));
    }

    /// How a provider's breaker stands. Every minute, because an alarm needs values also while nothing changes.
    async fn see(&self, provider: Provider) {
        if let Some(seen) = in_time(self.table.provider(provider.as_str())).await {
            let now = self.clock.now();
            let state = seen.breaker.stands(now);
            self.metrics.emit(now, &ProviderSeen { provider, state });
        }
    }
}

fn measured(swept: Swept) -> SweepDone {
    SweepDone {
        hits: swept.hits,
        turns_without_outcome: swept.turns_without_outcome,
        failed: swept.failed,
        oldest_owed_ms: None,
        complete: false,
    }
}

/// What the table says in time; none when it does not.
async fn in_time<T>(asked: impl Future<Output = Result<T, TableError>>) -> Option<T> {
    let trouble = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => return Some(answer),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "timed out".to_owned(),
    };
    tracing::warn!(
        step = "sweep_not_told",
        error = trouble,
        "a part of the run's report is missing"
    );
    None
}
