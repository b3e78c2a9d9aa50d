//! The rules of the money at OpenRouter: what is left, which level that is, how long it lasts, and what the owner is
//! told. No I/O and no clock: a run hands in what it read and the runs before it.
//!
//! [`Figures`] (what was read) -> [`assess`] (the state of each concern) -> [`due`] (what is to be told) -> [`text`].

mod alert;
mod figures;
mod level;
mod runway;
mod text;

pub use alert::{Alerted, Change, Due, Told, due};
pub use figures::{AccountRead, Figures, Past, Reset};
pub use level::{BalanceLevel, Concern, KeyLevel, RunwayLevel, State, UsageLevel};
pub use runway::Runway;
pub use text::{Facts, Text, text};

use crate::conversation::ids::EpochMs;

/// From where on the owner is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// `CREDITS_WARNING_USD` (5): less than this left is a warning.
    pub warning_usd: f64,
    /// `CREDITS_CRITICAL_USD` (1): less than this left is critical. Not more than the warning.
    pub critical_usd: f64,
    /// `CREDITS_HIGH_USAGE_USD_PER_DAY` (1): more than this used in a day is high.
    pub high_usage_usd_per_day: f64,
    /// `CREDITS_RUNWAY_HOURS` (72, 24, 6): when no more hours than one of these are left. Descending.
    pub runway_hours: Vec<u32>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            warning_usd: 5.0,
            critical_usd: 1.0,
            high_usage_usd_per_day: 1.0,
            runway_hours: vec![72, 24, 6],
        }
    }
}

/// What the figures of a run mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// What was read.
    pub figures: Figures,
    /// Used in a day, in USD; none when nothing tells.
    pub used_a_day_usd: Option<f64>,
    /// How long it lasts.
    pub runway: Runway,
    /// One state for each concern that something could be said about. A concern that is not here stays as it was told.
    pub states: Vec<State>,
}

impl Assessment {
    /// What it says about the balance.
    #[must_use]
    pub fn balance(&self) -> Option<BalanceLevel> {
        self.states.iter().find_map(|state| match state {
            State::Balance(level) => Some(*level),
            _ => None,
        })
    }
}

/// Assesses what a run has read. `past` are the runs before it that read something, in any order.
#[must_use]
pub fn assess(
    figures: Figures,
    account: AccountRead,
    past: &[Past],
    thresholds: &Thresholds,
    now: EpochMs,
) -> Assessment {
    let account = account.or_given_up(past);
    let used_a_day_usd = runway::used_a_day_usd(&figures, past, now);
    let runway = match account {
        // It may be the account that ends first.
        AccountRead::Failed => Runway::Unknown,
        _ => runway::runway(&figures, past, now),
    };
    let key = match account {
        AccountRead::Refused => Some(KeyLevel::ManagementRefused),
        // Whether the management key is accepted is not known.
        AccountRead::Failed => None,
        AccountRead::Read | AccountRead::NoKey => Some(KeyLevel::Ok),
    };
    let states = [
        key.map(State::Key),
        level::balance(&figures, account, thresholds).map(State::Balance),
        used_a_day_usd.map(|used| State::Usage(level::usage(used, thresholds))),
        level::runway(runway, thresholds).map(State::Runway),
    ];
    Assessment {
        figures,
        used_a_day_usd,
        runway,
        states: states.into_iter().flatten().collect(),
    }
}

#[cfg(test)]
mod tests;
