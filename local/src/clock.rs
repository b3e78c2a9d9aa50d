//! The wall clock of a world: starts at a given moment and runs on tokio's clock, so that a paused one drives it.

use clivy::clock::{Clock, SystemClock};
use clivy::conversation::ids::EpochMs;
use tokio::time::Instant;

/// Wall-clock time that follows tokio's clock.
#[derive(Clone, Copy, Debug)]
pub struct WorldClock {
    epoch: EpochMs,
    started: Instant,
}

impl WorldClock {
    /// A clock that shows `epoch` now.
    #[must_use]
    pub fn starting_at(epoch: EpochMs) -> Self {
        Self {
            epoch,
            started: Instant::now(),
        }
    }

    /// A clock that shows the machine's time.
    #[must_use]
    pub fn real() -> Self {
        Self::starting_at(SystemClock.now())
    }
}

impl Clock for WorldClock {
    fn now(&self) -> EpochMs {
        let passed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.epoch.plus_ms(passed)
    }
}
