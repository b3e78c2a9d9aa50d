//! Control groups that give a function what Lambda gives it at a size of memory: that memory, and its share of a core.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Memory at which a function has one whole core, in MB of 1,048,576 bytes (AWS's Lambda guide).
const WHOLE_CORE_MB: u64 = 1_769;
/// The time in which the share is given, in microseconds: short, so that a small share comes in small pieces.
const PERIOD_US: u64 = 20_000;

/// A function's groups; they are removed when this is dropped.
pub struct Limits {
    folders: Vec<PathBuf>,
}

impl Limits {
    /// Groups for a function with so much memory. Control groups of version 1, and root's rights, are needed.
    pub fn new(memory_mb: u64) -> anyhow::Result<Self> {
        let name = format!("clivy-bench-{}-{memory_mb}", std::process::id());
        let mut limits = Self {
            folders: Vec::new(),
        };
        let memory = limits.group("memory", &name)?;
        put(&memory.join("memory.limit_in_bytes"), memory_mb * 1_048_576)?;
        let cpu = limits.group("cpu", &name)?;
        put(&cpu.join("cpu.cfs_period_us"), PERIOD_US)?;
        put(
            &cpu.join("cpu.cfs_quota_us"),
            (PERIOD_US * memory_mb / WHOLE_CORE_MB).max(1_000),
        )?;
        Ok(limits)
    }

    fn group(&mut self, controller: &str, name: &str) -> anyhow::Result<PathBuf> {
        let folder = Path::new("/sys/fs/cgroup").join(controller).join(name);
        std::fs::create_dir(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        self.folders.push(folder.clone());
        Ok(folder)
    }

    /// What a process is started in.
    pub fn groups(&self) -> Vec<PathBuf> {
        self.folders.clone()
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        for folder in &self.folders {
            // One that still holds a process stays; it is empty of limits for others.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

fn put(file: &Path, value: u64) -> anyhow::Result<()> {
    std::fs::write(file, value.to_string())
        .with_context(|| format!("{} cannot be written", file.display()))
}
