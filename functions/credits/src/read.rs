//! What OpenRouter says about the key and the account.

use std::time::Duration;

use clivy::credits::{AccountRead, Figures};
use clivy::llm::{Class, LlmError};

use crate::Credits;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What reading came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Read {
    /// The key was read; the account's balance as `account` says.
    Key {
        /// What was read.
        figures: Figures,
        /// How the account went.
        account: AccountRead,
        /// Why the account was not read.
        error: Option<LlmError>,
    },
    /// The key is refused, and will be until a person acts.
    Refused(LlmError),
    /// Not this time.
    Failed(LlmError),
}

impl Credits {
    /// Asks `/key`, and `/credits` where there is a management key, at the same time.
    pub(crate) async fn read(&self) -> Read {
        let account = async {
            match &self.management {
                None => None,
                Some(management) => Some(management.credits(PATIENCE).await),
            }
        };
        let (key, account) = futures_util::join!(self.openrouter.key(PATIENCE), account);
        let key = match key {
            Ok(key) => key,
            Err(error) if error.class == Class::Permanent => return Read::Refused(error),
            Err(error) => return Read::Failed(error),
        };
        let (account, read, error) = match account {
            None => (None, AccountRead::NoKey, None),
            Some(Ok(account)) => (Some(account), AccountRead::Read, None),
            Some(Err(error)) => {
                tracing::warn!(step = "credits", %error, "the balance could not be read");
                let read = match error.class {
                    Class::Permanent => AccountRead::Refused,
                    _ => AccountRead::Failed,
                };
                (None, read, Some(error))
            }
        };
        Read::Key {
            figures: Figures::read(&key, account.as_ref()),
            account: read,
            error,
        }
    }
}
