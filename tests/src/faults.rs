//! Faults at the seam: a function dies before or after one of its effects, a call fails, an answer is lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use local::engines::{Call, Engines, Intercept, Lost, Reply};
use tokio::sync::Notify;

use crate::refusal::{self, Refusal};

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
    /// The smoke test of a deployment.
    Smoke,
}

impl Role {
    /// Every function.
    pub const ALL: [Self; 6] = [
        Self::Webhook,
        Self::Worker,
        Self::Sweeper,
        Self::Credits,
        Self::Inbox,
        Self::Smoke,
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
            Self::Smoke => "smoke",
        }
    }
}

tokio::task_local! {
    /// The function that the current task runs.
    pub static ROLE: Role;
    /// Ends the invocation that the current task runs, and no other.
    static DEATH: Arc<Notify>;
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
    /// The effect happens this much later. An effect on an AWS service then happens also when its caller has given up or died.
    Late(Duration),
    /// No answer ever comes: to what has not happened, or to what has.
    Silence(When),
    /// The service refuses the call.
    Refused(Refusal),
}

/// One call of a function to the outside.
#[derive(Clone, Copy, Debug)]
pub struct Effect<'a> {
    /// Whose it is.
    pub role: Role,
    /// The operation of an AWS service, or the path of a request.
    pub name: &'a str,
    /// What is sent.
    pub body: &'a [u8],
    /// Who asks, as a gateway is told.
    pub token: Option<&'a str>,
}

/// The effect that a call has.
fn effect(role: Role, call: &Call) -> Effect<'_> {
    Effect {
        role,
        name: &call.target,
        body: &call.body,
        token: None,
    }
}

/// Sees every effect of the functions, and says what happens at it.
pub trait Director: Send + Sync {
    /// An effect begins: the fault that happens at it, if any.
    fn begins(&self, effect: &Effect<'_>) -> Option<Fault>;
    /// An effect on an AWS service has ended: with this status, or its answer was lost, or its function died.
    fn ended(&self, effect: &Effect<'_>, status: Option<u16>);
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
    director: OnceLock<Arc<dyn Director>>,
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

    /// From now on nothing does, any more.
    pub fn well(&self) {
        self.plan.lock().unwrap().standing.clear();
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
        self.note(call, &reply);
        reply
    }

    /// A call that is on its way for so long, whatever becomes of its caller.
    async fn ask_late(&self, by: Duration, call: Call, engines: &Engines) -> Reply {
        let (asked, engines) = (call.clone(), engines.clone());
        let (director, role) = (self.director.get().cloned(), ROLE.try_with(|role| *role));
        let on_its_way = async move {
            tokio::time::sleep(by).await;
            let reply = engines.call(&asked).await;
            if let (Some(director), Ok(role)) = (director, role) {
                director.ended(&effect(role, &asked), Some(reply.status));
            }
            reply
        };
        #[expect(clippy::disallowed_methods, reason = "it must outlive its caller")]
        let reply = tokio::spawn(on_its_way).await.unwrap();
        self.note(&call, &reply);
        reply
    }

    fn note(&self, call: &Call, reply: &Reply) {
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
    }

    /// Whether an armed fault has not happened yet.
    pub fn is_armed(&self) -> bool {
        !self.plan.lock().unwrap().armed.is_empty()
    }

    /// Resolves when the function that runs now dies.
    pub async fn death(&self) {
        self.crashed.notified().await;
    }

    /// From now on `director` sees every effect, and says what happens where nothing is armed.
    pub fn follow(&self, director: Arc<dyn Director>) {
        assert!(self.director.set(director).is_ok(), "there is one already");
    }

    /// Runs a function that may die on the way; none when it did. Its death is its own.
    pub async fn mortal<F: Future>(&self, role: Role, function: F) -> Option<F::Output> {
        let death = Arc::new(Notify::new());
        let lives = ROLE.scope(role, DEATH.scope(Arc::clone(&death), function));
        tokio::select! {
            biased;
            () = death.notified() => None,
            output = lives => Some(output),
        }
    }

    /// Counts an effect of an AWS service; gives the fault that happens at it.
    pub fn count(&self, name: &str, body: &[u8]) -> Option<Fault> {
        self.count_from(name, body, None)
    }

    /// The same for an effect of somebody with a token.
    pub fn count_from(&self, name: &str, body: &[u8], token: Option<&str>) -> Option<Fault> {
        let role = ROLE.try_with(|role| *role).ok()?;
        self.scripted(role, name).or_else(|| {
            let director = self.director.get()?;
            director.begins(&Effect {
                role,
                name,
                body,
                token,
            })
        })
    }

    fn ended(&self, call: &Call, status: Option<u16>) {
        if let (Some(director), Ok(role)) = (self.director.get(), ROLE.try_with(|role| *role)) {
            director.ended(&effect(role, call), status);
        }
    }

    fn scripted(&self, role: Role, name: &str) -> Option<Fault> {
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
        if DEATH.try_with(|death| death.notify_one()).is_err() {
            self.crashed.notify_one();
        }
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
            match self.count(&call.target, &call.body) {
                None => {}
                Some(Fault::Crash(When::Before)) => self.die().await,
                Some(Fault::Crash(When::After)) => {
                    self.ask(&call, engines).await;
                    self.ended(&call, None);
                    self.die().await;
                }
                Some(Fault::Late(by)) => return Ok(self.ask_late(by, call, engines).await),
                Some(Fault::Error(When::Before)) => {
                    return Ok(refusal::error(500, "InternalServerError"));
                }
                Some(Fault::Error(When::After)) => {
                    self.ask(&call, engines).await;
                    self.ended(&call, None);
                    return Err(Lost);
                }
                Some(Fault::Silence(when)) => {
                    if when == When::After {
                        self.ask(&call, engines).await;
                        self.ended(&call, None);
                    }
                    std::future::pending::<()>().await;
                }
                Some(Fault::Refused(refusal)) => return Ok(refusal.reply(&call)),
            }
            let reply = self.ask(&call, engines).await;
            self.ended(&call, Some(reply.status));
            Ok(reply)
        })
    }
}
