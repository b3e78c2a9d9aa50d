//! One schedule: the plan of a seed is played with its faults, then all is made well and looked at.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::tests::api::OWNER;
use ::tests::bubbles::{bubble, from_the_phone, written_at};
use ::tests::faults::Role;
use ::tests::world::TestWorld;
use clivy::access::Role as Key;
use clivy::conversation::bot::Bot;
use futures_util::FutureExt;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::arms;
use crate::director::Director;
use crate::fleet::{Deliveries, Fleet};
use crate::plan::{Action, Plan, Step};
use crate::quiescence;
use crate::safety::{PERSON, Safety, phone};

/// Lines of the transcript that a failure shows.
const SHOWN: usize = 40;

/// How a schedule went.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// Its seed.
    pub seed: u64,
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
    /// How long it took after all was well until nothing was owed, in milliseconds of virtual time.
    pub settled_ms: u64,
    /// How many effects each function had.
    pub effects_of: Vec<(Role, usize)>,
    /// Whether every armed fault has happened.
    pub all_armed_happened: bool,
    /// What must not be, and the last lines of the transcript.
    pub failure: Option<Failure>,
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
    let (arms, ran) = arms::counted(|| {
        std::panic::catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(Box::pin(schedule(plan)))
        }))
    });
    let mut ran = ran.unwrap_or_else(|_| Ran {
        seed: plan.seed,
        ..Ran::default()
    });
    if PANICS.with(Cell::get) > panics {
        let last = ran
            .failure
            .take()
            .map(|failure| failure.last)
            .unwrap_or_default();
        let what = format!("a panic: {}", LAST_PANIC.with(|last| last.borrow().clone()));
        ran.failure = Some(Failure { what, last });
    }
    ran.arms = arms;
    ran
}

/// What everybody knows who plays a part.
pub struct Stage {
    /// The plan.
    pub plan: Plan,
    /// The functions.
    pub fleet: Arc<Fleet>,
    /// The key to the inbox.
    pub key: String,
    /// Messages whose webhook was told 200, by conversation.
    pub accepted: Mutex<BTreeMap<usize, BTreeSet<String>>>,
}

async fn schedule(plan: &Plan) -> Ran {
    let stage = Arc::new(open(plan).await);
    let director = Arc::clone(&stage.fleet.director);
    let played = AssertUnwindSafe(play(&stage)).catch_unwind().await;
    let settled = match played {
        Ok(()) => quiescence::reached(&stage).await,
        Err(_) => Err("a panic on the stage".to_owned()),
    };
    let mut ran = Ran {
        seed: plan.seed,
        ..Ran::default()
    };
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
        .map(|role| (role, faults.effects(role).len()))
        .to_vec();
    ran.all_armed_happened = !faults.is_armed();
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
    let limit = u64::from(world.world.worker.rules.rate_limit.max_messages);
    let pseudonyms = &world.world.pseudonyms;
    let safety = Safety::new(plan, limit, |bot, contact| {
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

impl Stage {
    async fn act(self: &Arc<Self>, number: usize, step: Step) {
        let c = step.conversation;
        self.fleet
            .director
            .say(format_args!("<c{c}>: {}", named(&step.action)));
        match step.action {
            Action::Bubble {
                text,
                twins,
                again_after,
            } => self.write(number, c, &text, twins, again_after).await,
            Action::OnThePhone => self.phone(number, c).await,
            Action::Say => self.say(number, c).await,
            Action::Pause { minutes } => self.pause(c, minutes).await,
            Action::Resume => {
                self.fleet.director.state().safety.pause_changes(c);
                self.ask("POST", &self.room(c, "/resume"), None, None).await;
            }
            Action::Retry => self.retry(c).await,
            Action::Edit(bot) => self.edit(&bot).await,
        }
    }

    async fn edit(&self, bot: &Bot) {
        self.fleet
            .world
            .world
            .put_bots(std::slice::from_ref(bot))
            .await
            .unwrap();
    }

    fn ids(&self, c: usize) -> (String, String) {
        let bots = self.plan.bots.len();
        (format!("toko{}", c % bots), phone(c / bots))
    }

    fn room(&self, c: usize, rest: &str) -> String {
        let (bot, phone) = self.ids(c);
        format!("/api/bots/{bot}/conversations/{phone}{rest}")
    }

    #[expect(clippy::disallowed_methods, reason = "twins come at the same time")]
    async fn write(
        self: &Arc<Self>,
        n: usize,
        c: usize,
        text: &str,
        twins: u64,
        again_after: Option<Duration>,
    ) {
        let (bot, phone) = self.ids(c);
        let mid = format!("B{n:02}");
        let body = written_at(
            bubble(&bot, &phone, &mid, 0, text),
            self.fleet.world.world.clock.now(),
        );
        for _ in 1..twins {
            let (stage, body, mid) = (Arc::clone(self), body.clone(), mid.clone());
            tokio::spawn(async move { stage.post(c, &mid, &body).await });
        }
        self.post(c, &mid, &body).await;
        if let Some(after) = again_after {
            tokio::time::sleep(after).await;
            self.post(c, &mid, &body).await;
        }
    }

    /// As the gateway posts: again after 30 s, up to 5 times, until there is a 200.
    async fn post(&self, c: usize, mid: &str, body: &Value) -> Option<String> {
        for _ in 0..5 {
            if let Some((200, answer)) = self.fleet.webhook(body).await {
                let status = answer["status"].as_str().unwrap_or_default();
                self.fleet
                    .director
                    .say(format_args!("<c{c}>: {mid} is {status}"));
                if status != "ignored" {
                    let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
                    accepted.entry(c).or_default().insert(mid.to_owned());
                }
                return Some(answer["reason"].as_str().unwrap_or(status).to_owned());
            }
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        None
    }

    async fn phone(&self, n: usize, c: usize) {
        let (bot, phone) = self.ids(c);
        let text = format!("{PERSON} {n} <c{c}>");
        let now = self.fleet.world.world.clock.now();
        let body = from_the_phone(&bot, &phone, &format!("P{n:02}"), now, &text);
        let (since, at_ms) = self.since(c);
        if self.post(c, &format!("P{n:02}"), &body).await.as_deref() == Some("own_message") {
            let mut state = self.fleet.director.state();
            state.safety.acknowledged(c, since, at_ms + 60_000);
        }
    }

    fn since(&self, c: usize) -> (u64, i64) {
        let state = self.fleet.director.state();
        (state.safety.changes(c), state.transcript.now_ms())
    }

    async fn say(&self, n: usize, c: usize) {
        let (since, at_ms) = self.since(c);
        let body = json!({"text": format!("{PERSON} {n} <c{c}>")});
        let key = format!("k{n}");
        for _ in 0..3 {
            let path = self.room(c, "/messages");
            match self.ask("POST", &path, Some(&body), Some(&key)).await {
                Some((202, _)) => {
                    let mut state = self.fleet.director.state();
                    return state.safety.acknowledged(c, since, at_ms + 60_000);
                }
                Some((500.., _)) | None => tokio::time::sleep(Duration::from_secs(5)).await,
                Some(_) => return,
            }
        }
    }

    async fn pause(&self, c: usize, minutes: u32) {
        let since = self.fleet.director.state().safety.pause_changes(c);
        let (_, at_ms) = self.since(c);
        let body = json!({"minutes": minutes});
        if let Some((200, _)) = self
            .ask("POST", &self.room(c, "/pause"), Some(&body), None)
            .await
        {
            let mut state = self.fleet.director.state();
            state
                .safety
                .acknowledged(c, since, at_ms + i64::from(minutes) * 60_000);
        }
    }

    /// The newest parked turn is tried again: as before, or by a person's text.
    async fn retry(&self, c: usize) {
        let (bot, phone) = self.ids(c);
        for burst in (1..=8).rev() {
            let path = format!("/api/bots/{bot}/turns/{phone}.{burst}");
            let Some((200, turn)) = self.ask("GET", &path, None, None).await else {
                continue;
            };
            if ["failed", "undelivered"].contains(&turn["status"].as_str().unwrap_or_default()) {
                let body = json!({});
                self.ask("POST", &format!("{path}/retry"), Some(&body), None)
                    .await;
                return;
            }
        }
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Option<(u16, Value)> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.key));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let answer = self
            .fleet
            .ask(request.body(Full::new(bytes.into())).unwrap())
            .await;
        let status = answer.as_ref().map_or(0, |(status, _)| *status);
        self.fleet
            .director
            .say(format_args!("    {method} {path}: {status}"));
        answer
    }
}

fn named(action: &Action) -> String {
    match action {
        Action::Bubble { text, twins, .. } => format!("writes \"{text}\" x {twins}"),
        Action::OnThePhone => "a person writes on the phone".to_owned(),
        Action::Say => "a person writes in the inbox".to_owned(),
        Action::Pause { .. } => "a person pauses".to_owned(),
        Action::Resume => "a person resumes".to_owned(),
        Action::Retry => "a person retries".to_owned(),
        Action::Edit(bot) => format!("the bot is edited, active: {}", bot.active),
    }
}
