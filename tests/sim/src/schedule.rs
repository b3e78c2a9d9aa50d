//! One schedule: the plan of a seed is played with its faults, then all is made well and looked at.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::tests::api::OWNER;
use ::tests::faults::Role;
use ::tests::world::TestWorld;
use clivy::access::Role as Key;
use clivy::conversation::decide::Debounce;
use futures_util::FutureExt;
use local::world::TABLE;
use serde_json::json;

use crate::arms;
use crate::deliveries::Deliveries;
use crate::director::Director;
use crate::fleet::Fleet;
use crate::plan::Plan;
use crate::quiescence;
use crate::safety::Safety;
use crate::stage::Stage;
use crate::watched::Limits;

/// Lines of the transcript that a failure shows.
const SHOWN: usize = 40;

/// How a schedule went.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// The hash of its transcript.
    pub hash: u64,
    /// Effects of the functions.
    pub effects: u64,
    /// Faults, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// What the functions said that they did, by step and reason.
    pub arms: BTreeMap<String, u64>,
    /// Turns, by how they ended.
    pub turns: BTreeMap<&'static str, u64>,
    /// Whether it ran twice, to compare the transcripts.
    pub was_repeated: bool,
    /// How long it took after all was well until nothing was owed, in milliseconds of virtual time.
    pub settled_ms: u64,
    /// The effects that each function had, by name.
    pub effects_of: Vec<(Role, Vec<String>)>,
    /// Whether every armed fault has happened.
    pub all_armed_happened: bool,
    /// What must not be, and the last lines of the transcript.
    pub failure: Option<Failure>,
}

impl Ran {
    /// It was not as it should be, for another reason than what happened in it.
    pub fn fails(&mut self, what: String) {
        self.failure.get_or_insert(Failure {
            what,
            last: Vec::new(),
        });
    }
}

/// A schedule that broke a promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What it broke.
    pub what: String,
    /// The last lines of the transcript.
    pub last: Vec<String>,
}

thread_local! {
    /// How many panics there were on this thread; a worker catches those of its records.
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Counts panics from now on instead of printing them: a schedule that had one fails and says so.
pub fn count_panics() {
    std::panic::set_hook(Box::new(|panic| {
        PANICS.with(|panics| panics.set(panics.get() + 1));
        LAST_PANIC.with(|last| *last.borrow_mut() = panic.to_string());
    }));
}

thread_local! {
    static LAST_PANIC: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

/// Runs the schedule of a seed.
#[must_use]
pub fn run(seed: u64) -> Ran {
    run_plan(&Plan::of(seed))
}

/// Runs a plan.
#[must_use]
pub fn run_plan(plan: &Plan) -> Ran {
    // The SDK's jitter comes from this generator of the thread.
    fastrand::seed(plan.seed);
    let panics = PANICS.with(Cell::get);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let (logged, ran) = arms::counted(|| {
        std::panic::catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(Box::pin(schedule(plan)))
        }))
    });
    let mut ran = ran.unwrap_or_default();
    if PANICS.with(Cell::get) > panics {
        let last = ran
            .failure
            .take()
            .map(|failure| failure.last)
            .unwrap_or_default();
        let what = format!("a panic: {}", LAST_PANIC.with(|last| last.borrow().clone()));
        ran.failure = Some(Failure { what, last });
    }
    if let Some(leak) = logged.leak {
        ran.fails(format!("I11: {leak}"));
    }
    ran.arms = logged.arms;
    ran
}

async fn schedule(plan: &Plan) -> Ran {
    let stage = Arc::new(open(plan).await);
    let director = Arc::clone(&stage.fleet.director);
    let played = AssertUnwindSafe(play(&stage)).catch_unwind().await;
    let settled = match played {
        Ok(()) => quiescence::reached(&stage).await,
        Err(_) => Err("a panic on the stage".to_owned()),
    };
    let mut ran = Ran::default();
    match settled {
        Ok(settled) => {
            ran.turns = settled.turns;
            ran.settled_ms = settled.after_ms;
        }
        Err(what) => {
            director.state().violated(what);
        }
    }
    let faults = &stage.fleet.world.faults;
    ran.effects_of = [Role::Webhook, Role::Worker, Role::Inbox]
        .map(|role| (role, faults.effects(role)))
        .to_vec();
    ran.all_armed_happened = !faults.is_armed();
    if crate::report::shows_transcripts() {
        let scan = json!({"TableName": TABLE, "FilterExpression": "sk = :head",
            "ExpressionAttributeValues": {":head": {"S": "HEAD"}}});
        let heads = stage.fleet.world.dynamodb("Scan", scan).await;
        println!("HEADs in the end: {:#}", heads["Items"]);
    }
    let state = director.state();
    ran.hash = state.transcript.hash();
    ran.effects = state.transcript.effects;
    ran.faults = state.transcript.faults.clone();
    let last = || state.transcript.last(SHOWN);
    ran.failure = state
        .violation
        .clone()
        .map(|what| Failure { what, last: last() });
    if crate::report::shows_transcripts() {
        println!("{}", state.transcript.lines());
    }
    ran
}

async fn open(plan: &Plan) -> Stage {
    let settings: Vec<(&str, &str)> = plan
        .settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let world = Box::pin(TestWorld::with(&plan.bots, &settings)).await;
    let (secret, _) = world.key(OWNER, Key::Agent).await;
    let rules = &world.world.worker.rules;
    let limits = Limits {
        skew_ms: plan.skew_ms,
        debounce: Debounce {
            seconds: plan.shortest_silence(rules.debounce.seconds),
            ..rules.debounce
        },
        answered: u64::from(rules.rate_limit.max_messages),
    };
    let pseudonyms = &world.world.pseudonyms;
    let safety = Safety::new(plan, limits, |bot, contact| {
        pseudonyms.seal(bot, contact).unwrap()
    });
    let director = Arc::new(Director::new(plan, world.world.engines.clone(), safety));
    world.faults.follow(Arc::clone(&director) as _);
    let model = Arc::downgrade(&director);
    world
        .outside
        .model_follows(move |asked| model.upgrade()?.model(asked));
    let gateway = Arc::downgrade(&director);
    world
        .outside
        .gateway_follows(move || gateway.upgrade()?.gateway());
    world.outside.model_does(plan.script.model.iter().cloned());
    world
        .outside
        .gateway_does(plan.script.gateway.iter().copied());
    for (role, index, fault) in &plan.script.armed {
        world.faults.arm(*role, *index, *fault);
    }
    let fleet = Fleet::new(plan, world, director);
    Stage {
        plan: plan.clone(),
        fleet: Arc::new(fleet),
        key: secret.expose().to_owned(),
        accepted: Mutex::default(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "everybody plays at the same time"
)]
async fn play(stage: &Arc<Stage>) {
    let mapping = stage
        .fleet
        .world
        .world
        .mapping(Arc::new(Deliveries(Arc::clone(&stage.fleet))));
    tokio::spawn(mapping.run(std::future::pending()));
    if stage.plan.sweeps {
        tokio::spawn(sweeps(Arc::clone(&stage.fleet)));
    }
    let mut parts = tokio::task::JoinSet::new();
    for (number, step) in stage.plan.steps.iter().cloned().enumerate() {
        let stage = Arc::clone(stage);
        parts.spawn(async move {
            tokio::time::sleep(step.at).await;
            stage.act(number, step).await;
        });
    }
    let faults = tokio::time::sleep(stage.plan.faults_last);
    let all = async { while parts.join_next().await.is_some() {} };
    futures_util::join!(faults, all);
    if !stage.plan.sweeps {
        tokio::spawn(sweeps(Arc::clone(&stage.fleet)));
    }
}

/// The sweeper's schedule.
async fn sweeps(fleet: Arc<Fleet>) {
    loop {
        tokio::time::sleep(Duration::from_secs(60)).await;
        fleet.sweep().await;
    }
}
