//! Random numbers that are the same in every run: the committed page must not change by itself.

/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough for a queue.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly between 0 and 1, neither of them included.
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// The time to the next of events that come at random, `mean` apart.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    /// Lognormal, by its median and the standard deviation of its logarithm (Box and Muller).
    pub fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.unit()).cos();
        median * (sigma * normal).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_medians_are_those_asked_for() {
        let mut random = Random::new(1);
        let n = 100_000;
        let mean = (0..n).map(|_| random.exponential(2.0)).sum::<f64>() / f64::from(n);
        assert!((mean - 2.0).abs() < 0.03, "{mean}");
        let mut all: Vec<f64> = (0..n).map(|_| random.lognormal(2.5, 0.6)).collect();
        all.sort_by(f64::total_cmp);
        let median = all.get(50_000).copied().unwrap_or_default();
        assert!((median - 2.5).abs() < 0.05, "{median}");
        let p95 = all.get(95_000).copied().unwrap_or_default();
        // exp(0.6 x 1.645) = 2.68
        assert!((p95 - 6.71).abs() < 0.2, "{p95}");
    }
}
