//! A small set of messages.

use std::fmt;

/// Messages by their number, 0 to 7.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Set(u8);

impl Set {
    /// The set of one.
    pub fn of(message: u8) -> Self {
        Self(1 << message)
    }

    /// Whether it holds a message.
    pub fn has(self, message: u8) -> bool {
        self.0 & (1 << message) != 0
    }

    /// Both.
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This one without the other.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its messages, in order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..8).filter(move |message| self.has(*message))
    }

    /// The newest message.
    pub fn newest(self) -> Option<u8> {
        self.iter().last()
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
