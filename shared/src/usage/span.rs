//! The time that is asked about: some days, by hour or by day.

use super::{Day, UsageCounts};
use crate::conversation::ids::EpochMs;

/// The longest time by day, in days.
pub const LONGEST_BY_DAY: i64 = 92;
/// The longest time by hour, in days.
pub const LONGEST_BY_HOUR: i64 = 7;

const HOUR_MS: i64 = 3_600_000;
const HOURS: i64 = 24;

/// The usage of one hour.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageHour {
    /// When the hour began.
    pub at: EpochMs,
    /// What was counted in it.
    pub counts: UsageCounts,
}

/// How long a bucket of the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// An hour.
    Hour,
    /// A day (UTC).
    Day,
}

/// Some days, both ends included, and how they are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    from: Day,
    to: Day,
    by: By,
}

/// Why there is no such span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpan {
    /// It ends before it begins.
    #[error("from is after to")]
    Reversed,
    /// It is longer than can be asked for at once.
    #[error("from and to are more than {0} days apart, both included")]
    TooLong(i64),
}

impl Span {
    /// The days `from` to `to`, both included.
    ///
    /// # Errors
    /// It ends before it begins, or is longer than [`LONGEST_BY_DAY`] or [`LONGEST_BY_HOUR`].
    pub fn new(from: Day, to: Day, by: By) -> Result<Self, InvalidSpan> {
        let longest = match by {
            By::Hour => LONGEST_BY_HOUR,
            By::Day => LONGEST_BY_DAY,
        };
        if from > to {
            return Err(InvalidSpan::Reversed);
        }
        if to.since(from) >= longest {
            return Err(InvalidSpan::TooLong(longest));
        }
        Ok(Self { from, to, by })
    }

    /// Its first day.
    #[must_use]
    pub fn from(&self) -> Day {
        self.from
    }

    /// Its last day.
    #[must_use]
    pub fn to(&self) -> Day {
        self.to
    }

    /// How it is divided.
    #[must_use]
    pub fn by(&self) -> By {
        self.by
    }

    /// The counts of each of its hours or days, oldest first, each with its first moment. Those in which nothing happened
    /// are there too, with zeros; hours outside of it are left out.
    #[must_use]
    pub fn divide(&self, hours: &[UsageHour]) -> Vec<(EpochMs, UsageCounts)> {
        let width_ms = match self.by {
            By::Hour => HOUR_MS,
            By::Day => HOURS * HOUR_MS,
        };
        let begins = self.from.begins();
        let many = self.to.plus(1).begins().since_ms(begins) / width_ms;
        let mut buckets: Vec<(EpochMs, UsageCounts)> = (0..many)
            .map(|n| (begins.plus_ms(n * width_ms), UsageCounts::default()))
            .collect();
        for hour in hours {
            let index = hour.at.since_ms(begins).div_euclid(width_ms);
            let bucket = usize::try_from(index)
                .ok()
                .and_then(|index| buckets.get_mut(index));
            if let Some((_, counts)) = bucket {
                counts.add(&hour.counts);
            }
        }
        buckets
    }
}

/// The counts of all of them together.
pub fn total<'a>(all: impl IntoIterator<Item = &'a UsageCounts>) -> UsageCounts {
    let mut total = UsageCounts::default();
    for counts in all {
        total.add(counts);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn turns(at: EpochMs, turns: u64) -> UsageHour {
        UsageHour {
            at,
            counts: UsageCounts {
                turns,
                ..UsageCounts::default()
            },
        }
    }

    #[test]
    fn a_span_includes_both_ends_and_is_not_longer_than_may_be_asked() {
        let first = day("2025-11-20");
        for (days, by, is_valid) in [
            (0, By::Hour, true),
            (6, By::Hour, true),
            (7, By::Hour, false),
            (91, By::Day, true),
            (92, By::Day, false),
            (i64::MAX, By::Day, false),
        ] {
            let span = Span::new(first, first.plus(days), by);
            assert_eq!(span.is_ok(), is_valid, "{days} {by:?}");
        }
        let reversed = Span::new(first, first.plus(-1), By::Day);
        assert_eq!(reversed, Err(InvalidSpan::Reversed));
    }

    #[test]
    fn every_hour_and_every_day_is_there_and_nothing_from_outside() {
        let (from, to) = (day("2025-12-30"), day("2026-01-02"));
        let last = to.plus(1).begins();
        let hours = [
            turns(from.begins().plus_ms(-HOUR_MS), 1),
            turns(from.begins(), 2),
            turns(from.begins().plus_ms(23 * HOUR_MS), 4),
            turns(last.plus_ms(-HOUR_MS), 8),
            turns(last, 16),
        ];
        let counts = |by| -> Vec<u64> {
            let span = Span::new(from, to, by).unwrap();
            let divided = span.divide(&hours);
            assert!(
                divided
                    .iter()
                    .all(|(at, _)| (from.begins()..last).contains(at))
            );
            divided.iter().map(|(_, counts)| counts.turns).collect()
        };
        assert_eq!(counts(By::Day), [6, 0, 0, 8]);
        let by_hour = counts(By::Hour);
        assert_eq!(by_hour.len(), 96);
        assert_eq!((by_hour[0], by_hour[23], by_hour[95]), (2, 4, 8));
        assert_eq!(by_hour.iter().sum::<u64>(), 14);
    }
}
