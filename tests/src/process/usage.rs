//! What a process uses: memory and processor time, as Linux tells them in `/proc`.

use anyhow::Context;

/// Ticks per second in `/proc/PID/stat`: the same on every Linux that programs are built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has in memory, in MB of 1,000,000 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Now.
    pub resident_mb: f64,
    /// At most so far.
    pub peak_mb: f64,
}

/// The memory of a process.
///
/// # Errors
/// It is gone.
pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> anyhow::Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line
            .and_then(|rest| rest.split_whitespace().next())
            .context("no memory in /proc")?;
        Ok(kib.parse::<f64>()? * 1_024.0 / 1_000_000.0)
    };
    Ok(Memory {
        resident_mb: field("VmRSS:")?,
        peak_mb: field("VmHWM:")?,
    })
}

/// The processor time of a process, in seconds.
///
/// # Errors
/// It is gone.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before it may hold spaces and brackets. Then: state is field 3, utime 14, stime 15 (proc(5)).
    let (_, fields) = stat
        .rsplit_once(')')
        .context("/proc/PID/stat has no name")?;
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse::<f64>().ok())
        .sum();
    Ok(ticks / TICKS_PER_SECOND)
}

/// How long the threads of a process that could run have waited for a core, in seconds, all together. Threads that have ended
/// count no more.
///
/// # Errors
/// It is gone.
pub fn cpu_wait_seconds(pid: u32) -> anyhow::Result<f64> {
    let mut nanoseconds = 0.0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while we look. Fields: time on a core, time waiting for one, how often (proc(5)).
        let schedstat = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        let waited = schedstat.split_whitespace().nth(1);
        nanoseconds += waited.and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(nanoseconds / 1e9)
}

/// The processor time of the whole machine, in seconds; waiting for the disk is none.
///
/// # Errors
/// This is no Linux.
pub fn machine_cpu_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cpu "));
    let ticks = line.context("/proc/stat has no total")?.split_whitespace();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already (proc(5)).
    let busy = ticks
        .take(8)
        .enumerate()
        .filter(|(n, _)| ![3, 4].contains(n));
    let ticks: f64 = busy.filter_map(|(_, n)| n.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
}

/// Processor time used so far, in seconds; the difference of two is what was used meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cpu {
    /// By the process that is measured.
    pub system: f64,
    /// What the measured process's threads have waited for a core: what it used is less than it wanted by this.
    pub system_waited: f64,
    /// By this one, which plays everybody outside.
    pub client: f64,
    /// By the whole machine.
    pub machine: f64,
}

impl Cpu {
    /// Reads it.
    ///
    /// # Errors
    /// The process is gone.
    pub fn read(pid: u32) -> anyhow::Result<Self> {
        Ok(Self {
            system: cpu_seconds(pid)?,
            system_waited: cpu_wait_seconds(pid)?,
            client: cpu_seconds(std::process::id())?,
            machine: machine_cpu_seconds()?,
        })
    }

    /// What was used since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            system: self.system - before.system,
            system_waited: (self.system_waited - before.system_waited).max(0.0),
            client: self.client - before.client,
            machine: self.machine - before.machine,
        }
    }

    /// By the system and this client.
    #[must_use]
    pub fn ours(&self) -> f64 {
        self.system + self.client
    }

    /// By everybody else.
    #[must_use]
    pub fn others(&self) -> f64 {
        (self.machine - self.ours()).max(0.0)
    }
}
