//! An alert as a person reads it: what is wrong, how much is left, what happens next, what to do. Amounts and levels
//! only: no key, no label of a key (I11).

use std::fmt::Write;

use super::alert::{Change, Due};
use super::figures::Figures;
use super::level::{BalanceLevel, KeyLevel, RunwayLevel, State, UsageLevel};
use super::runway::Runway;
use super::{Assessment, Thresholds};

/// What an alert is written from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What was read; none when nothing could be.
    pub assessment: Option<&'a Assessment>,
    /// The thresholds.
    pub thresholds: &'a Thresholds,
    /// Why something could not be read, without a word of the answer.
    pub error: Option<&'a str>,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// ASCII, one line, less than 100 characters: a mail's subject.
    pub subject: String,
    /// Plain text.
    pub message: String,
}

/// What one concern says: the subject, what is wrong, what happens next, what to do.
struct Said {
    subject: String,
    wrong: String,
    next: &'static str,
    act: &'static str,
}

const NOTHING_TO_DO: &str = "Nothing.";
const BUY: &str =
    "Buy credits at OpenRouter, or raise the key's limit where that is the smaller one.";
const ANSWERED: &str = "Customers are answered as usual.";

/// Writes an alert.
#[must_use]
pub fn text(due: Due, facts: Facts<'_>) -> Text {
    let said = match due.state {
        State::Key(level) => key(level, facts),
        State::Balance(level) => balance(level, facts),
        State::Usage(level) => usage(level, facts),
        State::Runway(level) => runway(level, facts),
    };
    let change = match (due.change, due.state.is_ok()) {
        (Change::Still, _) => "Clivy, still: ",
        (Change::Better, false) => "Clivy, better: ",
        (Change::Better, true) | (Change::Worse, _) => "Clivy: ",
    };
    let mut message = said.wrong;
    if let Some(assessment) = facts.assessment {
        let _ = write!(message, "\n\n{}", figures(assessment));
    }
    let _ = write!(
        message,
        "\n\nWhat happens next: {}\n\nWhat to do: {}\n",
        said.next, said.act
    );
    if !due.state.is_ok() {
        message.push_str("\nYou are told when this changes, and once a day while it does not.\n");
    }
    Text {
        subject: format!("{change}{}", said.subject),
        message,
    }
}

fn key(level: KeyLevel, facts: Facts<'_>) -> Said {
    let error = facts.error.unwrap_or("no reason given");
    match level {
        KeyLevel::Ok => Said {
            subject: "OpenRouter answers again and accepts the keys".to_owned(),
            wrong: "OpenRouter answers again and accepts the keys; the credits can be read."
                .to_owned(),
            next: ANSWERED,
            act: "Look for parked turns in the dead letters and redrive them (docs/OPERATIONS.md).",
        },
        KeyLevel::ManagementRefused => Said {
            subject: "OpenRouter refuses the management key".to_owned(),
            wrong: format!(
                "The account's balance cannot be read: OpenRouter refuses the management key ({error})."
            ),
            next: "Customers are answered as usual, but low credits are seen only as far as the \
                   key's own cap shows them.",
            act: "Set OPENROUTER_MANAGEMENT_KEY to a valid management key, or to nothing.",
        },
        KeyLevel::Unreadable => Said {
            subject: "OpenRouter's credits cannot be read".to_owned(),
            wrong: format!("The credits could not be read for hours ({error})."),
            next: "Nobody watches the credits meanwhile. Every hour is another try.",
            act: "See whether OpenRouter is down, and whether OPENROUTER_BASE_URL is right.",
        },
        KeyLevel::Refused => Said {
            subject: "OpenRouter refuses the API key: no answers".to_owned(),
            wrong: format!("OpenRouter refuses the API key ({error})."),
            next: "Customers get each bot's fallback text instead of an answer. Their messages \
                   are kept and can be answered later.",
            act: "Set OPENROUTER_API_KEY to a valid key, then redrive the dead letters \
                  (docs/OPERATIONS.md).",
        },
    }
}

fn balance(level: BalanceLevel, facts: Facts<'_>) -> Said {
    let left = facts
        .assessment
        .and_then(|assessment| assessment.figures.remaining_usd());
    let amount = left.map_or_else(|| "an unknown amount".to_owned(), usd);
    let below = |threshold: f64| format!("{amount} is left, less than {}.", usd(threshold));
    match level {
        BalanceLevel::Ok => Said {
            subject: left.map_or_else(
                || "OpenRouter credits are fine again".to_owned(),
                |left| format!("OpenRouter credits are fine again: {} left", usd(left)),
            ),
            wrong: "OpenRouter credits are fine again.".to_owned(),
            next: ANSWERED,
            act: "Nothing, unless turns were parked meanwhile: redrive the dead letters then \
                  (docs/OPERATIONS.md).",
        },
        BalanceLevel::Unknown => Said {
            subject: "OpenRouter credits cannot be seen".to_owned(),
            wrong: "The key has no cap and the account's balance cannot be read, so nothing tells \
                    how much is left."
                .to_owned(),
            next: "Customers are answered until the credits end, and nobody is told before they do.",
            act: "Set OPENROUTER_MANAGEMENT_KEY, or give the key a limit at OpenRouter.",
        },
        BalanceLevel::Warning => Said {
            subject: format!("OpenRouter credits are low: {amount} left"),
            wrong: format!(
                "OpenRouter credits are low: {}",
                below(facts.thresholds.warning_usd)
            ),
            next: "Customers are answered as usual until nothing is left.",
            act: BUY,
        },
        BalanceLevel::Critical => Said {
            subject: format!("OpenRouter credits are nearly used up: {amount} left"),
            wrong: format!(
                "OpenRouter credits are nearly used up: {}",
                below(facts.thresholds.critical_usd)
            ),
            next: "When nothing is left, customers get each bot's fallback text instead of an answer.",
            act: BUY,
        },
        BalanceLevel::Empty => Said {
            subject: "OpenRouter credits are used up: no answers".to_owned(),
            wrong: format!("OpenRouter credits are used up: {amount} is left."),
            next: "Clivy asks the model no more, but for one probe per cooldown. Customers who \
                   write now wait for some minutes and then get the bot's fallback text. Their \
                   messages are kept and can be answered later.",
            act: "Buy credits at OpenRouter, or raise the key's limit where that is used up. Answers \
                  start again by themselves; then redrive the dead letters (docs/OPERATIONS.md).",
        },
    }
}

fn usage(level: UsageLevel, facts: Facts<'_>) -> Said {
    let used = facts
        .assessment
        .and_then(|assessment| assessment.used_a_day_usd)
        .map_or_else(|| "an unknown amount".to_owned(), usd);
    let threshold = usd(facts.thresholds.high_usage_usd_per_day);
    match level {
        UsageLevel::Ok => Said {
            subject: format!("OpenRouter use is normal again: {used} in a day"),
            wrong: format!("{used} was used in a day, not more than {threshold}."),
            next: ANSWERED,
            act: NOTHING_TO_DO,
        },
        UsageLevel::High => Said {
            subject: format!("OpenRouter use is high: {used} in a day"),
            wrong: format!("{used} was used in a day, more than {threshold}."),
            next: "Customers are answered as usual, and the credits end sooner.",
            act: "If it is not simply a busy day, look for one customer or one bot with many turns, \
                  and for an expensive model.",
        },
    }
}

fn runway(level: RunwayLevel, facts: Facts<'_>) -> Said {
    let lasts = match facts.assessment.map(|assessment| assessment.runway) {
        Some(Runway::Hours(left)) => hours(left),
        _ => "for now".to_owned(),
    };
    match level {
        RunwayLevel::Ok => Said {
            subject: "OpenRouter credits last longer again".to_owned(),
            wrong: "At the rate of the last day, the credits are in no danger of ending soon."
                .to_owned(),
            next: ANSWERED,
            act: NOTHING_TO_DO,
        },
        RunwayLevel::Within { hours } => Said {
            subject: format!("OpenRouter credits last {lasts}"),
            wrong: format!(
                "At the rate of the last day, OpenRouter credits last {lasts}: not longer than \
                 {hours} hours."
            ),
            next: "When nothing is left, customers get each bot's fallback text instead of an answer.",
            act: BUY,
        },
    }
}

/// The figures, one a line; what is not known is said.
fn figures(assessment: &Assessment) -> String {
    let Assessment {
        figures,
        used_a_day_usd,
        runway,
        ..
    } = assessment;
    let known = |amount: Option<f64>| amount.map_or_else(|| "not known".to_owned(), usd);
    let lasts = match runway {
        Runway::Unknown => "not known".to_owned(),
        Runway::Endless => "not used up at this rate".to_owned(),
        Runway::Hours(left) => hours(*left),
    };
    format!(
        "Left: {}\nAccount's balance: {}\nKey's limit: {}\nUsed in a day: {}\nLasts: {lasts}",
        known(figures.remaining_usd()),
        account(figures),
        cap(figures),
        known(*used_a_day_usd),
    )
}

fn account(figures: &Figures) -> String {
    match figures.balance_usd() {
        Some(balance) => usd(balance),
        None if figures.never_bought() => "no credits were ever bought".to_owned(),
        None => "not known".to_owned(),
    }
}

fn cap(figures: &Figures) -> String {
    let (Some(left), limit) = (figures.cap_usd(), figures.limit_usd) else {
        return "none".to_owned();
    };
    let of = limit.map_or_else(String::new, |limit| format!(" of {}", usd(limit)));
    let reset = figures
        .limit_reset
        .map_or_else(String::new, |reset| format!(", {} anew", reset.word()));
    format!("{} left{of}{reset}", usd(left))
}

/// An amount with two decimals, with up to four where it has them: 4.999 is not 5.00.
fn usd(amount: f64) -> String {
    let mut text = format!("{amount:.4}");
    for _ in 0..2 {
        if text.ends_with('0') {
            text.pop();
        }
    }
    // Rust writes a negative zero as such.
    if text == "-0.00" {
        text.remove(0);
    }
    text + " USD"
}

fn hours(left: f64) -> String {
    if left < 1.5 {
        "about an hour or less".to_owned()
    } else {
        format!("about {left:.0} hours")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::ids::EpochMs;
    use crate::credits::{AccountRead, Reset, assess};

    fn assessment(figures: Figures) -> Assessment {
        let thresholds = Thresholds::default();
        assess(figures, AccountRead::Read, &[], &thresholds, EpochMs(0))
    }

    fn written(state: State, change: Change, figures: Figures) -> Text {
        let assessment = assessment(figures);
        let facts = Facts {
            assessment: Some(&assessment),
            thresholds: &Thresholds::default(),
            error: None,
        };
        text(Due { state, change }, facts)
    }

    fn low() -> Figures {
        Figures {
            limit_usd: Some(10.0),
            limit_remaining_usd: Some(4.2),
            limit_reset: Some(Reset::Monthly),
            key_usage_usd: 5.8,
            usage_daily_usd: Some(0.5),
            account_credits_usd: Some(50.0),
            account_usage_usd: Some(30.0),
            ..Figures::default()
        }
    }

    #[test]
    fn an_alert_says_what_is_wrong_what_is_left_what_follows_and_what_to_do() {
        let state = State::Balance(BalanceLevel::Warning);
        let Text { subject, message } = written(state, Change::Worse, low());
        assert_eq!(subject, "Clivy: OpenRouter credits are low: 4.20 USD left");
        for part in [
            "4.20 USD is left, less than 5.00 USD.",
            "Left: 4.20 USD\nAccount's balance: 20.00 USD\nKey's limit: 4.20 USD left of 10.00 USD, monthly anew\n",
            "Used in a day: 0.50 USD\nLasts: not known",
            "What happens next: Customers are answered as usual until nothing is left.",
            "What to do: Buy credits",
            "once a day while it does not",
        ] {
            assert!(message.contains(part), "{part} in {message}");
        }
    }

    #[test]
    fn a_subject_says_whether_it_is_better_or_still_the_same() {
        let warning = State::Balance(BalanceLevel::Warning);
        let ok = State::Balance(BalanceLevel::Ok);
        let subject = |state, turn| written(state, turn, low()).subject;
        assert!(subject(warning, Change::Better).starts_with("Clivy, better: "));
        assert!(subject(warning, Change::Still).starts_with("Clivy, still: "));
        assert!(
            subject(ok, Change::Better).starts_with("Clivy: OpenRouter credits are fine again")
        );
    }

    #[test]
    fn every_subject_fits_a_mail_and_no_text_names_what_was_not_given() {
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
            State::Runway(RunwayLevel::Within { hours: 72 }),
        ];
        let huge = Figures {
            account_credits_usd: Some(1e12),
            account_usage_usd: Some(0.1234),
            key_usage_usd: 1e12,
            ..low()
        };
        let assessment = assessment(huge);
        for state in states {
            for assessment in [None, Some(&assessment)] {
                let facts = Facts {
                    assessment,
                    thresholds: &Thresholds::default(),
                    error: None,
                };
                let change = Change::Better;
                let Text { subject, message } = text(Due { state, change }, facts);
                assert!(subject.is_ascii() && subject.len() < 100, "{subject}");
                assert!(!subject.contains('\n') && !message.is_empty());
                assert!(message.contains("What happens next: "), "{message}");
                assert!(message.contains("What to do: "), "{message}");
            }
        }
    }

    #[test]
    fn amounts_are_as_exact_as_they_need_to_be() {
        for (amount, expected) in [
            (5.0, "5.00 USD"),
            (4.2, "4.20 USD"),
            (4.999, "4.999 USD"),
            (0.0042, "0.0042 USD"),
            (-0.5, "-0.50 USD"),
            (-0.00001, "0.00 USD"),
            (0.0, "0.00 USD"),
        ] {
            assert_eq!(usd(amount), expected);
        }
        assert_eq!(hours(0.2), "about an hour or less");
        assert_eq!(hours(19.6), "about 20 hours");
    }
}
