//! What this machine can do at most: the same HTTP client against a server that does nothing, and the DynamoDB
//! engine by itself. The system cannot be faster than its share of these.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use clivy::http::{Http, Network};
use local::engines::Engines;
use local::sqs::Sqs;
use local::world;
use serde_json::json;
use tests::bubbles::bubble;
use tests::floor;
use tokio::time::Instant;

use crate::report::Floor;

/// Round trips at once.
const CONNECTIONS: usize = 32;
/// How long each figure is measured.
const LASTING: Duration = Duration::from_millis(1_500);

/// Measures it; `folder` takes the engine's file.
///
/// # Errors
/// Something does not work at all.
pub async fn measure(folder: &Path) -> anyhow::Result<Floor> {
    let on_disk = folder.join("floor");
    std::fs::create_dir_all(&on_disk)?;
    Ok(Floor {
        http_per_second: http_per_second().await?,
        puts_in_memory_per_second: puts_per_second(world::memory()?).await?,
        puts_in_a_file_per_second: puts_per_second(world::on_disk(&on_disk)?).await?,
    })
}

/// Keep-alive round trips with a webhook's body. The server has a thread of its own, as the system has.
async fn http_per_second() -> anyhow::Result<f64> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}/", listener.local_addr()?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = std::thread::spawn(move || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let router = Router::new().route(
                "/",
                post(|body: Bytes| async move { body.len().to_string() }),
            );
            tokio::select! {
                served = axum::serve(listener, router) => served?,
                _ = stopped => {}
            }
            Ok(())
        })
    });
    let client = Network::new()?;
    let body = Bytes::from(bubble("demo", "6281100000000", "FLOOR", 0, "Halo kak").to_string());
    let begin = Instant::now();
    let connection = || async {
        let mut done = 0_u64;
        while begin.elapsed() < LASTING {
            let request = http::Request::post(&url).body(body.clone())?;
            client.send(request, Duration::from_secs(5)).await?;
            done += 1;
        }
        anyhow::Ok(done)
    };
    let done = futures_util::future::try_join_all((0..CONNECTIONS).map(|_| connection())).await?;
    let rate = done.into_iter().sum::<u64>() as f64 / begin.elapsed().as_secs_f64();
    // An error means that the server has ended already; what it says comes next.
    let _ = stop.send(());
    server
        .join()
        .map_err(|_| anyhow::anyhow!("the server panicked"))??;
    Ok(rate)
}

/// Puts of new items under `attribute_not_exists`, one after the other, in the engine's wire format.
async fn puts_per_second(dynamodb: dynoxide::Database) -> anyhow::Result<f64> {
    let engines = Engines {
        dynamodb,
        tokens: local::tokens::Tokens::default(),
        sqs: Sqs::new("http://127.0.0.1", Arc::new(|| 0)),
        sns: local::sns::Sns::new(Arc::new(|| 0)),
        ssm: local::ssm::Ssm::default(),
    };
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    floor::call(
        &engines,
        "CreateTable",
        &json!({
            "TableName": "floor",
            "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
            "AttributeDefinitions": [attribute("pk"), attribute("sk")],
            "BillingMode": "PAY_PER_REQUEST",
        }),
    )
    .await?;
    let begin = Instant::now();
    let mut done = 0_u32;
    while begin.elapsed() < LASTING {
        floor::put(&engines, "floor", done).await?;
        done += 1;
    }
    Ok(f64::from(done) / begin.elapsed().as_secs_f64())
}
