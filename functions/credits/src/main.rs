//! The credits function on Lambda.

use std::sync::Arc;

use clivy::http::{Http, Network};
use clivy::{
    aws,
    config::{self, Reader},
    telemetry,
};
use credits::{Credits, settings::Settings};
use lambda_runtime::LambdaEvent;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    let settings = config::read(Reader::from_env(), Settings::from)?;
    telemetry::init_json(&settings.log_level);
    let http: Arc<dyn Http> = Arc::new(Network::new()?);
    let credits = Arc::new(Credits::new(&http, settings));
    let handler = lambda_runtime::service_fn(move |_: LambdaEvent<serde_json::Value>| {
        let credits = Arc::clone(&credits);
        async move { credits.check().await.map_err(lambda_runtime::Error::from) }
    });
    lambda_runtime::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}
