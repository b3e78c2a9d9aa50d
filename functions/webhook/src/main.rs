//! The webhook as a Lambda function.

use std::sync::Arc;

use clivy::{
    aws,
    clock::SystemClock,
    config::{self, Reader},
    metrics::Metrics,
    telemetry,
};
use webhook::{Webhook, settings::Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    let settings = config::read(Reader::from_env(), Settings::from)?;
    telemetry::init_json(&settings.log_level);
    let sdk = aws::load().await;
    let webhook = Arc::new(Webhook::new(
        aws_sdk_dynamodb::Client::new(&sdk),
        aws_sdk_sqs::Client::new(&sdk),
        Arc::new(SystemClock),
        Metrics::stdout(&settings.metrics_namespace),
        settings,
    )?);
    webhook.warm_up().await;
    let handler = lambda_http::service_fn(move |request| {
        let webhook = Arc::clone(&webhook);
        async move { Ok::<_, std::convert::Infallible>(webhook.handle(request).await) }
    });
    lambda_http::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}
