//! The sweeper as a Lambda function.

use std::sync::Arc;

use clivy::conversation::ids::EpochMs;
use clivy::{aws, clock::SystemClock, metrics::Metrics, secrets::Renewing, telemetry};
use lambda_runtime::LambdaEvent;
use sweeper::{Sweeper, settings::Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    telemetry::init_from_env();
    let make = |sdk: &_, settings: Settings| {
        Ok(Sweeper::new(
            aws_sdk_dynamodb::Client::new(sdk),
            aws_sdk_sqs::Client::new(sdk),
            Arc::new(SystemClock),
            Metrics::stdout(&settings.metrics_namespace),
            settings,
        )?)
    };
    let sweeper = Arc::new(Renewing::on_aws(Settings::from, make).await?);
    sweeper.current().await.warm_up().await;
    let handler = lambda_runtime::service_fn(move |event: LambdaEvent<serde_json::Value>| {
        let sweeper = Arc::clone(&sweeper);
        let deadline = EpochMs(i64::try_from(event.context.deadline).unwrap_or_default());
        async move {
            let sweeper = sweeper.current().await;
            let swept = sweeper.sweep(sweeper.trusted(deadline)).await;
            swept.map_err(lambda_runtime::Error::from)
        }
    });
    lambda_runtime::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}
