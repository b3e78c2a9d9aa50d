use axum::body::Body;
use clivy::conversation::bot::Bot;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

#[derive(Deserialize)]
struct Bots {
    bot: Vec<Bot>,
}

fn demo_bot() -> Bot {
    let mut bots: Bots = toml::from_str(include_str!("../../demo.toml")).unwrap();
    assert_eq!(bots.bot.len(), 1);
    bots.bot.remove(0)
}

async fn call(
    model: &Model,
    method: &str,
    path: &str,
    key: Option<&str>,
    body: &Value,
) -> (u16, Value) {
    let mut request = axum::http::Request::builder().method(method).uri(path);
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = model.router().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

fn prompt(system: &str, burst: &str) -> Value {
    json!({"model": "some/model", "max_tokens": 800, "messages": [
        {"role": "system", "content": system},
        {"role": "user", "content": "jam buka?"},
        {"role": "assistant", "content": "08.00"},
        {"role": "user", "content": burst},
    ]})
}

fn demo_system() -> String {
    let bot = demo_bot();
    let blocks = bot
        .documents
        .iter()
        .map(|d| format!("[{} - {}]\n{}", d.kind, d.title, d.content));
    format!(
        "{}\n\n{}",
        bot.system_prompt(),
        blocks.collect::<Vec<_>>().join("\n\n")
    )
}

#[test]
fn the_demo_bot_is_a_whole_bot_with_six_documents_that_fit_the_prompt() {
    let bot = demo_bot();
    assert_eq!(bot.bot_id.as_str(), "demo");
    assert!(bot.active);
    assert_eq!(bot.documents.len(), 6);
    for document in &bot.documents {
        assert!(
            document.content.chars().count() <= 500,
            "{}",
            document.title
        );
        assert!(!document.kind.is_empty() && !document.title.is_empty());
    }
}

#[tokio::test]
async fn a_burst_finds_the_demo_document_it_asks_for() {
    let model = Model::new(Duration::ZERO);
    for (burst, title, fact) in [
        ("Halo\nSaya mau\npesan produk", "Cara pesan", "nomor resi"),
        (
            "harga kopi gayo\nberapa ya kak",
            "Daftar harga",
            "Rp 68.000",
        ),
        ("es kopi susunya berapa?", "Daftar harga", "Rp 20.000"),
        (
            "hari minggu\nbuka jam berapa?",
            "Jam buka dan alamat",
            "09.00 - 17.00",
        ),
        (
            "tokonya di mana ya, minta alamatnya",
            "Jam buka dan alamat",
            "Jl. Kenanga",
        ),
        (
            "kirim ke luar jawa bisa?",
            "Pengiriman dan ongkir",
            "3-6 hari",
        ),
        (
            "ongkirnya berapa?",
            "Pengiriman dan ongkir",
            "Gratis ongkir",
        ),
        ("bisa bayar pakai QRIS?", "Cara pembayaran", "GoPay"),
        (
            "barangnya rusak, bisa tukar?",
            "Retur dan penukaran",
            "ganti baru",
        ),
        ("cara ordernya gimana", "Cara pesan", "nomor resi"),
    ] {
        let (status, answer) = call(
            &model,
            "POST",
            "/chat/completions",
            Some("k"),
            &prompt(&demo_system(), burst),
        )
        .await;
        assert_eq!(status, 200);
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(text.contains(&format!("**{title}**")), "{burst}: {text}");
        assert!(text.contains(fact), "{burst}: {text}");
    }
}

#[tokio::test]
async fn an_answer_has_the_shape_and_the_usage_of_openrouter() {
    let model = Model::new(Duration::ZERO);
    let request = prompt("Anda ramah.", "Halo");
    let (_, answer) = call(&model, "POST", "/chat/completions", Some("k"), &request).await;
    let (_, again) = call(&model, "POST", "/chat/completions", Some("k"), &request).await;
    assert_eq!(answer["id"], again["id"]);
    assert_eq!(answer["model"], MODEL_NAME);
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(choice["message"]["role"], "assistant");
    // "Anda ramah." 11, "jam buka?" 9, "08.00" 5, "Halo" 4 characters: 3 + 3 + 2 + 1 tokens.
    assert_eq!(answer["usage"]["prompt_tokens"], 9);
    let out = tokens(choice["message"]["content"].as_str().unwrap());
    assert_eq!(answer["usage"]["completion_tokens"], out);
    assert_eq!(answer["usage"]["total_tokens"], 9 + out);
    assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
    let cost = answer["usage"]["cost"].as_f64().unwrap();
    assert!(cost > 0.0);
    let (_, key) = call(&model, "GET", "/key", Some("k"), &Value::Null).await;
    assert!((key["data"]["usage"].as_f64().unwrap() - 2.0 * cost).abs() < 1e-12);
    let (_, credits) = call(&model, "GET", "/credits", Some("k"), &Value::Null).await;
    assert_eq!(credits["data"]["total_usage"], key["data"]["usage"]);
}

#[tokio::test]
async fn max_tokens_cuts_the_answer_and_says_so() {
    let mut request = prompt(&demo_system(), "Halo, minta daftar harga");
    request["max_tokens"] = json!(10);
    let model = Model::new(Duration::ZERO);
    let (_, answer) = call(&model, "POST", "/chat/completions", Some("k"), &request).await;
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 10);
}

#[tokio::test]
async fn what_openrouter_refuses_is_refused() {
    let model = Model::new(Duration::ZERO);
    let fine = prompt("s", "Halo");
    for (key, body, status) in [
        (None, fine.clone(), 401),
        (Some(" "), fine, 401),
        (Some("k"), json!({"messages": []}), 400),
        (Some("k"), json!([1]), 400),
        (
            Some("k"),
            json!({"messages": [{"role": "user", "content": "x"}], "stream": true}),
            400,
        ),
    ] {
        let (answered, answer) = call(&model, "POST", "/chat/completions", key, &body).await;
        assert_eq!(answered, status, "{body}");
        assert_eq!(answer["error"]["code"], status);
        assert!(answer["error"]["message"].is_string());
    }
    assert_eq!(call(&model, "GET", "/key", None, &Value::Null).await.0, 401);
    assert_eq!(
        call(&model, "GET", "/credits", None, &Value::Null).await.0,
        401
    );
}

#[tokio::test]
async fn the_burst_may_come_in_parts() {
    let model = Model::new(Duration::ZERO);
    let request = json!({"messages": [
        {"role": "system", "content": demo_system()},
        {"role": "user", "content": [{"type": "text", "text": "jam buka"}, {"type": "image_url", "image_url": {}}]},
    ]});
    let (_, answer) = call(&model, "POST", "/chat/completions", Some("k"), &request).await;
    assert!(
        answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .contains("08.00")
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_takes_the_latency_it_was_given() {
    let model = Model::new(Duration::from_millis(900));
    let before = tokio::time::Instant::now();
    call(
        &model,
        "POST",
        "/chat/completions",
        Some("k"),
        &prompt("s", "Halo"),
    )
    .await;
    assert_eq!(before.elapsed(), Duration::from_millis(900));
}
