//! Every fault at every effect of scripted scenarios, one at a time; and two at a time for the core ones.

use std::fmt::{self, Display};
use std::sync::OnceLock;
use std::time::Duration;

use ::tests::faults::{Fault, Role, When};
use ::tests::outside::{Gateway, Model};

use crate::dice::Dice;
use crate::plan::{Action, FALLBACK, IN_TEXT, OUT_TEXT, Plan, Script, Step, marker};
use crate::rates::{Rates, Trouble};
use crate::runner::Schedule;
use crate::schedule::{self, Ran};

/// A fault at an effect of a function, counted from 0.
type Armed = (Role, usize, Fault);

/// What may happen at an effect, alone.
pub const ALONE: [Fault; 2] = [Fault::Silence(When::Before), Fault::Silence(When::After)];
/// What may happen at an effect, alone or with another one.
pub const FAULTS: [Fault; 5] = [
    Fault::Error(When::Before),
    Fault::Error(When::After),
    Fault::Crash(When::Before),
    Fault::Crash(When::After),
    // Longer than the silence, shorter than the webhook's timeout: a trigger overtakes its message.
    Fault::Late(Duration::from_secs(5)),
];

/// A scripted scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Two bubbles, one burst.
    Burst,
    /// A bubble while the model thinks: two bursts, the second re-armed by the first one's commit.
    MoreMeanwhile,
    /// The same, and the worker dies before it sends: the second bubble's trigger takes over.
    TakenOver,
    /// The lease ends while its owner works, and the same record is delivered once more: that worker takes over, and the first
    /// one comes back to a claim that is not its own.
    FencedOut,
    /// The first attempt fails and is retried, with what has come in.
    Retry,
    /// Every attempt fails: the fallback text, and a dead letter.
    Fallback,
    /// The gateway is unreachable for the first send, and loses its answer to the next.
    SendAgain,
    /// A person writes on the phone while the model thinks, and the customer afterwards.
    PersonMeanwhile,
    /// A person writes in the inbox while the model thinks, and the customer afterwards.
    SaidMeanwhile,
    /// A contact opts out, writes, and opts in again.
    Opting,
    /// A turn has failed; its dead letter is redriven when all is well again.
    Redrive,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Burst,
        Self::MoreMeanwhile,
        Self::TakenOver,
        Self::FencedOut,
        Self::Retry,
        Self::Fallback,
        Self::SendAgain,
        Self::PersonMeanwhile,
        Self::SaidMeanwhile,
        Self::Opting,
        Self::Redrive,
    ];
    /// Those whose pairs of faults are run too.
    pub const CORE: [Self; 4] = [
        Self::Burst,
        Self::MoreMeanwhile,
        Self::SendAgain,
        Self::PersonMeanwhile,
    ];

    /// Its plan.
    #[must_use]
    pub fn plan(self) -> Plan {
        let bot = clivy::conversation::bot::Bot {
            fallback_text: FALLBACK.to_owned(),
            opt_out_text: OUT_TEXT.to_owned(),
            opt_in_text: IN_TEXT.to_owned(),
            ..tests::bubbles::bot("toko0")
        };
        Plan {
            bots: vec![bot],
            contacts: 1,
            settings: crate::plan::short_settings(),
            deployment: None,
            steps: self.steps(),
            rates: Rates::default(),
            faults_last: Duration::ZERO,
            skew_ms: 0,
            redrives: self == Self::Redrive,
            sweeps: true,
            dice: Dice::new(1),
            // Odd: what is redriven is so when all has come to rest.
            seed: 1,
            script: self.script(),
        }
    }

    fn steps(self) -> Vec<Step> {
        let says = |text: &str| Action::Bubble {
            text: text.to_owned(),
            twins: 1,
            again_after: None,
        };
        let asks = |n: u32| says(&format!("tanya {n} {}", marker(0)));
        let steps = match self {
            Self::Burst | Self::SendAgain | Self::Retry => vec![(0, asks(1)), (1_000, asks(2))],
            Self::MoreMeanwhile | Self::TakenOver => vec![(0, asks(1)), (5_000, asks(2))],
            Self::FencedOut | Self::Fallback | Self::Redrive => vec![(0, asks(1))],
            Self::PersonMeanwhile => {
                vec![(0, asks(1)), (5_000, Action::OnThePhone), (7_000, asks(2))]
            }
            Self::SaidMeanwhile => vec![(0, asks(1)), (5_000, Action::Say), (7_000, asks(2))],
            Self::Opting => vec![(0, says("stop")), (9_000, asks(1)), (18_000, says("mulai"))],
        };
        let at = |(ms, action)| Step {
            at: Duration::from_millis(ms),
            conversation: 0,
            action,
        };
        steps.into_iter().map(at).collect()
    }

    fn script(self) -> Script {
        let late = || {
            Model::Slow(
                Duration::from_secs(8),
                Box::new(Model::Says("jawab lama <c0>".to_owned())),
            )
        };
        let model = match self {
            Self::MoreMeanwhile
            | Self::TakenOver
            | Self::FencedOut
            | Self::PersonMeanwhile
            | Self::SaidMeanwhile => vec![late()],
            Self::Retry => vec![Model::Breaks],
            Self::Fallback | Self::Redrive => vec![Model::Breaks; 30],
            Self::Burst | Self::SendAgain | Self::Opting => Vec::new(),
        };
        let gateway = match self {
            Self::SendAgain => vec![Gateway::Refuses, Gateway::SendsAndBreaks],
            _ => Vec::new(),
        };
        let armed = match self {
            Self::TakenOver => Self::dies_before_its_send().into_iter().collect(),
            _ => Vec::new(),
        };
        let first_delivery = match self {
            Self::FencedOut => vec![
                (Trouble::LeaseEnds, Duration::from_secs(2)),
                (Trouble::BatchTwice, Duration::from_secs(3)),
            ],
            _ => Vec::new(),
        };
        Script {
            model,
            gateway,
            armed,
            first_delivery,
        }
    }

    /// The death of the worker before the first send of [`Self::MoreMeanwhile`].
    fn dies_before_its_send() -> Option<Armed> {
        static FOUND: OnceLock<Option<Armed>> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let mut all = Self::MoreMeanwhile.run(&[]).effects_of.into_iter();
            let (role, effects) = all.find(|(role, _)| *role == Role::Worker)?;
            let is_send = |name: &String| name == "/chat/send/text";
            let index = effects.iter().position(is_send)?;
            Some((role, index, Fault::Crash(When::Before)))
        })
    }

    /// Runs it with faults.
    fn run(self, armed: &[Armed]) -> Ran {
        let mut plan = self.plan();
        plan.script.armed.extend_from_slice(armed);
        schedule::run_plan(&plan)
    }

    /// Every place for a fault that it has when nothing goes wrong.
    ///
    /// # Errors
    /// It breaks a promise though nothing goes wrong.
    fn points(self) -> Result<Vec<(Role, usize)>, String> {
        let ran = self.run(&[]);
        if let Some(failure) = ran.failure {
            return Err(format!("{self:?} without a fault: {}", failure.what));
        }
        let scripted: Vec<(Role, usize)> = self
            .plan()
            .script
            .armed
            .into_iter()
            .map(|(role, index, _)| (role, index))
            .collect();
        let all = ran.effects_of.into_iter();
        Ok(all
            .flat_map(|(role, effects)| (0..effects.len()).map(move |index| (role, index)))
            .filter(|point| !scripted.contains(point))
            .collect())
    }

    /// Every fault at every place.
    fn singles(self) -> Result<Vec<Vec<Armed>>, String> {
        let points = self.points()?.into_iter();
        let all = || FAULTS.into_iter().chain(ALONE);
        Ok(points
            .flat_map(|(role, index)| all().map(move |fault| vec![(role, index, fault)]))
            .collect())
    }

    /// Every two faults at every two places.
    fn pairs(self) -> Result<Vec<Vec<Armed>>, String> {
        let points = self.points()?;
        let mut pairs = Vec::new();
        for (n, first) in points.iter().enumerate() {
            for second in points.iter().skip(n + 1) {
                for one in FAULTS {
                    for other in FAULTS {
                        pairs.push(vec![(first.0, first.1, one), (second.0, second.1, other)]);
                    }
                }
            }
        }
        Ok(pairs)
    }
}

/// How many faults a schedule has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtOnce {
    /// Every fault at every effect of every scenario.
    One,
    /// Every two faults at every two effects of the core scenarios.
    Two,
}

impl AtOnce {
    /// All of its schedules, in the order of their numbers.
    ///
    /// # Errors
    /// As [`Scenario::points`].
    pub fn cases(self) -> Result<Vec<Case>, String> {
        let scenarios: &[Scenario] = match self {
            Self::One => &Scenario::ALL,
            Self::Two => &Scenario::CORE,
        };
        let mut cases = Vec::new();
        for scenario in scenarios {
            let armed = match self {
                Self::One => scenario.singles()?,
                Self::Two => scenario.pairs()?,
            };
            for armed in armed {
                cases.push(Case {
                    at_once: self,
                    number: cases.len(),
                    scenario: *scenario,
                    armed,
                });
            }
        }
        Ok(cases)
    }
}

/// A scenario with its faults.
#[derive(Clone, Debug)]
pub struct Case {
    at_once: AtOnce,
    /// Its place among the cases with as many faults.
    number: usize,
    scenario: Scenario,
    armed: Vec<Armed>,
}

impl Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let option = match self.at_once {
            AtOnce::One => "--exhaustive",
            AtOnce::Two => "--pairs",
        };
        write!(f, "{option} --case {}", self.number)
    }
}

impl Schedule for Case {
    fn run(&self) -> Ran {
        let mut ran = self.scenario.run(&self.armed);
        // The first of two faults may keep the second one from happening.
        if !ran.all_armed_happened && self.at_once == AtOnce::One {
            ran.fails("its fault never happened".to_owned());
        }
        if let Some(failure) = &mut ran.failure {
            let Self {
                scenario, armed, ..
            } = self;
            failure.what = format!("{} ({scenario:?} with {armed:?})", failure.what);
        }
        ran
    }
}
