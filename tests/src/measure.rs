//! What measurements share: random numbers from a seed, percentiles, the machine's name.

use std::time::Duration;

/// Random numbers from a seed (splitmix64): the same seed gives the same ones.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for every seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of many independent sequences of a seed.
    #[must_use]
    pub fn stream(seed: u64, stream: u64) -> Self {
        // Both are mixed: seeds that lie near each other would give overlapping sequences.
        Self(Self::new(seed).next() ^ Self::new(stream).next().rotate_left(32))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// More than 0, at most 1.
    pub fn uniform(&mut self) -> f64 {
        // 53 bits: what a double holds; never 0.
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Less than `end`; 0 for an empty range.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or_default()
    }

    /// Evenly between two times.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.uniform())
    }

    /// The gap to the next event of a Poisson process with this many events a second.
    pub fn gap(&mut self, per_second: f64) -> Duration {
        Duration::from_secs_f64(-self.uniform().ln() / per_second)
    }

    /// The standard normal distribution (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// How long something takes: lognormal, as answers of servers and of people are, its tail cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Half of all take less.
    pub median: Duration,
    /// The standard deviation of the logarithm: how long the tail is.
    pub sigma: f64,
    /// None takes longer.
    pub most: Duration,
}

impl Latency {
    /// Draws one.
    pub fn draw(&self, random: &mut Random) -> Duration {
        // Beyond what a double holds the cut applies as well.
        let factor = (self.sigma * random.normal()).exp();
        let seconds = self.median.as_secs_f64() * factor;
        Duration::try_from_secs_f64(seconds).map_or(self.most, |drawn| drawn.min(self.most))
    }
}

/// The smallest value that `share` of all are not above; sorts them. NaN without values.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// The processor, and how many of its cores this process may use.
#[must_use]
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "{}, {cores} cores",
        name.map_or("unknown processor", |(_, name)| name)
    )
}

/// A time in milliseconds, with its fraction.
#[must_use]
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_seed_others() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            [(); 5].map(|()| random.below(1_000_000))
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn half_of_all_latencies_are_below_the_median_and_none_is_above_the_cut() {
        let latency = Latency {
            median: Duration::from_secs(2),
            sigma: 0.8,
            most: Duration::from_secs(20),
        };
        let mut random = Random::new(7);
        let mut drawn: Vec<f64> = (0..20_000)
            .map(|_| latency.draw(&mut random).as_secs_f64())
            .collect();
        let median = percentile(&mut drawn, 0.5);
        assert!((1.9..2.1).contains(&median), "{median}");
        let p95 = percentile(&mut drawn, 0.95);
        assert!((6.9..8.1).contains(&p95), "{p95}");
        assert_eq!(percentile(&mut drawn, 1.0), 20.0, "the tail is cut");
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut values, 0.50), 50.0);
        assert_eq!(percentile(&mut values, 0.99), 99.0);
        assert_eq!(percentile(&mut values, 1.0), 100.0);
        assert_eq!(percentile(&mut [3.0], 0.01), 3.0);
        assert!(percentile(&mut [], 0.5).is_nan());
    }
}
