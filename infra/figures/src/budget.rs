//! `tests/budget.toml`: what each way of a message costs, as measured.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

/// What one scene cost.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct Scene {
    /// Requests to AWS that our code makes, by operation. What Lambda itself asks of the queue is not among them.
    pub requests: BTreeMap<String, f64>,
    /// Write capacity units by kind of key.
    pub write_units: BTreeMap<String, f64>,
    /// Read capacity units by kind of key.
    pub read_units: BTreeMap<String, f64>,
    /// Invocations of the worker.
    pub invocations: f64,
    /// Records in them.
    pub records: f64,
    /// Records that must come again.
    pub records_again: f64,
    /// Calls of models.
    pub model_calls: f64,
    /// Bytes of their bodies.
    pub model_bytes: f64,
    /// Characters of their prompts.
    pub prompt_characters: f64,
    /// Calls of the gateway: texts, read ticks, "typing…".
    pub gateway_calls: f64,
    /// Lines of log at INFO.
    pub log_lines: f64,
    /// Their bytes.
    pub log_bytes: f64,
    /// Lines of metrics.
    pub metric_lines: f64,
    /// Their bytes.
    pub metric_bytes: f64,
    /// Metrics that CloudWatch makes of them.
    pub metric_series: f64,
    /// By how much the table grew, where it was looked at; in bytes as AWS bills them.
    pub stored_bytes: f64,
}

impl Scene {
    /// All write units.
    #[must_use]
    pub fn writes(&self) -> f64 {
        self.write_units.values().sum()
    }

    /// All read units.
    #[must_use]
    pub fn reads(&self) -> f64 {
        self.read_units.values().sum()
    }

    /// Requests to a service.
    #[must_use]
    pub fn requests_to(&self, service: &str) -> f64 {
        let mine = self
            .requests
            .iter()
            .filter(|(name, _)| name.split(':').next() == Some(service));
        mine.map(|(_, count)| count).sum()
    }

    /// Requests to the queue: ours, and Lambda's, which receives once and deletes once an invocation.
    #[must_use]
    pub fn queue_requests(&self) -> f64 {
        self.requests_to("sqs") + 2.0 * self.invocations
    }

    /// So many of these.
    #[must_use]
    pub fn times(&self, n: f64) -> Self {
        let map = |all: &BTreeMap<String, f64>| -> BTreeMap<String, f64> {
            all.iter().map(|(k, v)| (k.clone(), v * n)).collect()
        };
        Self {
            requests: map(&self.requests),
            write_units: map(&self.write_units),
            read_units: map(&self.read_units),
            invocations: self.invocations * n,
            records: self.records * n,
            records_again: self.records_again * n,
            model_calls: self.model_calls * n,
            model_bytes: self.model_bytes * n,
            prompt_characters: self.prompt_characters * n,
            gateway_calls: self.gateway_calls * n,
            log_lines: self.log_lines * n,
            log_bytes: self.log_bytes * n,
            metric_lines: self.metric_lines * n,
            metric_bytes: self.metric_bytes * n,
            // Not a thing that adds up: the same ones again.
            metric_series: self.metric_series,
            stored_bytes: self.stored_bytes * n,
        }
    }

    /// This and that.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        let add = |all: &mut BTreeMap<String, f64>, more: &BTreeMap<String, f64>| {
            for (name, value) in more {
                *all.entry(name.clone()).or_default() += value;
            }
        };
        add(&mut self.requests, &other.requests);
        add(&mut self.write_units, &other.write_units);
        add(&mut self.read_units, &other.read_units);
        self.invocations += other.invocations;
        self.records += other.records;
        self.records_again += other.records_again;
        self.model_calls += other.model_calls;
        self.model_bytes += other.model_bytes;
        self.prompt_characters += other.prompt_characters;
        self.gateway_calls += other.gateway_calls;
        self.log_lines += other.log_lines;
        self.log_bytes += other.log_bytes;
        self.metric_lines += other.metric_lines;
        self.metric_bytes += other.metric_bytes;
        self.metric_series = self.metric_series.max(other.metric_series);
        self.stored_bytes += other.stored_bytes;
        self
    }
}

/// All scenes.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Budget(BTreeMap<String, Scene>);

impl Budget {
    /// A scene by its name.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn scene(&self, name: &str) -> Result<&Scene> {
        self.0
            .get(name)
            .with_context(|| format!("tests/budget.toml has no [{name}]"))
    }

    /// All of them, by name.
    pub fn scenes(&self) -> impl Iterator<Item = (&str, &Scene)> {
        self.0.iter().map(|(name, scene)| (name.as_str(), scene))
    }
}
