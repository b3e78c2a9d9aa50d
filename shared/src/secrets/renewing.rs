//! What is made of settings and secrets, and made anew when the secrets have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;

use super::{PATH, Parameters, SecretsError};
use crate::clock::{Clock, SystemClock};
use crate::config::{Faults, Reader};
use crate::conversation::ids::EpochMs;

/// How long secrets are used before they are read again, in milliseconds. Less than the 15 minutes in which a change is
/// promised to be known, so that a read may fail a few times.
pub const KEEP_MS: i64 = 10 * 60_000;
/// How long after a read that failed the next one may be, in milliseconds.
pub const RETRY_MS: i64 = 60_000;
/// How long a request may wait for a read. The webhook's own time and this one stay below the function's timeout.
pub const PATIENCE: Duration = Duration::from_secs(1);

type Values = BTreeMap<String, String>;
/// Why something could not be made.
pub type MakeError = Box<dyn Error + Send + Sync>;
type Read<S> = fn(&mut Reader) -> S;
type Make<S, T> = Box<dyn Fn(S) -> Result<T, MakeError> + Send + Sync>;

/// A function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The secrets cannot be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// Settings or secrets are bad or missing. Names them, shows none.
    #[error(transparent)]
    Settings(#[from] Faults),
    /// Nobody could be believed.
    #[error(transparent)]
    Roots(#[from] crate::roots::RootsError),
    /// It cannot be made of them.
    #[error("the function cannot be made of its settings")]
    Make(#[source] MakeError),
}

/// A function, of settings `S`, as it is with the secrets of now. Whoever has got it may go on with it: it stays what it was.
/// What it has cached is lost when a secret has changed, and with nothing else.
pub struct Renewing<S, T> {
    environment: Values,
    parameters: Option<Parameters>,
    names: Vec<&'static str>,
    read: Read<S>,
    make: Make<S, T>,
    clock: Arc<dyn Clock>,
    state: Mutex<State<T>>,
}

struct State<T> {
    current: Arc<T>,
    secrets: Values,
    renew_at: EpochMs,
}

/// What a read has come to.
enum Renewed {
    Same,
    Changed,
}

impl<S, T> Renewing<S, T> {
    /// A function over the AWS SDK, with the process's environment. Call once, during init: one call of SSM where the
    /// environment says where the secrets are, none where it holds them.
    ///
    /// # Errors
    /// The secrets cannot be read, a setting is bad or missing, or `make` fails.
    pub async fn on_aws(
        read: Read<S>,
        make: impl Fn(&SdkConfig, S) -> Result<T, MakeError> + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let environment = Reader::from_env().into_values()?;
        if !environment.contains_key(PATH) {
            // A bad setting is told before the SDK looks around for a region.
            crate::config::read(Reader::new(environment.clone()), read)?;
        }
        let sdk = crate::aws::load().await?;
        let ssm = aws_sdk_ssm::Client::new(&sdk);
        let make = move |settings| make(&sdk, settings);
        Self::new(environment, ssm, read, make, Arc::new(SystemClock)).await
    }

    /// The same over the client and the settings given.
    ///
    /// # Errors
    /// As [`Renewing::on_aws`].
    pub async fn new(
        environment: Values,
        ssm: aws_sdk_ssm::Client,
        read: Read<S>,
        make: impl Fn(S) -> Result<T, MakeError> + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let path = environment.get(PATH).filter(|path| !path.trim().is_empty());
        let parameters = path.map(|path| Parameters::new(ssm, path.trim()));
        let names = secret_names(read);
        let secrets = match &parameters {
            Some(parameters) => parameters.read(&names).await?,
            None => Values::new(),
        };
        let values = merged(&environment, &names, parameters.is_some(), &secrets);
        let current = Arc::new(made(values, read, &make)?);
        let renew_at = clock.now().plus_ms(KEEP_MS);
        Ok(Self {
            environment,
            parameters,
            names,
            read,
            make: Box::new(make),
            clock,
            state: Mutex::new(State {
                current,
                secrets,
                renew_at,
            }),
        })
    }

    /// The function with secrets that were read [`KEEP_MS`] ago at most. Reads them again when they are older, in front of the
    /// request: an instance may have slept for hours. When that fails the old ones are used on, and the log tells.
    pub async fn current(&self) -> Arc<T> {
        if let Some(parameters) = &self.parameters
            && self.takes_turn()
        {
            self.renew(parameters).await;
        }
        Arc::clone(&self.lock().current)
    }

    /// Whether the secrets are old, and this caller is the one to read them. It sets the next time at once, so that a read
    /// which fails, hangs or is cut off costs one request a minute, and not every one.
    fn takes_turn(&self) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        let is_due = now >= state.renew_at;
        if is_due {
            state.renew_at = now.plus_ms(RETRY_MS);
        }
        is_due
    }

    async fn renew(&self, parameters: &Parameters) {
        match self.try_renew(parameters).await {
            Ok(Renewed::Same) => {}
            Ok(Renewed::Changed) => {
                tracing::info!(step = "secrets_renewed", "a secret has changed");
            }
            Err(error) => {
                // What a fault is about may be in its source, which names settings and shows none.
                let source = error.source().map(ToString::to_string);
                tracing::error!(
                    step = "secrets_not_renewed",
                    %error,
                    source,
                    "the secrets of before are used on"
                );
            }
        }
    }

    async fn try_renew(&self, parameters: &Parameters) -> Result<Renewed, StartError> {
        let secrets = tokio::time::timeout(PATIENCE, parameters.read(&self.names))
            .await
            .map_err(|_| SecretsError {
                code: "no answer in time".to_owned(),
            })??;
        let is_same = self.lock().secrets == secrets;
        let renew_at = self.clock.now().plus_ms(KEEP_MS);
        if is_same {
            self.lock().renew_at = renew_at;
            return Ok(Renewed::Same);
        }
        let values = merged(&self.environment, &self.names, true, &secrets);
        let current = Arc::new(made(values, self.read, &self.make)?);
        *self.lock() = State {
            current,
            secrets,
            renew_at,
        };
        Ok(Renewed::Changed)
    }

    /// A panic under the lock leaves a whole state.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names of the secrets among what `read` reads, each once, as SSM wants them: it is asked with nothing.
fn secret_names<S>(read: Read<S>) -> Vec<&'static str> {
    let mut reader = Reader::new(Values::new());
    read(&mut reader);
    let names: BTreeSet<_> = reader.secrets().iter().copied().collect();
    names.into_iter().collect()
}

/// The settings with the secrets. Where there are parameters, the environment's own value of a secret does not count: it would
/// hide that the parameter is missing.
fn merged(
    environment: &Values,
    names: &[&'static str],
    is_elsewhere: bool,
    secrets: &Values,
) -> Values {
    let mut values = environment.clone();
    if is_elsewhere {
        for name in names {
            values.remove(*name);
        }
        values.extend(secrets.clone());
    }
    values
}

fn made<S, T>(
    values: Values,
    read: Read<S>,
    make: impl Fn(S) -> Result<T, MakeError>,
) -> Result<T, StartError> {
    let settings = crate::config::read(Reader::new(values), read)?;
    make(settings).map_err(StartError::Make)
}
