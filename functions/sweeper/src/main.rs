//! The sweeper as a Lambda function.

use std::sync::Arc;

use clivy::conversation::ids::EpochMs;
use clivy::{aws, clock::SystemClock, config::Reader, pseudonym::Pseudonyms};
use clivy::{queue::Queue, table::Table, telemetry};
use lambda_runtime::LambdaEvent;
use sweeper::{Sweeper, settings::Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    let settings = Settings::read(Reader::from_env())?;
    telemetry::init_json(&settings.log_level);
    let sdk = aws::load().await;
    let pseudonyms = Pseudonyms::new(&settings.pseudonym_key)?;
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let sweeper = Arc::new(Sweeper {
        table: Table::new(
            aws_sdk_dynamodb::Client::new(&sdk),
            settings.stores.table_name,
            0,
        ),
        queue: Queue::new(sqs, settings.stores.queue_url, pseudonyms.clone()),
        clock: Arc::new(SystemClock),
        pseudonyms,
        patience_ms: settings.patience_ms,
    });
    let handler = lambda_runtime::service_fn(move |event: LambdaEvent<serde_json::Value>| {
        let sweeper = Arc::clone(&sweeper);
        let deadline = EpochMs(i64::try_from(event.context.deadline).unwrap_or_default());
        async move {
            let swept = sweeper.sweep(sweeper.trusted(deadline)).await;
            swept.map_err(lambda_runtime::Error::from)
        }
    });
    lambda_runtime::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}
