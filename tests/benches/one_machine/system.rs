//! The system under measurement: the release binary, as a process of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::Instant;

use crate::DEBOUNCE;

/// Ticks per second in `/proc/PID/stat`: the same on every Linux that programs are built for.
const TICKS_PER_SECOND: f64 = 100.0;

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

/// What the process has in memory, in MB of 1,000,000 bytes.
pub struct Memory {
    /// Now.
    pub resident_mb: f64,
    /// At most so far.
    pub peak_mb: f64,
}

/// Builds `local` as it is shipped, and gives the binary.
///
/// # Errors
/// It does not build.
pub fn build() -> anyhow::Result<PathBuf> {
    println!("building the release binary of `local` (minutes, the first time) ...");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo
        .args(["build", "--release", "-p", "local"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root)
        .stderr(Stdio::inherit());
    // What the outer cargo says about this bench: build scripts that look at it would run again, and half of the
    // dependencies would be built again, every time.
    for name in [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_CRATE_NAME",
    ] {
        cargo.env_remove(name);
    }
    #[expect(clippy::disallowed_methods, reason = "only the names are looked at")]
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") {
            cargo.env_remove(name);
        }
    }
    let output = cargo.output().context("cargo cannot be run")?;
    anyhow::ensure!(output.status.success(), "`local` does not build");
    // Cargo says where the binary is: the target folder may be anywhere.
    String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .find(|path| path.file_stem() == Some(OsStr::new("local")))
        .context("cargo named no binary of `local`")
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

    /// Its memory.
    ///
    /// # Errors
    /// It is gone.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
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

    /// The processor time it has used, in seconds.
    ///
    /// # Errors
    /// It is gone.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        cpu_seconds(&self.pid.to_string())
    }

    /// Ends it without a warning.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("it could not be ended")
    }
}

/// The processor time of a process, in seconds; `self` is this one.
///
/// # Errors
/// It is gone.
pub fn cpu_seconds(pid: &str) -> anyhow::Result<f64> {
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
