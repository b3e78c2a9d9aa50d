//! What a seed decides before its schedule begins: who writes what and when, which faults there are and how often, and
//! how the settings differ from the defaults.

use std::time::Duration;

use ::tests::bubbles::bot;
use ::tests::faults::{Fault, Role};
use ::tests::outside::{Gateway, Model};
use clivy::conversation::bot::{Bot, ModelEntry};

use crate::dice::Dice;
use crate::rates::{Rates, Trouble};

/// How far a clock may be off, either way. Two of them are off by less than the slack of the own-message rule (5 s).
pub const MAX_SKEW_MS: i64 = 2_000;
/// What confirms that a contact has opted out.
pub const OUT_TEXT: &str = "Baik, kami berhenti.";
/// What confirms that a contact has opted in again.
pub const IN_TEXT: &str = "Baik, kami mulai lagi.";
/// What a burst gets that could not be answered.
pub const FALLBACK: &str = "Maaf Kak, tim kami akan membalas.";
/// What everybody asks in the same words, so that a kept answer fits.
pub const COMMON: [&str; 2] = ["jam buka?", "alamatnya di mana?"];
/// The key of the model's second provider.
pub const SECOND_KEY: &str = "second-key";
/// When the longest of a burst's waits ends without faults; see [`crate::quiescence::bound`].
pub const OUTCOME_DEADLINE_SECONDS: u32 = 60;

/// What somebody does.
#[derive(Clone, Debug)]
pub enum Action {
    /// The customer writes a bubble; its webhook comes this many times at once.
    Bubble {
        /// Its text.
        text: String,
        /// Webhooks of it at the same moment.
        twins: u64,
        /// It comes once more after this long, though it was accepted.
        again_after: Option<Duration>,
    },
    /// A person writes on the phone.
    OnThePhone,
    /// A person writes in the inbox.
    Say,
    /// A person pauses the bot.
    Pause {
        /// For so many minutes.
        minutes: u32,
    },
    /// A person ends the pause.
    Resume,
    /// A person has the newest parked turn tried again.
    Retry,
    /// The bot is switched off or on, or gets other models.
    Edit(Box<Bot>),
}

/// Who does something when. `conversation` is the number of one: bot = it modulo the number of bots.
#[derive(Clone, Debug)]
pub struct Step {
    /// When, after the beginning.
    pub at: Duration,
    /// In which conversation.
    pub conversation: usize,
    /// What.
    pub action: Action,
}

/// A schedule before it is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its seed.
    pub seed: u64,
    /// The bots.
    pub bots: Vec<Bot>,
    /// How many contacts each has.
    pub contacts: usize,
    /// Settings that differ from the defaults.
    pub settings: Vec<(&'static str, String)>,
    /// Settings of instances that start after this long.
    pub deployment: Option<(Duration, Vec<(&'static str, String)>)>,
    /// What everybody does.
    pub steps: Vec<Step>,
    /// How often faults happen.
    pub rates: Rates,
    /// How long they happen.
    pub faults_last: Duration,
    /// How far clocks are off at most.
    pub skew_ms: i64,
    /// Whether the dead letters are redriven when all is well again.
    pub redrives: bool,
    /// Whether the sweeper runs while there are faults; it does afterwards in any case.
    pub sweeps: bool,
    /// The dice of what happens during the run.
    pub dice: Dice,
    /// What is scripted beyond chance.
    pub script: Script,
}

/// What happens in a scripted scenario, whatever the dice say.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The first calls of the model do this.
    pub model: Vec<Model>,
    /// The first texts at the gateway meet this.
    pub gateway: Vec<Gateway>,
    /// At these effects of a function, counted from 0, this happens.
    pub armed: Vec<(Role, usize, Fault)>,
    /// This happens to the first delivery of SQS, so long after it began.
    pub first_delivery: Vec<(Trouble, Duration)>,
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed.wrapping_mul(0xD6E8_FEB8_6659_FD93) ^ 0x51);
        let bots: Vec<Bot> = (0..1 + dice.below(2))
            .map(|n| some_bot(&mut dice, n))
            .collect();
        let contacts = usize::try_from(1 + dice.below(2)).unwrap_or(1);
        let steps = steps(&mut dice, &bots, contacts);
        let last = steps.iter().map(|step| step.at).max().unwrap_or_default();
        Self {
            seed,
            contacts,
            settings: settings(&mut dice),
            deployment: dice.once_in(8).then(|| {
                let seconds = dice.between(1, 6).to_string();
                (
                    dice.within(last),
                    vec![
                        ("DEBOUNCE_SECONDS", seconds),
                        ("AI_TIMEOUT_MS", "20000".to_owned()),
                    ],
                )
            }),
            // An owner whose lease ended early may still send what a person has stopped meanwhile: docs/PROOF.md says so.
            rates: match has_persons(&steps) {
                true => Rates::of(&mut dice).without(Trouble::LeaseEnds),
                false => Rates::of(&mut dice),
            },
            faults_last: last + dice.within(Duration::from_secs(240)),
            skew_ms: if dice.once_in(3) { MAX_SKEW_MS } else { 0 },
            redrives: dice.once_in(3),
            sweeps: !dice.once_in(4),
            steps,
            bots,
            dice: dice.split(),
            script: Script::default(),
        }
    }

    /// How many conversations there may be.
    #[must_use]
    pub fn conversations(&self) -> usize {
        self.bots.len() * self.contacts
    }

    /// The shortest silence of all instances, in seconds, where those that start first have this one.
    #[must_use]
    pub fn shortest_silence(&self, first: u32) -> u32 {
        let deployed = self.deployment.iter().flat_map(|(_, settings)| settings);
        deployed
            .filter(|(name, _)| *name == "DEBOUNCE_SECONDS")
            .filter_map(|(_, value)| value.parse().ok())
            .fold(first, u32::min)
    }

    /// Whether anything at all can go wrong.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        let Script {
            model,
            gateway,
            armed,
            first_delivery,
        } = &self.script;
        let is_scripted = !(model.is_empty()
            && gateway.is_empty()
            && armed.is_empty()
            && first_delivery.is_empty());
        is_scripted || self.rates.may_fail_a_turn()
    }

    /// Whether clocks are off.
    #[must_use]
    pub fn has_skew(&self) -> bool {
        self.skew_ms > 0
    }

    /// Whether anybody but the customers does something.
    #[must_use]
    pub fn has_persons(&self) -> bool {
        has_persons(&self.steps)
    }
}

fn has_persons(steps: &[Step]) -> bool {
    let of_a_person = |step: &Step| !matches!(step.action, Action::Bubble { .. });
    steps.iter().any(of_a_person)
}

fn some_bot(dice: &mut Dice, n: u64) -> Bot {
    Bot {
        fallback_text: FALLBACK.to_owned(),
        opt_out_text: OUT_TEXT.to_owned(),
        opt_in_text: IN_TEXT.to_owned(),
        response_cache: dice.once_in(3),
        models: (0..dice.below(3))
            .map(|n| ModelEntry::named(&format!("m/{n}:free")))
            .collect(),
        ..bot(&format!("toko{n}"))
    }
}

/// Short times, so that a schedule is short.
#[must_use]
pub fn short_settings() -> Vec<(&'static str, String)> {
    vec![
        (
            "OUTCOME_DEADLINE_SECONDS",
            OUTCOME_DEADLINE_SECONDS.to_string(),
        ),
        ("AI_RETRY_SECONDS", "5".to_owned()),
        ("AI_TIMEOUT_MS", "15000".to_owned()),
        ("GATEWAY_TIMEOUT_MS", "8000".to_owned()),
        ("WORKER_TIMEOUT_SECONDS", "60".to_owned()),
        ("BREAKER_COOLDOWN_SECONDS", "10".to_owned()),
        ("RATE_LIMIT_WINDOW_SECONDS", "20".to_owned()),
        ("TAKEOVER_PAUSE_MINUTES", "1".to_owned()),
        ("LOOP_PAUSE_MINUTES", "1".to_owned()),
        ("RESPONSE_CACHE_HISTORY_FREE_MINUTES", "0".to_owned()),
    ]
}

fn settings(dice: &mut Dice) -> Vec<(&'static str, String)> {
    let mut settings = short_settings();
    let mut sometimes = |of: u64, name: &'static str, value: &str| {
        if dice.once_in(of) {
            settings.push((name, value.to_owned()));
        }
    };
    sometimes(3, "RATE_LIMIT_MAX_MESSAGES", "2");
    sometimes(5, "RATE_LIMIT_BOT_MAX_MESSAGES", "3");
    sometimes(3, "BREAKER_MAX_FAILURES", "2");
    sometimes(4, "DEBOUNCE_MAX_MESSAGES", "2");
    sometimes(4, "DEBOUNCE_SECONDS", "1");
    sometimes(6, "GATEWAY_MAX_ATTEMPTS", "2");
    if dice.once_in(3) {
        let second = [
            ("SECOND_PROVIDER_BASE_URL", "http://second.test/v1"),
            ("SECOND_PROVIDER_API_KEY", SECOND_KEY),
            ("SECOND_PROVIDER_MODEL", "small-one"),
        ];
        settings.extend(second.map(|(name, value)| (name, value.to_owned())));
    }
    settings
}

fn steps(dice: &mut Dice, bots: &[Bot], contacts: usize) -> Vec<Step> {
    let conversations = bots.len() * contacts;
    let spread = *dice.pick(&[4_000, 12_000, 40_000]).unwrap_or(&12_000);
    let has_persons = dice.once_in(3);
    let has_words = dice.once_in(4);
    let has_edits = dice.once_in(8);
    let mut steps = Vec::new();
    for n in 0..1 + dice.below(7) {
        let at = Duration::from_millis(dice.below(spread));
        let conversation = usize::try_from(dice.below(conversations as u64)).unwrap_or(0);
        let kind = dice.below(10);
        let action = match kind {
            0..=1 if has_persons => person(dice),
            2 if has_persons || dice.once_in(9) => Action::Retry,
            3 if has_edits => edit(dice, bots, conversation),
            _ => bubble(dice, n, conversation, has_words),
        };
        steps.push(Step {
            at,
            conversation,
            action,
        });
        if let Some(Step {
            action: Action::Edit(changed),
            at,
            ..
        }) = steps.last().cloned()
            && !changed.active
        {
            // Not for ever.
            let at = at + dice.within(Duration::from_secs(60));
            let action = Action::Edit(Box::new(Bot {
                active: true,
                ..*changed
            }));
            steps.push(Step {
                at,
                conversation,
                action,
            });
        }
    }
    if !steps
        .iter()
        .any(|step| matches!(step.action, Action::Bubble { .. }))
    {
        let action = bubble(dice, 99, 0, false);
        steps.push(Step {
            at: Duration::ZERO,
            conversation: 0,
            action,
        });
    }
    steps.sort_by_key(|step| step.at);
    steps
}

fn bubble(dice: &mut Dice, n: u64, conversation: usize, has_words: bool) -> Action {
    let text = match dice.below(8) {
        0 if has_words => "STOP".to_owned(),
        1 if has_words => "MULAI".to_owned(),
        2 => COMMON[usize::try_from(dice.below(2)).unwrap_or(0)].to_owned(),
        _ => format!("tanya {n} {}", marker(conversation)),
    };
    Action::Bubble {
        text,
        twins: if dice.once_in(6) {
            2 + dice.below(2)
        } else {
            1
        },
        again_after: dice
            .once_in(8)
            .then(|| dice.within(Duration::from_secs(90))),
    }
}

fn person(dice: &mut Dice) -> Action {
    match dice.below(6) {
        0..=1 => Action::OnThePhone,
        2..=3 => Action::Say,
        4 => Action::Pause { minutes: 1 },
        _ => Action::Resume,
    }
}

fn edit(dice: &mut Dice, bots: &[Bot], conversation: usize) -> Action {
    let was = bots[conversation % bots.len()].clone();
    Action::Edit(Box::new(if dice.once_in(2) {
        Bot {
            active: false,
            ..was
        }
    } else {
        let models = vec![ModelEntry::named("m/other")];
        Bot { models, ..was }
    }))
}

/// What every text of a conversation says, so that one sees where a text has come from (I12).
#[must_use]
pub fn marker(conversation: usize) -> String {
    format!("<c{conversation}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_the_same_for_the_same_seed() {
        for seed in 0..50 {
            assert_eq!(
                format!("{:?}", Plan::of(seed)),
                format!("{:?}", Plan::of(seed))
            );
        }
    }

    #[test]
    fn every_plan_has_a_customer_who_writes_and_many_have_no_faults_of_a_kind() {
        let plans: Vec<Plan> = (0..500).map(Plan::of).collect();
        assert!(plans.iter().all(|plan| {
            plan.steps
                .iter()
                .any(|step| matches!(step.action, Action::Bubble { .. }))
        }));
        let crashing = plans
            .iter()
            .filter(|plan| plan.rates.rate(Trouble::CrashBefore) > 0)
            .count();
        assert!((100..250).contains(&crashing), "{crashing}");
        assert!(plans.iter().any(|plan| !plan.has_faults()));
    }
}
