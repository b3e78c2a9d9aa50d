//! The figures, as they are written to JSON; `table` shows them.

use serde::Serialize;
use tests::measure::machine;

use crate::gateway::Faults;

/// What this machine can do at most.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Floor {
    /// HTTP round trips of this client with a server that does nothing.
    pub http_per_second: f64,
    /// Conditional puts of the embedded DynamoDB, in memory.
    pub puts_in_memory_per_second: f64,
    /// The same in a file.
    pub puts_in_a_file_per_second: f64,
}

/// The closed loop.
#[derive(Clone, Debug, Serialize)]
pub struct Sustained {
    /// How long.
    pub seconds: f64,
    /// Bursts that waited for their reply at once.
    pub in_flight: usize,
    /// Bursts answered.
    pub bursts: usize,
    /// Bursts answered in a second.
    pub bursts_per_second: f64,
    /// Half of the replies came within this after last bubble and debounce.
    pub latency_p50_ms: f64,
    /// The system's processor time for a burst.
    pub system_cpu_ms_per_burst: f64,
    /// This client's.
    pub client_cpu_ms_per_burst: f64,
    /// Cores that both kept busy.
    pub cores_used: f64,
    /// Cores that others kept busy meanwhile: near 0 when the figures are worth something.
    pub cores_of_others: f64,
}

/// The open loop. All latencies: reply at the gateway - answer to the last bubble - debounce.
#[derive(Clone, Debug, Serialize)]
pub struct Steady {
    /// How long.
    pub seconds: f64,
    /// Bursts that came.
    pub bursts: usize,
    /// Bursts that came in a second.
    pub bursts_per_second: f64,
    /// Half of the replies.
    pub p50_ms: f64,
    /// 95 of 100.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// 95 of 100 bursts: the slowest webhook of its three.
    pub webhook_p95_ms: f64,
    /// How late this client began a burst, at most.
    pub client_late_ms: f64,
    /// Cores that both kept busy.
    pub cores_used: f64,
    /// Cores that others kept busy meanwhile: near 0 when the figures are worth something.
    pub cores_of_others: f64,
}

/// One start of the system.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Where the table was.
    pub storage: &'static str,
    /// From the start of the process to its greeting.
    pub start_ms: f64,
    /// The same on the data of this run, after a kill.
    pub restart_ms: Option<f64>,
    /// Resident memory before any load, MB.
    pub idle_mb: f64,
    /// The most resident memory, MB.
    pub peak_mb: f64,
    /// The closed loop.
    pub sustained: Sustained,
    /// The open loop.
    pub steady: Steady,
    /// What must be 0.
    pub faults: Faults,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Processor, and how many of its cores this process may use.
    pub machine: String,
    /// What this machine can do at most.
    pub floor: Floor,
    /// In memory, then in a file.
    pub runs: Vec<Run>,
}

impl Report {
    /// A report about this machine.
    pub fn new(floor: Floor, runs: Vec<Run>) -> Self {
        Self {
            machine: machine(),
            floor,
            runs,
        }
    }

    /// Every burst was answered, once.
    ///
    /// # Errors
    /// One was not.
    pub fn check(&self) -> anyhow::Result<()> {
        for Run {
            storage, faults, ..
        } in &self.runs
        {
            anyhow::ensure!(
                *faults == Faults::default(),
                "{storage}: not every burst got one answer: {faults:?}"
            );
        }
        Ok(())
    }
}
