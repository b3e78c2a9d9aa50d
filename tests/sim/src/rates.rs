//! What may go wrong by chance, and how often in one schedule.

use crate::dice::Dice;

/// Something that goes wrong by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The function dies before the effect.
    CrashBefore,
    /// It dies after the effect.
    CrashAfter,
    /// The answer gets lost after the effect.
    AnswerLost,
    /// The service refuses with 500, before the effect.
    Failed,
    /// The service is out of order: 503.
    Unavailable,
    /// The service throttles.
    Throttled,
    /// A transaction is at work on the item.
    Conflict,
    /// The call is never answered, and has no effect.
    Unheard,
    /// The call has its effect, and is never answered.
    Unanswered,
    /// The effect happens later.
    Late,
    /// A batch is invoked twice.
    BatchTwice,
    /// A record is in its batch twice.
    RecordTwice,
    /// A record comes again as another one.
    Copied,
    /// A batch waits before it is invoked.
    BatchLate,
    /// A batch is received and not invoked.
    OverPolled,
    /// The answer to a batch gets lost.
    BatchLost,
    /// The records of a batch come one by one, in another order.
    Scattered,
    /// The model does something else than answering soon.
    Model,
    /// The gateway does something else than sending.
    Gateway,
    /// An instance is gone between two invocations.
    Recycled,
    /// The lease of a claim is over though its owner lives.
    LeaseEnds,
}

impl Trouble {
    /// All of it.
    pub const ALL: [Self; 21] = [
        Self::CrashBefore,
        Self::CrashAfter,
        Self::AnswerLost,
        Self::Failed,
        Self::Unavailable,
        Self::Throttled,
        Self::Conflict,
        Self::Unheard,
        Self::Unanswered,
        Self::Late,
        Self::BatchTwice,
        Self::RecordTwice,
        Self::Copied,
        Self::BatchLate,
        Self::OverPolled,
        Self::BatchLost,
        Self::Scattered,
        Self::Model,
        Self::Gateway,
        Self::Recycled,
        Self::LeaseEnds,
    ];
    /// What can happen at an effect: all down to [`Self::Late`], in that order.
    pub fn at_effects() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|trouble| *trouble <= Self::Late)
    }

    /// Its name in transcripts and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CrashBefore => "crash before",
            Self::CrashAfter => "crash after",
            Self::AnswerLost => "answer lost",
            Self::Failed => "500",
            Self::Unavailable => "503",
            Self::Throttled => "throttled",
            Self::Conflict => "transaction conflict",
            Self::Unheard => "unheard",
            Self::Unanswered => "never answered",
            Self::Late => "late",
            Self::BatchTwice => "batch delivered twice",
            Self::RecordTwice => "record twice in a batch",
            Self::Copied => "record copied",
            Self::BatchLate => "batch late",
            Self::OverPolled => "batch received and not invoked",
            Self::BatchLost => "batch answer lost",
            Self::Scattered => "batch scattered",
            Self::Model => "model",
            Self::Gateway => "gateway",
            Self::Recycled => "instance recycled",
            Self::LeaseEnds => "lease ended early",
        }
    }

    /// One schedule in so many has it, and how many times as often as the usual trouble it then happens.
    fn odds(self) -> (u64, u64) {
        match self {
            Self::CrashBefore | Self::CrashAfter | Self::AnswerLost => (3, 1),
            Self::Failed | Self::Unavailable | Self::Unheard | Self::Unanswered => (4, 1),
            Self::Throttled | Self::Conflict => (4, 2),
            Self::Late => (3, 2),
            Self::BatchTwice => (3, 8),
            Self::RecordTwice | Self::BatchLate => (4, 4),
            Self::Copied | Self::Scattered => (4, 6),
            Self::OverPolled => (5, 3),
            Self::BatchLost => (4, 3),
            Self::Model => (2, 10),
            Self::Gateway => (3, 8),
            Self::Recycled => (3, 10),
            Self::LeaseEnds => (5, 10),
        }
    }

    /// Whether a turn may fail for it. A repetition, for one, is no reason.
    fn is_a_reason(self) -> bool {
        !matches!(
            self,
            Self::BatchTwice | Self::RecordTwice | Self::Copied | Self::Recycled
        )
    }
}

/// How often each trouble happens where it can, in ten thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates([u32; Trouble::ALL.len()]);

impl Rates {
    /// A random subset with random rates.
    #[must_use]
    pub fn of(dice: &mut Dice) -> Self {
        let most = *dice.pick(&[60, 200, 600]).unwrap_or(&200);
        Self(Trouble::ALL.map(|trouble| {
            let (of, times) = trouble.odds();
            if dice.once_in(of) {
                u32::try_from(dice.between(most / 4, most) * times).unwrap_or(0)
            } else {
                0
            }
        }))
    }

    /// How often this one happens.
    #[must_use]
    pub fn rate(self, trouble: Trouble) -> u32 {
        self.0[trouble as usize]
    }

    /// The same without this one.
    #[must_use]
    pub fn without(mut self, trouble: Trouble) -> Self {
        self.0[trouble as usize] = 0;
        self
    }

    /// Whether a turn may fail by chance.
    #[must_use]
    pub fn may_fail_a_turn(self) -> bool {
        Trouble::ALL
            .into_iter()
            .any(|trouble| trouble.is_a_reason() && self.rate(trouble) > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_has_its_own_place() {
        for (place, trouble) in Trouble::ALL.into_iter().enumerate() {
            assert_eq!(trouble as usize, place);
        }
    }

    #[test]
    fn each_trouble_is_in_some_schedules_and_not_in_others() {
        let all: Vec<Rates> = (0..200)
            .map(|seed| Rates::of(&mut Dice::new(seed)))
            .collect();
        for trouble in Trouble::ALL {
            let with = all.iter().filter(|rates| rates.rate(trouble) > 0).count();
            assert!((10..150).contains(&with), "{trouble:?}: {with} of 200");
        }
    }
}
