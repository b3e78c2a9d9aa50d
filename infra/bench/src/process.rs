//! A function's process: started as Lambda starts it, and looked at from outside.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use tests::process::usage;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// How a function is started.
#[derive(Clone, Debug)]
pub struct Start {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// All of its environment.
    pub environment: Vec<(String, String)>,
    /// The control groups that it is put into before it runs.
    pub groups: Vec<PathBuf>,
}

/// A function that runs. It is killed when this is dropped.
pub struct Process {
    child: Child,
    clock: ClockId,
    output: PathBuf,
    pid: u32,
    /// When it was started.
    pub started: Instant,
}

impl Process {
    /// Starts it. What it writes goes to a file in `folder`.
    pub fn start(start: &Start, folder: &Path) -> anyhow::Result<Self> {
        let output = folder.join("output.log");
        let file = std::fs::File::create(&output)?;
        let mut command = match start.groups.as_slice() {
            [] => Command::new(&start.program),
            groups => in_groups(groups, &start.program),
        };
        command
            .args(&start.arguments)
            .env_clear()
            .envs(start.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true);
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("{} cannot be started", start.program.display()))?;
        let pid = child.id().context("it ended at once")?;
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid)?))?;
        Ok(Self {
            child,
            clock,
            output,
            pid,
            started,
        })
    }

    /// The processor time it has used so far, in its own code and in the kernel's, threads that have ended included.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        Ok(clock_gettime(self.clock)?.into())
    }

    /// The most memory that it has had so far, in MB of 1,000,000 bytes.
    pub fn peak_mb(&self) -> anyhow::Result<f64> {
        Ok(usage::memory(self.pid)?.peak_mb)
    }

    /// Resolves when it has ended by itself, with how.
    pub async fn ended(&mut self) -> String {
        self.child
            .wait()
            .await
            .map_or_else(|error| error.to_string(), |status| status.to_string())
    }

    /// Ends it.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// Which clock tells its processor time.
    pub fn clock(&self) -> ClockId {
        self.clock
    }

    /// The last of what it has written: what to show when something is wrong.
    pub fn said(&self) -> String {
        let said = std::fs::read(&self.output).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let last: Vec<&str> = said.lines().rev().take(20).collect();
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// A shell that enters the groups and becomes the program: what the program uses is theirs from its first moment.
fn in_groups(groups: &[PathBuf], program: &Path) -> Command {
    const ENTER: &str = r#"while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 99; shift; done; shift; exec "$@""#;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", ENTER, "enter"])
        .args(groups)
        .arg("--")
        .arg(program);
    command
}
