//! The circuit breaker of a provider, as rules: no I/O, no clock. The table keeps its state, so that all instances share
//! one breaker (I7).

use std::collections::BTreeMap;

use crate::conversation::ids::EpochMs;

/// What is known of a provider under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provider {
    /// Its breaker.
    pub breaker: Breaker,
    /// Models that are of no use until then: their free requests of the day are used up.
    pub parked: BTreeMap<String, EpochMs>,
    /// What opened the breaker, in the words of the error kinds; none while it is closed.
    pub reason: Option<String>,
}

impl Provider {
    /// Whether a model is parked now.
    #[must_use]
    pub fn is_parked(&self, model: &str, now: EpochMs) -> bool {
        self.parked.get(model).is_some_and(|until| now < *until)
    }
}

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `BREAKER_MAX_FAILURES` (5): failures in a row that open it.
    pub max_failures: u32,
    /// `BREAKER_COOLDOWN_SECONDS` (60), in milliseconds: how long it stays open before one call may probe.
    pub cooldown_ms: i64,
}

/// The state of a breaker. The default is closed and healthy, and has no item in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: u32,
    /// Set while it is open or half open: until when no call may be made.
    pub open_until: Option<EpochMs>,
    /// Set while somebody probes: until when nobody else may. A dead probe heals by itself.
    pub probe_until: Option<EpochMs>,
}

/// How a breaker stands, for people and alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls are made.
    Closed,
    /// One call may try whether they work again, or is trying.
    HalfOpen,
    /// No call is made.
    Open,
}

impl State {
    /// The word for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half open",
            Self::Open => "open",
        }
    }

    /// The number for alarms: 0 closed, 1 half open, 2 open.
    #[must_use]
    pub fn level(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// What a breaker says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Go on.
    Closed,
    /// Not before then.
    Open {
        /// When to ask again.
        until: EpochMs,
    },
    /// Somebody else's call is the probe: its end tells, and until then it may be that nobody ends it.
    Probed {
        /// When the probe is over at the latest.
        until: EpochMs,
    },
    /// One call may try, whoever takes the probe first.
    HalfOpen,
}

impl Breaker {
    /// What it says now.
    #[must_use]
    pub fn gate(&self, now: EpochMs) -> Gate {
        match (self.open_until, self.probe_until) {
            (None, _) => Gate::Closed,
            (Some(until), _) if now < until => Gate::Open { until },
            (Some(_), Some(until)) if now < until => Gate::Probed { until },
            (Some(_), _) => Gate::HalfOpen,
        }
    }

    /// Whether a success has nothing to mend: then it writes nothing.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        *self == Self::default()
    }

    /// How it stands.
    #[must_use]
    pub fn stands(&self, now: EpochMs) -> State {
        match self.gate(now) {
            Gate::Closed => State::Closed,
            Gate::Open { .. } => State::Open,
            Gate::Probed { .. } | Gate::HalfOpen => State::HalfOpen,
        }
    }

    /// The word for people.
    #[must_use]
    pub fn state(&self, now: EpochMs) -> &'static str {
        self.stands(now).as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: EpochMs = EpochMs(100_000);

    #[test]
    fn a_breaker_that_was_never_written_is_closed_and_healthy() {
        let breaker = Breaker::default();
        assert_eq!(breaker.gate(NOW), Gate::Closed);
        assert!(breaker.is_healthy());
        let failing = Breaker {
            failures: 4,
            ..breaker
        };
        assert_eq!(failing.gate(NOW), Gate::Closed);
        assert!(!failing.is_healthy());
    }

    #[test]
    fn an_open_breaker_lets_one_probe_through_after_its_cooldown() {
        let open = Breaker {
            failures: 5,
            open_until: Some(NOW.plus_ms(1)),
            probe_until: None,
        };
        assert_eq!(
            open.gate(NOW),
            Gate::Open {
                until: NOW.plus_ms(1)
            }
        );
        assert_eq!(open.state(NOW), "open");
        assert_eq!(open.gate(NOW.plus_ms(1)), Gate::HalfOpen);
        let probing = Breaker {
            probe_until: Some(NOW.plus_ms(9_000)),
            ..open
        };
        assert_eq!(
            probing.gate(NOW.plus_ms(5)),
            Gate::Probed {
                until: NOW.plus_ms(9_000)
            }
        );
        assert_eq!(probing.state(NOW.plus_ms(5)), "half open");
        // The probe died.
        assert_eq!(probing.gate(NOW.plus_ms(9_000)), Gate::HalfOpen);
    }

    #[test]
    fn it_stands_for_people_and_for_alarms_as_it_gates() {
        let at = |open: i64, probe: Option<i64>| Breaker {
            failures: 5,
            open_until: Some(NOW.plus_ms(open)),
            probe_until: probe.map(|probe| NOW.plus_ms(probe)),
        };
        for (breaker, state, level) in [
            (Breaker::default(), State::Closed, 0),
            (at(1, None), State::Open, 2),
            (at(0, None), State::HalfOpen, 1),
            (at(0, Some(1)), State::HalfOpen, 1),
            (at(-1, Some(0)), State::HalfOpen, 1),
        ] {
            assert_eq!(breaker.stands(NOW), state, "{breaker:?}");
            assert_eq!(breaker.stands(NOW).level(), level, "{breaker:?}");
        }
    }

    #[test]
    fn a_model_is_parked_until_its_time_and_others_are_not() {
        let provider = Provider {
            parked: BTreeMap::from([("a".to_owned(), NOW)]),
            ..Provider::default()
        };
        assert!(provider.is_parked("a", NOW.plus_ms(-1)));
        assert!(!provider.is_parked("a", NOW));
        assert!(!provider.is_parked("a", NOW.plus_ms(1)));
        assert!(!provider.is_parked("b", NOW.plus_ms(-1)));
    }
}
