//! The smoke function on Lambda.

use std::sync::Arc;

use clivy::conversation::ids::EpochMs;
use clivy::{aws, telemetry};
use lambda_runtime::LambdaEvent;
use smoke::Hooks;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    aws::install_crypto();
    telemetry::init_from_env();
    let hooks = Hooks::on_aws().await.map_err(anyhow::Error::from_boxed)?;
    let hooks = Arc::new(hooks);
    let handler = lambda_runtime::service_fn(move |event: LambdaEvent<serde_json::Value>| {
        let hooks = Arc::clone(&hooks);
        let deadline = EpochMs(i64::try_from(event.context.deadline).unwrap_or_default());
        async move { hooks.handle(event.payload, deadline).await }
    });
    lambda_runtime::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}
