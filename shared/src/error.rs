//! What a caller does about an error.

/// The three things a handler can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Try again: it may work next time.
    Retry,
    /// Wait for something else first; costs no attempt.
    Wait,
    /// Will never work as it is.
    Permanent,
}
