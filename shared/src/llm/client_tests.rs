//! What goes over the wire, and what of it may be seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::*;
use crate::conversation::bot::MaxPrice;
use crate::http::{Http, HttpError};
use crate::prompt::{ChatMessage, Role};

const KEY: &str = "sk-or-v1-0123456789";
const SECOND: Duration = Duration::from_secs(1);

/// Answers every request with the same, and keeps the requests.
struct Scripted {
    answer: Result<(u16, String), HttpError>,
    seen: Mutex<Vec<(Request<Bytes>, Duration)>>,
}

impl Scripted {
    fn answering(status: u16, body: &Value) -> Arc<Self> {
        Self::with(Ok((status, body.to_string())))
    }

    fn with(answer: Result<(u16, String), HttpError>) -> Arc<Self> {
        Arc::new(Self {
            answer,
            seen: Mutex::default(),
        })
    }

    fn only_request(&self) -> (Request<Bytes>, Duration) {
        let mut seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1);
        seen.remove(0)
    }
}

impl Http for Scripted {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        self.seen.lock().unwrap().push((request, timeout));
        let answer = self.answer.clone();
        Box::pin(async move {
            let (status, body) = answer?;
            Ok(Response::builder()
                .status(status)
                .header("retry-after", "9")
                .body(body.into())
                .unwrap())
        })
    }
}

fn settings(base_url: &str) -> LlmSettings {
    LlmSettings {
        dialect: Dialect::OpenRouter,
        base_url: base_url.to_owned(),
        api_key: KEY.to_owned(),
        http_referer: "https://clivy.example".to_owned(),
        x_title: "Clivy".to_owned(),
    }
}

fn client(http: &Arc<Scripted>) -> LlmClient {
    LlmClient::new(http.clone(), settings("http://127.0.0.1:9/api/v1"))
}

fn answer() -> Value {
    json!({"model": "m/b", "choices": [{"message": {"content": "Halo"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 5}})
}

async fn ask(client: &LlmClient) -> Result<LlmAnswer, LlmError> {
    ask_with(client, None, false).await
}

async fn ask_with(
    client: &LlmClient,
    max_price: Option<MaxPrice>,
    allow_training: bool,
) -> Result<LlmAnswer, LlmError> {
    let messages = [
        ChatMessage {
            role: Role::System,
            content: "Anda ramah.".to_owned(),
        },
        ChatMessage {
            role: Role::User,
            content: "Halo \"kak\"\n😊".to_owned(),
        },
    ];
    let ask = Ask {
        model: "m/a",
        messages: &messages,
        max_tokens: 700,
        user: "u1",
        session_id: "s1",
        max_price,
        allow_training,
    };
    client.ask(&ask, Duration::from_millis(2_500)).await
}

fn headers(request: &Request<Bytes>) -> BTreeMap<&str, &str> {
    request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_question_is_sent_with_these_fields_and_headers_and_no_others() {
    let http = Scripted::answering(200, &answer());
    assert_eq!(ask(&client(&http)).await.unwrap().text, "Halo");
    let (request, timeout) = http.only_request();
    assert_eq!(timeout, Duration::from_millis(2_500));
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "http://127.0.0.1:9/api/v1/chat/completions");
    let expected = BTreeMap::from([
        ("authorization", "Bearer sk-or-v1-0123456789"),
        ("content-type", "application/json"),
        ("http-referer", "https://clivy.example"),
        ("x-title", "Clivy"),
    ]);
    assert_eq!(headers(&request), expected);
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    let expected = json!({
        "model": "m/a",
        "messages": [{"role": "system", "content": "Anda ramah."}, {"role": "user", "content": "Halo \"kak\"\n😊"}],
        "max_tokens": 700,
        "user": "u1",
        "session_id": "s1",
        "provider": {"data_collection": "deny"},
    });
    assert_eq!(body, expected);
}

async fn provider_sent(max_price: Option<MaxPrice>, allow_training: bool) -> Value {
    let http = Scripted::answering(200, &answer());
    ask_with(&client(&http), max_price, allow_training)
        .await
        .unwrap();
    let body: Value = serde_json::from_slice(http.only_request().0.body()).unwrap();
    body["provider"].clone()
}

#[tokio::test]
async fn the_bots_price_and_its_leave_to_train_are_told_to_openrouter() {
    let price = |prompt, completion| Some(MaxPrice { prompt, completion });
    assert_eq!(
        provider_sent(price(Some(0.15), Some(2.0)), true).await,
        json!({"data_collection": "allow", "max_price": {"prompt": 0.15, "completion": 2.0}})
    );
    assert_eq!(
        provider_sent(price(None, Some(0.0)), false).await,
        json!({"data_collection": "deny", "max_price": {"completion": 0.0}})
    );
    assert_eq!(
        provider_sent(price(None, None), false).await,
        json!({"data_collection": "deny"}),
        "no bound is not sent as an empty one"
    );
}

#[tokio::test]
async fn an_openai_compatible_api_gets_what_all_of_them_take_and_nothing_else() {
    let http = Scripted::answering(200, &answer());
    let openai = LlmSettings {
        dialect: Dialect::OpenAi,
        ..settings("http://127.0.0.1:9/v1")
    };
    let price = MaxPrice {
        prompt: Some(1.0),
        completion: None,
    };
    let client = LlmClient::new(http.clone(), openai);
    ask_with(&client, Some(price), true).await.unwrap();
    let (request, _) = http.only_request();
    let expected = BTreeMap::from([
        ("authorization", "Bearer sk-or-v1-0123456789"),
        ("content-type", "application/json"),
    ]);
    assert_eq!(headers(&request), expected);
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    let expected = json!({
        "model": "m/a",
        "messages": [{"role": "system", "content": "Anda ramah."}, {"role": "user", "content": "Halo \"kak\"\n😊"}],
        "max_tokens": 700,
        "user": "u1",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_bot_owners_own_key_pays_and_the_first_one_stays_what_it_was() {
    let http = Scripted::answering(200, &answer());
    let client = client(&http);
    ask(&client.with_key(" sk-or-v1-own ")).await.unwrap();
    let (request, _) = http.only_request();
    assert_eq!(request.headers()["authorization"], "Bearer sk-or-v1-own");
    assert_eq!(request.uri(), "http://127.0.0.1:9/api/v1/chat/completions");
    ask(&client).await.unwrap();
    assert_eq!(
        http.only_request().0.headers()["authorization"],
        format!("Bearer {KEY}")
    );
}

#[tokio::test]
async fn the_base_url_may_end_with_a_slash() {
    let http = Scripted::answering(200, &answer());
    let client = LlmClient::new(http.clone(), settings("http://127.0.0.1:9/v1//"));
    ask(&client).await.unwrap();
    assert_eq!(
        http.only_request().0.uri(),
        "http://127.0.0.1:9/v1/chat/completions"
    );
}

#[tokio::test]
async fn an_application_without_a_name_sends_none() {
    let http = Scripted::answering(200, &answer());
    let nameless = LlmSettings {
        http_referer: String::new(),
        x_title: "Toko\nKue".to_owned(),
        ..settings("http://127.0.0.1:9")
    };
    ask(&LlmClient::new(http.clone(), nameless)).await.unwrap();
    let (request, _) = http.only_request();
    assert!(!request.headers().contains_key("http-referer"));
    assert!(
        !request.headers().contains_key("x-title"),
        "unfit for a header, and no reason to fail"
    );
}

#[tokio::test]
async fn a_refusal_is_a_typed_error_with_its_wait() {
    let http = Scripted::answering(
        429,
        &json!({"error": {"code": 429, "message": "Rate limit exceeded"}}),
    );
    let error = ask(&client(&http)).await.unwrap_err();
    assert_eq!(
        (error.kind, error.class, error.status),
        (ErrorKind::RateLimited, Class::Retry, Some(429))
    );
    assert_eq!(error.retry_after, Some(Duration::from_secs(9)));
}

#[tokio::test]
async fn no_answer_at_all_is_tried_again() {
    for (failure, kind, class) in [
        (HttpError::Connect, ErrorKind::Unreachable, Class::Retry),
        (HttpError::Timeout, ErrorKind::TimedOut, Class::Retry),
        (HttpError::Broken, ErrorKind::ConnectionBroken, Class::Retry),
        (HttpError::TooLarge, ErrorKind::Unreadable, Class::Retry),
        (
            HttpError::Request,
            ErrorKind::Misconfigured,
            Class::Permanent,
        ),
    ] {
        let error = ask(&client(&Scripted::with(Err(failure))))
            .await
            .unwrap_err();
        assert_eq!((error.kind, error.class, error.status), (kind, class, None));
    }
}

#[tokio::test]
async fn a_malformed_setting_is_an_error_and_sends_nothing() {
    let http = Scripted::answering(200, &answer());
    let bad_url = settings("http://[nowhere");
    let bad_key = LlmSettings {
        api_key: "sk\nor".to_owned(),
        ..settings("http://127.0.0.1:9")
    };
    for settings in [bad_url, bad_key] {
        let error = ask(&LlmClient::new(http.clone(), settings))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Misconfigured);
    }
    assert!(http.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_key_is_never_printed() {
    let http = Scripted::answering(401, &json!({"error": {"code": 401, "message": KEY}}));
    let client = client(&http);
    let error = ask(&client).await.unwrap_err();
    let (request, _) = http.only_request();
    let shown = format!(
        "{client:?} {:?} {error:?} {error} {:?}",
        settings("http://127.0.0.1"),
        request.headers()
    );
    assert!(!shown.contains(KEY), "{shown}");
}

#[tokio::test]
async fn the_keys_limits_are_read() {
    let http = Scripted::answering(
        200,
        &json!({"data": {"label": "sk-or-v1-012...789", "limit": 20, "limit_remaining": 12.5, "limit_reset": "monthly", "usage": 7.5,
            "usage_daily": 0.5, "usage_weekly": 1, "usage_monthly": 7.5, "is_free_tier": false, "rate_limit": {}, "new": 1}}),
    );
    let key = client(&http).key(SECOND).await.unwrap();
    let (request, timeout) = http.only_request();
    assert_eq!((request.method(), timeout), (&Method::GET, SECOND));
    assert_eq!(request.uri(), "http://127.0.0.1:9/api/v1/key");
    assert_eq!(
        request.headers()["authorization"],
        "Bearer sk-or-v1-0123456789"
    );
    assert!(request.body().is_empty());
    assert_eq!(
        (
            key.limit_usd,
            key.limit_remaining_usd,
            key.limit_reset.as_deref()
        ),
        (Some(20.0), Some(12.5), Some("monthly"))
    );
    assert_eq!((key.usage_usd, key.usage_daily_usd), (7.5, Some(0.5)));
    let stored = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<KeyInfo>(&stored).unwrap(), key);
}

#[tokio::test]
async fn a_key_without_a_cap_has_no_limits() {
    let http = Scripted::answering(
        200,
        &json!({"data": {"limit": null, "limit_remaining": null, "limit_reset": null, "usage": 1}}),
    );
    let key = client(&http).key(SECOND).await.unwrap();
    assert_eq!((key.limit_usd, key.limit_remaining_usd), (None, None));
}

#[tokio::test]
async fn the_balance_is_what_was_bought_less_what_was_used() {
    let http = Scripted::answering(
        200,
        &json!({"data": {"total_credits": 50, "total_usage": 48.75}}),
    );
    let credits = client(&http).credits(SECOND).await.unwrap();
    assert_eq!(
        http.only_request().0.uri(),
        "http://127.0.0.1:9/api/v1/credits"
    );
    assert!((credits.remaining_usd() - 1.25).abs() < 1e-9);
}

#[tokio::test]
async fn an_account_that_does_not_answer_is_a_typed_error() {
    for (status, body, kind) in [
        (
            403,
            json!({"error": {"code": 403, "message": "Only management keys can fetch credits"}}),
            ErrorKind::Forbidden,
        ),
        (
            401,
            json!({"error": {"code": 401, "message": "User not found"}}),
            ErrorKind::InvalidKey,
        ),
        (
            200,
            json!({"error": {"code": 500, "message": "x"}}),
            ErrorKind::ServerError,
        ),
        (
            200,
            json!({"data": {"total_credits": "much"}}),
            ErrorKind::Unreadable,
        ),
        (200, answer(), ErrorKind::Unreadable),
        (
            500,
            json!({"data": {"total_credits": 1, "total_usage": 1}}),
            ErrorKind::ServerError,
        ),
    ] {
        let http = Scripted::answering(status, &body);
        assert_eq!(
            client(&http).credits(SECOND).await.unwrap_err().kind,
            kind,
            "{status} {body}"
        );
    }
}
