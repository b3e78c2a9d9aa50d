//! The whole system, put together: the engines, the functions, the queues between them. The one-machine run
//! and the tests build the same one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clivy::clock::Clock;
use clivy::config::Reader;
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::{ConversationId, EpochMs};
use clivy::conversation::trigger::Trigger;
use clivy::http::Http;
use clivy::metrics::Metrics;
use clivy::pseudonym::Pseudonyms;
use clivy::queue::Queue;
use clivy::table::{OwedTo, Table, keys, schema};
use clivy::vault::Vault;
use credits::Credits;
use dynoxide::Database;
use inbox::Inbox;
use sweeper::Sweeper;
use webhook::Webhook;
use worker::Worker;

use crate::engines::{Engines, Intercept, Wire};
use crate::instances::{Instances, clients, sdk};
use crate::invoke::InProcess;
use crate::mapping::{Invoke, Mapping};
use crate::sns::{self, Alert, Sns};
use crate::sqs::{QueueSettings, Redrive, Sqs};
use crate::ssm::Ssm;
use crate::tokens::Tokens;

/// The table's name on one machine.
pub const TABLE: &str = "clivy";
/// The queue of triggers.
pub const QUEUE: &str = "clivy-triggers";
/// Its dead letters.
pub const DLQ: &str = "clivy-triggers-dlq";
/// The topic of the alerts.
pub const ALERTS: &str = "clivy-alerts";

/// How long what is written past the functions is kept, in days.
pub(crate) const RETENTION_DAYS: u32 = 90;

/// What the template sets too; a test compares the two.
pub mod as_deployed {
    /// Records of one batch.
    pub const BATCH_SIZE: usize = 10;
    /// Batches at once.
    pub const MAXIMUM_CONCURRENCY: usize = 50;
    /// How long a received record stays invisible, in seconds.
    pub const VISIBILITY_TIMEOUT_SECONDS: u32 = 1_080;
    /// Receives before a record becomes a dead letter.
    pub const MAX_RECEIVE_COUNT: u32 = 5;
    /// How long a record is kept, in seconds.
    pub const RETENTION_SECONDS: u32 = 345_600;
    /// How long a dead letter is kept, in seconds.
    pub const DLQ_RETENTION_SECONDS: u32 = 1_209_600;
}

/// What a world is made of.
pub struct Parts {
    /// The engine's data; see [`memory`] and [`on_disk`].
    pub dynamodb: Database,
    /// The address that queue URLs begin with.
    pub base_url: String,
    /// Settings that differ from the defaults, by name.
    pub settings: BTreeMap<String, String>,
    /// The network, for the model and the gateways.
    pub http: Arc<dyn Http>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What stands between the functions and the engines.
    pub intercept: Arc<dyn Intercept>,
}

/// The system.
#[derive(Clone)]
pub struct World {
    /// DynamoDB, SQS, SNS and SSM.
    pub engines: Engines,
    /// The webhook function.
    pub webhook: Arc<Webhook>,
    /// The worker function.
    pub worker: Arc<Worker>,
    /// The sweeper function.
    pub sweeper: Arc<Sweeper>,
    /// The credits function.
    pub credits: Arc<Credits>,
    /// The inbox function.
    pub inbox: Arc<Inbox>,
    /// The table, past the interceptor.
    pub table: Table,
    /// The queue, past the interceptor.
    pub queue: Queue,
    /// What the functions have measured.
    pub metrics: Metrics,
    /// Names for logs.
    pub pseudonyms: Pseudonyms,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What more instances of the functions are made of.
    pub instances: Instances,
}

/// What became of the workers of the last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// They were part of its process.
    Gone,
    /// They are processes of their own, and may be at work.
    Elsewhere,
}

/// An engine that forgets.
///
/// # Errors
/// SQLite cannot be opened.
pub fn memory() -> anyhow::Result<Database> {
    Database::memory().context("the embedded DynamoDB could not be opened in memory")
}

/// An engine on a file in `folder`. What it has accepted survives the end of the process, however it ends; the power
/// failing may take the last moments: writes do not wait for the disk, which took milliseconds each (`docs/PERFORMANCE.md`).
///
/// # Errors
/// The file cannot be opened.
pub fn on_disk(folder: &Path) -> anyhow::Result<Database> {
    let file = folder.join("dynamodb.sqlite");
    let path = file
        .to_str()
        .context("the data folder's name is not UTF-8")?;
    let opened = || {
        let database = Database::new(path)?;
        // The engine's own defaults, but for one: `synchronous` is NORMAL, not FULL.
        database.disable_bulk_loading()?;
        dynoxide::Result::Ok(database)
    };
    opened().with_context(|| format!("{path} could not be opened"))
}

impl World {
    /// Puts a world together and creates its table and queues where they are missing.
    ///
    /// # Errors
    /// A setting is bad, or the engine refuses.
    pub async fn open(parts: Parts) -> anyhow::Result<Self> {
        let clock = Arc::clone(&parts.clock);
        let wall_clock = Arc::clone(&parts.clock);
        let sqs = Sqs::new(&parts.base_url, Arc::new(move || wall_clock.now().0));
        create_queues(&sqs);
        let wall_clock = Arc::clone(&parts.clock);
        let sns = Sns::new(Arc::new(move || wall_clock.now().0));
        sns.create_topic(ALERTS);
        let engines = Engines {
            dynamodb: parts.dynamodb,
            tokens: Tokens::default(),
            sqs,
            sns,
            ssm: Ssm::default(),
        };
        // One reader for all functions: the faults of all of them are named at once.
        let mut reader = Reader::new(settings(&engines.sqs, &parts.settings));
        let for_webhook = webhook::settings::Settings::from(&mut reader);
        let _ = worker::settings::Settings::from(&mut reader);
        let _ = sweeper::settings::Settings::from(&mut reader);
        let _ = credits::settings::Settings::from(&mut reader);
        let _ = inbox::settings::Settings::from(&mut reader);
        reader.finish()?;
        let vault = Vault::of(for_webhook.bot_secrets_key.as_ref())?;
        let instances = Instances {
            engines: engines.clone(),
            intercept: parts.intercept,
            http: parts.http,
            // Not on the terminal, which is for people.
            metrics: Metrics::memory(),
            settings: settings(&engines.sqs, &parts.settings),
        };
        let webhook = instances.webhook(Arc::clone(&clock))?;
        let direct = sdk(Wire::new(
            engines.clone(),
            Arc::new(crate::engines::Through),
        ));
        let (client, direct_queue) = clients(&direct);
        schema::create(&client, TABLE).await?;
        let pseudonyms = webhook.pseudonyms.clone();
        let queue_url = engines.sqs.queue_url(QUEUE);
        Ok(Self {
            queue: Queue::new(direct_queue, queue_url, pseudonyms.clone()),
            table: Table::new(client, TABLE.to_owned(), RETENTION_DAYS).with_vault(vault),
            webhook: Arc::new(webhook),
            worker: Arc::new(instances.worker(Arc::clone(&clock))?),
            sweeper: Arc::new(instances.sweeper(Arc::clone(&clock))?),
            credits: Arc::new(instances.credits(Arc::clone(&clock))?),
            inbox: Arc::new(instances.inbox(Arc::clone(&clock))?),
            metrics: instances.metrics.clone(),
            instances,
            engines,
            pseudonyms,
            clock,
        })
    }

    /// Writes the bots of a file into the table. What was edited since the file was written last stays, until the file
    /// says something else.
    ///
    /// # Errors
    /// The engine refuses one.
    pub async fn put_bots(&self, bots: &[Bot]) -> anyhow::Result<()> {
        for bot in bots {
            self.table.sync_bot(bot, self.clock.now()).await?;
        }
        Ok(())
    }

    /// What the owner was told last, oldest first.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.engines.sns.alerts()
    }

    /// The event source mapping from the queue to `invoke`.
    pub fn mapping(&self, invoke: Arc<dyn Invoke>) -> Mapping {
        Mapping {
            sqs: self.engines.sqs.clone(),
            queue: QUEUE.to_owned(),
            batch_size: as_deployed::BATCH_SIZE,
            batch_window: Duration::ZERO,
            max_concurrency: as_deployed::MAXIMUM_CONCURRENCY,
            invoke,
        }
    }

    /// The worker in this process, as the mapping invokes it.
    pub fn in_process(&self) -> Arc<dyn Invoke> {
        Arc::new(InProcess::new(
            Arc::clone(&self.worker),
            Arc::clone(&self.clock),
        ))
    }

    /// After a start, every conversation that is owed an answer gets a trigger, because the queue did not outlive
    /// the last process. Where the workers died with it, their claims end now. Gives the number of triggers.
    ///
    /// # Errors
    /// The engine or the queue refuses.
    pub async fn recover(&self, workers: Workers) -> anyhow::Result<usize> {
        let now = self.clock.now();
        let mut recovered = 0;
        for shard in 0..keys::OWED_SHARDS {
            let mut from = None;
            loop {
                let page = self.table.owed(shard, now.plus_ms(1), from).await?;
                for owed in &page.owed {
                    let goes_on = match &owed.to {
                        OwedTo::Customer => self.go_on(&owed.id, workers, now).await?,
                        OwedTo::Person(key) => self.send_on(&owed.id, key, workers, now).await?,
                    };
                    recovered += usize::from(goes_on);
                }
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        Ok(recovered)
    }

    /// One conversation goes on where the last process left it. False when nothing is owed.
    async fn go_on(
        &self,
        id: &ConversationId,
        workers: Workers,
        now: EpochMs,
    ) -> anyhow::Result<bool> {
        let Some(head) = self.table.head(id).await? else {
            return Ok(false);
        };
        // I6: a bubble of a moment ago still gets its silence.
        let mut delay_seconds = self.worker.rules.debounce.rest_seconds(head.last_at, now);
        if let Some(claim) = &head.claim {
            if workers == Workers::Gone {
                let over = now.plus_ms(-1);
                self.table.hand_back(id, claim.fence, over, 0).await?;
            }
            // Its silence has passed.
            delay_seconds = 0;
        } else if head.pend.is_empty() {
            return Ok(false);
        }
        let Some(key) = head.last_key else {
            return Ok(false);
        };
        let trigger = Trigger::answer(id.clone(), key, now);
        self.queue.send(&trigger, delay_seconds, None).await?;
        Ok(true)
    }
}

fn create_queues(sqs: &Sqs) {
    sqs.create_queue(
        DLQ,
        QueueSettings {
            retention_seconds: as_deployed::DLQ_RETENTION_SECONDS,
            ..QueueSettings::default()
        },
    );
    sqs.create_queue(
        QUEUE,
        QueueSettings {
            visibility_timeout_seconds: as_deployed::VISIBILITY_TIMEOUT_SECONDS,
            retention_seconds: as_deployed::RETENTION_SECONDS,
            redrive: Some(Redrive {
                dead_letter_queue: DLQ.to_owned(),
                max_receive_count: as_deployed::MAX_RECEIVE_COUNT,
            }),
            ..QueueSettings::default()
        },
    );
}

/// The settings of all functions: where the engines are, then what the caller wants otherwise.
fn settings(sqs: &Sqs, others: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<String, String> = [
        ("TABLE_NAME", TABLE.to_owned()),
        ("QUEUE_URL", sqs.queue_url(QUEUE)),
        ("DLQ_URL", sqs.queue_url(DLQ)),
        ("ALERT_TOPIC_ARN", sns::topic_arn(ALERTS)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    settings.extend(others.clone());
    settings
}
