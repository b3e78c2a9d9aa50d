//! What a bot has used: the counts of an hour, how they are summed over any time, and how long things took. Pure; the
//! table keeps one item an hour.

mod counts;
mod day;
mod span;
mod times;

pub use counts::{UsageCounts, nano_usd};
pub use day::Day;
pub use span::{By, InvalidSpan, LONGEST_BY_DAY, LONGEST_BY_HOUR, Span, UsageHour, total};
pub use times::{BOUNDS_MS, Bucket, Times};
