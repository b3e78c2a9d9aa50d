//! The engine's time line: microseconds of tokio's clock since the engine started, and the wall clock beside it.
//!
//! The rules compare `At`s only, so a paused tokio clock drives them; the wall clock is for what
//! a client is shown (`SentTimestamp`) and for a snapshot, which outlives the time line.

use std::time::Duration;

/// A point on the engine's time line, in microseconds since it started. Negative for what a restored snapshot sent earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At(pub(crate) i64);

impl At {
    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    pub(crate) fn plus_seconds(self, seconds: u32) -> Self {
        self.plus(Duration::from_secs(u64::from(seconds)))
    }

    pub(crate) fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1_000)))
    }

    /// How far `self` lies after `earlier`; zero when it does not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As [`At::since`] but signed, in milliseconds rounded up: a delay is a minimum.
    pub(crate) fn ms_since(self, earlier: Self) -> i64 {
        let micros = self.0.saturating_sub(earlier.0);
        micros
            .div_euclid(1_000)
            .saturating_add(i64::from(micros.rem_euclid(1_000) > 0))
    }
}

/// One reading of both clocks; an operation sees exactly one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: At,
    pub(crate) wall_ms: i64,
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remaining_time_is_rounded_up_to_whole_milliseconds() {
        assert_eq!(At(1_001).ms_since(At(0)), 2);
        assert_eq!(At(2_000).ms_since(At(0)), 2);
        assert_eq!(At(0).ms_since(At(1_500)), -1);
    }

    #[test]
    fn time_that_has_passed_counts_as_zero() {
        assert_eq!(At(5).since(At(9)), Duration::ZERO);
    }
}
