//! The data folder: the table's file, the queues of the last clean stop, the key behind the pseudonyms, and while a run is up
//! how to reach it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clivy::clock::Clock;
use clivy::conversation::ids::hex;
use clivy::table::{Table, schema};
use dynoxide::Database;
use serde::{Deserialize, Serialize};

use crate::engines::{Engines, Through, Wire};
use crate::sns::Sns;
use crate::sqs::Sqs;
use crate::tokens::Tokens;
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
        Self::locked(path)?.with_context(|| {
            format!(
                "another run uses the data folder {}; give this one another with --data",
                path.display()
            )
        })
    }

    /// The folder, unless somebody uses it.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub(crate) fn locked(path: &Path) -> anyhow::Result<Option<Self>> {
        let lock = File::create(path.join("lock"))
            .with_context(|| format!("the data folder {} cannot be used", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(error).context("the data folder cannot be locked");
            }
        }
        // Left by a run that was killed: whoever holds the lock is the only one who may say how to reach it.
        remove(&path.join(REACHED))?;
        Ok(Some(Self::Folder {
            path: path.to_owned(),
            _lock: lock,
        }))
    }

    /// Tells other programs of this user how to reach the run that holds the folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn tell(&self, reach: &Reach) -> anyhow::Result<()> {
        let Self::Folder { path, .. } = self else {
            return Ok(());
        };
        let new = path.join("run.new");
        remove(&new)?;
        // It holds a secret: nobody else may read it, from its first moment on.
        write_private(&new, &serde_json::to_string(reach)?)?;
        fs::rename(new, path.join(REACHED)).context("the run's address could not be written")
    }

    /// From now on the run cannot be reached.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn untell(&self) -> anyhow::Result<()> {
        match self {
            Self::Memory => Ok(()),
            Self::Folder { path, .. } => remove(&path.join(REACHED)),
        }
    }

    /// How to reach the run that holds a folder; none when it does not say so yet, or any more.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn reach(path: &Path) -> anyhow::Result<Option<Reach>> {
        match fs::read_to_string(path.join(REACHED)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            text => Ok(Some(serde_json::from_str(&text?)?)),
        }
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

    /// Opens the table, for whoever needs nothing else of a world; it is made where it is missing.
    ///
    /// # Errors
    /// Its file cannot be opened, or the engine refuses.
    pub async fn table(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Table> {
        let sns_clock = Arc::clone(&clock);
        let engines = Engines {
            dynamodb: self.open()?,
            tokens: Tokens::default(),
            sqs: Sqs::new("http://127.0.0.1", Arc::new(move || clock.now().0)),
            sns: Sns::new(Arc::new(move || sns_clock.now().0)),
            ssm: crate::ssm::Ssm::default(),
        };
        let sdk = crate::instances::sdk(Wire::new(engines, Arc::new(Through)));
        let client = aws_sdk_dynamodb::Client::new(&sdk);
        schema::create(&client, world::TABLE).await?;
        Ok(Table::new(
            client,
            world::TABLE.to_owned(),
            world::RETENTION_DAYS,
        ))
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
                write_private(&file, &key)?;
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

/// How to reach a run and do what only whoever started it may.
#[derive(Serialize, Deserialize)]
pub struct Reach {
    /// The inbox's address, `http://…`.
    pub inbox: String,
    /// Its `ADMIN_SECRET`.
    pub admin_secret: String,
}

const QUEUES: &str = "queues.json";
const REACHED: &str = "run.json";

fn remove(file: &Path) -> anyhow::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", file.display()))
        }
        _ => Ok(()),
    }
}

/// A new file that only its owner may read.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?
        .write_all(text.as_bytes())
}

/// A secret of 64 hexadecimal digits.
///
/// # Errors
/// The system gives no random bytes.
pub fn random_key() -> anyhow::Result<String> {
    Ok(hex(&clivy::random::bytes::<32>()?))
}
