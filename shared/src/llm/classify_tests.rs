//! What an answer and an error carry besides the kind, and what they never show.

use std::time::Duration;

use http::HeaderMap;
use serde_json::json;

use super::classify_table::{CONTEXT_WORDINGS, fails, plain, provider};
use super::error::ErrorKind::*;
use super::{Onward, TokenNumbers, Weight, classify};
use crate::conversation::ids::EpochMs;

fn answers(body: &serde_json::Value) -> super::LlmAnswer {
    let text = format!("\n   \n{body}");
    classify(200, &HeaderMap::new(), text.as_bytes()).unwrap()
}

#[test]
fn an_answer_is_its_text_its_model_and_its_price() {
    let answer = answers(
        &json!({"id": "gen-1", "model": "deepseek/deepseek-chat", "error": null,
        "choices": [{"finish_reason": "stop", "error": null, "message": {"role": "assistant", "content": "  Halo kak! \n", "refusal": null}}],
        "usage": {"prompt_tokens": 194, "completion_tokens": 12, "cost": 0.00042, "prompt_tokens_details": {"cached_tokens": 128}}}),
    );
    assert_eq!(answer.text, "Halo kak!");
    assert_eq!(answer.model, "deepseek/deepseek-chat");
    assert_eq!(
        (
            answer.usage.prompt_tokens,
            answer.usage.completion_tokens,
            answer.usage.cached_tokens
        ),
        (194, 12, 128)
    );
    assert!((answer.usage.cost_usd - 0.000_42).abs() < 1e-12);
    assert!(!format!("{answer:?}").contains("Halo"));
}

#[test]
fn an_answer_may_come_in_parts_and_without_a_price() {
    let answer = answers(&json!({"choices": [{"message": {"content": [
        {"type": "reasoning", "text": "Hmm"}, {"type": "text", "text": "Halo "}, {"text": "kak"}, "!", 7, {"type": "text"}]}}],
        "usage": {"prompt_tokens": "many", "cost": -1}}));
    assert_eq!(answer.text, "Halo kak!");
    assert_eq!(answer.usage, super::Usage::default());
}

#[test]
fn thoughts_that_a_server_leaves_in_the_text_are_not_for_the_customer() {
    let body = |text: &str| json!({"choices": [{"message": {"content": text}}]});
    for text in [
        "<think>\nThe user says halo.\n</think>\n\nHalo kak!",
        "Okay, the user says halo.\n</think>\n\nHalo kak!",
        "<think>a</think><think>b</think> Halo kak!",
        "Halo kak!",
    ] {
        assert_eq!(answers(&body(text)).text, "Halo kak!", "{text}");
    }
    let unfinished = [
        "<think>The user says",
        " <think>",
        "<think>a</think> ",
        "</think>",
    ];
    for text in unfinished {
        let failed = fails(200, &[], &body(text).to_string());
        assert_eq!(failed.kind, OutputTooShort, "{text}");
    }
    assert_eq!(answers(&body("2 < 3, kak")).text, "2 < 3, kak");
}

#[test]
fn an_answer_that_ran_out_of_tokens_ends_with_its_last_sentence() {
    let answer = answers(
        &json!({"choices": [{"finish_reason": "length", "message": {"content": "Bolu pandan Rp 55.000, kak. Kalau mau yang la"}}]}),
    );
    assert_eq!(answer.text, "Bolu pandan Rp 55.000, kak.");
}

#[test]
fn the_wait_the_reset_and_the_numbers_come_with_the_error() {
    let busy = fails(
        429,
        &[("retry-after", "60")],
        &plain(429, "Rate limit exceeded").to_string(),
    );
    assert_eq!(busy.retry_after, Some(Duration::from_secs(60)));
    assert_eq!(busy.wait(EpochMs(0)), Some(Duration::from_secs(60)));

    let afford = fails(
        402,
        &[],
        &plain(
            402,
            "You requested up to 16384 tokens, but can only afford 3919.",
        )
        .to_string(),
    );
    assert_eq!(afford.max_tokens, Some(3_919));

    let long = fails(
        502,
        &[],
        &provider(502, "prompt is too long: 204548 tokens > 199999 maximum").to_string(),
    );
    assert_eq!(
        long.tokens,
        Some(TokenNumbers {
            maximum: 199_999,
            requested: 204_548,
            prompt: None
        })
    );
    assert_eq!(long.status, Some(502));

    let body = json!({"error": {"code": 403, "message": "x", "metadata": {"limit_source": "openrouter_key_limit", "resets_at": "2026-11-21T00:05:00Z"}}});
    let budget = fails(403, &[], &body.to_string());
    let reset = budget.resets_at.unwrap();
    assert_eq!(
        budget.wait(reset.plus_ms(-60_000)),
        Some(Duration::from_secs(60))
    );
    assert_eq!(budget.wait(reset.plus_ms(1)), Some(Duration::ZERO));
    assert_eq!(
        budget.wait(reset.plus_ms(-86_400_000)),
        Some(super::MAX_WAIT)
    );
    assert_eq!(fails(500, &[], "").wait(EpochMs(0)), None);
}

#[test]
fn a_failure_that_cost_something_says_so() {
    let body = json!({"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 0, "cost": 0.01}});
    assert_eq!(
        fails(200, &[], &body.to_string())
            .usage
            .unwrap()
            .prompt_tokens,
        90
    );
    assert_eq!(fails(200, &[], "{\"choices\":[]}").usage, None);
}

#[test]
fn an_error_never_quotes_the_answer() {
    let body = json!({"error": {"code": 403, "message": "RAHASIA sk-or-v1-abc flagged", "metadata": {
        "reasons": ["RAHASIA"], "flagged_input": "RAHASIA", "raw": "RAHASIA", "provider_name": "RAHASIA"}}});
    for status in [200, 400, 403, 500] {
        let error = fails(status, &[("x-ratelimit-reset", "1")], &body.to_string());
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("RAHASIA") && !shown.contains("sk-or"),
            "{shown}"
        );
        assert!(error.to_string().contains("content filter"));
    }
}

#[test]
fn only_what_speaks_against_provider_or_key_counts_for_the_breaker() {
    for kind in [
        Moderated,
        ContextTooLong,
        BadRequest,
        ModelUnavailable,
        InFlightBudget,
        BudgetSpent,
        DailyFreeLimit,
        OnlyShorterAffordable,
        OutputTooShort,
        Forbidden,
        Misconfigured,
    ] {
        assert_eq!(kind.breaker_weight(), Weight::None, "{kind:?}");
    }
    for kind in [
        Unreachable,
        ConnectionBroken,
        TimedOut,
        RateLimited,
        Overloaded,
        ProviderDown,
        ServerError,
        EmptyAnswer,
        Unreadable,
        InvalidKey,
    ] {
        assert_eq!(kind.breaker_weight(), Weight::One, "{kind:?}");
    }
    assert_eq!(NoCredits.breaker_weight(), Weight::All);
}

#[test]
fn a_failure_says_what_of_the_ladder_is_worth_trying() {
    assert_eq!(Moderated.onward(), Onward::Stop);
    for kind in [
        BadRequest,
        ModelUnavailable,
        DailyFreeLimit,
        ContextTooLong,
        OutputTooShort,
        Forbidden,
    ] {
        assert_eq!(kind.onward(), Onward::NextModel, "{kind:?}");
    }
    for kind in [
        Unreachable,
        ConnectionBroken,
        TimedOut,
        RateLimited,
        Overloaded,
        ProviderDown,
        ServerError,
        EmptyAnswer,
        Unreadable,
        InvalidKey,
        NoCredits,
        OnlyShorterAffordable,
        InFlightBudget,
        BudgetSpent,
        Misconfigured,
    ] {
        assert_eq!(kind.onward(), Onward::NextProvider, "{kind:?}");
    }
}

/// Every status a server can send, alone, in the body and against another one, as a number and as a text.
#[test]
fn no_code_is_unknown_enough_to_lose_a_turn() {
    for status in (100..=999).chain([1, 42, 65_535]) {
        let bodies = [
            String::new(),
            plain(status, "x").to_string(),
            json!({"error": {"code": status.to_string(), "message": "x", "metadata": {"error_type": "solar_flare"}}}).to_string(),
            json!({"error": {"code": -i64::from(status), "message": null}}).to_string(),
            json!({"choices": [{"finish_reason": "error", "error": {"code": f64::from(status) + 0.5}}]}).to_string(),
        ];
        for body in bodies {
            for http in [status, 200, 400, 503] {
                let error = fails(http, &[], &body);
                // Wait and Reduce each need something in the answer that says so.
                let something_to_do = match error.class {
                    super::Class::Retry | super::Class::Permanent => true,
                    super::Class::Reduce => error.kind == ContextTooLong,
                    super::Class::Wait => matches!(error.kind, BudgetSpent | InFlightBudget),
                };
                assert!(something_to_do, "{http} {body}: {error:?}");
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

/// Truncated, spliced and retyped answers under every status: an error or an answer, never a panic.
#[test]
fn no_answer_is_strange_enough_to_panic() {
    let seeds = [
        provider(502, CONTEXT_WORDINGS[0]).to_string(),
        plain(402, "can only afford 39 > 😊 12").to_string(),
        json!({"error": {"availability": {"retry_after": 1e300, "retryable": true}, "metadata": {"headers": {"Retry-After": "-1"}, "resets_at": "é"}}}).to_string(),
        json!({"choices": [{"message": {"content": "Halo. é"}, "finish_reason": "length"}], "usage": {"cost": 1e308}}).to_string(),
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for round in 0..20_000 {
        let mut body = seeds[round % seeds.len()].clone().into_bytes();
        for _ in 0..=random(4) {
            let at = random(body.len());
            match random(4) {
                0 => body.truncate(at.max(1)),
                1 => body[at] = b"{}[]\",:0-e\xff "[random(12)],
                2 => drop(body.remove(at)),
                _ => body.insert(at, b"9\"[{\x80"[random(5)]),
            }
            if body.is_empty() {
                body.push(b'{');
            }
        }
        let status = u16::try_from(random(1_000)).unwrap();
        if let Ok(answer) = classify(status, &HeaderMap::new(), &body) {
            assert!((200..300).contains(&status) && !answer.text.trim().is_empty());
        }
    }
}
