//! Units a second at the keys that many conversations share, from the measured units of a burst.

use anyhow::Result;

use crate::inputs::Inputs;

/// Write units a second that one partition takes, and read units (AWS's guide to partition keys).
pub const WRITES_A_PARTITION: f64 = 1_000.0;

/// Whose key it is: by what the traffic on it is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    /// One for each conversation.
    Conversation,
    /// One for each bot.
    Bot,
    /// Eight for the installation.
    EightOfAll,
    /// One for the installation.
    All,
}

/// A kind of key, and what a message writes there.
#[derive(Clone, Debug)]
pub struct Key {
    /// As `tests/budget.toml` calls it.
    pub name: &'static str,
    /// Its partition key.
    pub pattern: &'static str,
    /// Who shares one.
    pub shared: Shared,
    /// Write units a message, on average.
    pub units_a_message: f64,
}

impl Key {
    /// Messages a second, of one sharer, at which a partition is full.
    #[must_use]
    pub fn full_at(&self) -> f64 {
        let partitions = if self.shared == Shared::EightOfAll {
            8.0
        } else {
            1.0
        };
        WRITES_A_PARTITION * partitions / self.units_a_message
    }
}

/// The kinds of keys that a message writes to.
///
/// # Errors
/// An input is missing.
pub fn all(inputs: &Inputs) -> Result<Vec<Key>> {
    let scene = |name: &str| inputs.budget.scene(name);
    // Warm: at such rates the settings are at hand, and the once-a-minute write of an instance is no part of a message.
    let half = |name: &str| -> Result<f64> {
        let of =
            |scene: &crate::budget::Scene| scene.write_units.get(name).copied().unwrap_or_default();
        let burst = (of(scene("burst_of_1")?) + of(scene("burst_of_3")?)) / 2.0;
        Ok(burst / inputs.messages_a_burst()?)
    };
    let key = |name, pattern, shared| -> Result<Key> {
        Ok(Key {
            name,
            pattern,
            shared,
            units_a_message: half(name)?,
        })
    };
    Ok(vec![
        key("conversation", "`C#<bot>#<contact>`", Shared::Conversation)?,
        key(
            "list of conversations",
            "`by_activity` `B#<bot>`",
            Shared::Bot,
        )?,
        key(
            "list of turns",
            "`by_activity` `T#<bot>#<status>`",
            Shared::Bot,
        )?,
        key("usage", "`U#<bot>#<yyyymm>`, one item an hour", Shared::Bot)?,
        key("owed shard", "`owed` `W#<0..7>`", Shared::EightOfAll)?,
    ])
}

/// The share of tries at a transaction that meet another one at work on the same item, when `a_second` of them come at
/// random, each holds the item for `held_ms`, and who is refused (`TransactionConflict`) comes again at another moment.
/// That is Erlang's loss formula with one place: with tries at a rate `g` a share `g h / (1 + g h)` is refused, and as all
/// get through in the end, that share is the item's utilisation. From 1 on there is no end.
#[must_use]
pub fn conflicts(a_second: f64, held_ms: f64) -> f64 {
    (a_second * held_ms / 1_000.0).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_shards_take_eight_times_as_much() {
        let of = |shared| {
            Key {
                name: "",
                pattern: "",
                shared,
                units_a_message: 2.0,
            }
            .full_at()
        };
        assert!((of(Shared::Bot) - 500.0).abs() < 1e-9);
        assert!((of(Shared::EightOfAll) - 4_000.0).abs() < 1e-9);
    }

    #[test]
    fn conflicts_begin_long_before_a_partition_is_full() {
        // 2 units a commit: the partition would take 500 a second.
        assert!((conflicts(1.0, 18.0) - 0.018).abs() < 1e-9);
        assert!((conflicts(25.0, 18.0) - 0.45).abs() < 1e-9);
        assert!(conflicts(500.0, 18.0) >= 1.0);
    }
}
