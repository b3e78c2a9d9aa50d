//! The levels of the four concerns. Each is told about by itself.

use super::Thresholds;
use super::figures::{AccountRead, Figures};
use super::runway::Runway;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Concern {
    /// Whether the keys are accepted: without them nothing else can be seen.
    Key,
    /// What is left.
    Balance,
    /// What a day costs.
    Usage,
    /// How long it lasts.
    Runway,
}

impl Concern {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Key, Self::Balance, Self::Usage, Self::Runway];

    /// Its name in the table and in logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Balance => "balance",
            Self::Usage => "usage",
            Self::Runway => "runway",
        }
    }
}

/// The keys, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyLevel {
    /// Accepted.
    Ok,
    /// The management key is refused: the balance cannot be seen.
    ManagementRefused,
    /// OpenRouter has not answered for hours: nothing can be seen.
    Unreadable,
    /// The key that pays for answers is refused.
    Refused,
}

/// What is left, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BalanceLevel {
    /// Enough, or an account of free models only.
    Ok,
    /// Nothing tells: the key has no cap, and the balance cannot be read.
    Unknown,
    /// Less than `CREDITS_WARNING_USD`.
    Warning,
    /// Less than `CREDITS_CRITICAL_USD`.
    Critical,
    /// Nothing: the account or the key's cap is used up.
    Empty,
}

/// What a day costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsageLevel {
    /// Not much.
    Ok,
    /// More than `CREDITS_HIGH_USAGE_USD_PER_DAY`.
    High,
}

/// How long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunwayLevel {
    /// Longer than the longest of `CREDITS_RUNWAY_HOURS`.
    Ok,
    /// Not longer than this one of `CREDITS_RUNWAY_HOURS`, and longer than the next.
    Within {
        /// Hours.
        hours: u32,
    },
}

/// A concern and how it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The keys.
    Key(KeyLevel),
    /// What is left.
    Balance(BalanceLevel),
    /// What a day costs.
    Usage(UsageLevel),
    /// How long it lasts.
    Runway(RunwayLevel),
}

impl State {
    /// What it is about.
    #[must_use]
    pub fn concern(self) -> Concern {
        match self {
            Self::Key(_) => Concern::Key,
            Self::Balance(_) => Concern::Balance,
            Self::Usage(_) => Concern::Usage,
            Self::Runway(_) => Concern::Runway,
        }
    }

    /// The level's name in the table and in logs; unique within its concern.
    #[must_use]
    pub fn word(self) -> String {
        let word = match self {
            Self::Key(KeyLevel::Ok)
            | Self::Balance(BalanceLevel::Ok)
            | Self::Usage(UsageLevel::Ok)
            | Self::Runway(RunwayLevel::Ok) => "ok",
            Self::Key(KeyLevel::ManagementRefused) => "management_refused",
            Self::Key(KeyLevel::Unreadable) => "unreadable",
            Self::Key(KeyLevel::Refused) => "refused",
            Self::Balance(BalanceLevel::Unknown) => "unknown",
            Self::Balance(BalanceLevel::Warning) => "warning",
            Self::Balance(BalanceLevel::Critical) => "critical",
            Self::Balance(BalanceLevel::Empty) => "empty",
            Self::Usage(UsageLevel::High) => "high",
            Self::Runway(RunwayLevel::Within { hours }) => return format!("within_{hours}_hours"),
        };
        word.to_owned()
    }

    /// The state that a word of [`State::word`] stands for; none for a word of another version.
    #[must_use]
    pub fn of_word(concern: Concern, word: &str) -> Option<Self> {
        let all: &[Self] = match concern {
            Concern::Key => &[
                Self::Key(KeyLevel::Ok),
                Self::Key(KeyLevel::ManagementRefused),
                Self::Key(KeyLevel::Unreadable),
                Self::Key(KeyLevel::Refused),
            ],
            Concern::Balance => &[
                Self::Balance(BalanceLevel::Ok),
                Self::Balance(BalanceLevel::Unknown),
                Self::Balance(BalanceLevel::Warning),
                Self::Balance(BalanceLevel::Critical),
                Self::Balance(BalanceLevel::Empty),
            ],
            Concern::Usage => &[Self::Usage(UsageLevel::Ok), Self::Usage(UsageLevel::High)],
            Concern::Runway => &[Self::Runway(RunwayLevel::Ok)],
        };
        let within = || {
            let hours = word.strip_prefix("within_")?.strip_suffix("_hours")?;
            let hours = hours.parse().ok()?;
            (concern == Concern::Runway).then_some(Self::Runway(RunwayLevel::Within { hours }))
        };
        let known = all.iter().find(|state| state.word() == word).copied();
        known.or_else(within)
    }

    /// Whether there is nothing to tell about it.
    #[must_use]
    pub fn is_ok(self) -> bool {
        self.badness() == 0
    }

    /// Compares states of one concern: the worse one has more.
    pub(super) fn badness(self) -> u32 {
        match self {
            Self::Key(level) => level as u32,
            Self::Balance(level) => level as u32,
            Self::Usage(level) => level as u32,
            Self::Runway(RunwayLevel::Ok) => 0,
            Self::Runway(RunwayLevel::Within { hours }) => u32::MAX.saturating_sub(hours).max(1),
        }
    }
}

/// The level of what is left. None when the balance could not be read this time and the key's cap alone is no reason to
/// worry: the account may be the smaller one.
pub(super) fn balance(
    figures: &Figures,
    account: AccountRead,
    thresholds: &Thresholds,
) -> Option<BalanceLevel> {
    let level = match figures.remaining_usd() {
        Some(left) if left <= 0.0 => BalanceLevel::Empty,
        Some(left) if left < thresholds.critical_usd => BalanceLevel::Critical,
        Some(left) if left < thresholds.warning_usd => BalanceLevel::Warning,
        Some(_) => BalanceLevel::Ok,
        None if figures.never_bought() => BalanceLevel::Ok,
        None => BalanceLevel::Unknown,
    };
    // What is left is not more than the cap, so that a low cap is low whatever the account holds.
    let is_certain = account != AccountRead::Failed || level > BalanceLevel::Unknown;
    is_certain.then_some(level)
}

/// The level of what a day costs.
pub(super) fn usage(used_a_day_usd: f64, thresholds: &Thresholds) -> UsageLevel {
    if used_a_day_usd > thresholds.high_usage_usd_per_day {
        UsageLevel::High
    } else {
        UsageLevel::Ok
    }
}

/// The level of how long it lasts; none when that cannot be told.
pub(super) fn runway(runway: Runway, thresholds: &Thresholds) -> Option<RunwayLevel> {
    let left = match runway {
        Runway::Unknown => return None,
        Runway::Endless => return Some(RunwayLevel::Ok),
        Runway::Hours(left) => left,
    };
    let within = thresholds
        .runway_hours
        .iter()
        .copied()
        .filter(|hours| left <= f64::from(*hours))
        .min();
    Some(within.map_or(RunwayLevel::Ok, |hours| RunwayLevel::Within { hours }))
}
