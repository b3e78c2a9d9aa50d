//! What the product has as its defaults, read where it reads them.

use std::collections::BTreeMap;

use clivy::config::{self, Reader};
use clivy::conversation::bot::ModelEntry;
use clivy::conversation::decide::Debounce;
use clivy::prompt::Limits;

/// The settings that decide how often a model is asked, and with how much.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When a burst is answered.
    pub debounce: Debounce,
    /// How much goes into a prompt.
    pub limits: Limits,
    /// The model of bots that name none.
    pub model: ModelEntry,
    /// How long nothing must have been said before an answer is kept, in milliseconds.
    pub cache_free_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        let mut unset = Reader::new(BTreeMap::new());
        Self {
            debounce: config::debounce(&mut unset),
            limits: Limits::default(),
            model: config::default_model(&mut unset),
            cache_free_ms: config::response_cache_free_ms(&mut unset),
        }
    }
}
