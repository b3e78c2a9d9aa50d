//! How fast it is used, and how long what is left lasts at that rate.
//!
//! The rate comes from counters of use, never from differences of a balance: a top-up changes no counter.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::figures::{Figures, Past, Reset};
use crate::conversation::ids::EpochMs;

const HOUR_MS: f64 = 3_600_000.0;
const DAY_MS: i64 = 86_400_000;
/// Runs this much older than a day still count as a day old: schedules do not start on the second.
const SLACK_MS: i64 = 300_000;
/// A shorter stretch tells no rate: two runs close to each other see one burst or none.
const SHORTEST_MS: i64 = 3_300_000;

/// How long what is left lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Runway {
    /// Cannot be told: too little history, a counter that was reset, nothing that is known to be left, or nothing left.
    Unknown,
    /// Nothing is used, or the cap is full again before it is used up.
    Endless,
    /// This many hours, at the rate of the last day.
    Hours(f64),
}

impl Runway {
    /// The hours, where they are a number.
    #[must_use]
    pub fn hours(self) -> Option<f64> {
        match self {
            Self::Hours(hours) => Some(hours),
            Self::Unknown | Self::Endless => None,
        }
    }
}

/// What was used between the oldest usable run of the last day and now.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Used {
    usd: f64,
    ms: i64,
}

impl Used {
    /// USD an hour; none when the stretch is too short to tell.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a day of milliseconds is exact in an f64"
    )]
    fn rate(self) -> Option<f64> {
        (self.ms >= SHORTEST_MS).then(|| self.usd / (self.ms as f64 / HOUR_MS))
    }
}

/// What a counter of use went up by in the last 24 hours of runs. A counter that went down was reset (another key,
/// another account): what was before is another story.
fn used(
    counter: impl Fn(&Figures) -> Option<f64>,
    figures: &Figures,
    past: &[Past],
    now: EpochMs,
) -> Option<Used> {
    let end = counter(figures)?;
    let mut newest_first: Vec<(i64, f64)> = past
        .iter()
        .map(|past| (now.since_ms(past.at), past))
        .filter(|(age_ms, _)| (1..=DAY_MS + SLACK_MS).contains(age_ms))
        .filter_map(|(age_ms, past)| Some((age_ms, counter(&past.figures)?)))
        .collect();
    newest_first.sort_by_key(|(age_ms, _)| *age_ms);
    let mut last = end;
    let mut oldest = None;
    for (age_ms, count) in newest_first {
        if count > last {
            break;
        }
        last = count;
        oldest = Some((age_ms, count));
    }
    oldest.map(|(ms, begin)| Used {
        usd: end - begin,
        ms,
    })
}

fn key_usage(figures: &Figures) -> Option<f64> {
    Some(figures.key_usage_usd)
}

/// What a day costs: the key's use of this UTC day or of the last 24 hours, whichever is more. The day alone would say
/// at every midnight that all is well.
pub(super) fn used_a_day_usd(figures: &Figures, past: &[Past], now: EpochMs) -> Option<f64> {
    let window = used(key_usage, figures, past, now).map(|used| used.usd);
    match (figures.usage_daily_usd, window) {
        (Some(day), Some(window)) => Some(day.max(window)),
        (one, other) => one.or(other),
    }
}

/// How long the account's balance and the key's cap last: the shorter one counts.
pub(super) fn runway(figures: &Figures, past: &[Past], now: EpochMs) -> Runway {
    if figures.remaining_usd().is_none_or(|left| left <= 0.0) {
        return Runway::Unknown;
    }
    let key_rate = used(key_usage, figures, past, now).and_then(Used::rate);
    let account_rate = used(|figures| figures.account_usage_usd, figures, past, now)
        .and_then(Used::rate)
        // The account uses at least what this key does.
        .or(key_rate);
    let account = figures
        .balance_usd()
        .map(|left| lasts(left, account_rate, None));
    let reset = figures.limit_reset.map(|reset| hours_to(reset, now));
    let cap = figures.cap_usd().map(|left| lasts(left, key_rate, reset));
    match (account, cap) {
        (None, None) => Runway::Unknown,
        (Some(one), None) | (None, Some(one)) => one,
        (Some(account), Some(cap)) => shorter(account, cap),
    }
}

fn lasts(left_usd: f64, rate: Option<f64>, full_again_in_hours: Option<f64>) -> Runway {
    let Some(rate) = rate else {
        return Runway::Unknown;
    };
    if rate <= 0.0 {
        return Runway::Endless;
    }
    let hours = left_usd / rate;
    match full_again_in_hours {
        Some(full_again) if full_again <= hours => Runway::Endless,
        _ => Runway::Hours(hours),
    }
}

/// Where one of the two cannot be told, the other one counts only as far as it worries.
fn shorter(one: Runway, other: Runway) -> Runway {
    match (one, other) {
        (Runway::Hours(one), Runway::Hours(other)) => Runway::Hours(one.min(other)),
        (Runway::Hours(hours), _) | (_, Runway::Hours(hours)) => Runway::Hours(hours),
        (Runway::Unknown, _) | (_, Runway::Unknown) => Runway::Unknown,
        (Runway::Endless, Runway::Endless) => Runway::Endless,
    }
}

/// Hours until a cap is full again.
fn hours_to(reset: Reset, now: EpochMs) -> f64 {
    let at = Timestamp::from_millisecond(now.0)
        .unwrap_or_default()
        .to_zoned(TimeZone::UTC);
    let today = at.date();
    let days = match reset {
        Reset::Daily => 1,
        Reset::Weekly => 7 - i64::from(today.weekday().to_monday_zero_offset()),
        Reset::Monthly => i64::from(today.days_in_month()) - i64::from(today.day()) + 1,
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "a month of milliseconds is exact in an f64"
    )]
    let ms = (days * DAY_MS - now.0.rem_euclid(DAY_MS)) as f64;
    ms / HOUR_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_full_again_at_midnight_utc() {
        // 2025-11-20 02:15:05 UTC, a Thursday.
        let now = EpochMs(1_763_604_905_000);
        let hours = |reset| hours_to(reset, now);
        let to_midnight = 21.748_611;
        assert!((hours(Reset::Daily) - to_midnight).abs() < 1e-4);
        // Friday, Saturday, Sunday.
        assert!((hours(Reset::Weekly) - (to_midnight + 72.0)).abs() < 1e-4);
        // Ten days of November follow.
        assert!((hours(Reset::Monthly) - (to_midnight + 240.0)).abs() < 1e-4);
        // At midnight itself it has just been filled.
        let midnight = EpochMs(1_763_596_800_000);
        assert!((hours_to(Reset::Daily, midnight) - 24.0).abs() < 1e-9);
        // A Monday, the first of December.
        let monday = EpochMs(1_764_547_200_000);
        assert!((hours_to(Reset::Weekly, monday) - 168.0).abs() < 1e-9);
        assert!((hours_to(Reset::Monthly, monday) - 744.0).abs() < 1e-9);
    }
}
