//! The inbox as a Lambda function.

use std::sync::Arc;

use clivy::{aws, secrets::Renewing, telemetry};
use inbox::{Inbox, raw_path, settings::Settings};
use lambda_http::{Request, Service, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    telemetry::init_from_env();
    let make = |sdk: &_, settings| {
        let inbox = Arc::new(Inbox::on_aws(sdk, settings)?);
        Ok((Arc::clone(&inbox), inbox::router(inbox)))
    };
    let renewing = Arc::new(Renewing::on_aws(Settings::from, make).await?);
    renewing.current().await.0.warm_up().await;
    let handler = service_fn(move |request: Request| {
        let renewing = Arc::clone(&renewing);
        async move {
            let mut router = renewing.current().await.1.clone();
            router.call(raw_path::whole(request)).await
        }
    });
    lambda_http::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}
