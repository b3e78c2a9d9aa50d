//! The AWS SDK's clients, built once per process.

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

/// Region, credentials and endpoints from the environment, over ring's TLS.
///
/// # Errors
/// The environment names a file of certificates that is none.
pub async fn load() -> Result<SdkConfig, RootsError> {
    let client = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(roots::aws()?)
        .build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client);
    Ok(loader.load().await)
}
