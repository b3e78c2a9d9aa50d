//! The shop in a world in which everything that costs is counted: requests, capacity units, calls of the model and the gateway, lines of
//! log.

use std::collections::BTreeSet;
use std::sync::Arc;

use figures::budget::Scene;
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;

use crate::faults::{ROLE, Role};
use crate::log::Lines;
use crate::meter::{Asked, Meter, Place};
use crate::shop::{Shop, demo_bot};
use crate::world::TestWorld;

/// How much of everything there was at a moment.
pub struct Mark {
    requests: usize,
    asked: usize,
    calls: usize,
    log: usize,
    metrics: usize,
}

/// The shop, and what counts.
pub struct Counted {
    /// The shop.
    pub shop: Shop,
    /// Its requests.
    pub meter: Arc<Meter>,
    lines: Lines,
    _logging: tracing::subscriber::DefaultGuard,
}

/// The requests and units of these.
fn asked(all: &[Asked]) -> Scene {
    let mut scene = Scene::default();
    for request in all {
        *scene.requests.entry(request.operation.clone()).or_default() += 1.0;
        for charge in &request.charges {
            let units = match charge.is_write {
                true => &mut scene.write_units,
                false => &mut scene.read_units,
            };
            *units.entry(kind(&charge.place).to_owned()).or_default() += charge.units;
        }
    }
    scene
}

/// What a key is of.
fn kind(place: &Place) -> &'static str {
    let prefix = place.partition.split('#').next().unwrap_or_default();
    match (place.index.as_deref(), prefix) {
        (None, "C") => "conversation",
        (None, "U") => "usage",
        (None, "B" | "G") => "settings",
        (None, "X") => "provider",
        (None, "A" | "O") => "access",
        (Some("by_activity"), "B") => "list of conversations",
        (Some("by_activity"), "T") => "list of turns",
        (Some("owed"), "W") => "owed shard",
        _ => panic!("a key of no known kind: {place:?}"),
    }
}

/// How many metrics CloudWatch would make of these lines: one for each name and words of its dimensions.
fn series(lines: &[Value]) -> u64 {
    let mut all = BTreeSet::new();
    for line in lines {
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            for set in directive["Dimensions"].as_array().unwrap() {
                let names = set.as_array().unwrap().iter();
                let words: Vec<_> = names
                    .map(|name| line[name.as_str().unwrap()].to_string())
                    .collect();
                for metric in directive["Metrics"].as_array().unwrap() {
                    all.insert((metric["Name"].to_string(), words.clone()));
                }
            }
        }
    }
    all.len() as u64
}

impl Counted {
    /// A shop that has just opened.
    pub async fn open() -> Self {
        let lines = Lines::default();
        // As `telemetry::init_json` writes them, at the level of a deployment.
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_current_span(false)
            .with_writer(lines.clone())
            .finish()
            .with(clivy::telemetry::filter("info"));
        let logging = tracing::subscriber::set_default(subscriber);
        let (world, meter) = TestWorld::metered(&[demo_bot()]).await;
        Self {
            shop: Shop::open(world),
            meter,
            lines,
            _logging: logging,
        }
    }

    fn world(&self) -> &TestWorld {
        &self.shop.world
    }

    /// How much of everything there is now.
    pub fn mark(&self) -> Mark {
        Mark {
            requests: self.meter.mark(),
            asked: self.world().outside.asked().len(),
            calls: self.calls(),
            log: self.lines.mark(),
            metrics: self.world().world.metrics.lines().len(),
        }
    }

    fn calls(&self) -> usize {
        self.world().outside.sends().len() + self.world().outside.others().len()
    }

    /// What there was since then; but not by how much the table grew.
    pub fn since(&self, mark: &Mark) -> Scene {
        let log = self.lines.since(mark.log);
        let metrics = self.world().measured().split_off(mark.metrics);
        let lines = self.world().world.metrics.lines().split_off(mark.metrics);
        let bodies = self.world().outside.asked().split_off(mark.asked);
        let told = |name: &'static str| -> Vec<f64> {
            let values = metrics.iter().filter_map(|line| line[name].as_f64());
            values.collect()
        };
        // Not `sum`: of nothing that is -0.
        let sum = |name| told(name).iter().fold(0.0, |sum, value| sum + value);
        let characters = |body: &Value| -> usize {
            let messages = body["messages"].as_array().unwrap().iter();
            let texts = messages.map(|message| message["content"].as_str().unwrap());
            texts.map(|text| text.chars().count()).sum()
        };
        let total = |counts: &mut dyn Iterator<Item = usize>| counts.sum::<usize>() as f64;
        Scene {
            invocations: told("worker_records_total").len() as f64,
            records: sum("worker_records_total"),
            records_again: sum("worker_records_again_total"),
            model_calls: bodies.len() as f64,
            model_bytes: total(&mut bodies.iter().map(|body| body.to_string().len())),
            prompt_characters: total(&mut bodies.iter().map(characters)),
            gateway_calls: (self.calls() - mark.calls) as f64,
            log_lines: total(&mut log.iter().map(|byte| usize::from(*byte == b'\n'))),
            log_bytes: log.len() as f64,
            metric_lines: lines.len() as f64,
            metric_bytes: total(&mut lines.iter().map(|line| line.len() + 1)),
            metric_series: series(&metrics) as f64,
            ..asked(&self.meter.since(mark.requests))
        }
    }

    /// A burst of so many bubbles, from the first one to the answer.
    pub async fn burst(&self, phone: &str, bubbles: usize) -> Scene {
        let mark = self.mark();
        self.shop.burst(&[phone.to_owned()], bubbles).await;
        self.since(&mark)
    }

    /// What the table and its indexes hold, in bytes as AWS bills them: 100 more for each item and each entry.
    pub async fn stored_bytes(&self) -> i64 {
        let all = self
            .world()
            .dynamodb("Scan", json!({"TableName": "clivy"}))
            .await;
        assert_eq!(all["LastEvaluatedKey"], Value::Null, "one page");
        self.meter.stored_bytes(all["Items"].as_array().unwrap())
    }

    /// A run of the sweeper with nothing to do.
    pub async fn sweep(&self) -> Scene {
        let mark = self.mark();
        let deadline = self.world().world.clock.now().plus_ms(50_000);
        let sweep = self.world().world.sweeper.sweep(deadline);
        ROLE.scope(Role::Sweeper, sweep).await.unwrap();
        self.since(&mark)
    }
}
