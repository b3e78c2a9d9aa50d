//! The credits function on Lambda.

use std::sync::Arc;

use clivy::http::{Http, Network};
use clivy::{aws, clock::SystemClock, metrics::Metrics, secrets::Renewing, telemetry};
use credits::{Credits, settings::Settings};
use lambda_runtime::LambdaEvent;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    telemetry::init_from_env();
    let http: Arc<dyn Http> = Arc::new(Network::new()?);
    let make = move |sdk: &_, settings: Settings| {
        Ok(Credits::new(
            aws_sdk_dynamodb::Client::new(sdk),
            aws_sdk_sns::Client::new(sdk),
            &http,
            Arc::new(SystemClock),
            Metrics::stdout(&settings.metrics_namespace),
            settings,
        ))
    };
    let credits = Arc::new(Renewing::on_aws(Settings::from, make).await?);
    let handler = lambda_runtime::service_fn(move |event: LambdaEvent<serde_json::Value>| {
        let credits = Arc::clone(&credits);
        async move {
            let credits = credits.current().await;
            let checked = credits.check(&event.context.request_id).await;
            checked.map_err(lambda_runtime::Error::from)
        }
    });
    lambda_runtime::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}
