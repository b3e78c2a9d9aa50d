//! The webhook as a Lambda function.

use std::sync::Arc;

use clivy::{aws, clock::SystemClock, metrics::Metrics, secrets::Renewing, telemetry};
use webhook::{Webhook, settings::Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    telemetry::init_from_env();
    let make = |sdk: &_, settings: Settings| {
        Ok(Webhook::new(
            aws_sdk_dynamodb::Client::new(sdk),
            aws_sdk_sqs::Client::new(sdk),
            Arc::new(SystemClock),
            Metrics::stdout(&settings.metrics_namespace),
            settings,
        )?)
    };
    let webhook = Arc::new(Renewing::on_aws(Settings::from, make).await?);
    webhook.current().await.warm_up().await;
    let handler = lambda_http::service_fn(move |request| {
        let webhook = Arc::clone(&webhook);
        async move {
            let webhook = webhook.current().await;
            Ok::<_, std::convert::Infallible>(webhook.handle(request).await)
        }
    });
    lambda_http::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}
