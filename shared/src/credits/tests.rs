//! Tables of figures and what they mean.

use super::*;
use crate::llm::{Credits, KeyInfo};

/// 2025-11-20 02:15:05 UTC.
const NOW: EpochMs = EpochMs(1_763_604_905_000);
const HOUR_MS: i64 = 3_600_000;

fn key(limit_remaining_usd: Option<f64>) -> KeyInfo {
    KeyInfo {
        limit_usd: limit_remaining_usd.map(|_| 100.0),
        limit_remaining_usd,
        usage_usd: 2.5,
        usage_daily_usd: Some(0.5),
        ..KeyInfo::default()
    }
}

fn account(total_credits_usd: f64, total_usage_usd: f64) -> Credits {
    Credits {
        total_credits_usd,
        total_usage_usd,
    }
}

fn assessed(key: &KeyInfo, credits: Option<Credits>) -> Assessment {
    let read = match credits {
        Some(_) => AccountRead::Read,
        None => AccountRead::NoKey,
    };
    let figures = Figures::read(key, credits.as_ref());
    assess(figures, read, &[], &Thresholds::default(), NOW)
}

#[test]
fn a_table_of_balances() {
    use BalanceLevel::{Critical, Empty, Ok, Unknown, Warning};
    let free = |limit| KeyInfo {
        is_free_tier: true,
        ..key(limit)
    };
    let both = [
        // The key's cap alone.
        (key(Some(100.0)), None, Some(100.0), Ok),
        (key(Some(5.01)), None, Some(5.01), Ok),
        (key(Some(5.0)), None, Some(5.0), Ok),
        (key(Some(4.999_999)), None, Some(4.999_999), Warning),
        (key(Some(1.0)), None, Some(1.0), Warning),
        (key(Some(0.999_999)), None, Some(0.999_999), Critical),
        (key(Some(0.000_001)), None, Some(0.000_001), Critical),
        (key(Some(0.000_000_1)), None, Some(0.0), Empty),
        (key(Some(0.0)), None, Some(0.0), Empty),
        (key(Some(-0.3)), None, Some(-0.3), Empty),
        // No cap: only the account tells.
        (key(None), None, None, Unknown),
        (key(None), Some(account(20.0, 8.0)), Some(12.0), Ok),
        (key(None), Some(account(10.1, 5.1)), Some(5.0), Ok),
        (key(None), Some(account(10.0, 5.1)), Some(4.9), Warning),
        (key(None), Some(account(10.3, 9.3)), Some(1.0), Warning),
        (key(None), Some(account(10.0, 9.5)), Some(0.5), Critical),
        (key(None), Some(account(10.0, 10.0)), Some(0.0), Empty),
        (key(None), Some(account(10.0, 10.2)), Some(-0.2), Empty),
        // Both: the smaller one.
        (key(Some(3.0)), Some(account(20.0, 8.0)), Some(3.0), Warning),
        (
            key(Some(30.0)),
            Some(account(10.0, 9.5)),
            Some(0.5),
            Critical,
        ),
        (key(Some(0.0)), Some(account(20.0, 8.0)), Some(0.0), Empty),
        (key(Some(30.0)), Some(account(9.0, 9.0)), Some(0.0), Empty),
        // Nothing was ever bought: nothing to run out of.
        (free(None), None, None, Ok),
        (free(None), Some(account(0.0, 0.0)), None, Ok),
        (key(None), Some(account(0.0, 0.0)), None, Ok),
        (
            free(Some(0.4)),
            Some(account(0.0, 0.0)),
            Some(0.4),
            Critical,
        ),
        // But a debt is one: OpenRouter refuses free models too then.
        (free(None), Some(account(0.0, 0.01)), Some(-0.01), Empty),
    ];
    for (key, credits, remaining_usd, level) in both {
        let assessment = assessed(&key, credits);
        let what = format!("{key:?} {credits:?}");
        assert_eq!(assessment.figures.remaining_usd(), remaining_usd, "{what}");
        assert_eq!(assessment.balance(), Some(level), "{what}");
    }
}

#[test]
fn thresholds_are_the_settings_of_the_owner() {
    let thresholds = Thresholds {
        warning_usd: 50.0,
        critical_usd: 50.0,
        high_usage_usd_per_day: 0.4,
        runway_hours: vec![1],
    };
    let figures = Figures::read(&key(Some(49.0)), None);
    let assessment = assess(figures, AccountRead::NoKey, &[], &thresholds, NOW);
    assert_eq!(assessment.balance(), Some(BalanceLevel::Critical));
    let high = State::Usage(UsageLevel::High);
    assert!(assessment.states.contains(&high));
}

#[test]
fn a_balance_that_is_not_read_this_time_is_not_called_gone() {
    let read = |limit, past: &[Past]| {
        let figures = Figures::read(&key(limit), None);
        let thresholds = Thresholds::default();
        assess(figures, AccountRead::Failed, past, &thresholds, NOW)
    };
    // No cap: nothing is known, and nothing is said; nor about the keys.
    let unknown = read(None, &[]);
    assert_eq!(unknown.balance(), None);
    assert_eq!(unknown.runway, Runway::Unknown);
    assert!(
        !unknown
            .states
            .iter()
            .any(|state| state.concern() == Concern::Key)
    );
    // A fine cap is no proof: the account may be the smaller one. A low cap is low whatever the account has.
    assert_eq!(read(Some(50.0), &[]).balance(), None);
    assert_eq!(read(Some(0.5), &[]).balance(), Some(BalanceLevel::Critical));
    assert_eq!(read(Some(0.0), &[]).balance(), Some(BalanceLevel::Empty));
    // After three runs it is as good as not readable, which is said.
    let blind = [past(1, 2.4, None), past(2, 2.3, None)];
    assert_eq!(read(None, &blind[..1]).balance(), None);
    assert_eq!(read(None, &blind).balance(), Some(BalanceLevel::Unknown));
    let seen = [past(1, 2.4, Some((20.0, 8.0))), past(2, 2.3, None)];
    assert_eq!(read(None, &seen).balance(), None);
}

#[test]
fn a_refused_management_key_is_said_beside_what_it_hides() {
    let figures = Figures::read(&key(None), None);
    let thresholds = Thresholds::default();
    let assessment = assess(figures, AccountRead::Refused, &[], &thresholds, NOW);
    assert_eq!(assessment.balance(), Some(BalanceLevel::Unknown));
    let refused = State::Key(KeyLevel::ManagementRefused);
    assert!(assessment.states.contains(&refused));
}

fn past(hours_ago: i64, key_usage_usd: f64, account: Option<(f64, f64)>) -> Past {
    Past {
        at: NOW.plus_ms(-hours_ago * HOUR_MS),
        figures: Figures {
            key_usage_usd,
            account_credits_usd: account.map(|(credits, _)| credits),
            account_usage_usd: account.map(|(_, usage)| usage),
            ..Figures::default()
        },
    }
}

/// What a key with this much left of its cap lasts, after `usages` at so many hours ago and 10 USD used by now.
fn lasts(left: f64, usages: &[(i64, f64)]) -> Runway {
    let key = KeyInfo {
        usage_usd: 10.0,
        ..key(Some(left))
    };
    let past: Vec<Past> = usages
        .iter()
        .map(|(hours_ago, usage)| past(*hours_ago, *usage, None))
        .collect();
    let figures = Figures::read(&key, None);
    let thresholds = Thresholds::default();
    assess(figures, AccountRead::NoKey, &past, &thresholds, NOW).runway
}

#[test]
fn the_runway_is_what_is_left_at_the_rate_of_the_last_day() {
    /// What it is, what is left, hours ago and use at them, what it comes to.
    type Row<'a> = (&'a str, f64, &'a [(i64, f64)], Runway);
    let table: [Row<'_>; 11] = [
        ("no history", 5.0, &[], Runway::Unknown),
        ("an hour", 5.0, &[(1, 9.5)], Runway::Hours(10.0)),
        ("a day", 24.0, &[(24, 4.0), (12, 5.0)], Runway::Hours(96.0)),
        (
            "older runs do not count",
            24.0,
            &[(25, 0.0), (48, 0.0), (24, 4.0)],
            Runway::Hours(96.0),
        ),
        ("only older ones", 24.0, &[(25, 0.0)], Runway::Unknown),
        ("nothing is used", 5.0, &[(24, 10.0)], Runway::Endless),
        (
            "another key began at nothing three hours ago",
            5.0,
            &[(3, 4.0), (4, 300.0), (24, 290.0)],
            Runway::Hours(2.5),
        ),
        (
            "another key began at nothing just now",
            5.0,
            &[(1, 300.0), (24, 290.0)],
            Runway::Unknown,
        ),
        ("nothing is left", 0.0, &[(24, 4.0)], Runway::Unknown),
        (
            "less than nothing is left",
            -1.0,
            &[(24, 4.0)],
            Runway::Unknown,
        ),
        ("of the future", 5.0, &[(-1, 9.0)], Runway::Unknown),
    ];
    for (what, left, usages, expected) in table {
        assert_eq!(lasts(left, usages), expected, "{what}");
    }
    // In another order the same.
    assert_eq!(lasts(24.0, &[(12, 5.0), (24, 4.0)]), Runway::Hours(96.0));
}

#[test]
fn two_runs_close_to_each_other_tell_no_rate() {
    let near = Past {
        at: NOW.plus_ms(-600_000),
        ..past(0, 2.0, None)
    };
    let figures = Figures::read(&key(Some(5.0)), None);
    let thresholds = Thresholds::default();
    let assessment = assess(figures, AccountRead::NoKey, &[near], &thresholds, NOW);
    assert_eq!(assessment.runway, Runway::Unknown);
}

#[test]
fn a_top_up_changes_no_rate() {
    // 12 USD used in 12 hours; 20 were bought in between.
    let past = [past(12, 0.0, Some((10.0, 5.0)))];
    let key = KeyInfo {
        usage_usd: 3.0,
        ..key(None)
    };
    let figures = Figures::read(&key, Some(&account(30.0, 17.0)));
    let thresholds = Thresholds::default();
    let assessment = assess(figures, AccountRead::Read, &past, &thresholds, NOW);
    assert_eq!(assessment.runway, Runway::Hours(13.0));
}

#[test]
fn the_shorter_of_account_and_cap_counts() {
    let past = [past(10, 0.0, Some((100.0, 0.0)))];
    let thresholds = Thresholds::default();
    let lasts = |cap, credits: Credits| {
        let key = KeyInfo {
            usage_usd: 10.0,
            ..key(Some(cap))
        };
        let figures = Figures::read(&key, Some(&credits));
        assess(figures, AccountRead::Read, &past, &thresholds, NOW).runway
    };
    // 1 USD an hour of this key, 4 of the whole account.
    assert_eq!(lasts(7.0, account(100.0, 40.0)), Runway::Hours(7.0));
    assert_eq!(lasts(70.0, account(100.0, 40.0)), Runway::Hours(15.0));
}

#[test]
fn an_account_without_a_history_of_its_own_is_used_at_least_as_fast_as_the_key() {
    let past = [past(10, 0.0, None)];
    let key = KeyInfo {
        usage_usd: 10.0,
        ..key(None)
    };
    let figures = Figures::read(&key, Some(&account(100.0, 80.0)));
    let thresholds = Thresholds::default();
    let assessment = assess(figures, AccountRead::Read, &past, &thresholds, NOW);
    assert_eq!(assessment.runway, Runway::Hours(20.0));
}

#[test]
fn a_cap_that_is_full_again_before_it_is_used_up_never_ends() {
    let lasts = |left: f64, reset: &str| {
        let key = KeyInfo {
            usage_usd: 10.0,
            limit_reset: Some(reset.to_owned()),
            ..key(Some(left))
        };
        let figures = Figures::read(&key, None);
        let thresholds = Thresholds::default();
        let past = [past(10, 0.0, None)];
        assess(figures, AccountRead::NoKey, &past, &thresholds, NOW).runway
    };
    // 1 USD an hour, 21.7 hours to midnight.
    assert_eq!(lasts(22.0, "daily"), Runway::Endless);
    assert_eq!(lasts(21.0, "daily"), Runway::Hours(21.0));
    assert_eq!(lasts(22.0, "never heard of"), Runway::Hours(22.0));
}

#[test]
fn a_table_of_runways() {
    let within = |hours| Some(State::Runway(RunwayLevel::Within { hours }));
    let ok = Some(State::Runway(RunwayLevel::Ok));
    for (left, expected) in [
        (72.01, ok),
        (72.0, within(72)),
        (24.01, within(72)),
        (24.0, within(24)),
        (6.01, within(24)),
        (6.0, within(6)),
        (0.1, within(6)),
    ] {
        let key = KeyInfo {
            usage_usd: 10.0,
            ..key(Some(left))
        };
        let past = [past(10, 0.0, None)];
        let figures = Figures::read(&key, None);
        let thresholds = Thresholds::default();
        let assessment = assess(figures, AccountRead::NoKey, &past, &thresholds, NOW);
        let of_runway = |state: &&State| state.concern() == Concern::Runway;
        let state = assessment.states.iter().find(of_runway);
        assert_eq!(state.copied(), expected, "{left} hours");
    }
}

#[test]
fn a_table_of_days() {
    let high = Some(State::Usage(UsageLevel::High));
    let ok = Some(State::Usage(UsageLevel::Ok));
    for (daily, day_ago, expected) in [
        (None, None, None),
        (Some(1.0), None, ok),
        (Some(1.01), None, high),
        // Just after midnight the day says nothing yet.
        (Some(0.0), Some(1.0), ok),
        (Some(0.0), Some(1.2), high),
        (None, Some(1.2), high),
        (Some(1.5), Some(0.1), high),
    ] {
        let key = KeyInfo {
            usage_usd: 10.0,
            usage_daily_usd: daily,
            ..key(None)
        };
        let past: Vec<Past> = day_ago
            .map(|used| past(24, 10.0 - used, None))
            .into_iter()
            .collect();
        let figures = Figures::read(&key, None);
        let thresholds = Thresholds::default();
        let assessment = assess(figures, AccountRead::NoKey, &past, &thresholds, NOW);
        let of_usage = |state: &&State| state.concern() == Concern::Usage;
        let state = assessment.states.iter().find(of_usage);
        assert_eq!(state.copied(), expected, "{daily:?} {day_ago:?}");
    }
}
