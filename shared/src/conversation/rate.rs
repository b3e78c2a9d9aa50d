//! The rate limit: how many messages of a contact are answered within a window. What is over the limit waits and is
//! answered together when the window reopens; nothing is refused (I9).

use super::ids::EpochMs;

/// A limit on messages that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Messages of one window.
    pub max_messages: u32,
    /// The window's length, in milliseconds.
    pub window_ms: i64,
}

/// The window that a conversation is in. It begins with the first burst answered after the last one has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// When it began; none before the first answer.
    pub since: Option<EpochMs>,
    /// Messages answered in it.
    pub answered: u32,
}

impl Window {
    fn end(self, limit: RateLimit, now: EpochMs) -> Option<EpochMs> {
        let end = self.since?.plus_ms(limit.window_ms);
        (now < end).then_some(end)
    }

    /// Until when a burst of so many messages has to wait; none when it may be answered now. A burst that is larger
    /// than the limit has a window to itself: it could never be answered otherwise.
    #[must_use]
    pub fn closed_until(self, limit: RateLimit, messages: usize, now: EpochMs) -> Option<EpochMs> {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        let fits =
            self.answered == 0 || self.answered.saturating_add(messages) <= limit.max_messages;
        self.end(limit, now).filter(|_| !fits)
    }

    /// The window after a burst of so many messages was answered.
    #[must_use]
    pub fn after(self, limit: RateLimit, messages: usize, now: EpochMs) -> Self {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        match self.end(limit, now) {
            Some(_) => Self {
                answered: self.answered.saturating_add(messages),
                ..self
            },
            None => Self {
                since: Some(now),
                answered: messages,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit {
        max_messages: 10,
        window_ms: 60_000,
    };

    #[test]
    fn within_the_limit_nobody_waits() {
        let now = EpochMs(1_000_000);
        let mut window = Window::default();
        for _ in 0..10 {
            assert_eq!(window.closed_until(LIMIT, 1, now), None);
            window = window.after(LIMIT, 1, now);
        }
        assert_eq!(
            window.closed_until(LIMIT, 1, now),
            Some(now.plus_ms(60_000))
        );
    }

    #[test]
    fn a_burst_that_would_go_over_the_limit_waits_for_the_windows_end() {
        let now = EpochMs(1_000_000);
        let window = Window::default().after(LIMIT, 8, now);
        let later = now.plus_ms(20_000);
        assert_eq!(window.closed_until(LIMIT, 2, later), None);
        assert_eq!(
            window.closed_until(LIMIT, 3, later),
            Some(now.plus_ms(60_000))
        );
        let reopened = now.plus_ms(60_000);
        assert_eq!(window.closed_until(LIMIT, 300, reopened), None);
        assert_eq!(
            window.after(LIMIT, 300, reopened),
            Window {
                since: Some(reopened),
                answered: 300
            }
        );
    }

    #[test]
    fn a_burst_larger_than_the_limit_has_a_window_to_itself() {
        let now = EpochMs(1_000_000);
        assert_eq!(Window::default().closed_until(LIMIT, 50, now), None);
        let window = Window::default().after(LIMIT, 50, now);
        assert_eq!(
            window.closed_until(LIMIT, 1, now),
            Some(now.plus_ms(60_000))
        );
    }

    #[test]
    fn a_clock_that_went_back_keeps_the_window() {
        let now = EpochMs(1_000_000);
        let window = Window::default().after(LIMIT, 10, now);
        assert_eq!(
            window.closed_until(LIMIT, 1, now.plus_ms(-5_000)),
            Some(now.plus_ms(60_000))
        );
    }
}
