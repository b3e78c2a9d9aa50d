//! The credits function on Lambda.

use std::sync::Arc;

use clivy::config::{self, Reader};
use clivy::http::{Http, Network};
use clivy::{aws, clock::SystemClock, metrics::Metrics, telemetry};
use credits::{Credits, settings::Settings};
use lambda_runtime::LambdaEvent;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    let settings = config::read(Reader::from_env(), Settings::from)?;
    telemetry::init_json(&settings.log_level);
    let sdk = aws::load().await;
    let http: Arc<dyn Http> = Arc::new(Network::new()?);
    let credits = Arc::new(Credits::new(
        aws_sdk_dynamodb::Client::new(&sdk),
        aws_sdk_sns::Client::new(&sdk),
        &http,
        Arc::new(SystemClock),
        Metrics::stdout(&settings.metrics_namespace),
        settings,
    ));
    let handler = lambda_runtime::service_fn(move |event: LambdaEvent<serde_json::Value>| {
        let credits = Arc::clone(&credits);
        async move {
            let checked = credits.check(&event.context.request_id).await;
            checked.map_err(lambda_runtime::Error::from)
        }
    });
    lambda_runtime::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}
