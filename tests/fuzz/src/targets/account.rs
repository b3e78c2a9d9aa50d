//! What OpenRouter says about the key and the account: two bytes of status, then the body.

use std::sync::Arc;
use std::time::Duration;

use clivy::llm::{Dialect, LlmClient, LlmSettings};

use super::{Answers, llm_error, response};
use crate::Target;
use crate::input::{Input, wait};

/// The target.
pub const TARGET: Target = Target {
    name: "account",
    run,
    seeds,
    words: &[
        "data",
        "limit",
        "limit_remaining",
        "limit_reset",
        "usage",
        "usage_daily",
        "is_free_tier",
        "total_credits",
        "total_usage",
        "null",
        "1e308",
        "-1e308",
        "error",
        "message",
        "{\"",
        "\":",
    ],
};

fn seeds() -> Vec<Vec<u8>> {
    let of = |status: u16, body: &str| [&status.to_be_bytes(), body.as_bytes()].concat();
    vec![
        of(
            100,
            r#"{"data":{"label":"sk-or-v1-abc...def","limit":10,"limit_remaining":7.5,"usage":2.5,"usage_daily":0.5,"is_free_tier":false,"limit_reset":"monthly"}}"#,
        ),
        of(100, r#"{"data":{"total_credits":20.0,"total_usage":3.25}}"#),
        of(
            100,
            "{\"data\":{\"label\":\"\u{1}\",\"limit\":null,\"usage\":0}}",
        ),
        of(301, "{\"error\":{\"message\":\"\u{1}\",\"code\":401}}"),
        of(100, r#"{"choices":[{"message":{"content":"Halo"}}]}"#),
        of(100, "{}"),
    ]
}

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = 100 + u16::from_be_bytes([input.byte(), input.byte()]) % 900;
    let client = LlmClient::new(
        Arc::new(Answers(response(status, input.rest()))),
        LlmSettings {
            base_url: "http://model.test".to_owned(),
            api_key: "k".to_owned(),
            dialect: Dialect::OpenRouter,
            http_referer: String::new(),
            x_title: String::new(),
        },
    );
    let timeout = Duration::from_secs(1);
    match wait(client.credits(timeout)) {
        Err(error) => llm_error::holds(&error, status),
        Ok(credits) => {
            assert!(
                (200..300).contains(&status),
                "an error is taken for a balance"
            );
            let remaining = credits.remaining_usd();
            // Two numbers of JSON are finite; their difference may not be.
            assert!(!remaining.is_nan(), "a balance that compares with nothing");
        }
    }
    match wait(client.key(timeout)) {
        Err(error) => llm_error::holds(&error, status),
        Ok(_) => assert!((200..300).contains(&status), "an error is taken for a key"),
    }
}
