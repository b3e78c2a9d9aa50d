//! How long to wait before the next try.

use sha2::{Digest, Sha256};

/// The longest delay that SQS knows, in seconds.
pub const MAX_DELAY_SECONDS: u32 = 900;

/// A fraction in `0.0..1.0`, the same for the same seed: randomness comes in as an argument, here as the
/// name of whoever waits, so that two who wait for the same thing do not come back together.
#[must_use]
pub fn fraction(seed: &str) -> f64 {
    let digest = Sha256::digest(seed);
    let value = digest
        .iter()
        .take(4)
        .fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
    f64::from(value) / (f64::from(u32::MAX) + 1.0)
}

/// Full jitter: between 1 s and `first * 2^(tries - 1)` seconds, at most [`MAX_DELAY_SECONDS`].
#[must_use]
pub fn full_jitter_seconds(first_seconds: u32, tries: u32, seed: &str) -> u32 {
    let ceiling = f64::from(first_seconds) * 2_f64.powi(tries.saturating_sub(1).min(16) as i32);
    whole_seconds((ceiling * fraction(seed) * 1000.0).ceil() as i64)
}

/// Milliseconds as a delay that SQS takes: whole seconds rounded up, within `0..=900`.
#[must_use]
pub fn delay_seconds(ms: i64) -> u32 {
    let seconds = ms.max(0).saturating_add(999) / 1000;
    u32::try_from(seconds)
        .unwrap_or(MAX_DELAY_SECONDS)
        .min(MAX_DELAY_SECONDS)
}

fn whole_seconds(ms: i64) -> u32 {
    delay_seconds(ms).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_between_a_second_and_its_ceiling() {
        for tries in 1..=20 {
            for n in 0..200 {
                let seconds = full_jitter_seconds(30, tries, &format!("{tries}-{n}"));
                let ceiling = (30_u64 << (tries - 1).min(16)).min(900);
                assert!(
                    (1..=ceiling).contains(&u64::from(seconds)),
                    "{tries}: {seconds}"
                );
            }
        }
    }

    #[test]
    fn jitter_spreads_and_repeats_for_the_same_seed() {
        let all: std::collections::BTreeSet<_> = (0..200)
            .map(|n| full_jitter_seconds(300, 1, &n.to_string()))
            .collect();
        assert!(all.len() > 100);
        assert_eq!(fraction("a").to_bits(), fraction("a").to_bits());
    }

    #[test]
    fn delays_round_up_to_what_the_queue_takes() {
        assert_eq!(delay_seconds(-5), 0);
        assert_eq!(delay_seconds(0), 0);
        assert_eq!(delay_seconds(1), 1);
        assert_eq!(delay_seconds(3000), 3);
        assert_eq!(delay_seconds(3001), 4);
        assert_eq!(delay_seconds(i64::MAX), 900);
    }

    #[test]
    fn a_seed_is_its_hash_and_the_ceiling_doubles_with_every_try() {
        // SHA-256 of "a" begins with ca978112.
        let expected = f64::from(0xca97_8112_u32) / 2_f64.powi(32);
        assert_eq!(fraction("a").to_bits(), expected.to_bits());
        // 30 s, 60 s and 120 s times 0.7914, rounded up.
        let tries = [1, 2, 3].map(|tries| full_jitter_seconds(30, tries, "a"));
        assert_eq!(tries, [24, 48, 95]);
    }
}
