//! How long things took, as counts in fixed buckets: those of many hours are summed, and a percentile of any time is read
//! from the sum.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The upper bounds of the buckets, in milliseconds, each included in its bucket. What is longer than the last is in a
/// bucket of its own. From 1 s to 128 s no bound is more than one and a half times the one before.
pub const BOUNDS_MS: [u64; 19] = [
    250, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000, 12_000, 16_000, 24_000, 32_000,
    48_000, 64_000, 96_000, 128_000, 300_000, 3_600_000,
];

/// The word of the bucket without an upper bound.
const UNBOUNDED: &str = "inf";

/// A bucket, named by its upper bound. Other bounds than [`BOUNDS_MS`] are read too, so that these may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Bucket(u64);

/// The word names no bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bucket is a number of milliseconds or \"inf\"")]
pub struct NoBucket;

impl Bucket {
    /// The bucket of something that took `ms` milliseconds; what took less than nothing took nothing.
    #[must_use]
    pub fn of(ms: i64) -> Self {
        let ms = u64::try_from(ms).unwrap_or_default();
        let bound = BOUNDS_MS.into_iter().find(|bound| ms <= *bound);
        Self(bound.unwrap_or(u64::MAX))
    }

    /// Its upper bound, in milliseconds; none for the last one.
    #[must_use]
    pub fn bound_ms(self) -> Option<u64> {
        (self.0 != u64::MAX).then_some(self.0)
    }

    /// Its lower bound, in milliseconds, which is not in it.
    fn above_ms(self) -> u64 {
        let below = BOUNDS_MS.into_iter().rev().find(|bound| *bound < self.0);
        below.unwrap_or_default()
    }
}

impl From<Bucket> for String {
    fn from(bucket: Bucket) -> Self {
        bucket
            .bound_ms()
            .map_or_else(|| UNBOUNDED.to_owned(), |bound| bound.to_string())
    }
}

impl TryFrom<String> for Bucket {
    type Error = NoBucket;

    fn try_from(word: String) -> Result<Self, NoBucket> {
        if word == UNBOUNDED {
            return Ok(Self(u64::MAX));
        }
        word.parse().map(Self).map_err(|_| NoBucket)
    }
}

/// How many things took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Times(BTreeMap<Bucket, u64>);

impl Times {
    /// One thing that took `ms` milliseconds.
    #[must_use]
    pub fn one(ms: i64) -> Self {
        Self([(Bucket::of(ms), 1)].into())
    }

    /// Whether nothing was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|count| *count == 0)
    }

    /// How many things were measured.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How many of them took at most `ms` milliseconds; exact where `ms` is one of [`BOUNDS_MS`].
    #[must_use]
    pub fn at_most(&self, ms: u64) -> u64 {
        self.0
            .range(..=Bucket(ms))
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Adds `count` things to a bucket.
    pub fn add(&mut self, bucket: Bucket, count: u64) {
        let sum = self.0.entry(bucket).or_default();
        *sum = sum.saturating_add(count);
    }

    /// Adds all of the others.
    pub fn add_all(&mut self, others: &Self) {
        for (bucket, count) in others.iter() {
            self.add(bucket, count);
        }
    }

    /// The buckets that something is in.
    pub fn iter(&self) -> impl Iterator<Item = (Bucket, u64)> + '_ {
        let all = self.0.iter().map(|(bucket, count)| (*bucket, *count));
        all.filter(|(_, count)| *count > 0)
    }

    /// The time, in milliseconds, within which this share of them was done (0.95: all but one of twenty); none when
    /// nothing was measured.
    ///
    /// Taken linearly within the bucket that it falls into, so it is off by less than that bucket's width: from 1 s to
    /// 128 s less than half of the true value. Beyond the last bound it is that bound, which is too low.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let rank = share.clamp(0.0, 1.0) * self.count() as f64;
        let mut below = 0_u64;
        let mut found = None;
        for (bucket, count) in self.iter() {
            let above_ms = bucket.above_ms() as f64;
            let part = ((rank - below as f64) / count as f64).clamp(0.0, 1.0);
            let width_ms = bucket
                .bound_ms()
                .map_or(0.0, |bound| bound as f64 - above_ms);
            found = Some(above_ms + width_ms * part);
            below = below.saturating_add(count);
            if below as f64 >= rank {
                break;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(all: &[i64]) -> Times {
        let mut times = Times::default();
        for ms in all {
            times.add_all(&Times::one(*ms));
        }
        times
    }

    #[test]
    fn a_bound_is_in_its_own_bucket() {
        assert_eq!(Bucket::of(2_000).bound_ms(), Some(2_000));
        assert_eq!(Bucket::of(2_001).bound_ms(), Some(3_000));
        assert_eq!(Bucket::of(-5).bound_ms(), Some(250));
        assert_eq!(Bucket::of(i64::MAX).bound_ms(), None);
        assert!(BOUNDS_MS.is_sorted());
    }

    #[test]
    fn what_took_at_most_so_long_is_counted_from_below() {
        let times = times(&[100, 2_000, 2_001, i64::MAX]);
        let counts = [250, 2_000, 3_000, 3_600_000].map(|ms| times.at_most(ms));
        assert_eq!(counts, [1, 2, 3, 3]);
        assert_eq!(times.count(), 4);
    }

    #[test]
    fn a_percentile_is_off_by_less_than_its_bucket_is_wide() {
        // Twenty to two thousand different times, spread as answers are: many short, few long.
        for many in [20_i64, 200, 2_000] {
            let mut all: Vec<i64> = (1..=many)
                .map(|n| 300 + 90_000 * n * n / (many * many))
                .collect();
            all.sort_unstable();
            let exact = all[(many * 95 / 100 - 1) as usize];
            let estimate = times(&all).quantile_ms(0.95).unwrap();
            let off = (estimate - exact as f64).abs() / exact as f64;
            assert!(off < 0.5, "{many}: {estimate} instead of {exact}");
        }
    }

    #[test]
    fn a_percentile_lies_where_its_rank_does() {
        assert_eq!(Times::default().quantile_ms(0.95), None);
        assert_eq!(times(&[2_500]).quantile_ms(1.0), Some(3_000.0));
        // All of one bucket: 95 of 100 are below 95 % of its width.
        assert_eq!(times(&[2_500; 100]).quantile_ms(0.95), Some(2_950.0));
        // The 95th of a hundred is the last short one.
        let mut mixed = vec![900; 95];
        mixed.extend([50_000; 5]);
        assert_eq!(times(&mixed).quantile_ms(0.95), Some(1_000.0));
        assert_eq!(times(&[i64::MAX]).quantile_ms(0.95), Some(3_600_000.0));
    }

    #[test]
    fn a_sum_of_two_is_as_if_all_had_been_measured_together() {
        let (morning, evening) = (times(&[100, 9_000]), times(&[100, 70_000, i64::MAX]));
        let mut day = morning.clone();
        day.add_all(&evening);
        assert_eq!(day, times(&[100, 9_000, 100, 70_000, i64::MAX]));
    }

    #[test]
    fn they_survive_the_draft_and_so_do_bounds_of_another_version() {
        let times = times(&[100, 2_000, i64::MAX]);
        let json = serde_json::to_string(&times).unwrap();
        assert_eq!(json, r#"{"250":1,"2000":1,"inf":1}"#);
        assert_eq!(serde_json::from_str::<Times>(&json).unwrap(), times);
        let other: Times = serde_json::from_str(r#"{"2500":4}"#).unwrap();
        assert_eq!((other.at_most(2_000), other.at_most(3_000)), (0, 4));
    }
}
