//! The demo model's faults, read by the classifier that reads OpenRouter's.

use axum::body::Body;
use axum::http::{Request as HttpRequest, Response as HttpResponse};
use clivy::llm::{Class, ErrorKind, LlmAnswer, LlmError, TokenNumbers, classify};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

async fn ask(model: &Model, body: &Value) -> HttpResponse<Bytes> {
    let request = HttpRequest::post("/chat/completions")
        .header(header::AUTHORIZATION, "Bearer k")
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = model.router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    HttpResponse::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

fn read(answer: &HttpResponse<Bytes>) -> Result<LlmAnswer, LlmError> {
    classify(answer.status().as_u16(), answer.headers(), answer.body())
}

fn json_of(answer: &HttpResponse<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap()
}

fn armed(fault: ModelFault, calls: u32) -> Model {
    let model = Model::new(Duration::ZERO);
    model.faults().arm(fault, calls);
    model
}

/// A prompt of this many tokens.
fn prompt(tokens: usize, max_tokens: usize) -> Value {
    let system = "x".repeat(4 * (tokens - 1));
    json!({"max_tokens": max_tokens, "session_id": "00ff", "messages": [
        {"role": "system", "content": system},
        {"role": "user", "content": "Halo"},
    ]})
}

#[tokio::test]
async fn every_fault_is_read_as_what_it_stands_for_and_the_call_after_it_is_answered() {
    for (fault, kind, class, status) in [
        (
            ModelFault::RateLimited,
            ErrorKind::RateLimited,
            Class::Retry,
            429,
        ),
        (
            ModelFault::ServerError,
            ErrorKind::ServerError,
            Class::Retry,
            500,
        ),
        (
            ModelFault::Overloaded,
            ErrorKind::Overloaded,
            Class::Retry,
            503,
        ),
        (
            ModelFault::ContextTooLong,
            ErrorKind::ContextTooLong,
            Class::Reduce,
            400,
        ),
        (
            ModelFault::NoCredits,
            ErrorKind::NoCredits,
            Class::Permanent,
            402,
        ),
        (
            ModelFault::InvalidKey,
            ErrorKind::InvalidKey,
            Class::Permanent,
            401,
        ),
        (
            ModelFault::EmptyAnswer,
            ErrorKind::EmptyAnswer,
            Class::Retry,
            200,
        ),
    ] {
        let model = armed(fault, 1);
        let answer = ask(&model, &prompt(500, 800)).await;
        assert_eq!(answer.status().as_u16(), status, "{fault:?}");
        let error = read(&answer).unwrap_err();
        assert_eq!((error.kind, error.class), (kind, class), "{fault:?}");
        if status != 200 {
            assert_eq!(json_of(&answer)["error"]["code"], status, "{fault:?}");
        }
        let next = ask(&model, &prompt(500, 800)).await;
        assert!(read(&next).is_ok(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_rate_limit_says_how_long_to_wait() {
    let answer = ask(&armed(ModelFault::RateLimited, 1), &prompt(10, 800)).await;
    assert_eq!(answer.headers()[header::RETRY_AFTER], "10");
    let error = read(&answer).unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(10)));
    let other = ask(&armed(ModelFault::ServerError, 1), &prompt(10, 800)).await;
    assert_eq!(read(&other).unwrap_err().retry_after, None);
}

#[tokio::test]
async fn an_empty_answer_costs_its_prompt() {
    let model = armed(ModelFault::EmptyAnswer, 1);
    let answer = ask(&model, &prompt(400, 800)).await;
    assert_eq!(json_of(&answer)["choices"][0]["message"]["content"], "");
    let usage = read(&answer).unwrap_err().usage.unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (400, 0));
    assert!(usage.cost_usd > 0.0);
}

#[tokio::test]
async fn a_small_context_refuses_with_the_real_numbers_what_does_not_fit_and_nothing_else() {
    let model = armed(ModelFault::ContextTooLong, 3);
    let error = read(&ask(&model, &prompt(301, 800)).await).unwrap_err();
    let numbers = TokenNumbers {
        maximum: 1_100,
        requested: 1_101,
        prompt: Some(301),
    };
    assert_eq!(error.tokens, Some(numbers));
    // The prompt that is cut by as much as the numbers say fits.
    assert!(read(&ask(&model, &prompt(300, 800)).await).is_ok());
    let of_another_answer = read(&ask(&model, &prompt(1_000, 16)).await).unwrap_err();
    let numbers = of_another_answer.tokens.unwrap();
    assert_eq!(numbers.requested - numbers.maximum, 700);
    assert_eq!(
        model.faults().armed(),
        None,
        "each of the three calls was one"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_ends_when_its_client_gives_up_or_the_fault_is_cleared() {
    let model = armed(ModelFault::Timeout, 2);
    let body = prompt(10, 800);
    let patience = Duration::from_secs(120);
    let gave_up = tokio::time::timeout(patience, ask(&model, &body)).await;
    assert!(gave_up.is_err());
    let cleared = async {
        tokio::time::sleep(patience).await;
        model.faults().clear();
    };
    let (answer, ()) = tokio::join!(ask(&model, &body), cleared);
    assert!(read(&answer).is_ok());
}

#[tokio::test]
async fn a_call_that_openrouter_would_refuse_anyway_uses_no_fault_up() {
    let model = armed(ModelFault::ServerError, 1);
    let no_messages = ask(&model, &json!({"messages": []})).await;
    assert_eq!(no_messages.status().as_u16(), 400);
    assert_eq!(model.faults().armed(), Some((ModelFault::ServerError, 1)));
}

#[tokio::test]
async fn the_account_says_what_the_calls_will_find_and_looking_counts_as_no_call() {
    let get = async |model: &Model, path: &str| {
        let request = HttpRequest::get(path).header(header::AUTHORIZATION, "Bearer k");
        let request = request.body(Body::empty()).unwrap();
        let response = model.router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let model = armed(ModelFault::NoCredits, 1);
    assert_eq!(get(&model, "/key").await.1["data"]["limit_remaining"], 0.0);
    let (_, credits) = get(&model, "/credits").await;
    assert_eq!(
        credits["data"]["total_usage"],
        credits["data"]["total_credits"]
    );
    model.faults().arm(ModelFault::InvalidKey, 1);
    assert_eq!(get(&model, "/key").await.0, 401);
    assert_eq!(get(&model, "/credits").await.0, 401);
    assert_eq!(model.faults().armed(), Some((ModelFault::InvalidKey, 1)));
    model.faults().clear();
    assert_eq!(get(&model, "/key").await.1["data"]["limit_remaining"], 10.0);
}
