//! The system under measurement: the release binary, as a process of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use tests::process::usage::{self, Memory};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::Instant;

use crate::DEBOUNCE;

/// Where a run keeps its table.
pub enum Storage {
    /// `--ephemeral`.
    Memory,
    /// `--data`, as by default.
    File(PathBuf),
}

impl Storage {
    /// What the report calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Memory => "in memory",
            Self::File(_) => "in a file",
        }
    }
}

/// A process that serves.
pub struct System {
    child: Child,
    pid: u32,
    url: String,
    start_ms: f64,
    /// Kept open: a process that prints into a closed pipe panics.
    _stdout: BufReader<ChildStdout>,
}

/// An empty folder for a run's data, inside the target folder.
///
/// # Errors
/// It cannot be made.
pub fn fresh_folder() -> anyhow::Result<PathBuf> {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

impl System {
    /// Starts it and waits for its greeting. It ends with this value, at the latest.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(
        binary: &Path,
        storage: &Storage,
        gateway_url: &str,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(binary);
        command
            .args([
                "--listen",
                "127.0.0.1:0",
                "--demo-latency-ms",
                "0",
                "--gateway-url",
                gateway_url,
            ])
            // Nothing of the caller's settings: a key of OpenRouter here would ask the real one.
            .env_clear()
            .env("DEBOUNCE_SECONDS", DEBOUNCE.as_secs().to_string())
            .env("LOG_LEVEL", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        match storage {
            Storage::Memory => command.arg("--ephemeral"),
            Storage::File(folder) => command.arg("--data").arg(folder),
        };
        let started = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("{} cannot be run", binary.display()))?;
        let pid = child.id().context("it ended at once")?;
        let stdout = child.stdout.take().context("it has no output")?;
        let mut stdout = BufReader::new(stdout);
        let mut greeting = String::new();
        stdout.read_line(&mut greeting).await?;
        let start_ms = started.elapsed().as_secs_f64() * 1_000.0;
        let url = greeting
            .trim_end()
            .strip_prefix("Clivy runs at ")
            .context("it ended without a greeting that names its address")?;
        Ok(Self {
            url: url.to_owned(),
            child,
            pid,
            start_ms,
            _stdout: stdout,
        })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From before the process is made to its greeting, in milliseconds.
    pub fn start_ms(&self) -> f64 {
        self.start_ms
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its memory.
    ///
    /// # Errors
    /// It is gone.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        usage::memory(self.pid)
    }

    /// Ends it without a warning.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("it could not be ended")
    }
}
