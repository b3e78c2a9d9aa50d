//! The worker as a Lambda function.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use clivy::conversation::ids::EpochMs;
use clivy::{aws, secrets::Renewing, telemetry};
use lambda_runtime::LambdaEvent;
use worker::{Worker, settings::Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    telemetry::init_from_env();
    let make = |sdk: &_, settings| Ok(Worker::on_aws(sdk, settings)?);
    let worker = Arc::new(Renewing::on_aws(Settings::from, make).await?);
    worker.current().await.warm_up().await;
    let handler = lambda_runtime::service_fn(move |event: LambdaEvent<SqsEvent>| {
        let worker = Arc::clone(&worker);
        async move {
            let worker = worker.current().await;
            let deadline = EpochMs(i64::try_from(event.context.deadline).unwrap_or_default());
            let request_id = &event.context.request_id;
            let response = worker.handle(event.payload, request_id, deadline).await;
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    lambda_runtime::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}
