//! What both functions of calls alone share: the SDK's configuration and short forms of its values.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// The SDK as the functions configure it: ring's TLS, everything else from the environment.
pub async fn sdk() -> SdkConfig {
    let client = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(client)
        .load()
        .await
}

/// A setting of the environment.
///
/// # Errors
/// It is missing.
#[expect(
    clippy::disallowed_methods,
    reason = "a floor has no settings of its own"
)]
pub fn setting(name: &str) -> anyhow::Result<String> {
    std::env::var(name).map_err(|_| anyhow::anyhow!("{name} is missing"))
}

/// Milliseconds since 1970.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a floor has no clock of its own")]
pub fn now_ms() -> u128 {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or(Duration::ZERO).as_millis()
}

/// A string.
pub fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number.
#[expect(
    clippy::needless_pass_by_value,
    reason = "numbers are copied anyway, and calls read better"
)]
pub fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The attributes of an expression, an item or a key.
pub fn map<const N: usize>(
    values: [(&str, AttributeValue); N],
) -> std::collections::HashMap<String, AttributeValue> {
    values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
