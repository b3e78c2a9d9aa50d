//! Versions as the API shows them.

use clivy::conversation::version::{Stamp, Version};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::time::Time;

/// A version, who wrote it and when.
#[derive(Serialize, ToSchema)]
pub struct VersionSummary {
    /// Its number.
    version: u64,
    /// When it was written; null for what is older than versions are.
    at: Option<Time>,
    /// The id of the API key that wrote it, or `bots file`.
    by: Option<String>,
}

impl From<Stamp> for VersionSummary {
    fn from(stamp: Stamp) -> Self {
        Self {
            version: stamp.version.0,
            at: stamp.at.map(Time),
            by: stamp.by,
        }
    }
}

/// Versions, newest first: at most 20.
#[derive(Serialize, ToSchema)]
#[schema(as = VersionList)]
pub struct Versions {
    items: Vec<VersionSummary>,
    /// Always null: there is one page.
    next: Option<String>,
}

impl Versions {
    /// The current version, where there is one, and those before it.
    pub fn of(current: Option<Stamp>, past: Vec<Stamp>) -> Self {
        Self {
            items: current
                .into_iter()
                .chain(past)
                .map(VersionSummary::from)
                .collect(),
            next: None,
        }
    }
}

/// The version that a path names.
///
/// # Errors
/// 404: there can be none of that name.
pub fn of_path(text: &str) -> Result<Version, Problem> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number
        .then(|| text.parse().ok().map(Version))
        .flatten()
        .ok_or_else(Problem::not_found)
}
