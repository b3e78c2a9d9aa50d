//! One run: everything started, until Ctrl-C, and stopped again without losing anything.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use clivy::conversation::bot::Bot;
use clivy::http::{Http, Network};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::args::Args;
use crate::clock::WorldClock;
use crate::data::{Data, Reach};
use crate::engines::Through;
use crate::faults::{self, Faults};
use crate::front::{self, Hooks, WebhookAt};
use crate::gateway::Gateway;
use crate::greeting::{self, Addresses};
use crate::host;
use crate::inside;
use crate::invoke::Remote;
use crate::login::{self, Login};
use crate::mapping::{Invoke, Mapping};
use crate::model::Model;
use crate::phone::{self, PhoneState};
use crate::schedule;
use crate::settings::{self, Settings};
use crate::steps::Steps;
use crate::world::{Parts, Workers, World};

/// How long a stop waits for what is in flight.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// The gateway address in a bots file that means the demo gateway; so does none.
const DEMO_GATEWAY: &str = "demo";

/// Everything of a run.
pub struct Run {
    address: SocketAddr,
    listener: Option<TcpListener>,
    inbox_address: SocketAddr,
    inbox_listener: Option<TcpListener>,
    data: Data,
    world: World,
    bots: Vec<Bot>,
    steps: Steps,
    gateway: Gateway,
    model: Option<Model>,
    faults: Faults,
    max_concurrency: usize,
    remote: Option<Arc<Remote>>,
    http: Arc<dyn Http>,
}

impl Run {
    /// Opens everything; nothing is answered yet. `settings` is the process's environment.
    ///
    /// # Errors
    /// The address is taken, the data folder is in use, a setting or the bots file is bad.
    pub async fn open(
        args: &Args,
        settings: BTreeMap<String, String>,
        steps: Steps,
    ) -> anyhow::Result<Self> {
        let mut bots = args.bots()?;
        let listener = listen(args.listen).await?;
        let address = listener.local_addr()?;
        let inbox_listener = listen(args.inbox()).await?;
        let inbox_address = inbox_listener.local_addr()?;
        let base_url = format!("http://{address}");
        let data = if args.ephemeral {
            Data::Memory
        } else {
            Data::folder(&args.data)?
        };
        connect_gateways(&mut bots, args.gateway_url.as_deref(), &base_url);
        let Settings {
            values: settings,
            has_demo_model: has_model,
            admin_secret,
        } = settings::of_run(settings, &base_url, &data)?;
        let http: Arc<dyn Http> = Arc::new(Network::new()?);
        let parts = Parts {
            dynamodb: data.open()?,
            base_url,
            settings,
            http: Arc::clone(&http),
            clock: Arc::new(WorldClock::real()),
            intercept: Arc::new(Through),
        };
        // Boxed: opening a world holds all of its parts at once.
        let world = Box::pin(World::open(parts)).await?;
        world.put_bots(&bots).await?;
        if let Err(error) = data.restore(&world.engines.sqs) {
            // What is owed an answer is in the table, and gets its triggers below.
            tracing::warn!(%error, "the queues of the last run could not be restored");
        }
        let remote = args.functions.as_ref().map(|base_url| {
            Arc::new(Remote {
                http: Arc::clone(&http),
                base_url: base_url.trim_end_matches('/').to_owned(),
                timeout: Duration::from_secs(180),
            })
        });
        let workers = match &remote {
            None => Workers::Gone,
            Some(_) => Workers::Elsewhere,
        };
        let owed = world.recover(workers).await?;
        if owed > 0 {
            tracing::info!(owed, "conversations of the last run are owed an answer");
        }
        data.tell(&Reach {
            inbox: format!("http://{inbox_address}"),
            admin_secret,
        })?;
        let model = has_model.then(|| Model::new(args.demo_latency()));
        let gateway = demo_gateway(&bots, &world);
        let faults = demo_faults(model.as_ref(), &gateway, &bots, address);
        Ok(Self {
            address,
            listener: Some(listener),
            inbox_address,
            inbox_listener: Some(inbox_listener),
            data,
            gateway,
            model,
            faults,
            world,
            bots,
            steps,
            max_concurrency: args.max_concurrency,
            remote,
            http,
        })
    }

    /// Where the run listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the inbox listens.
    #[must_use]
    pub fn inbox_address(&self) -> SocketAddr {
        self.inbox_address
    }

    /// The system inside.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What a person at the terminal wants to know.
    #[must_use]
    pub fn greeting(&self) -> String {
        let base_url = format!("http://{}", self.address);
        let now = self.world.clock.now();
        let addresses = Addresses {
            base_url,
            inbox: self.inbox_address,
            has_login: self.login().is_some(),
        };
        greeting::greeting(&addresses, self.bots.first(), self.model.is_some(), now)
    }

    /// Serves until `shutdown`, then stops cleanly: no trigger is worked on any more, what is in flight may
    /// end, what is queued is kept. What still comes in meanwhile is stored, and answered after the next start.
    ///
    /// # Errors
    /// The server fails, or the queues cannot be kept.
    pub async fn serve(mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let listener = self.listener.take().context("it is served already")?;
        let inbox_listener = self.inbox_listener.take().context("it is served already")?;
        let (stop, _) = watch::channel(false);
        let stopped = || {
            let mut stop = stop.subscribe();
            async move {
                // An error means that the sender is gone, which is a stop too.
                let _ = stop.wait_for(|stop| *stop).await;
            }
        };
        let invoke: Arc<dyn Invoke> = match &self.remote {
            Some(remote) => Arc::clone(remote) as Arc<dyn Invoke>,
            None => self.world.in_process(),
        };
        let router = self.router();
        let mapping = Mapping {
            max_concurrency: self.max_concurrency,
            ..self.world.mapping(invoke)
        };
        let work = async {
            tokio::join!(mapping.run(stopped()), self.schedules(stopped),);
        };
        let inbox = inbox::router(Arc::clone(&self.world.inbox));
        let server = async {
            tokio::try_join!(
                axum::serve(listener, router).into_future(),
                axum::serve(inbox_listener, inbox).into_future(),
            )
        };
        tokio::pin!(work, server, shutdown);
        tokio::select! {
            ended = &mut server => drop(ended.context("the server ended")?),
            () = &mut work => anyhow::bail!("the event source mapping ended"),
            () = &mut shutdown => {}
        }
        stop.send_replace(true);
        if let Err(error) = self.data.untell() {
            tracing::warn!(%error, "the run's address stays in the data folder");
        }
        // A turn that waits for a model that hangs gets its answer now, and can end.
        self.faults.clear();
        // The demo model and gateway are still served, so that what is in flight can end.
        let patience = tokio::time::sleep(STOP_PATIENCE);
        tokio::select! {
            () = &mut work => {}
            _ = &mut server => {}
            () = patience => {
                tracing::warn!("some turns did not end in time; the next start goes on with them");
            }
        }
        self.data.keep(&self.world.engines.sqs)
    }

    fn router(&self) -> Router {
        let at = match &self.remote {
            None => WebhookAt::Here(Arc::clone(&self.world.webhook)),
            Some(remote) => WebhookAt::There {
                http: Arc::clone(&self.http),
                base_url: remote.base_url.clone(),
            },
        };
        let world = self.world.clone();
        let pace = inside::pace(&world);
        let faults = self.faults.clone();
        let pseudonyms = self.world.pseudonyms.clone();
        let phone = phone::router(PhoneState {
            steps: self.steps.clone(),
            gateway: self.gateway.clone(),
            bot_ids: self
                .bots
                .iter()
                .map(|bot| bot.bot_id.as_str().to_owned())
                .collect(),
            bot_names: self.bots.iter().map(|bot| bot.name.clone()).collect(),
            deliver: Arc::new(Hooks {
                at: at.clone(),
                bots: self.bots.clone(),
            }),
            status: Arc::new(move |bot, contact| inside::status(&world, &faults, bot, contact)),
            conversation_of: Arc::new(move |bot, contact| {
                inside::conversation_of(&pseudonyms, bot, contact)
            }),
        });
        let mut router = front::router(at)
            .merge(phone)
            .merge(self.login().map_or_else(login::closed, Login::router))
            .merge(faults::router(self.faults.clone(), pace))
            .merge(self.world.engines.router())
            .nest(GATEWAY_PATH, self.gateway.router());
        if let Some(model) = &self.model {
            router = router.nest(MODEL_PATH, model.router());
        }
        host::guarded(router, self.address)
    }

    /// The way into the inbox without a key, where nobody but this machine can take it.
    fn login(&self) -> Option<Login> {
        let bots = self.bots.iter();
        Login::new(
            self.address,
            self.inbox_address,
            bots.map(|bot| (bot.bot_id.clone(), bot.owner.clone()))
                .collect(),
            self.world.table.clone(),
            Arc::clone(&self.world.clock),
        )
    }

    async fn schedules<S: Future<Output = ()>>(&self, stopped: impl Fn() -> S) {
        const MINUTE: Duration = Duration::from_secs(60);
        const HOUR: Duration = Duration::from_secs(3600);
        let sweep = || async {
            let done = match &self.remote {
                Some(remote) => remote
                    .call("sweeper", &json!({}))
                    .await
                    .map(|_| ())
                    .map_err(anyhow::Error::from),
                None => {
                    let deadline = self.world.clock.now().plus_ms(50_000);
                    let swept = self.world.sweeper.sweep(deadline).await;
                    swept.map(|_| ()).map_err(anyhow::Error::from)
                }
            };
            if let Err(error) = done {
                tracing::error!(%error, "the sweeper failed");
            }
            // DynamoDB on AWS does this by itself.
            let _ = self.world.engines.dynamodb.sweep_ttl();
        };
        let check = || async {
            match &self.remote {
                Some(remote) => {
                    if let Err(error) = remote.call("credits", &json!({})).await {
                        tracing::error!(%error, "the credits could not be read");
                    }
                }
                // It logs its own failures; the next hour is another try.
                None => drop(Box::pin(self.world.credits.check("local")).await),
            }
        };
        tokio::join!(
            schedule::every(MINUTE, MINUTE, sweep, stopped()),
            schedule::every(Duration::from_secs(2), HOUR, check, stopped()),
        );
    }
}

const GATEWAY_PATH: &str = "/demo/wuzapi";
/// Where the demo model is.
pub(crate) const MODEL_PATH: &str = "/demo/openrouter";

fn demo_gateway(bots: &[Bot], world: &World) -> Gateway {
    let tokens = bots.iter().map(|bot| bot.gateway.token.clone()).collect();
    let ids: Vec<String> = bots
        .iter()
        .map(|bot| bot.bot_id.as_str().to_owned())
        .collect();
    let pseudonyms = world.pseudonyms.clone();
    let conversation_of = move |session: usize, phone: &str| {
        let bot = ids.get(session).map_or("", String::as_str);
        inside::conversation_of(&pseudonyms, bot, phone)
    };
    Gateway::with_names(tokens, Arc::new(conversation_of))
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{address} cannot be listened on"))
}

/// What can be broken on demand: the demo model where it answers, the demo gateway where a bot uses it.
fn demo_faults(
    model: Option<&Model>,
    gateway: &Gateway,
    bots: &[Bot],
    address: SocketAddr,
) -> Faults {
    let demo_url = format!("http://{address}{GATEWAY_PATH}");
    let is_used = bots.iter().any(|bot| bot.gateway.url == demo_url);
    Faults {
        model: model.map(Model::faults),
        gateway: is_used.then(|| gateway.faults()),
    }
}

fn connect_gateways(bots: &mut [Bot], gateway_url: Option<&str>, base_url: &str) {
    for bot in bots {
        let url = &mut bot.gateway.url;
        match gateway_url {
            Some(gateway_url) => gateway_url.clone_into(url),
            None if url.is_empty() || url == DEMO_GATEWAY => {
                *url = format!("{base_url}{GATEWAY_PATH}");
            }
            None => {}
        }
        *url = url.trim_end_matches('/').to_owned();
    }
}
