//! Rounds: in each one every subject is started, meets its first event, and then all of them take turns with warm events, so
//! that what else runs on the machine falls on all alike.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tests::measure::milliseconds;

use crate::calls::Called;
use crate::instance::{Instance, Spent};
use crate::stage::Stage;
use crate::subjects::{Answers, Subject};

/// Warm events in a row, before the next subject has its turn.
const IN_A_ROW: usize = 20;

/// What one round has shown of a subject. Times in milliseconds; memory in MB of 1,000,000 bytes.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// From the start of the process until it asks for an event.
    pub init: f64,
    /// The processor time of that.
    pub init_cpu: f64,
    /// The part of `init` before the first connection; all of it where init opens none.
    pub unconnected: f64,
    /// The processor time of that.
    pub unconnected_cpu: f64,
    /// The first event.
    pub cold: f64,
    /// The processor time of that.
    pub cold_cpu: f64,
    /// Every warm event.
    pub warm: Vec<f64>,
    /// The processor time of a warm event, on average.
    pub warm_cpu: f64,
    /// The most memory.
    pub peak_mb: f64,
}

/// All rounds of a subject.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// One after the other.
    pub rounds: Vec<Round>,
    /// Calls of AWS in the warm events of the last round, and how many events these were.
    pub calls: (BTreeMap<String, Called>, usize),
}

/// Measures all subjects, in so many rounds.
pub async fn measure(
    stage: &Stage,
    subjects: &[Subject],
    rounds: usize,
    folder: &Path,
) -> anyhow::Result<Vec<Measured>> {
    let mut all = vec![Measured::default(); subjects.len()];
    for number in 0..rounds {
        eprint!("\rround {} of {rounds} ", number + 1);
        let mut running = Vec::new();
        // Another order in each round: nobody always comes after the same neighbour.
        for offset in 0..subjects.len() {
            let index = (number + offset) % subjects.len();
            let subject = subjects.get(index).context("no such subject")?;
            let mut measuring = Measuring::start(stage, subject, index, folder).await;
            if let Ok(measuring) = &mut measuring {
                measuring.cold(stage).await?;
            }
            running
                .push(measuring.with_context(|| format!("{} cannot be measured", subject.name))?);
        }
        while running.iter().any(|measuring| measuring.left > 0) {
            for measuring in &mut running {
                measuring.warm(stage).await?;
            }
        }
        for measuring in running {
            let measured = all.get_mut(measuring.index).context("no such subject")?;
            measuring.end(measured).await?;
        }
    }
    eprintln!();
    Ok(all)
}

/// A subject in the middle of a round.
struct Measuring<'a> {
    subject: &'a Subject,
    index: usize,
    instance: Instance,
    round: Round,
    cpu: Duration,
    left: usize,
    calls: BTreeMap<String, Called>,
}

impl<'a> Measuring<'a> {
    async fn start(
        stage: &Stage,
        subject: &'a Subject,
        index: usize,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let folder = folder.join(index.to_string());
        std::fs::create_dir_all(&folder)?;
        let instance =
            Instance::start(&subject.start, subject.timeout, &stage.trust, &folder).await?;
        let unconnected = instance.unconnected.unwrap_or(instance.init);
        Ok(Self {
            round: Round {
                init: milliseconds(instance.init.time),
                init_cpu: milliseconds(instance.init.cpu),
                unconnected: milliseconds(unconnected.time),
                unconnected_cpu: milliseconds(unconnected.cpu),
                ..Round::default()
            },
            subject,
            index,
            instance,
            cpu: Duration::ZERO,
            left: subject.warm,
            calls: BTreeMap::new(),
        })
    }

    async fn cold(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let spent = self.invoke(stage).await?;
        self.round.cold = milliseconds(spent.time);
        self.round.cold_cpu = milliseconds(spent.cpu);
        Ok(())
    }

    async fn warm(&mut self, stage: &Stage) -> anyhow::Result<()> {
        stage.calls.take();
        for _ in 0..IN_A_ROW.min(self.left) {
            let spent = self.invoke(stage).await?;
            self.round.warm.push(milliseconds(spent.time));
            self.cpu += spent.cpu;
            self.left -= 1;
        }
        for (operation, called) in stage.calls.take() {
            let sum = self.calls.entry(operation).or_default();
            sum.times += called.times;
            sum.bytes += called.bytes;
        }
        Ok(())
    }

    /// One event; what is wrong with its answer ends the bench.
    async fn invoke(&mut self, stage: &Stage) -> anyhow::Result<Spent> {
        let (customers, event) = stage.event(self.subject.event).await?;
        let (answered, mut spent) = self.instance.invoke(event).await?;
        spent.time = spent.time.saturating_sub(self.subject.waits);
        let body = String::from_utf8_lossy(&answered.body);
        let done = match self.subject.answers {
            Answers::Anything => true,
            Answers::Queued => {
                Stage::is_queued(&answered.body) && stage.is_stored(&customers).await?
            }
            Answers::Replied => body == NONE_FAILED && stage.are_answered(&customers),
        };
        let (name, said) = (self.subject.name, || self.instance.said());
        anyhow::ensure!(
            done,
            "{name} has not done its job; its answer: {body}\n{}",
            said()
        );
        Ok(spent)
    }

    async fn end(mut self, measured: &mut Measured) -> anyhow::Result<()> {
        let events = self.round.warm.len();
        self.round.warm_cpu = milliseconds(self.cpu) / events as f64;
        self.round.peak_mb = self.instance.peak_mb()?;
        self.instance.end().await?;
        measured.rounds.push(self.round);
        measured.calls = (self.calls, events);
        Ok(())
    }
}

const NONE_FAILED: &str = r#"{"batchItemFailures":[]}"#;
