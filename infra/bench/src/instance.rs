//! One instance of a function: its process and its Runtime API, from the start to the end.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;

use crate::process::{Process, Start};
use crate::runtime::{Answered, Runtime};
use crate::tls::Trust;

/// A time, and the processor time that the function used in it.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// From beginning to end.
    pub time: Duration,
    /// In its own code and in the kernel's.
    pub cpu: Duration,
}

/// An instance that waits for its next event.
pub struct Instance {
    process: Process,
    runtime: Runtime,
    /// From the start of the process to its first request for an event.
    pub init: Spent,
    /// The part of it before the first connection to a service; none if init opens no connection.
    pub unconnected: Option<Spent>,
}

impl Instance {
    /// Starts it and waits until it is ready. `timeout` is the function's.
    pub async fn start(
        start: &Start,
        timeout: Duration,
        trust: &Trust,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let mut runtime = Runtime::start(timeout).await?;
        let mut start = start.clone();
        start
            .environment
            .push(("AWS_LAMBDA_RUNTIME_API".to_owned(), runtime.address()));
        let mut process = Process::start(&start, folder)?;
        trust.watch(process.clock());
        let ready = tokio::select! {
            ready = runtime.ready() => ready,
            ended = process.ended() => Err(anyhow::anyhow!("it ended before it was ready, {ended}")),
        };
        let ready = ready.with_context(|| process.said())?;
        let cpu = process.cpu()?;
        let unconnected = trust.first_connection().map(|(at, cpu)| Spent {
            time: at.saturating_duration_since(process.started),
            cpu,
        });
        Ok(Self {
            init: Spent {
                time: ready - process.started,
                cpu,
            },
            unconnected,
            process,
            runtime,
        })
    }

    /// Hands it an event. The processor time is counted until it asks for the next one: what it does after its answer is
    /// paid too.
    pub async fn invoke(&mut self, event: Bytes) -> anyhow::Result<(Answered, Spent)> {
        let before = self.process.cpu()?;
        let answered = self
            .runtime
            .invoke(event)
            .await
            .with_context(|| self.process.said())?;
        self.runtime
            .ready()
            .await
            .with_context(|| self.process.said())?;
        let cpu = self.process.cpu()? - before;
        let time = answered.took;
        Ok((answered, Spent { time, cpu }))
    }

    /// The most memory that it has had so far, in MB of 1,000,000 bytes.
    pub fn peak_mb(&self) -> anyhow::Result<f64> {
        self.process.peak_mb()
    }

    /// The last of what it has written: what to show when something is wrong.
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// Ends it.
    pub async fn end(self) -> anyhow::Result<()> {
        self.process.kill().await
    }
}
