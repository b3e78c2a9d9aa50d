//! Alerts to SNS.

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use clivy::credits::Text;

/// An alert could not be published. Keeps the service's error code, not the error: its debug form may show the alert.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the alert could not be published ({code})")]
pub struct AlertError {
    /// The service's error code.
    pub code: String,
}

/// The topic of the alerts.
#[derive(Clone, Debug)]
pub struct Alerts {
    client: Client,
    topic_arn: String,
}

impl Alerts {
    /// The topic `topic_arn`.
    #[must_use]
    pub fn new(client: Client, topic_arn: String) -> Self {
        Self { client, topic_arn }
    }

    /// Publishes one alert. The SDK tries three times; an answer that is lost may publish it twice.
    ///
    /// # Errors
    /// The topic cannot be reached, does not exist or refuses.
    pub async fn publish(&self, text: &Text) -> Result<(), AlertError> {
        self.client
            .publish()
            .topic_arn(&self.topic_arn)
            .subject(&text.subject)
            .message(&text.message)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| AlertError {
                code: error.code().unwrap_or("no answer").to_owned(),
            })
    }
}
