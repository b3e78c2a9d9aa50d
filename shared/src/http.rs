//! The one seam for outgoing HTTP besides the AWS SDK: OpenRouter and the gateways.

use std::time::Duration;

use ::http::{Request, Response};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use rustls::ClientConfig;

use crate::roots;

/// Answers longer than this are cut off as an error: nothing we ask for is near it.
pub const MAX_RESPONSE_BYTES: usize = 2 * 1024 * 1024;

/// What can go wrong before there is an answer. Carries neither address nor body (I11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No connection was made: the other side has not seen the request.
    #[error("could not connect")]
    Connect,
    /// No whole answer in time: the other side may or may not have acted on it.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke: the other side may or may not have acted on it.
    #[error("the connection broke")]
    Broken,
    /// More than [`MAX_RESPONSE_BYTES`].
    #[error("the answer is too large")]
    TooLarge,
    /// The request could not be built, for example from a malformed base URL.
    #[error("the request is not valid")]
    Request,
}

/// Sends one request and reads its whole answer.
pub trait Http: Send + Sync {
    /// Sends `request`; gives up after `timeout`, reading the body included.
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>>;
}

/// [`Http`] over the network.
#[derive(Clone, Debug)]
pub struct Network(reqwest::Client);

impl Network {
    /// A client with pooled connections. The process's crypto provider must be installed before.
    ///
    /// # Errors
    /// When the TLS roots of the machine cannot be read.
    pub fn new() -> Result<Self, reqwest::Error> {
        Self::over(roots::others())
    }

    /// The same over a TLS of our own, or over the machine's.
    fn over(tls: Option<ClientConfig>) -> Result<Self, reqwest::Error> {
        let builder = match tls {
            Some(tls) => reqwest::Client::builder().tls_backend_preconfigured(tls),
            None => reqwest::Client::builder(),
        };
        let client = builder
            .connect_timeout(Duration::from_secs(10))
            // Keep connections over the quiet minutes between two bursts.
            .pool_idle_timeout(Duration::from_secs(300))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self(client))
    }
}

impl Http for Network {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        Box::pin(async move {
            let mut request =
                reqwest::Request::try_from(request).map_err(|_| HttpError::Request)?;
            *request.timeout_mut() = Some(timeout);
            let mut response = self.0.execute(request).await.map_err(|e| classify(&e))?;
            let mut answer = Response::builder().status(response.status());
            if let Some(headers) = answer.headers_mut() {
                *headers = response.headers().clone();
            }
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(|e| classify(&e))? {
                if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                    return Err(HttpError::TooLarge);
                }
                body.extend_from_slice(&chunk);
            }
            answer.body(body.freeze()).map_err(|_| HttpError::Broken)
        })
    }
}

fn classify(error: &reqwest::Error) -> HttpError {
    if error.is_builder() {
        HttpError::Request
    } else if error.is_connect() {
        HttpError::Connect
    } else if error.is_timeout() {
        HttpError::Timeout
    } else {
        HttpError::Broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_takes_the_roots_of_the_program() {
        crate::aws::install_crypto();
        // A TLS of another version than the client's would be refused here, and at every start on Lambda.
        Network::over(Some(roots::in_the_program())).unwrap();
        Network::over(None).unwrap();
    }
}
