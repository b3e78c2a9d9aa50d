//! Every row of the error table, from bodies as they are seen in the wild. Not formatted: one row, one line.

use http::{HeaderMap, HeaderName};
use serde_json::json;

use super::error::ErrorKind::{self, *};
use super::{Class, LlmError, classify};
use crate::conversation::ids::EpochMs;

struct Row(&'static str, u16, String, ErrorKind, Class);

fn row(name: &'static str, status: u16, body: impl Into<Body>, kind: ErrorKind, class: Class) -> Row {
    Row(name, status, body.into().0, kind, class)
}

/// A body, written as JSON or as a mere text.
struct Body(String);

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<serde_json::Value> for Body {
    fn from(json: serde_json::Value) -> Self {
        Self(json.to_string())
    }
}

pub(super) fn fails(status: u16, headers: &[(&'static str, &str)], body: &str) -> LlmError {
    let headers: HeaderMap = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
    classify(status, &headers, body.as_bytes()).unwrap_err()
}

#[track_caller]
fn holds(rows: Vec<Row>) {
    for Row(name, status, body, kind, class) in rows {
        let error = fails(status, &[], &body);
        assert_eq!((error.kind, error.class), (kind, class), "{name}: {status} {body}");
    }
}

/// An error as OpenRouter wraps a provider's.
pub(super) fn provider(code: u16, raw: &str) -> serde_json::Value {
    json!({"error": {"message": "Provider returned error", "code": code,
        "metadata": {"raw": raw, "provider_name": "BaseTen", "is_byok": false}}})
}

pub(super) fn plain(code: u16, message: &str) -> serde_json::Value {
    json!({"error": {"message": message, "code": code}})
}

fn typed(code: u16, error_type: &str) -> serde_json::Value {
    json!({"error": {"message": "Provider returned error", "code": code, "metadata": {"error_type": error_type}}})
}

#[test]
fn passing_troubles_are_tried_again() {
    use Class::Retry;
    holds(vec![
        row("request timed out", 408, plain(408, "Request timed out"), TimedOut, Retry),
        row("gateway timeout", 504, "upstream request timeout", TimedOut, Retry),
        row("cloudflare timeout", 524, "<html><title>524</title></html>", TimedOut, Retry),
        row("rate limit", 429, plain(429, "Rate limit exceeded"), RateLimited, Retry),
        row("minute limit", 429, plain(429, "Rate limit exceeded: free-models-per-min."), RateLimited, Retry),
        row("shared pool", 429, provider(429, "x is temporarily rate-limited upstream"), RateLimited, Retry),
        row("bad gateway", 502, plain(502, "Provider returned error"), ProviderDown, Retry),
        row("no provider", 503, plain(503, "No available model provider meets your routing requirements"), Overloaded, Retry),
        row("overloaded", 529, plain(529, "Overloaded"), Overloaded, Retry),
        row("server", 500, plain(500, "Internal Server Error"), ServerError, Retry),
        row("unmapped", 500, typed(500, "unmapped"), ServerError, Retry),
        row("cloudflare down", 521, "<html>Web server is down</html>", ProviderDown, Retry),
        row("unknown 5xx", 599, "", ProviderDown, Retry),
        row("code as text", 503, json!({"error": {"message": "x", "code": "503"}}), Overloaded, Retry),
        row("nothing but a status", 503, "", Overloaded, Retry),
        row("bare message", 500, json!({"message": "boom"}), ServerError, Retry),
    ]);
}

#[test]
fn the_type_of_an_error_goes_before_everything_else() {
    holds(vec![
        row("overloaded", 200, typed(500, "provider_overloaded"), Overloaded, Class::Retry),
        row("unavailable", 400, typed(400, "provider_unavailable"), ProviderDown, Class::Retry),
        row("server", 400, typed(400, "server"), ServerError, Class::Retry),
        row("timeout", 400, typed(400, "timeout"), TimedOut, Class::Retry),
        row("rate limit", 200, typed(200, "rate_limit_exceeded"), RateLimited, Class::Retry),
        row("context", 502, typed(502, "context_length_exceeded"), ContextTooLong, Class::Reduce),
        row("payload", 400, typed(400, "payload_too_large"), ContextTooLong, Class::Reduce),
        row("too little room", 400, typed(400, "max_tokens_exceeded"), OutputTooShort, Class::Retry),
        row("key", 500, typed(500, "authentication"), InvalidKey, Class::Permanent),
        row("money", 400, typed(400, "payment_required"), NoCredits, Class::Permanent),
        row("token budget", 400, typed(400, "token_limit_exceeded"), NoCredits, Class::Permanent),
        row("no permission", 403, typed(403, "permission_denied"), Forbidden, Class::Permanent),
        row("gone", 400, typed(400, "not_found"), ModelUnavailable, Class::Permanent),
        row("policy", 400, typed(400, "content_policy_violation"), Moderated, Class::Permanent),
        row("refusal", 200, typed(200, "refusal"), Moderated, Class::Permanent),
        row("invalid", 502, typed(502, "invalid_request"), BadRequest, Class::Permanent),
        row("unprocessable", 422, typed(422, "unprocessable"), BadRequest, Class::Permanent),
        row("a type of tomorrow", 429, typed(429, "solar_flare"), RateLimited, Class::Retry),
        row("a type that is none", 400, json!({"error": {"code": 400, "metadata": {"error_type": 7}}}), BadRequest, Class::Permanent),
    ]);
}

#[test]
fn availability_goes_before_the_status() {
    let said = |code: u16, availability: serde_json::Value| json!({"error": {"code": code, "message": "x", "availability": availability}});
    holds(vec![
        row("retryable 400", 400, said(400, json!({"retryable": true})), ProviderDown, Class::Retry),
        row("retryable 404", 404, said(404, json!({"retryable": true})), ProviderDown, Class::Retry),
        row("final 503", 503, said(503, json!({"retryable": false})), Overloaded, Class::Permanent),
        row("final 429", 429, said(429, json!({"retryable": false})), RateLimited, Class::Permanent),
        row("code alone", 400, said(400, json!({"code": "provider_overloaded"})), Overloaded, Class::Retry),
        row("empty", 503, said(503, json!({})), Overloaded, Class::Retry),
        row("wrong types", 503, said(503, json!({"retryable": "no", "code": [1]})), Overloaded, Class::Retry),
    ]);
    let typed_first = json!({"error": {"code": 400, "message": "x", "availability": {"retryable": true},
        "metadata": {"error_type": "string_too_long"}}});
    holds(vec![row("typed first", 400, typed_first, BadRequest, Class::Permanent)]);
}

#[test]
fn keys_and_models_that_are_not_there_are_final() {
    use Class::Permanent;
    holds(vec![
        row("no key", 401, plain(401, "No auth credentials found"), InvalidKey, Permanent),
        row("user gone", 401, plain(401, "User not found."), InvalidKey, Permanent),
        row("foreign key", 400, json!({"error": {"code": "invalid_api_key", "message": "Incorrect API key"}}), InvalidKey, Permanent),
        row("data policy", 404, plain(404, "No endpoints found matching your data policy."), ModelUnavailable, Permanent),
        row("no such model", 400, plain(400, "gpt-9 is not a valid model ID"), ModelUnavailable, Permanent),
        row("other 400", 400, plain(400, "temperature must be a number"), BadRequest, Permanent),
        row("unknown 4xx", 418, "teapot", BadRequest, Permanent),
        row("html 400", 400, "<html>Bad Request</html>", BadRequest, Permanent),
        row("redirect", 301, "", Misconfigured, Permanent),
        row("detail", 405, json!({"detail": "Method Not Allowed"}), BadRequest, Permanent),
    ]);
}

#[test]
fn every_kind_of_402_is_told_apart() {
    let in_flight = json!({"error": {"code": 402, "message": "This request would exceed your available credits given your current in-flight requests.",
        "metadata": {"reason": "in_flight_budget_exhausted", "limit_source": "openrouter_in_flight_budget", "remedy_hint": "Retry after"}}});
    let too_heavy = json!({"error": {"code": 402, "message": "x",
        "metadata": {"reason": "weight_exceeds_budget", "limit_source": "openrouter_credits"}}});
    let key = json!({"error": {"code": 402, "message": "x", "metadata": {"limit_source": "openrouter_key_limit"}}});
    let afford = |tokens: &str| {
        plain(402, &format!("This request requires more credits, or fewer max_tokens. You requested up to 16384 tokens, but can only afford {tokens}. To increase, visit https://x.example"))
    };
    holds(vec![
        row("balance", 402, plain(402, "Insufficient credits. Add more using https://x.example"), NoCredits, Class::Permanent),
        row("key", 402, key, NoCredits, Class::Permanent),
        row("in flight", 402, in_flight.clone(), InFlightBudget, Class::Wait),
        row("in flight, under 200", 200, in_flight, InFlightBudget, Class::Wait),
        row("one heavy request", 402, too_heavy, NoCredits, Class::Permanent),
        row("shorter", 402, afford("3919"), OnlyShorterAffordable, Class::Retry),
        row("shorter, under 200", 200, afford("3919"), OnlyShorterAffordable, Class::Retry),
        row("nothing", 402, afford("0"), NoCredits, Class::Permanent),
        row("next to nothing", 402, afford("7"), NoCredits, Class::Permanent),
        row("older wording", 402, plain(402, "max_tokens limit exceeded: 100000 > 9577. To increase, create a key with a higher limit"), OnlyShorterAffordable, Class::Retry),
        row("foreign quota", 429, json!({"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "You exceeded your current quota"}}), NoCredits, Class::Permanent),
    ]);
}

#[test]
fn every_kind_of_403_is_told_apart() {
    let limit = |source: &str| {
        json!({"error": {"code": 403, "message": "Budget limit exceeded", "metadata": {
        "limit_source": source, "scope": "key", "limit_usd": 5, "spend_usd": 5.01, "resets_at": "2026-12-01T00:00:00Z"}}})
    };
    let flagged = json!({"error": {"code": 403, "message": "openai/gpt-4o requires moderation. Your input was flagged", "metadata": {
        "reasons": ["harassment"], "flagged_input": "kata kasar", "provider_name": "OpenAI", "model_slug": "openai/gpt-4o"}}});
    let guard = json!({"error": {"code": 403, "message": "Request blocked: prompt injection patterns detected", "metadata": {
        "patterns": ["ignore all previous instructions"]}}});
    holds(vec![
        row("guardrail budget", 403, limit("openrouter_guardrail_budget"), BudgetSpent, Class::Wait),
        row("workspace budget", 403, limit("openrouter_workspace_budget"), BudgetSpent, Class::Wait),
        row("key limit", 403, limit("openrouter_key_limit"), BudgetSpent, Class::Wait),
        row("key limit in words", 403, plain(403, "Key limit exceeded (monthly limit). Manage it using https://x.example"), BudgetSpent, Class::Wait),
        row("moderation", 403, flagged.clone(), Moderated, Class::Permanent),
        row("moderation under 200", 200, flagged, Moderated, Class::Permanent),
        row("guardrail", 403, guard, Moderated, Class::Permanent),
        row("management key", 403, plain(403, "Only management keys can fetch credits"), Forbidden, Class::Permanent),
        row("html", 403, "<html>Forbidden</html>", Forbidden, Class::Permanent),
    ]);
}

pub(super) const CONTEXT_WORDINGS: &[&str] = &[
    "This endpoint's maximum context length is 200000 tokens. However, you requested about 264437 tokens (262437 of text input, 2000 in the output).",
    "{\"error\":{\"message\":\"too many\",\"code\":\"context_length_exceeded\"}}",
    "prompt is too long: 204548 tokens > 199999 maximum",
    "input length and `max_tokens` exceed context limit: 199000 + 8000 > 200000",
    "Input is too long for requested model.",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).",
    "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
    "Please reduce the length of the messages or completion.",
    "Your request exceeded model token limit: 8192",
    "Your input exceeds the context window of this model.",
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
];

#[test]
fn a_prompt_that_is_too_long_is_shortened_however_it_is_said_and_wherever() {
    for wording in CONTEXT_WORDINGS {
        holds(vec![
            row("plain", 400, plain(400, wording), ContextTooLong, Class::Reduce),
            row("shouted", 400, plain(400, &wording.to_uppercase()), ContextTooLong, Class::Reduce),
            row("wrapped in 400", 400, provider(400, wording), ContextTooLong, Class::Reduce),
            row("wrapped in 502", 502, provider(502, wording), ContextTooLong, Class::Reduce),
            row("wrapped in 200", 200, provider(502, wording), ContextTooLong, Class::Reduce),
            row("wrapped in 200, no code", 200, json!({"error": {"message": wording}}), ContextTooLong, Class::Reduce),
            row("wrapped and mistyped", 502, json!({"error": {"code": 502, "message": wording, "metadata": {"error_type": "provider_unavailable"}}}), ContextTooLong, Class::Reduce),
            row("in the choice", 200, json!({"choices": [{"finish_reason": "error", "error": {"code": 502, "message": wording}}]}), ContextTooLong, Class::Reduce),
            row("no json", 400, *wording, ContextTooLong, Class::Reduce),
        ]);
    }
    holds(vec![
        row(
            "raw as an object",
            400,
            json!({"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": {"detail": "prompt is too long"}}}}),
            ContextTooLong,
            Class::Reduce,
        ),
        row("code in words", 400, json!({"error": {"code": "context_length_exceeded", "message": "x"}}), ContextTooLong, Class::Reduce),
        row("413", 413, "Payload Too Large", ContextTooLong, Class::Reduce),
        row("422", 422, plain(422, "Entity too large"), ContextTooLong, Class::Reduce),
        row("422 other", 422, plain(422, "messages: field required"), BadRequest, Class::Permanent),
    ]);
}

#[test]
fn what_only_sounds_like_a_long_prompt_is_not_shortened() {
    let field = "Invalid 'user': string too long. Expected a string with maximum length 512, but got a string with length 900 instead.";
    let credits = "Prompt tokens limit exceeded: 230799 > 91442. To increase, visit https://x.example and create a key with a higher monthly limit";
    holds(vec![
        row("field", 400, plain(400, field), BadRequest, Class::Permanent),
        row("field, typed", 400, typed(400, "string_too_long"), BadRequest, Class::Permanent),
        row("field, foreign", 400, json!({"error": {"code": "string_above_max_length", "message": field}}), BadRequest, Class::Permanent),
        row("field, 422", 422, plain(422, field), BadRequest, Class::Permanent),
        row("field, under 200", 200, json!({"error": {"message": field}}), BadRequest, Class::Permanent),
        row("credits", 402, plain(402, credits), NoCredits, Class::Permanent),
        row("credits, 400", 400, plain(400, credits), NoCredits, Class::Permanent),
        row("credits, 403", 403, plain(403, credits), NoCredits, Class::Permanent),
        row("credits, 200", 200, json!({"error": {"message": credits}}), NoCredits, Class::Permanent),
        row("a rate limit", 429, plain(429, "Please reduce the length of the messages or wait"), RateLimited, Class::Retry),
    ]);
}

#[test]
fn the_days_free_requests_park_the_model() {
    let quoted = json!({"error": {"message": "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day", "code": 429,
        "metadata": {"headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795219200000"}}}});
    let error = fails(429, &[], &quoted.to_string());
    assert_eq!((error.kind, error.class), (DailyFreeLimit, Class::Permanent));
    assert_eq!(error.resets_at, Some(EpochMs(1_795_219_200_000)));
    let with_type = json!({"error": {"message": "Rate limit exceeded: free-models-per-day-high-balance.", "code": "429",
        "metadata": {"error_type": "rate_limit_exceeded"}}});
    let by_source = json!({"error": {"message": "Rate limit exceeded", "code": 429, "metadata": {"limit_source": "openrouter_free_tier_daily"}}});
    holds(vec![row("typed", 429, with_type, DailyFreeLimit, Class::Permanent), row("by its source", 429, by_source, DailyFreeLimit, Class::Permanent)]);
}

#[test]
fn a_success_may_be_a_failure() {
    use Class::Retry;
    let chosen = |choice: serde_json::Value| json!({"model": "m", "choices": [choice]});
    let said = |content: serde_json::Value| chosen(json!({"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}));
    let event = ": OPENROUTER PROCESSING\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"Ha\"}}]}\n\ndata: {\"error\":{\"code\":429,\"message\":\"Rate limit exceeded\"},\"choices\":[{\"finish_reason\":\"error\"}]}\n";
    holds(vec![
        row("top level", 200, plain(429, "Rate limit exceeded"), RateLimited, Retry),
        row("top level, a text", 200, json!({"error": "upstream timed out"}), TimedOut, Retry),
        row("top level, unknown", 200, json!({"error": {"message": "something odd"}}), ProviderDown, Retry),
        row("top level, odd code", 200, json!({"error": {"message": "odd", "code": 12}}), ProviderDown, Retry),
        row("beside a partial answer", 200, json!({"error": {"code": 502, "message": "x"}, "choices": [{"message": {"content": "Har"}, "finish_reason": "error"}]}), ProviderDown, Retry),
        row("in the choice", 200, chosen(json!({"finish_reason": "error", "error": {"code": 503, "message": "x"}, "message": {"content": "Har"}})), Overloaded, Retry),
        row("finished with one", 200, chosen(json!({"finish_reason": "error", "message": {"content": "Har"}})), ProviderDown, Retry),
        row("in a stream", 200, event, RateLimited, Retry),
        row("a stream", 200, "data: {\"choices\":[{\"delta\":{\"content\":\"Ha\"}}]}\n\ndata: [DONE]\n", Unreadable, Retry),
        row("no choices", 200, json!({"choices": []}), EmptyAnswer, Retry),
        row("null choices", 200, json!({"choices": null}), EmptyAnswer, Retry),
        row("null choice", 200, json!({"choices": [null]}), EmptyAnswer, Retry),
        row("null content", 200, said(json!(null)), EmptyAnswer, Retry),
        row("empty content", 200, said(json!("")), EmptyAnswer, Retry),
        row("blank content", 200, said(json!(" \n ")), EmptyAnswer, Retry),
        row("no parts", 200, said(json!([])), EmptyAnswer, Retry),
        row("reasoning only", 200, said(json!([{"type": "reasoning", "text": "Hmm"}])), EmptyAnswer, Retry),
        row("no message", 200, chosen(json!({"finish_reason": "stop"})), EmptyAnswer, Retry),
        row("content of another type", 200, said(json!(42)), EmptyAnswer, Retry),
        row("out of tokens", 200, chosen(json!({"finish_reason": "length", "message": {"content": ""}})), OutputTooShort, Retry),
        row("out of tokens, natively", 200, chosen(json!({"finish_reason": "stop", "native_finish_reason": "MAX_TOKENS", "message": {"content": null}})), OutputTooShort, Retry),
        row(
            "thought all the time",
            200,
            json!({"choices": [{"finish_reason": "stop", "message": {"content": ""}}], "usage": {"completion_tokens_details": {"reasoning_tokens": 300}}}),
            OutputTooShort,
            Retry,
        ),
        row("filtered", 200, chosen(json!({"finish_reason": "content_filter", "message": {"content": ""}})), Moderated, Class::Permanent),
        row("nothing", 200, "", EmptyAnswer, Retry),
        row("blank lines", 200, "\n \n", EmptyAnswer, Retry),
        row("html", 200, "<!DOCTYPE html><html></html>", Unreadable, Retry),
        row("cut off", 200, "{\"choices\":[{\"message\":{\"content\":\"Ha", Unreadable, Retry),
        row("another api", 200, json!({"data": {}}), Unreadable, Retry),
        row("a list", 200, json!([1, 2]), Unreadable, Retry),
        row("a bare message", 200, json!({"message": "all backends timed out"}), TimedOut, Retry),
        row("too deep", 200, "[".repeat(100_000), Unreadable, Retry),
        row("a megabyte", 200, "x".repeat(1 << 20), Unreadable, Retry),
    ]);
}

/// An error as OpenAI and those who copy its API write it.
fn openai(code: &str, error_type: &str, message: &str) -> serde_json::Value {
    json!({"error": {"message": message, "type": error_type, "param": null, "code": code}})
}

#[test]
fn the_errors_of_openai_compatible_apis_mean_the_same() {
    use Class::{Permanent, Reduce, Retry};
    let long = "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens.";
    holds(vec![
        row("key", 401, openai("invalid_api_key", "invalid_request_error", "Incorrect API key provided: sk-x"), InvalidKey, Permanent),
        row("key, without a status", 200, openai("invalid_api_key", "invalid_request_error", "x"), InvalidKey, Permanent),
        row("key, Gemini's list", 400, json!([{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}]), InvalidKey, Permanent),
        row("quota", 429, openai("insufficient_quota", "insufficient_quota", "You exceeded your current quota"), NoCredits, Permanent),
        row("quota, under 200", 200, openai("insufficient_quota", "insufficient_quota", "x"), NoCredits, Permanent),
        row("hard limit", 400, openai("billing_hard_limit_reached", "invalid_request_error", "Billing hard limit has been reached"), NoCredits, Permanent),
        row("hard limit, 429", 429, openai("billing_hard_limit_reached", "x", "x"), NoCredits, Permanent),
        row("not active", 429, openai("billing_not_active", "billing_not_active", "Your account is not active"), NoCredits, Permanent),
        row("balance, DeepSeek", 402, openai("invalid_request_error", "unknown_error", "Insufficient Balance"), NoCredits, Permanent),
        row("balance, Anthropic", 400, json!({"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}), NoCredits, Permanent),
        row("context", 400, openai("context_length_exceeded", "invalid_request_error", long), ContextTooLong, Reduce),
        row("context, by its code", 400, openai("context_length_exceeded", "invalid_request_error", "x"), ContextTooLong, Reduce),
        row("context, vLLM", 400, json!({"object": "error", "message": long, "type": "BadRequestError", "param": null, "code": 400}), ContextTooLong, Reduce),
        row("context, vLLM's newer form", 400, json!({"error": {"message": long, "type": "BadRequestError", "param": null, "code": 400}}), ContextTooLong, Reduce),
        row("context, llama.cpp", 400, json!({"error": {"code": 400, "type": "exceed_context_size_error", "n_ctx": 4096,
            "message": "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it"}}), ContextTooLong, Reduce),
        row("context, llama.cpp's older form", 500, json!({"error": {"code": 500, "type": "server_error", "message": "the request exceeds the available context size"}}), ContextTooLong, Reduce),
        row("context, Mistral", 400, json!({"object": "error", "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", "type": "invalid_request_error", "code": "3051"}), ContextTooLong, Reduce),
        row("context, TGI", 422, json!({"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 `inputs` tokens and 512 `max_new_tokens`", "error_type": "validation"}), ContextTooLong, Reduce),
        row("context, Cohere", 400, json!({"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000"}), ContextTooLong, Reduce),
        row("context, Qwen", 400, openai("invalid_parameter_error", "invalid_request_error", "Range of input length should be [1, 30720]"), ContextTooLong, Reduce),
        row("context, LM Studio", 400, json!({"error": "The number of tokens to keep from the initial prompt is greater than the context length"}), ContextTooLong, Reduce),
        row("a minute's tokens, never enough", 429, openai("rate_limit_exceeded", "tokens", "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000."), ContextTooLong, Reduce),
        row("a minute's tokens, used up", 429, openai("rate_limit_exceeded", "tokens", "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 4000."), RateLimited, Retry),
        row("model", 404, openai("model_not_found", "invalid_request_error", "The model `gpt-9` does not exist or you do not have access to it."), ModelUnavailable, Permanent),
        row("model, barred", 403, openai("model_not_found", "invalid_request_error", "Project does not have access to model `gpt-9`"), ModelUnavailable, Permanent),
        row("model, under 200", 200, openai("model_not_found", "invalid_request_error", "x"), ModelUnavailable, Permanent),
        row("model, Ollama", 404, json!({"error": {"message": "model 'x' not found, try pulling it first", "type": "api_error"}}), ModelUnavailable, Permanent),
        row("model, Mistral", 400, json!({"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"}), ModelUnavailable, Permanent),
        row("country", 403, openai("unsupported_country_region_territory", "request_forbidden", "Country, region, or territory not supported"), Forbidden, Permanent),
        row("filter, Azure", 400, openai("content_filter", "x", "The response was filtered due to the prompt triggering content management policy."), Moderated, Permanent),
        row("server", 500, openai("x", "server_error", "The server had an error while processing your request"), ServerError, Retry),
        row("overloaded", 503, openai("x", "service_unavailable", "The engine is currently overloaded"), Overloaded, Retry),
        row("overloaded, Anthropic", 529, json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), Overloaded, Retry),
        row("field", 400, openai("string_above_max_length", "invalid_request_error", "Invalid 'user': string too long."), BadRequest, Permanent),
        row("parameter", 400, openai("unsupported_parameter", "invalid_request_error", "Unsupported parameter: 'max_tokens'"), BadRequest, Permanent),
        row("a list of two", 400, json!([{"error": {"code": 401}}, {}]), BadRequest, Permanent),
        row("an empty list", 200, json!([]), Unreadable, Retry),
    ]);
}
