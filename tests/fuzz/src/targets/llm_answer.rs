//! What a model's API answers when it succeeds: the body.

use clivy::llm::{Usage, classify};

use super::llm_error;
use crate::Target;
use crate::input::{Input, prints_nothing};

/// The target.
pub const TARGET: Target = Target {
    name: "llm_answer",
    run,
    seeds,
    words: llm_error::WORDS,
};

fn seeds() -> Vec<Vec<u8>> {
    [
        r#"{"id":"gen-1","model":"a/b:free","choices":[{"message":{"role":"assistant","content":"Halo Kak!"},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":3,"cost":0.0001,"prompt_tokens_details":{"cached_tokens":4}}}"#,
        r#"{"choices":[{"message":{"content":[{"type":"text","text":"Halo."},{"type":"reasoning","text":"x"}," Kak"]},"finish_reason":"length"}]}"#,
        r#"{"choices":[{"message":{"content":"","refusal":"no"},"finish_reason":"content_filter"}],"usage":{"completion_tokens_details":{"reasoning_tokens":9}}}"#,
        "{\"choices\":[{\"message\":{\"content\":\"\u{1}\"}}],\"model\":\"m\"}",
        "{\"choices\":[{\"error\":{\"code\":502,\"message\":\"\u{1}\"}}]}",
        r#"{"error":{"code":429,"message":"slow down"},"usage":{"prompt_tokens":1e300,"cost":-1}}"#,
        "data: {\"error\":{\"code\":500,\"message\":\"\u{1}\"}}\n\ndata: [DONE]\n",
        r#"[{"choices":[]}]"#,
        "   \n",
    ]
    .map(|body| body.as_bytes().to_vec())
    .to_vec()
}

fn run(bytes: &[u8]) {
    let body = Input::new(bytes).rest();
    let headers = http::HeaderMap::new();
    let classified = classify(200, &headers, &body);
    assert_eq!(
        classified,
        classify(200, &headers, &body),
        "the same answer means two things"
    );
    let answer = match classified {
        Err(error) => return llm_error::holds(&error, 200),
        Ok(answer) => answer,
    };
    assert!(
        !answer.text.trim().is_empty(),
        "an empty text is sent to a customer"
    );
    assert_eq!(answer.text, answer.text.trim(), "a text with a ragged edge");
    assert!(
        answer.model.chars().count() <= 200,
        "a model's name without end"
    );
    is_sane(&answer.usage);
    if !answer.model.contains(crate::MARK) {
        prints_nothing(&answer);
    }
    // Where the same body comes with an error's status it is no answer, whatever it says.
    assert!(
        classify(500, &headers, &body).is_err(),
        "an answer under a 500"
    );
}

/// I8: the ledger adds these up, so that none of them may be without bound or below zero.
pub fn is_sane(usage: &Usage) {
    let most = usage
        .prompt_tokens
        .max(usage.completion_tokens)
        .max(usage.cached_tokens);
    assert!(most <= 1_000_000_000, "tokens without bound");
    assert!(
        (0.0..=1_000_000.0).contains(&usage.cost_usd),
        "a price that is none: {}",
        usage.cost_usd
    );
}
