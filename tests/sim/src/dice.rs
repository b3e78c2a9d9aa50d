//! The one source of chance of a schedule.

use std::time::Duration;

/// A small generator (SplitMix64): the same seed gives the same throws.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The dice of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.throw() % end.max(1)
    }

    /// A number in `from..to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from))
    }

    /// True once in `of` times.
    pub fn once_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    /// True so many times in ten thousand.
    pub fn chance(&mut self, per_10_000: u32) -> bool {
        per_10_000 > 0 && self.below(10_000) < u64::from(per_10_000)
    }

    /// A time below this.
    pub fn within(&mut self, longest: Duration) -> Duration {
        let ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.below(ms))
    }

    /// One of these; none when there are none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(of.len() as u64)).ok()?;
        of.get(index)
    }

    /// Dice of their own, that depend on these.
    pub fn split(&mut self) -> Self {
        Self(self.throw())
    }

    /// Puts these in a random order.
    pub fn shuffle<T>(&mut self, of: &mut [T]) {
        for last in (1..of.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(last);
            of.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_throws_and_another_seed_others() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (0..8).map(|_| dice.throw()).collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
    }

    #[test]
    fn a_chance_is_as_rare_as_it_says() {
        let mut dice = Dice::new(1);
        let hits = (0..100_000).filter(|_| dice.chance(500)).count();
        assert!((4_500..5_500).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| !dice.chance(0)));
    }

    #[test]
    fn a_shuffle_keeps_everything() {
        let mut of: Vec<u32> = (0..20).collect();
        Dice::new(3).shuffle(&mut of);
        assert_ne!(of, (0..20).collect::<Vec<_>>());
        of.sort_unstable();
        assert_eq!(of, (0..20).collect::<Vec<_>>());
    }
}
