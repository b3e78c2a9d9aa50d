//! The inbox as a Lambda function.

use std::sync::Arc;

use clivy::{
    aws,
    config::{self, Reader},
    telemetry,
};
use inbox::{Inbox, settings::Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    let settings = config::read(Reader::from_env(), Settings::from)?;
    telemetry::init_json(&settings.log_level);
    let sdk = aws::load().await;
    let inbox = Arc::new(Inbox::on_aws(&sdk, settings)?);
    inbox.warm_up().await;
    lambda_http::run(inbox::router(inbox))
        .await
        .map_err(anyhow::Error::from_boxed)
}
