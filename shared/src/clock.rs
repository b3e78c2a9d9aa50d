//! The time, as an argument. The only place that asks the system for it.

use std::fmt::Debug;

use crate::conversation::ids::EpochMs;

/// Tells the time.
pub trait Clock: Send + Sync + Debug {
    /// Now, in UTC.
    fn now(&self) -> EpochMs;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the system's clock is read"
    )]
    fn now(&self) -> EpochMs {
        let since_1970 = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        EpochMs(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }
}
