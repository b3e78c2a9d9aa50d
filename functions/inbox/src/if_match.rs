//! `If-Match`: a write that only goes through when nobody else has written since the caller has read.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use clivy::conversation::version::Version;

use crate::problem::Problem;

/// What a caller wants to write over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Whatever is there, or nothing.
    Whatever,
    /// Anything that is there: `*`.
    Something,
    /// One of these versions. A tag that is none of ours matches nothing.
    OneOf(Vec<Version>),
}

impl IfMatch {
    /// What the values of `If-Match` ask for, of all the headers of a request.
    #[must_use]
    pub fn read<'a>(headers: impl Iterator<Item = &'a HeaderValue>) -> Self {
        let mut versions = None::<Vec<Version>>;
        for value in headers {
            // What is not ASCII is no tag of ours.
            let tags = value.to_str().unwrap_or_default();
            if tags.trim() == "*" {
                return Self::Something;
            }
            versions
                .get_or_insert_default()
                .extend(tags.split(',').filter_map(version));
        }
        versions.map_or(Self::Whatever, Self::OneOf)
    }

    /// Lets a write over `current` through; none: nothing is there.
    ///
    /// # Errors
    /// 412: it is something else.
    pub fn check(&self, current: Option<Version>) -> Result<(), Problem> {
        let is_met = match (self, current) {
            (Self::Whatever, _) | (Self::Something, Some(_)) => true,
            (Self::OneOf(versions), Some(current)) => versions.contains(&current),
            (_, None) => false,
        };
        is_met.then_some(()).ok_or_else(Problem::changed)
    }
}

/// A strong tag as [`tag`] writes it: weak ones never match here, and tags are compared character by character, so that
/// `"007"` is not version 7 (RFC 9110, 8.8.3.2 and 13.1.1).
fn version(text: &str) -> Option<Version> {
    let digits = text.trim().strip_prefix('"')?.strip_suffix('"')?;
    let version = digits.parse().ok().map(Version)?;
    (tag(version) == text.trim()).then_some(version)
}

/// The `ETag` of a version.
#[must_use]
pub fn tag(version: Version) -> String {
    format!("\"{}\"", version.0)
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::read(parts.headers.get_all(IF_MATCH).iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> IfMatch {
        let values: Vec<HeaderValue> = values.iter().map(|v| v.parse().unwrap()).collect();
        IfMatch::read(values.iter())
    }

    #[test]
    fn a_write_goes_through_over_the_version_that_was_read_and_no_other() {
        let seven = Some(Version(7));
        for (header, met) in [
            (vec![], true),
            (vec!["*"], true),
            (vec!["\"7\""], true),
            (vec!["\"6\", \"7\""], true),
            (vec!["\"6\"", "\"7\""], true),
            (vec!["\"8\""], false),
            (vec!["W/\"7\""], false),
            (vec!["7"], false),
            (vec![""], false),
            (vec!["\"+7\""], false),
            (vec!["\"007\""], false),
            (vec!["\"99999999999999999999999\""], false),
        ] {
            assert_eq!(read(&header).check(seven).is_ok(), met, "{header:?}");
        }
        assert!(read(&[]).check(None).is_ok());
        assert!(read(&["*"]).check(None).is_err());
        assert_eq!(read(&[&tag(Version(7))]), IfMatch::OneOf(vec![Version(7)]));
    }
}
