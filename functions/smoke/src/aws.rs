//! The two calls that this function makes of AWS besides the table: an invocation of one version, and the report to CodeDeploy.
//!
//! Signed with the SDK's own signer and sent over the project's HTTP seam: the SDK's crates for these two services hold
//! hundreds of operations and take minutes to compile.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use clivy::clock::Clock;
use clivy::http::{Http, HttpError};
use http::{Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// How often a report is sent at most. CodeDeploy would wait for it for an hour.
const REPORTS: u32 = 4;
const REPORT_TIMEOUT: Duration = Duration::from_secs(3);
const REPORT_PAUSE: Duration = Duration::from_millis(500);

/// A call of AWS failed. Holds no body: an answer of the webhook or worker is not ours to show (I11).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AwsError {
    /// There are no credentials, or the request cannot be signed with them.
    #[error("the request cannot be signed")]
    NotSigned,
    /// No answer.
    #[error("no answer: {0}")]
    NoAnswer(#[from] HttpError),
    /// AWS refuses.
    #[error("AWS answered {0}")]
    Refused(u16),
    /// The version that was invoked died, timed out or could not start.
    #[error("the version failed ({0})")]
    Failed(String),
    /// Not JSON.
    #[error("the answer is not JSON")]
    NotJson,
}

/// What CodeDeploy is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The version may have traffic.
    Succeeded,
    /// It may not: the deployment is rolled back.
    Failed,
}

/// AWS, with the function's own credentials.
#[derive(Clone)]
pub struct Aws {
    http: Arc<dyn Http>,
    credentials: SharedCredentialsProvider,
    region: String,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").finish_non_exhaustive()
    }
}

impl Aws {
    /// The region and the credentials are the SDK's; none where it has none.
    #[must_use]
    pub fn new(sdk: &SdkConfig, http: Arc<dyn Http>, clock: Arc<dyn Clock>) -> Option<Self> {
        Some(Self {
            http,
            credentials: sdk.credentials_provider()?,
            region: sdk.region()?.to_string(),
            clock,
        })
    }

    /// Invokes one version and waits for its answer.
    ///
    /// # Errors
    /// See [`AwsError`]. Whether the version has run is known only after [`AwsError::Failed`].
    pub async fn invoke(
        &self,
        url: &str,
        version_arn: &str,
        event: &Value,
        timeout: Duration,
    ) -> Result<Value, AwsError> {
        let arn = utf8_percent_encode(version_arn, NON_ALPHANUMERIC);
        let request = Request::post(format!("{url}/2015-03-31/functions/{arn}/invocations"))
            .header("x-amz-invocation-type", "RequestResponse");
        let answer = self.send("lambda", request, event, timeout).await?;
        if let Some(error) = answer.headers().get("x-amz-function-error") {
            let kind = error.to_str().unwrap_or_default();
            return Err(AwsError::Failed(kind.to_owned()));
        }
        serde_json::from_slice(answer.body()).map_err(|_| AwsError::NotJson)
    }

    /// Tells CodeDeploy how a hook went, again if that fails: a deployment that hears nothing hangs for an hour.
    ///
    /// # Errors
    /// The last failure. After an hour without a report CodeDeploy takes the hook for failed.
    pub async fn report(
        &self,
        url: &str,
        deployment_id: &str,
        execution_id: &str,
        status: Status,
    ) -> Result<(), AwsError> {
        let status = match status {
            Status::Succeeded => "Succeeded",
            Status::Failed => "Failed",
        };
        let body = json!({
            "deploymentId": deployment_id,
            "lifecycleEventHookExecutionId": execution_id,
            "status": status,
        });
        let mut tries = 0;
        loop {
            tries += 1;
            let request = Request::post(format!("{url}/"))
                .header("content-type", "application/x-amz-json-1.1")
                .header(
                    "x-amz-target",
                    "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
                );
            match self
                .send("codedeploy", request, &body, REPORT_TIMEOUT)
                .await
            {
                Ok(_) => return Ok(()),
                Err(error) if tries >= REPORTS => return Err(error),
                Err(error) => {
                    tracing::warn!(step = "report_failed", tries, %error, "the report is sent again");
                    tokio::time::sleep(REPORT_PAUSE).await;
                }
            }
        }
    }

    async fn send(
        &self,
        service: &str,
        request: http::request::Builder,
        body: &Value,
        timeout: Duration,
    ) -> Result<Response<Bytes>, AwsError> {
        let request = request
            .body(Bytes::from(body.to_string()))
            .map_err(|_| AwsError::NoAnswer(HttpError::Request))?;
        let request = self.signed(service, request).await?;
        let answer = self.http.send(request, timeout).await?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            status => Err(AwsError::Refused(status.as_u16())),
        }
    }

    /// Signature version 4, by the signer of the SDKs.
    async fn signed(
        &self,
        service: &str,
        mut request: Request<Bytes>,
    ) -> Result<Request<Bytes>, AwsError> {
        let credentials = self.credentials.provide_credentials().await;
        let identity = credentials.map_err(|_| AwsError::NotSigned)?.into();
        let now_ms = u64::try_from(self.clock.now().0).map_err(|_| AwsError::NotSigned)?;
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(UNIX_EPOCH + Duration::from_millis(now_ms))
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| AwsError::NotSigned)?
            .into();
        let headers = request.headers().iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let uri = request.uri().to_string();
        let signable =
            SignableRequest::new("POST", &uri, headers, SignableBody::Bytes(request.body()))
                .map_err(|_| AwsError::NotSigned)?;
        let (instructions, _) = sign(signable, &parameters)
            .map_err(|_| AwsError::NotSigned)?
            .into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}
