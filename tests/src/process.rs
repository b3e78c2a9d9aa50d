//! Real processes: started, listened to, stopped and killed. None outlives its test, however the test ends.

pub mod build;
pub mod folder;
pub mod lambda;
pub mod ministack;
pub mod one_machine;
pub mod usage;
pub mod wire;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits for something that should come soon. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process and everything it has started.
pub struct Process {
    name: String,
    child: Child,
    guard: Child,
    output: Arc<Mutex<String>>,
}

impl Process {
    /// Starts `command` in a process group of its own. With `echo`, its output shows on the test's standard
    /// error as it comes.
    pub fn start(name: &str, command: &mut Command, echo: bool) -> Self {
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let guard = guard(child.id());
        let output = Arc::new(Mutex::new(String::new()));
        let prefix = echo.then(|| name.to_owned());
        let stdout = child.stdout.take().unwrap();
        let stderr = child.stderr.take().unwrap();
        collect(stdout, Arc::clone(&output), prefix.clone());
        collect(stderr, Arc::clone(&output), prefix);
        Self {
            name: name.to_owned(),
            child,
            guard,
            output,
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far, on both streams.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// The first line that holds `marker`.
    pub async fn line(&mut self, marker: &str) -> String {
        let started = Instant::now();
        loop {
            if let Some(line) = self.output().lines().find(|line| line.contains(marker)) {
                return line.to_owned();
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended early, {status}:\n{}", self.name, self.output());
            }
            let name = &self.name;
            assert!(
                started.elapsed() < PATIENCE,
                "{name} never said {marker:?}:\n{}",
                self.output()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Sends `INT`, `TERM` … to the process itself, as a terminal or a supervisor would.
    pub fn signal(&self, signal: &str) {
        assert!(kill(signal, &self.child.id().to_string()), "it has ended");
    }

    /// Waits until it has ended, and until what it wrote has arrived.
    pub async fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // The readers hold a clone each until their stream is closed.
                while Arc::strong_count(&self.output) > 1 && started.elapsed() < PATIENCE {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                return status;
            }
            let name = &self.name;
            assert!(
                started.elapsed() < PATIENCE,
                "{name} does not end:\n{}",
                self.output()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// `kill -9`: it and all it has started, at once. Nothing of it can be running when this returns.
    pub fn kill_nine(self) {
        drop(self);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The whole group: functions that a server has started belong to it. Nobody is left when it has ended by
        // itself, which is fine too.
        kill("KILL", &format!("-{}", self.child.id()));
        let _ = self.child.wait();
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

/// Ends the group when this process ends without having said so: then its end of the pipe closes.
fn guard(group: u32) -> Child {
    const SCRIPT: &str =
        "trap '' INT TERM HUP; cat >/dev/null; kill -s KILL -- \"-$1\" 2>/dev/null";
    Command::new("sh")
        .args(["-c", SCRIPT, "guard", &group.to_string()])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The shell's own `kill`: the one that is everywhere.
fn kill(signal: &str, target: &str) -> bool {
    Command::new("sh")
        .args([
            "-c",
            "kill -s \"$1\" -- \"$2\" 2>/dev/null",
            "kill",
            signal,
            target,
        ])
        .status()
        .unwrap()
        .success()
}

fn collect(stream: impl Read + Send + 'static, output: Arc<Mutex<String>>, prefix: Option<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line);
            if let Some(prefix) = &prefix {
                eprintln!("{prefix}: {line}");
            }
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    });
}

/// Waits until `check` gives something; panics with `what` when it does not.
pub async fn eventually<T>(what: &str, check: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, check).await
}

/// The same with a patience of its own.
pub async fn within<T>(patience: Duration, what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = check() {
            return seen;
        }
        assert!(started.elapsed() < patience, "still waiting: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A port that was free a moment ago, for programs that cannot take one themselves.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
