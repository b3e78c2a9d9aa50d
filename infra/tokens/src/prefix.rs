//! The provider's prompt cache, as OpenAI publishes its rule: a prompt of 1,024 tokens or more whose beginning was read
//! within the last minutes is not read again, in steps of 128 tokens.

use clivy::conversation::ids::EpochMs;

/// A shorter prefix is not cached, in tokens.
pub const MINIMUM: usize = 1_024;
/// Longer ones in steps of so many tokens.
pub const STEP: usize = 128;

/// How much of a prompt is read from the cache, where `shared` tokens at its beginning were read lately.
#[must_use]
pub fn cached(shared: usize) -> usize {
    if shared < MINIMUM {
        0
    } else {
        shared - (shared - MINIMUM) % STEP
    }
}

/// What a provider has read.
#[derive(Debug)]
pub struct ProviderCache {
    /// How long it is kept after its last use, in milliseconds.
    keep_ms: i64,
    read: Vec<(EpochMs, String, Vec<u32>)>,
}

impl ProviderCache {
    /// Nothing yet.
    #[must_use]
    pub fn new(keep_ms: i64) -> Self {
        Self {
            keep_ms,
            read: Vec::new(),
        }
    }

    /// Reads a prompt, and says how many of its tokens were cached. A prefix is used whenever a prompt begins with it, so
    /// the longest one that some prompt of the last minutes begins with is the one that counts. Calls come in the order
    /// of their times.
    pub fn read(&mut self, at: EpochMs, model: &str, prompt: &[u32]) -> usize {
        let since = at.plus_ms(-self.keep_ms);
        let lately = self
            .read
            .iter()
            .filter(|(when, of, _)| *when >= since && of == model);
        let shared = lately.map(|(_, _, before)| shared(before, prompt)).max();
        self.read.push((at, model.to_owned(), prompt.to_vec()));
        cached(shared.unwrap_or_default())
    }
}

fn shared(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_counts_from_1024_tokens_in_steps_of_128() {
        let all = [0, 1_023, 1_024, 1_151, 1_152, 1_300].map(cached);
        assert_eq!(all, [0, 0, 1_024, 1_024, 1_152, 1_280]);
    }

    /// A prompt that begins with so many equal tokens and goes on with one of its own.
    fn prompt(equal: usize, own: u32) -> Vec<u32> {
        let mut tokens = vec![7; equal];
        tokens.extend([own; 200]);
        tokens
    }

    #[test]
    fn what_was_read_lately_is_cached_up_to_where_the_prompts_differ() {
        let mut cache = ProviderCache::new(300_000);
        let minute = |n: i64| EpochMs(n * 60_000);
        assert_eq!(cache.read(minute(0), "m", &prompt(1_500, 1)), 0);
        assert_eq!(cache.read(minute(1), "m", &prompt(1_500, 2)), 1_408);
        assert_eq!(
            cache.read(minute(2), "other", &prompt(1_500, 2)),
            0,
            "another model"
        );
        assert_eq!(
            cache.read(minute(2), "m", &prompt(1_000, 3)),
            0,
            "too short"
        );
        assert_eq!(
            cache.read(minute(6), "m", &prompt(1_500, 4)),
            1_408,
            "used five minutes ago"
        );
        assert_eq!(
            cache.read(minute(12), "m", &prompt(1_500, 5)),
            0,
            "not used for six minutes"
        );
    }
}
