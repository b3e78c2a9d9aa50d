//! The AWS SDK's clients, built once per process.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::roots::{self, RootsError};

/// Installs ring as the process's crypto provider, for everything that is not the AWS SDK. Call first in
/// `main`; a second call changes nothing.
pub fn install_crypto() {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// How long one try of a call may take. AWS answers in milliseconds: what has no answer after this was lost on a connection
/// that nobody has closed. Shorter than the webhook's timeout, so that it can try once more.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// The longest that opening a connection may take: the SDK's own default.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_100);

/// The limits of every call. The SDK has none for answers: a call without one would hold its record, and the claim, until the
/// invocation ends.
#[must_use]
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build()
}

/// Region, credentials and endpoints from the environment, over ring's TLS.
///
/// # Errors
/// The environment names a file of certificates that is none.
pub async fn load() -> Result<SdkConfig, RootsError> {
    let client = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(roots::aws()?)
        .build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest());
    let loader = loader.http_client(client).timeout_config(timeouts());
    Ok(loader.load().await)
}
