//! Randomness, for names that nobody else may have.

use crate::problem::Problem;

/// Random bytes of the operating system.
///
/// # Errors
/// 503: it has none to give.
pub fn bytes<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            tracing::error!(step = "trouble", %error, "the system gives no random bytes");
            Err(Problem::unavailable())
        }
    }
}
