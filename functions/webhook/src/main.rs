//! The webhook as a Lambda function.

use std::sync::Arc;

use clivy::{aws, bots::Bots, clock::SystemClock, config::Reader, pseudonym::Pseudonyms};
use clivy::{queue::Queue, table::Table, telemetry};
use webhook::{Webhook, settings::Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    let settings = Settings::read(Reader::from_env())?;
    telemetry::init_json(&settings.log_level);
    let sdk = aws::load().await;
    let clock = Arc::new(SystemClock);
    let pseudonyms = Pseudonyms::new(&settings.pseudonym_key)?;
    let stores = settings.stores;
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let table = Table::new(dynamodb, stores.table_name, settings.retention_days);
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let webhook = Arc::new(Webhook {
        queue: Queue::new(sqs, stores.queue_url, pseudonyms.clone()),
        bots: Bots::new(table.clone(), clock.clone(), settings.bot_cache),
        table,
        clock,
        pseudonyms,
        debounce_seconds: settings.debounce_seconds,
        timeout: settings.timeout,
        allow_open_bots: false,
    });
    webhook.warm_up().await;
    let handler = lambda_http::service_fn(move |request| {
        let webhook = Arc::clone(&webhook);
        async move { Ok::<_, std::convert::Infallible>(webhook.handle(request).await) }
    });
    lambda_http::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}
