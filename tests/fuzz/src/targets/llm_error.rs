//! What the model's API answers when it fails: the status, `Retry-After`, `Date`, `X-RateLimit-Reset`, the body.

use clivy::conversation::ids::EpochMs;
use clivy::llm::{LlmError, MAX_WAIT, classify};

use super::headers;
use crate::Target;
use crate::input::{Input, prints_nothing, tells_nothing};

/// The target.
pub const TARGET: Target = Target {
    name: "llm_error",
    run,
    seeds,
    words: WORDS,
};

/// What errors of OpenRouter and of its providers are made of.
pub const WORDS: &[&str] = &[
    "error",
    "code",
    "message",
    "detail",
    "metadata",
    "raw",
    "type",
    "status",
    "provider_code",
    "error_type",
    "availability",
    "retryable",
    "retry_after",
    "retry_after_seconds",
    "resets_at",
    "headers",
    "X-RateLimit-Reset",
    "limit_source",
    "reason",
    "reasons",
    "flagged_input",
    "patterns",
    "choices",
    "finish_reason",
    "native_finish_reason",
    "content_filter",
    "length",
    "usage",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "content",
    "refusal",
    "model",
    "text",
    "output_text",
    "data: ",
    "maximum context length is 4096 tokens. however, you requested about 5000 tokens",
    "can only afford 12",
    "max_tokens limit exceeded: 100 > 9",
    "input token count (5) exceeds",
    "prompt is too long: 300 tokens > 200 maximum",
    "rate limit exceeded: free-models-per-day",
    "insufficient credits",
    "no endpoints found",
    "429",
    "402",
    "503",
    "1e308",
    "-1",
    "9223372036854775807",
    "1763604905",
    "Wed, 21 Oct 2026 07:28:00 GMT",
    "{\"",
    "\":",
    "null",
    "[{",
    "}]",
];

fn seeds() -> Vec<Vec<u8>> {
    let of = |status: u16, head: &str, body: &str| {
        [&status.to_be_bytes()[..], head.as_bytes(), body.as_bytes()].concat()
    };
    vec![
        of(
            329,
            "20\n\n\n",
            r#"{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day","metadata":{"headers":{"X-RateLimit-Reset":"1763604905000"}}}}"#,
        ),
        of(
            300,
            "\n\n\n",
            r#"{"error":{"code":400,"message":"This endpoint's maximum context length is 4096 tokens. However, you requested about 5000 tokens (4000 of text input, 1000 in the output)."}}"#,
        ),
        of(
            302,
            "\n\n\n",
            r#"{"error":{"code":402,"message":"This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 3919."}}"#,
        ),
        of(
            403,
            "\n\n\n",
            "{\"error\":{\"code\":403,\"message\":\"flagged\",\"metadata\":{\"reasons\":[\"x\"],\"flagged_input\":\"\u{1}\"}}}",
        ),
        of(
            402,
            "Wed, 21 Oct 2026 07:28:30 GMT\nWed, 21 Oct 2026 07:28:00 GMT\n\n",
            "<html>\u{1}</html>",
        ),
        of(329, "\n\n1763604905\n", "{\"message\":\"\u{1}\"}"),
        of(
            401,
            "\n\n\n",
            r#"[{"error":{"code":"503","message":"overloaded","status":"UNAVAILABLE"}}]"#,
        ),
        of(
            100,
            "\n\n\n",
            r#"{"error":{"code":502,"message":"Provider returned error","metadata":{"raw":"{\"error\":\"context window exceeded\"}","provider_name":"x"}}}"#,
        ),
    ]
}

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = 100 + u16::from_be_bytes([input.byte(), input.byte()]) % 900;
    let headers = headers([
        ("retry-after", input.line()),
        ("date", input.line()),
        ("x-ratelimit-reset", input.line()),
    ]);
    let body = input.rest();
    let classified = classify(status, &headers, &body);
    assert_eq!(
        classified,
        classify(status, &headers, &body),
        "the same answer means two things"
    );
    match classified {
        Err(error) => holds(&error, status),
        Ok(_) => assert!(
            (200..300).contains(&status),
            "an error is sent to a customer"
        ),
    }
}

/// What every error of a model's API holds.
pub fn holds(error: &LlmError, status: u16) {
    tells_nothing(error);
    // I11 in earnest: the text is made of the kind and the status, and of nothing else.
    let same = LlmError {
        status: error.status,
        ..LlmError::of(error.kind)
    };
    assert_eq!(
        error.to_string(),
        same.to_string(),
        "an error with words of its own"
    );
    let meant = error.status.unwrap_or(status);
    assert!(
        meant == status || (400..600).contains(&meant),
        "a status that is none: {meant}"
    );
    for now in [
        EpochMs(0),
        EpochMs(1_763_604_905_000),
        EpochMs(i64::MAX),
        EpochMs(i64::MIN),
    ] {
        assert!(
            error.wait(now).is_none_or(|wait| wait <= MAX_WAIT),
            "a wait without end"
        );
    }
    if let Some(tokens) = error.tokens {
        assert!(
            tokens.requested > tokens.maximum && tokens.maximum > 0,
            "a prompt that fits"
        );
        assert!(
            tokens
                .prompt
                .is_none_or(|prompt| (1..=tokens.requested).contains(&prompt))
        );
    }
    if let Some(usage) = error.usage {
        super::llm_answer::is_sane(&usage);
    }
    prints_nothing(error);
}
