//! What is to be told: once per change of a level, and once a day while it is not well.

use std::collections::BTreeMap;

use super::level::{Concern, State};
use crate::conversation::ids::EpochMs;

/// A day, less half of the schedule's hour: the run of the same hour tomorrow may begin some seconds earlier.
const DAY_MS: i64 = 86_400_000 - 1_800_000;

/// What was told about a concern last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alerted {
    /// How it stood; none when another version said so in a word that this one does not know.
    pub state: Option<State>,
    /// When.
    pub at: EpochMs,
}

/// What was told last, by concern. A concern that nothing was told about was well.
pub type Told = BTreeMap<Concern, Alerted>;

/// How a state differs from what was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is worse.
    Worse,
    /// It is better.
    Better,
    /// It is the same, and has been for a day.
    Still,
}

impl Change {
    /// The word for logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Still => "still",
        }
    }
}

/// Something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// How it stands.
    pub state: State,
    /// Against what was told last.
    pub change: Change,
}

/// What is to be told now.
#[must_use]
pub fn due(states: &[State], told: &Told, now: EpochMs) -> Vec<Due> {
    states
        .iter()
        .filter_map(|&state| {
            let change = change(state, told.get(&state.concern()), now)?;
            Some(Due { state, change })
        })
        .collect()
}

fn change(state: State, told: Option<&Alerted>, now: EpochMs) -> Option<Change> {
    let Some(told) = told else {
        return (!state.is_ok()).then_some(Change::Worse);
    };
    match told.state {
        Some(before) if before == state => {
            let is_due = !state.is_ok() && now.since_ms(told.at) >= DAY_MS;
            is_due.then_some(Change::Still)
        }
        Some(before) if state.badness() < before.badness() => Some(Change::Better),
        None if state.is_ok() => Some(Change::Better),
        _ => Some(Change::Worse),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credits::{BalanceLevel, KeyLevel, RunwayLevel, UsageLevel};

    const NOW: EpochMs = EpochMs(1_763_604_905_000);
    const HOUR_MS: i64 = 3_600_000;

    fn told(state: State, hours_ago: i64) -> Told {
        let alerted = Alerted {
            state: Some(state),
            at: NOW.plus_ms(-hours_ago * HOUR_MS),
        };
        Told::from([(state.concern(), alerted)])
    }

    fn changes(state: State, told: &Told) -> Vec<Change> {
        due(&[state], told, NOW)
            .iter()
            .map(|due| due.change)
            .collect()
    }

    #[test]
    fn what_was_never_told_about_was_well() {
        let nothing = Told::new();
        assert_eq!(changes(State::Balance(BalanceLevel::Ok), &nothing), []);
        for state in [
            State::Balance(BalanceLevel::Unknown),
            State::Usage(UsageLevel::High),
            State::Key(KeyLevel::Refused),
            State::Runway(RunwayLevel::Within { hours: 72 }),
        ] {
            assert_eq!(changes(state, &nothing), [Change::Worse], "{state:?}");
        }
    }

    #[test]
    fn every_change_of_a_level_is_told_and_says_which_way() {
        use BalanceLevel::{Critical, Empty, Ok, Unknown, Warning};
        let way = [Ok, Unknown, Warning, Critical, Empty];
        for (before, level) in way.iter().enumerate() {
            for (after, next) in way.iter().enumerate() {
                let expected = match after.cmp(&before) {
                    std::cmp::Ordering::Greater => vec![Change::Worse],
                    std::cmp::Ordering::Less => vec![Change::Better],
                    std::cmp::Ordering::Equal => vec![],
                };
                let told = told(State::Balance(*level), 1);
                assert_eq!(changes(State::Balance(*next), &told), expected);
            }
        }
        let within = |hours| State::Runway(RunwayLevel::Within { hours });
        assert_eq!(changes(within(24), &told(within(72), 1)), [Change::Worse]);
        assert_eq!(changes(within(72), &told(within(24), 1)), [Change::Better]);
        let ok = State::Runway(RunwayLevel::Ok);
        assert_eq!(changes(ok, &told(within(72), 1)), [Change::Better]);
    }

    #[test]
    fn what_stays_bad_is_told_once_a_day_and_what_stays_well_never() {
        let low = State::Balance(BalanceLevel::Warning);
        assert_eq!(changes(low, &told(low, 23)), []);
        assert_eq!(changes(low, &told(low, 24)), [Change::Still]);
        let mut a_little_early = told(low, 24);
        for alerted in a_little_early.values_mut() {
            alerted.at = alerted.at.plus_ms(20_000);
        }
        assert_eq!(changes(low, &a_little_early), [Change::Still]);
        let ok = State::Balance(BalanceLevel::Ok);
        assert_eq!(changes(ok, &told(ok, 240)), []);
    }

    #[test]
    fn a_concern_is_told_about_whatever_the_others_do() {
        let low = State::Balance(BalanceLevel::Warning);
        let high = State::Usage(UsageLevel::High);
        let due = due(&[low, high], &told(low, 1), NOW);
        assert_eq!(
            due,
            [Due {
                state: high,
                change: Change::Worse
            }]
        );
    }

    #[test]
    fn a_level_of_another_version_is_told_about_once() {
        let unknown = Alerted {
            state: None,
            at: NOW,
        };
        let told = Told::from([(Concern::Balance, unknown)]);
        let changes = |level| changes(State::Balance(level), &told);
        assert_eq!(changes(BalanceLevel::Ok), [Change::Better]);
        assert_eq!(changes(BalanceLevel::Critical), [Change::Worse]);
    }

    #[test]
    fn every_word_is_the_word_of_one_state() {
        let states = [
            State::Key(KeyLevel::Ok),
            State::Key(KeyLevel::ManagementRefused),
            State::Key(KeyLevel::Unreadable),
            State::Key(KeyLevel::Refused),
            State::Balance(BalanceLevel::Ok),
            State::Balance(BalanceLevel::Unknown),
            State::Balance(BalanceLevel::Warning),
            State::Balance(BalanceLevel::Critical),
            State::Balance(BalanceLevel::Empty),
            State::Usage(UsageLevel::Ok),
            State::Usage(UsageLevel::High),
            State::Runway(RunwayLevel::Ok),
            State::Runway(RunwayLevel::Within { hours: 6 }),
            State::Runway(RunwayLevel::Within { hours: 720 }),
        ];
        for state in states {
            let read = State::of_word(state.concern(), &state.word());
            assert_eq!(read, Some(state));
        }
        assert_eq!(State::of_word(Concern::Balance, "within_6_hours"), None);
        assert_eq!(State::of_word(Concern::Runway, "within_x_hours"), None);
        assert_eq!(State::of_word(Concern::Key, "splendid"), None);
    }
}
