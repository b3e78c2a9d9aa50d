//! Cursors: where a list goes on. Opaque to callers, and only good for the list they came from (I12).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clivy::table::Place;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// The cursor of a place in `list`. The list is named by everything that makes it this list: the partition, a filter.
#[must_use]
pub fn write(list: &str, place: &Place) -> String {
    let json = serde_json::to_vec(&(mark(list), place)).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(json)
}

/// The place that a cursor names.
///
/// # Errors
/// 400: it is no cursor, or one of another list.
pub fn read(list: &str, cursor: &str) -> Result<Place, Problem> {
    let json = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
    let (of, place): (String, Place) = serde_json::from_slice(&json).map_err(|_| refused())?;
    (of == mark(list)).then_some(place).ok_or_else(refused)
}

/// 400: the cursor is not one of this list.
#[must_use]
pub fn refused() -> Problem {
    Problem::bad_request("the cursor is not one of this list")
}

/// A mistake of the caller must not lead into another list; somebody who forges a cursor still gets nothing of another
/// partition, because the partition is never taken from it.
fn mark(list: &str) -> String {
    Sha256::digest(list)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
