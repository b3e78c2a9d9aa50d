//! The second way to run: the functions as processes under `cargo lambda watch`, driven by `local --functions`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use serde_json::json;
use tests::bubbles::bubble;
use tests::process::eventually;
use tests::process::folder::Folder;
use tests::process::lambda::{Environment, SECRET, SecretsFrom, Watch};
use tests::process::one_machine::Wish;
use tests::process::wire::Served;

const RINA: &str = "6281100020001";

/// The functions serve no open bot, so this one has a secret path.
fn bots(gateway_url: &str) -> String {
    format!(
        "[[bot]]\nid = \"kopi\"\nowner = \"o\"\nname = \"Toko Kopi\"\n\n[bot.gateway]\nkind = \"wuzapi\"\n\
         url = \"{gateway_url}\"\ntoken = \"token-kopi\"\nsecret_path = \"{SECRET}\"\n"
    )
}

#[tokio::test]
#[ignore = "needs cargo-lambda: infra/check-watch.sh runs it"]
async fn three_bubbles_reach_the_functions_under_cargo_lambda_watch_and_get_one_reply() {
    let (data, served) = (Folder::new(), Served::start().await);
    let bots = data.write("bots.toml", &bots(&served.gateway_url()));
    let port = Watch::port();
    let mut run = Wish::scripted(&data.path().join("data"), &served)
        .arg("--bots")
        .arg(bots.to_str().unwrap())
        .arg("--functions")
        .arg(&Watch::url(port))
        .start()
        .await;
    let curl = run.process.line("curl -X POST ").await;
    // The secret path is named, never shown (I11).
    assert!(curl.contains("/webhook/ai/SECRET_PATH "), "{curl}");
    assert!(!run.process.output().contains(SECRET));
    let environment = Environment {
        aws_url: &run.base_url,
        secrets: SecretsFrom::Environment,
        outside: &served,
        port,
    };
    let watch = Watch::start(&environment).await;

    let path = format!("/webhook/ai/{SECRET}");
    for (n, text) in ["Halo", "Saya mau", "pesan produk"].iter().enumerate() {
        let mid = format!("B{n}");
        let body = bubble("kopi", RINA, &mid, n as i64, text);
        let (status, answer) = run.webhook_at("/webhook/ai/salah", &body).await.unwrap();
        assert_eq!(status, 401, "{answer}");
        let (status, answer) = run.webhook_at(&path, &body).await.unwrap();
        assert_eq!(
            (status, answer),
            (200, json!({"status": "queued", "message_id": mid}))
        );
    }
    let outside = &served.outside;
    eventually("the reply", || outside.delivered().pop()).await;
    run.settle().await;
    assert_eq!(run.owed().await, None);
    assert_eq!(outside.questions(), ["Halo\nSaya mau\npesan produk"]);
    let sends = outside.sends();
    assert_eq!(sends.len(), 1, "{sends:?}");
    assert_eq!(sends[0].phone, RINA);
    assert_eq!(sends[0].text, "Jawaban atas: Halo\nSaya mau\npesan produk");
    // The reply came out of the function, not out of `local`: only there is the step logged.
    assert!(watch.process.output().contains("committed the burst"));
    assert!(!run.process.output().contains("committed the burst"));

    let (status, swept) = watch.invoke("sweeper", &json!({})).await;
    assert_eq!((status, &swept["hits"]), (200, &json!(0)), "{swept}");
}
