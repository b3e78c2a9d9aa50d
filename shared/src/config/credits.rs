//! The settings of the credits: when the owner is told.

use super::Reader;
use crate::credits::Thresholds;

/// The highest amount that a threshold may be, in USD.
const MOST_USD: f64 = 1_000_000.0;
/// The longest runway that may be told about: a year, in hours.
const MOST_HOURS: u32 = 8_760;

/// Reads the thresholds: `CREDITS_WARNING_USD` (5), `CREDITS_CRITICAL_USD` (1), `CREDITS_HIGH_USAGE_USD_PER_DAY` (1),
/// `CREDITS_RUNWAY_HOURS` (72,24,6).
pub fn credits(reader: &mut Reader) -> Thresholds {
    let usual = Thresholds::default();
    let mut usd = |name, default| reader.decimal(name, default, 0.0..=MOST_USD);
    let thresholds = Thresholds {
        warning_usd: usd("CREDITS_WARNING_USD", usual.warning_usd),
        critical_usd: usd("CREDITS_CRITICAL_USD", usual.critical_usd),
        high_usage_usd_per_day: usd(
            "CREDITS_HIGH_USAGE_USD_PER_DAY",
            usual.high_usage_usd_per_day,
        ),
        runway_hours: runway_hours(reader, usual.runway_hours),
    };
    if thresholds.critical_usd > thresholds.warning_usd {
        reader.fault("CREDITS_CRITICAL_USD", "is more than CREDITS_WARNING_USD");
    }
    thresholds
}

fn runway_hours(reader: &mut Reader, default: Vec<u32>) -> Vec<u32> {
    const NAME: &str = "CREDITS_RUNWAY_HOURS";
    let Some(text) = reader.optional(NAME) else {
        return default;
    };
    let numbers = text
        .split(',')
        .map(|number| number.trim().parse().ok())
        .map(|number| number.filter(|number| (1..=MOST_HOURS).contains(number)))
        .collect::<Option<Vec<u32>>>();
    match numbers {
        Some(hours) if hours.is_sorted_by(|one, next| one > next) => hours,
        _ => {
            reader.fault(
                NAME,
                format!(
                    "is not a list of falling whole numbers from {MOST_HOURS} to 1, with commas"
                ),
            );
            default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Faults;

    fn read(values: &[(&str, &str)]) -> Result<Thresholds, Faults> {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        crate::config::read(Reader::new(values), credits)
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let expected = Thresholds {
            warning_usd: 5.0,
            critical_usd: 1.0,
            high_usage_usd_per_day: 1.0,
            runway_hours: vec![72, 24, 6],
        };
        assert_eq!(read(&[]), Ok(expected));
    }

    #[test]
    fn amounts_may_have_decimals_and_hours_any_number_of_steps() {
        let read = read(&[
            ("CREDITS_WARNING_USD", "0.75"),
            ("CREDITS_CRITICAL_USD", "0.75"),
            ("CREDITS_HIGH_USAGE_USD_PER_DAY", " 12.5 "),
            ("CREDITS_RUNWAY_HOURS", "168, 48 ,1"),
        ]);
        let expected = Thresholds {
            warning_usd: 0.75,
            critical_usd: 0.75,
            high_usage_usd_per_day: 12.5,
            runway_hours: vec![168, 48, 1],
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn what_is_no_amount_is_a_fault() {
        for name in [
            "CREDITS_WARNING_USD",
            "CREDITS_CRITICAL_USD",
            "CREDITS_HIGH_USAGE_USD_PER_DAY",
        ] {
            for value in ["much", "-1", "NaN", "inf", "1e9", "1,5", "5 USD", "0x5"] {
                let faults = read(&[(name, value)]).unwrap_err();
                assert_eq!(faults.0[0].name, name, "{value}");
                assert!(!faults.to_string().contains(value), "{faults}");
            }
        }
    }

    #[test]
    fn a_critical_level_above_the_warning_is_a_fault() {
        let faults = read(&[("CREDITS_CRITICAL_USD", "5.01")]).unwrap_err();
        assert_eq!(faults.0[0].name, "CREDITS_CRITICAL_USD");
        assert_eq!(faults.0.len(), 1);
    }

    #[test]
    fn hours_that_do_not_fall_or_are_no_hours_are_a_fault() {
        for value in [
            "24,72", "24,24", "6,", ",", "0", "72,24,0", "-6", "1.5", "9000", "a",
        ] {
            let faults = read(&[("CREDITS_RUNWAY_HOURS", value)]).unwrap_err();
            assert_eq!(faults.0[0].name, "CREDITS_RUNWAY_HOURS", "{value}");
        }
    }
}
