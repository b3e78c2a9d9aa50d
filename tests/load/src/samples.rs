//! What is looked at every second of a load: queue, model, memory, processor.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tests::process::one_machine::OneMachine;
use tests::process::usage::{self, Cpu};

use crate::outside::Outside;

/// Everything seen so far.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Samples {
    /// Triggers that were due and that nobody had taken yet, by `GetQueueAttributes`: now.
    pub triggers_waiting: u64,
    /// The most of them.
    pub triggers_waiting_most: u64,
    /// Their mean.
    pub triggers_waiting_mean: f64,
    /// Triggers being worked on, at most.
    pub triggers_in_flight_most: u64,
    /// Questions that the model was answering at once: now.
    pub questions_open: usize,
    /// The most of them.
    pub questions_open_most: usize,
    /// Resident memory now, MB.
    pub resident_mb: f64,
    /// The most of it, MB.
    pub resident_mb_most: f64,
    /// Cores that the system kept busy, on average.
    pub cores_system: f64,
    /// Cores that it wanted besides, and that others had.
    pub cores_system_waited_for: f64,
    /// Cores that this client kept busy: the customers, the gateway and the model.
    pub cores_client: f64,
    /// Cores that everybody else kept busy. Near 0 when the figures are worth something.
    pub cores_others: f64,
    #[serde(skip)]
    taken: u32,
}

impl Samples {
    /// One more look.
    ///
    /// # Errors
    /// The system is gone.
    pub async fn take(&mut self, run: &OneMachine, outside: &Outside) -> anyhow::Result<()> {
        let [visible, in_flight, _delayed] = run.queue().await;
        self.triggers_waiting = visible;
        self.triggers_waiting_most = self.triggers_waiting_most.max(visible);
        self.triggers_in_flight_most = self.triggers_in_flight_most.max(in_flight);
        self.questions_open = outside.open_calls();
        self.questions_open_most = self.questions_open_most.max(self.questions_open);
        self.resident_mb = usage::memory(run.process.id())?.resident_mb;
        self.resident_mb_most = self.resident_mb_most.max(self.resident_mb);
        self.taken += 1;
        self.triggers_waiting_mean +=
            (visible as f64 - self.triggers_waiting_mean) / f64::from(self.taken);
        Ok(())
    }

    /// The processor time that was used over all of it.
    pub fn cpu(&mut self, used: &Cpu, lasting: Duration) {
        let seconds = lasting.as_secs_f64();
        self.cores_system = used.system / seconds;
        self.cores_system_waited_for = used.system_waited / seconds;
        self.cores_client = used.client / seconds;
        self.cores_others = used.others() / seconds;
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} triggers wait, {} questions open, {:.0} MB",
            self.triggers_waiting, self.questions_open, self.resident_mb
        )
    }
}
