//! Secrets: where they come from, when they are read again, and how several versions of one are valid at a time.
//!
//! On AWS they are parameters of SSM (`SecureString`), and the environment names only where ([`PATH`]); everywhere else they
//! are settings like the others. What is made of them is never changed: it is made anew ([`Renewing`]).

mod parameters;
mod renewing;
mod rotating;

pub use parameters::{Parameters, SecretsError};
pub use renewing::{KEEP_MS, MakeError, PATIENCE, RETRY_MS, Renewing, StartError};
pub use rotating::Rotating;

/// The setting that says where the secrets are: the beginning of their parameters' names, as `/clivy/prod`. Without it they are
/// settings of their own names in the environment.
pub const PATH: &str = "SECRETS_PATH";
