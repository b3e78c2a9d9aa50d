//! One look at one part: how long it took, and whether it came to anything.

use std::fmt::Display;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use utoipa::openapi::schema::{Object, OneOf, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::Inbox;

/// How long a part may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// From how many milliseconds on an answer is slow. A read of the table takes 5, a request to SQS 10; above this every
/// reply to a gateway is late too.
const SLOW_MS: i64 = 500;

/// Why nothing is known of a part. What exactly went wrong is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartError {
    /// It has not answered within 2 seconds.
    TimedOut,
    /// It cannot be reached, or refuses, or what it says is not understood.
    Failed,
}

/// A part that was asked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Part<T> {
    /// How long it took, in milliseconds.
    #[schema(minimum = 0)]
    pub ms: i64,
    /// Why nothing is known; null when it has answered.
    pub error: Option<PartError>,
    /// What it has answered; null when it has not, or when there is nothing yet.
    #[schema(schema_with = or_null::<T>)]
    pub value: Option<T>,
}

/// An optional `T`. (Of an `Option` around a generic type, the derived schema keeps the type alone.)
fn or_null<T: PartialSchema>() -> Schema {
    OneOf::builder()
        .item(Object::with_type(SchemaType::Type(Type::Null)))
        .item(T::schema())
        .build()
        .into()
}

impl<T> Part<T> {
    /// The same with what the value means.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Part<U> {
        Part {
            ms: self.ms,
            error: self.error,
            value: self.value.map(with),
        }
    }
}

impl<T> Part<Option<T>> {
    /// The same where there may be nothing yet.
    pub fn flattened(self) -> Part<T> {
        Part {
            ms: self.ms,
            error: self.error,
            value: self.value.flatten(),
        }
    }
}

/// Asks a part, and no longer than it may take. A failure is logged here, once. Boxed: a route asks many parts at once.
pub fn timed<'a, T: Send + 'a, E: Display>(
    inbox: &'a Inbox,
    part: &'static str,
    asked: impl Future<Output = Result<T, E>> + Send + 'a,
) -> BoxFuture<'a, Part<T>> {
    Box::pin(async move {
        let began_at = inbox.clock.now();
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        let (error, trouble) = match &answer {
            Ok(Ok(_)) => (None, String::new()),
            Ok(Err(error)) => (Some(PartError::Failed), error.to_string()),
            Err(_) => (Some(PartError::TimedOut), "timed out".to_owned()),
        };
        if error.is_some() {
            tracing::warn!(
                step = "unhealthy",
                part,
                error = trouble,
                "a part of the system fails"
            );
        }
        Part {
            ms: inbox.clock.now().since_ms(began_at).max(0),
            error,
            value: answer.ok().and_then(Result::ok),
        }
    })
}

/// How a part is that messages need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckWord {
    /// It answers.
    Ok,
    /// It answers after half a second or more.
    Slow,
    /// It has not answered within 2 seconds.
    TimedOut,
    /// It cannot be reached or refuses.
    Failed,
}

impl CheckWord {
    /// Whether nothing can be done without it.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::TimedOut | Self::Failed)
    }
}

/// A part that messages need.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Check {
    /// How it is.
    pub status: CheckWord,
    /// How long it took to answer, in milliseconds.
    #[schema(minimum = 0)]
    pub ms: i64,
}

impl Check {
    /// How a part is that was asked.
    pub fn of<T>(part: &Part<T>) -> Self {
        let status = match part.error {
            Some(PartError::TimedOut) => CheckWord::TimedOut,
            Some(PartError::Failed) => CheckWord::Failed,
            None if part.ms >= SLOW_MS => CheckWord::Slow,
            None => CheckWord::Ok,
        };
        Self {
            status,
            ms: part.ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_second_is_slow() {
        let word = |ms, error| {
            Check::of(&Part::<()> {
                ms,
                error,
                value: None,
            })
            .status
        };
        assert_eq!(word(SLOW_MS - 1, None), CheckWord::Ok);
        assert_eq!(word(SLOW_MS, None), CheckWord::Slow);
        assert_eq!(word(1, Some(PartError::Failed)), CheckWord::Failed);
        assert_eq!(word(2_000, Some(PartError::TimedOut)), CheckWord::TimedOut);
    }
}
