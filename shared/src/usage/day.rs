//! Days of the ledger. All of them are UTC, whatever zone a bot is in.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::conversation::ids::EpochMs;

const DAY_MS: i64 = 86_400_000;
/// Years that can be asked for: beyond them moments cannot be written any more.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=9998;

/// A day (UTC), as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(i64);

impl Day {
    /// The day that a moment is in.
    #[must_use]
    pub fn of(at: EpochMs) -> Self {
        Self(at.0.div_euclid(DAY_MS))
    }

    /// The day of `YYYY-MM-DD`; none when it is none, or not of the years 1970 to 9998.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year = number(parts.next()?, 4)?;
        let month = i8::try_from(number(parts.next()?, 2)?).ok()?;
        let day = i8::try_from(number(parts.next()?, 2)?).ok()?;
        if parts.next().is_some() || !YEARS.contains(&year) {
            return None;
        }
        Self::of_date(Date::new(year, month, day).ok()?)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn number(self) -> i64 {
        self.0
    }

    /// Its first moment.
    #[must_use]
    pub fn begins(self) -> EpochMs {
        EpochMs(self.0.saturating_mul(DAY_MS))
    }

    /// The day so many days later, or earlier.
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// How many days it is after another one.
    #[must_use]
    pub fn since(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }

    /// The first day of its month.
    #[must_use]
    pub fn month_begins(self) -> Self {
        Self::of_date(self.date().first_of_month()).unwrap_or(self)
    }

    /// The last day of its month.
    #[must_use]
    pub fn month_ends(self) -> Self {
        Self::of_date(self.date().last_of_month()).unwrap_or(self)
    }

    fn of_date(date: Date) -> Option<Self> {
        let begins = date.to_zoned(TimeZone::UTC).ok()?;
        Some(Self::of(EpochMs(begins.timestamp().as_millisecond())))
    }

    fn date(self) -> Date {
        jiff::Timestamp::from_millisecond(self.begins().0)
            .unwrap_or_default()
            .to_zoned(TimeZone::UTC)
            .date()
    }
}

/// `YYYY-MM-DD`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date();
        write!(
            f,
            "{:04}-{:02}-{:02}",
            date.year(),
            date.month(),
            date.day()
        )
    }
}

/// A number of exactly so many digits.
fn number(digits: &str, many: usize) -> Option<i16> {
    let is_one = digits.len() == many && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_and_written_the_same_and_begins_at_midnight() {
        for text in ["1970-01-01", "2024-02-29", "2025-11-20", "9998-12-31"] {
            let day = Day::parse(text).unwrap();
            assert_eq!(day.to_string(), text);
            assert_eq!(Day::of(day.begins()), day);
            assert_eq!(Day::of(day.begins().plus_ms(DAY_MS - 1)), day);
            assert_eq!(Day::of(day.begins().plus_ms(-1)), day.plus(-1));
        }
        let day = Day::parse("2025-11-20").unwrap();
        assert_eq!(day.begins(), EpochMs(1_763_596_800_000));
        assert_eq!(day.month_begins().to_string(), "2025-11-01");
        assert_eq!(day.month_ends().to_string(), "2025-11-30");
        assert_eq!(day.plus(11).since(day), 11);
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            " ",
            "2025",
            "2025-11",
            "2025-02-29",
            "2025-13-01",
            "2025-00-10",
            "2025-11-00",
            "2025-11-31",
            "25-11-20",
            "2025-1-2",
            "2025-11-20T00:00:00Z",
            "2025-11-20 ",
            "+025-11-20",
            "-025-11-20",
            "2025-11-20-1",
            "1969-12-31",
            "9999-12-31",
            "0000-01-01",
            "２０２５-11-20",
            "2025\u{2010}11\u{2010}20",
            "99999999999999999999-01-01",
            "\0",
            "2025-+1-20",
        ] {
            assert_eq!(Day::parse(text), None, "{text:?}");
        }
    }
}
