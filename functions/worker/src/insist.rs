//! Writes that a turn cannot do without. What stands behind them is paid for, or said already, and without them the
//! customer would wait for the end of the lease: they are tried again for as long as the invocation allows.

use std::time::Duration;

use clivy::error::Class;
use clivy::step;
use clivy::table::TableError;

use crate::record::{Held, Job};

/// The first pause; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// What must be left of the invocation behind a pause: one more try, and to send and to commit.
const LEFT_MS: i64 = 15_000;

/// Writes until it is written, refused for good, or there is no time left. The write must know itself again (I13): one whose
/// answer was lost is written twice.
///
/// # Errors
/// That of the last try.
pub async fn insist<T, W>(
    job: &Job<'_>,
    held: &Held,
    write: impl Fn() -> W,
) -> Result<T, TableError>
where
    W: Future<Output = Result<T, TableError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match write().await {
            Err(error) if error.class() == Class::Retry => error,
            end => return end,
        };
        let left = Duration::from_millis(u64::try_from(job.left_ms() - LEFT_MS).unwrap_or(0));
        if left < pause {
            return Err(error);
        }
        step!(warn, "written_again", held.log, { error = %error, }, "a write is tried again");
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}
