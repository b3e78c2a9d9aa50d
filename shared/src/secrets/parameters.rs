//! The secrets' parameters in SSM.

use std::collections::BTreeMap;

use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};

/// Names that one call takes.
const AT_ONCE: usize = 10;

/// The secrets cannot be read. Keeps the service's error code, not the error: its debug form may show values (I11).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secrets cannot be read from SSM ({code})")]
pub struct SecretsError {
    /// The service's error code.
    pub code: String,
}

/// The parameters under one path.
#[derive(Clone, Debug)]
pub struct Parameters {
    client: Client,
    path: String,
}

impl Parameters {
    /// The parameters named `<path>/<name>`.
    #[must_use]
    pub fn new(client: Client, path: &str) -> Self {
        Self {
            client,
            path: path.trim_end_matches('/').to_owned(),
        }
    }

    /// The secrets of these names, as far as there are any: what must be there, only who reads them knows. GetParameters, not
    /// GetParametersByPath: a policy can then name what each function reads. One call for up to ten.
    ///
    /// # Errors
    /// SSM cannot be reached or refuses: nothing is known of any of them.
    pub async fn read(&self, names: &[&str]) -> Result<BTreeMap<String, String>, SecretsError> {
        let mut found = BTreeMap::new();
        for some in names.chunks(AT_ONCE) {
            let full = some.iter().map(|name| format!("{}/{name}", self.path));
            let output = self
                .client
                .get_parameters()
                .set_names(Some(full.collect()))
                .with_decryption(true)
                .send()
                .await
                .map_err(|error| SecretsError {
                    code: code(&error).to_owned(),
                })?;
            for parameter in output.parameters.unwrap_or_default() {
                // Those that do not exist are listed as invalid names, which is no error here: some are optional.
                let (Some(name), Some(value)) = (parameter.name, parameter.value) else {
                    continue;
                };
                if let Some(name) = name.rsplit('/').next() {
                    found.insert(name.to_owned(), value);
                }
            }
        }
        Ok(found)
    }
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.code().unwrap_or(match error {
        SdkError::TimeoutError(_) => "Timeout",
        SdkError::DispatchFailure(_) => "Dispatch",
        SdkError::ResponseError(_) => "Response",
        _ => "Unknown",
    })
}
