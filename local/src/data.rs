//! The data folder: the table's file, the queues of the last clean stop, and the key behind the pseudonyms.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clivy::conversation::ids::hex;
use dynoxide::Database;

use crate::sqs::Sqs;
use crate::world;

/// Where a run keeps its data.
pub enum Data {
    /// Nowhere.
    Memory,
    /// In a folder that no other run uses meanwhile.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Held while the run lasts.
        _lock: File,
    },
}

impl Data {
    /// Opens a folder, creating it if need be.
    ///
    /// # Errors
    /// The folder cannot be used, or another run uses it.
    pub fn folder(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(path)
            .with_context(|| format!("the data folder {} cannot be made", path.display()))?;
        let lock = File::create(path.join("lock"))?;
        lock.try_lock().map_err(|_| {
            anyhow::anyhow!(
                "another run uses the data folder {}; give this one another with --data",
                path.display()
            )
        })?;
        Ok(Self::Folder {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Opens the table's engine.
    ///
    /// # Errors
    /// Its file cannot be opened.
    pub fn open(&self) -> anyhow::Result<Database> {
        match self {
            Self::Memory => world::memory(),
            Self::Folder { path, .. } => world::on_disk(path),
        }
    }

    /// The key behind the pseudonyms: made at the first run, kept with the data.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn pseudonym_key(&self) -> anyhow::Result<String> {
        let Self::Folder { path, .. } = self else {
            return random_key();
        };
        let file = path.join("pseudonym.key");
        match fs::read_to_string(&file) {
            Ok(key) => Ok(key),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = random_key()?;
                OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&file)?
                    .write_all(key.as_bytes())?;
                Ok(key)
            }
            Err(error) => Err(error).context("the pseudonyms' key cannot be read"),
        }
    }

    /// Gives the queues what they held at the last clean stop. The file is gone afterwards: after a stop that
    /// was not clean, what it says would be old.
    ///
    /// # Errors
    /// The file cannot be read. What is owed is in the table anyway, so a caller may go on.
    pub fn restore(&self, sqs: &Sqs) -> anyhow::Result<()> {
        let Self::Folder { path, .. } = self else {
            return Ok(());
        };
        let file = path.join(QUEUES);
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            text => text?,
        };
        fs::remove_file(&file)?;
        sqs.restore(&serde_json::from_str(&text)?)?;
        Ok(())
    }

    /// Keeps what the queues hold.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, sqs: &Sqs) -> anyhow::Result<()> {
        let Self::Folder { path, .. } = self else {
            return Ok(());
        };
        let new = path.join("queues.new");
        fs::write(&new, sqs.snapshot().to_string())?;
        fs::rename(new, path.join(QUEUES)).context("the queues could not be kept")
    }
}

const QUEUES: &str = "queues.json";

fn random_key() -> anyhow::Result<String> {
    Ok(hex(&clivy::random::bytes::<32>()?))
}
