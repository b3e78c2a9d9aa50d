//! Faults at the seam: a function dies before or after one of its effects, a call fails, an answer is lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use local::engines::{Call, Engines, Intercept, Lost, Reply};
use tokio::sync::Notify;

/// Which function makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The webhook.
    Webhook,
    /// The worker.
    Worker,
    /// The sweeper.
    Sweeper,
    /// The credits.
    Credits,
    /// The inbox.
    Inbox,
}

impl Role {
    /// Every function.
    pub const ALL: [Self; 5] = [
        Self::Webhook,
        Self::Worker,
        Self::Sweeper,
        Self::Credits,
        Self::Inbox,
    ];

    /// The name of its binary.
    #[must_use]
    pub fn binary(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Worker => "worker",
            Self::Sweeper => "sweeper",
            Self::Credits => "credits",
            Self::Inbox => "inbox",
        }
    }
}

tokio::task_local! {
    /// The function that the current task runs.
    pub static ROLE: Role;
}

/// When, around an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before it happens.
    Before,
    /// After it has happened, before its answer arrives.
    After,
}

/// What happens at one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The function dies.
    Crash(When),
    /// The call fails: throttled, or with its answer lost after the effect.
    Error(When),
    /// The effect happens this much later.
    Late(Duration),
}

#[derive(Default)]
struct Plan {
    armed: Vec<(Role, usize, Fault)>,
    standing: Vec<(String, Fault)>,
    log: Vec<(Role, String)>,
    refused: Vec<String>,
}

/// Counts the effects of the functions and does its faults at some of them.
#[derive(Default)]
pub struct Faults {
    plan: Mutex<Plan>,
    crashes: AtomicUsize,
    crashed: Notify,
}

impl Faults {
    /// At the `index`-th effect of `role` from now (0 is the next one), `fault` happens, once.
    pub fn arm(&self, role: Role, index: usize, fault: Fault) {
        let mut plan = self.plan.lock().unwrap();
        let so_far = plan.log.iter().filter(|(other, _)| *other == role).count();
        plan.armed.push((role, so_far + index, fault));
    }

    /// From now on `fault` happens at every effect whose name ends so.
    pub fn always(&self, name: &str, fault: Fault) {
        self.plan
            .lock()
            .unwrap()
            .standing
            .push((name.to_owned(), fault));
    }

    /// The effects of a function so far, by name.
    pub fn effects(&self, role: Role) -> Vec<String> {
        let plan = self.plan.lock().unwrap();
        plan.log
            .iter()
            .filter(|(other, _)| *other == role)
            .map(|(_, name)| name.clone())
            .collect()
    }

    /// How often a function has died.
    pub fn crashes(&self) -> usize {
        self.crashes.load(Ordering::Relaxed)
    }

    /// Requests that an engine called malformed: a mistake of ours that retries would hide. Must stay empty.
    pub fn refused(&self) -> Vec<String> {
        self.plan.lock().unwrap().refused.clone()
    }

    async fn ask(&self, call: &Call, engines: &Engines) -> Reply {
        let reply = engines.call(call).await;
        let body = String::from_utf8_lossy(&reply.body);
        let malformed = [
            "#ValidationException",
            "SerializationException",
            "UnknownOperation",
            "ValidationError",
            "InvalidParameter",
            "InvalidAction",
        ];
        if reply.status == 400 && malformed.iter().any(|word| body.contains(word)) {
            let refused = format!("{}: {body}", call.target);
            self.plan.lock().unwrap().refused.push(refused);
        }
        reply
    }

    /// Whether an armed fault has not happened yet.
    pub fn is_armed(&self) -> bool {
        !self.plan.lock().unwrap().armed.is_empty()
    }

    /// Resolves when the function that runs now dies.
    pub async fn death(&self) {
        self.crashed.notified().await;
    }

    /// Counts an effect; gives the fault that happens at it.
    pub fn count(&self, name: &str) -> Option<Fault> {
        let role = ROLE.try_with(|role| *role).ok()?;
        let mut plan = self.plan.lock().unwrap();
        let index = plan.log.iter().filter(|(other, _)| *other == role).count();
        plan.log.push((role, name.to_owned()));
        let is_now = |(armed, at, _): &(Role, usize, Fault)| *armed == role && *at == index;
        if let Some(position) = plan.armed.iter().position(is_now) {
            return Some(plan.armed.swap_remove(position).2);
        }
        plan.standing
            .iter()
            .find(|(ending, _)| name.ends_with(ending))
            .map(|(_, fault)| *fault)
    }

    /// The function that runs now dies.
    pub async fn die(&self) -> ! {
        self.crashes.fetch_add(1, Ordering::Relaxed);
        self.crashed.notify_one();
        std::future::pending().await
    }
}

impl Intercept for Faults {
    fn intercept<'a>(
        &'a self,
        call: Call,
        engines: &'a Engines,
    ) -> BoxFuture<'a, Result<Reply, Lost>> {
        Box::pin(async move {
            match self.count(&call.target) {
                None => Ok(self.ask(&call, engines).await),
                Some(Fault::Crash(When::Before)) => self.die().await,
                Some(Fault::Crash(When::After)) => {
                    engines.call(&call).await;
                    self.die().await
                }
                Some(Fault::Late(by)) => {
                    tokio::time::sleep(by).await;
                    Ok(self.ask(&call, engines).await)
                }
                Some(Fault::Error(When::Before)) => Ok(Reply::json(
                    500,
                    r#"{"__type":"InternalServerError","message":"scripted"}"#.to_owned(),
                )),
                Some(Fault::Error(When::After)) => {
                    engines.call(&call).await;
                    Err(Lost)
                }
            }
        })
    }
}
