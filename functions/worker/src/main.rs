//! The worker as a Lambda function.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use clivy::conversation::ids::EpochMs;
use clivy::{
    aws,
    config::{self, Reader},
    telemetry,
};
use lambda_runtime::LambdaEvent;
use worker::{Worker, settings::Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    let settings = config::read(Reader::from_env(), Settings::from)?;
    telemetry::init_json(&settings.log_level);
    let sdk = aws::load().await;
    let worker = Arc::new(Worker::on_aws(&sdk, settings)?);
    worker.warm_up().await;
    let handler = lambda_runtime::service_fn(move |event: LambdaEvent<SqsEvent>| {
        let worker = Arc::clone(&worker);
        async move {
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
