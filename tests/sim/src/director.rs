//! Sees every effect of the functions: decides by the seed what goes wrong at it, writes it down, and has what it left
//! behind looked at ([`crate::safety`]).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::tests::faults::{self, Effect, Fault, When};
use ::tests::outside::{Asked, Gateway, Model, last_user};
use ::tests::refusal::Refusal;
use local::engines::Engines;

use crate::dice::Dice;
use crate::outside;
use crate::plan::Plan;
use crate::rates::{Rates, Trouble};
use crate::safety::Safety;
use crate::transcript::Transcript;

tokio::task_local! {
    /// The number of the instance that the current task runs.
    pub static INSTANCE: u32;
}

/// The longest time by which an effect is late.
pub const LATE: Duration = Duration::from_millis(6_000);

/// Directs one schedule.
pub struct Director {
    engines: Engines,
    state: Mutex<State>,
}

/// What changes as the schedule runs.
pub struct State {
    /// What goes wrong from now on.
    pub rates: Rates,
    /// Chance.
    pub dice: Dice,
    /// What happened.
    pub transcript: Transcript,
    /// What must not happen.
    pub safety: Safety,
    /// What has happened all the same: the first of it ends the schedule.
    pub violation: Option<String>,
    /// What the script has for the first delivery of SQS.
    first_delivery: Vec<(Trouble, Duration)>,
}

impl State {
    /// Writes down what must not be.
    pub fn violated(&mut self, what: String) {
        self.transcript.say(format_args!("VIOLATION {what}"));
        self.violation.get_or_insert(what);
    }

    /// Whether this goes wrong here and now.
    pub fn happens(&mut self, trouble: Trouble) -> bool {
        let happens = self.dice.chance(self.rates.rate(trouble));
        if happens {
            self.transcript.count(trouble.name());
        }
        happens
    }

    /// How long after a delivery began this goes wrong with it: as the script has it for the first one, otherwise by chance, and
    /// within `longest_ms`.
    pub fn happens_after(&mut self, trouble: Trouble, longest_ms: u64) -> Option<Duration> {
        let scripted = self.first_delivery.iter().position(|(t, _)| *t == trouble);
        if let Some(index) = scripted {
            self.transcript.count(trouble.name());
            return Some(self.first_delivery.swap_remove(index).1);
        }
        self.happens(trouble)
            .then(|| Duration::from_millis(self.dice.below(longest_ms)))
    }

    fn fault(&mut self, effect: &Effect<'_>) -> Option<Fault> {
        let is_table = effect.name.starts_with("DynamoDB");
        let happens = |trouble: &Trouble| {
            (is_table || *trouble != Trouble::Conflict) && self.happens(*trouble)
        };
        Some(match Trouble::at_effects().find(happens)? {
            Trouble::CrashBefore => Fault::Crash(When::Before),
            Trouble::CrashAfter => Fault::Crash(When::After),
            Trouble::AnswerLost => Fault::Error(When::After),
            Trouble::Failed => Fault::Error(When::Before),
            Trouble::Unavailable => Fault::Refused(Refusal::Unavailable),
            Trouble::Throttled => Fault::Refused(Refusal::Throttled),
            Trouble::Conflict => Fault::Refused(Refusal::Conflict),
            Trouble::Unheard => Fault::Silence(When::Before),
            Trouble::Unanswered => Fault::Silence(When::After),
            _ => Fault::Late(self.dice.within(LATE)),
        })
    }
}

impl Director {
    /// The director of a plan's schedule.
    #[must_use]
    pub fn new(plan: &Plan, engines: Engines, safety: Safety) -> Self {
        Self {
            engines,
            state: Mutex::new(State {
                rates: plan.rates,
                dice: plan.dice.clone(),
                transcript: Transcript::new(),
                safety,
                violation: None,
                first_delivery: plan.script.first_delivery.clone(),
            }),
        }
    }

    /// What changes.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line to the transcript.
    pub fn say(&self, line: std::fmt::Arguments<'_>) {
        self.state().transcript.say(line);
    }

    /// Looks whether what is pending is covered, between effects.
    pub fn look(&self) {
        let mut state = self.state();
        if let Err(what) = state.safety.all_are_covered(&self.engines) {
            state.violated(what);
        }
    }

    /// From now on nothing goes wrong any more.
    pub fn heal(&self) {
        let mut state = self.state();
        state.rates = Rates::default();
        state
            .transcript
            .say(format_args!("all is well from now on"));
    }

    /// What the model does with a call.
    pub fn model(&self, asked: &Asked) -> Option<Model> {
        let mut state = self.state();
        let rate = state.rates.rate(Trouble::Model);
        let marker = outside::marker_of(&last_user(&asked.body));
        let model = if state.dice.chance(rate) {
            outside::trouble(&mut state.dice, marker)
        } else {
            let ms = state.dice.between(300, 3_000);
            outside::answer(&mut state.dice, marker, Duration::from_millis(ms))
        };
        let (name, fault) = outside::name_of(&model);
        if fault {
            state.transcript.count(name);
        }
        state.transcript.say(format_args!("    the model: {name}"));
        Some(model)
    }

    /// What the gateway does with a text.
    pub fn gateway(&self) -> Option<Gateway> {
        let mut state = self.state();
        let rate = state.rates.rate(Trouble::Gateway);
        if !state.dice.chance(rate) {
            return None;
        }
        let (name, gateway) = outside::gateway(&mut state.dice);
        state.transcript.count(name);
        state
            .transcript
            .say(format_args!("    the gateway: {name}"));
        Some(gateway)
    }
}

/// The name without the service's version.
fn short(name: &str) -> &str {
    name.rsplit_once('.')
        .map_or(name, |(_, operation)| operation)
}

impl faults::Director for Director {
    fn begins(&self, effect: &Effect<'_>) -> Option<Fault> {
        let mut state = self.state();
        let instance = INSTANCE.try_with(|number| *number).unwrap_or_default();
        state.transcript.effects += 1;
        let fault = state.fault(effect);
        let role = effect.role;
        match fault {
            None => state
                .transcript
                .say(format_args!("{role:?} {instance}: {}", short(effect.name))),
            Some(fault) => state.transcript.say(format_args!(
                "{role:?} {instance}: {} [{fault:?}]",
                short(effect.name)
            )),
        }
        let now_ms = state.transcript.now_ms();
        let found = state.safety.begins(&self.engines, effect, now_ms);
        if let Err(what) = found {
            state.violated(what);
        }
        fault
    }

    fn ended(&self, effect: &Effect<'_>, status: Option<u16>) {
        let mut state = self.state();
        if status.is_some_and(|status| status != 200) {
            state
                .transcript
                .say(format_args!("    {} refused", short(effect.name)));
        }
        let now_ms = state.transcript.now_ms();
        let found = state.safety.ended(&self.engines, effect, now_ms);
        if let Err(what) = found {
            state.violated(what);
        }
    }
}
