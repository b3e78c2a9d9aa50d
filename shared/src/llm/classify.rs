//! From an HTTP answer to the model's text or a typed error. Pure, and total: no body makes it panic.

use http::HeaderMap;
use serde_json::Value;

use super::answer::{LlmAnswer, Usage};
use super::error::{Class, ErrorKind, LlmError};
use super::evidence::{Evidence, says};
use super::{kinds, wait, wording};
use crate::prompt::cut;

/// The longest name of a model that is kept: it is stored with the turn.
const MAX_MODEL_CHARACTERS: usize = 200;

/// Reads an answer of `chat/completions`. An error may be in four places: the status, `error` under a 200,
/// `choices[0].error`, and an event of a stream that was not asked for.
///
/// # Errors
/// Whatever is not a text to send: see [`ErrorKind`].
pub fn classify(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<LlmAnswer, LlmError> {
    let success = (200..300).contains(&status);
    let Some(root) = parsed(body) else {
        return Err(unparsed(status, headers, body));
    };
    // Proxies write `{"message": …}` or `{"detail": …}` without an `error` around it.
    let bare = || (!success || is_bare_error(&root)).then_some(&root);
    match stated_error(&root).or_else(bare) {
        Some(error) => Err(stated(status, headers, &root, error)),
        None => answer(&root).map_err(|kind| {
            let usage = root.get("usage").filter(|usage| says(usage)).map(Usage::of);
            LlmError {
                status: Some(status),
                usage,
                ..LlmError::of(kind)
            }
        }),
    }
}

fn parsed(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body)
        .ok()
        .map(unlisted)
        .or_else(|| failed_event(body))
}

/// Some OpenAI-compatible APIs put their errors into a list of one.
fn unlisted(root: Value) -> Value {
    match root {
        Value::Array(mut items) if items.len() == 1 => items.remove(0),
        root => root,
    }
}

/// The event that ends a stream with an error. A stream without one is no answer either: it was not asked for.
fn failed_event(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?;
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?).ok())
        .find(|event| stated_error(event).is_some())
}

fn unparsed(status: u16, headers: &HeaderMap, body: &[u8]) -> LlmError {
    if !(200..300).contains(&status) {
        let evidence = Evidence::of_text(&String::from_utf8_lossy(body));
        return error(&evidence, Some(status), status, headers, None);
    }
    let empty = body.iter().all(u8::is_ascii_whitespace);
    let kind = if empty {
        ErrorKind::EmptyAnswer
    } else {
        ErrorKind::Unreadable
    };
    LlmError {
        status: Some(status),
        ..LlmError::of(kind)
    }
}

/// The error that an answer states, wherever it stands.
fn stated_error(root: &Value) -> Option<&Value> {
    let choice = || root.get("choices")?.get(0);
    let top = root.get("error").filter(|error| says(error));
    let chosen = || choice()?.get("error").filter(|error| says(error));
    let finished = || {
        choice()?
            .get("finish_reason")
            .filter(|reason| *reason == "error")
    };
    top.or_else(chosen).or_else(finished)
}

fn is_bare_error(root: &Value) -> bool {
    let speaks = ["message", "detail"]
        .iter()
        .any(|name| root.get(name).is_some_and(says));
    speaks && root.get("choices").is_none()
}

fn stated(status: u16, headers: &HeaderMap, root: &Value, found: &Value) -> LlmError {
    let evidence = if found == "error" {
        Evidence::default()
    } else {
        Evidence::of(found)
    };
    // The body knows better than the status: under a 200 it is all there is.
    let meant = match (200..300).contains(&status) {
        true => evidence.code,
        false => evidence.code.or(Some(status)),
    };
    LlmError {
        usage: root.get("usage").filter(|usage| says(usage)).map(Usage::of),
        ..error(&evidence, meant, status, headers, Some(found))
    }
}

fn error(
    evidence: &Evidence,
    meant: Option<u16>,
    status: u16,
    headers: &HeaderMap,
    found: Option<&Value>,
) -> LlmError {
    let (kind, class) = kinds::decide(evidence, meant);
    let resets = matches!(
        kind,
        ErrorKind::BudgetSpent | ErrorKind::RateLimited | ErrorKind::DailyFreeLimit
    );
    LlmError {
        class,
        kind,
        status: Some(meant.unwrap_or(status)),
        retry_after: wait::retry_after(headers, found),
        resets_at: resets.then(|| wait::resets_at(headers, found)).flatten(),
        max_tokens: (kind == ErrorKind::OnlyShorterAffordable)
            .then(|| wording::affordable_tokens(&evidence.text))
            .flatten(),
        tokens: (class == Class::Reduce)
            .then(|| wording::token_numbers(&evidence.text))
            .flatten(),
        usage: None,
    }
}

fn answer(root: &Value) -> Result<LlmAnswer, ErrorKind> {
    let choices = root.get("choices").ok_or(ErrorKind::Unreadable)?;
    let choice = choices
        .get(0)
        .filter(|choice| says(choice))
        .ok_or(ErrorKind::EmptyAnswer)?;
    let usage = root.get("usage").map(Usage::of).unwrap_or_default();
    let text = choice
        .get("message")
        .and_then(|m| m.get("content"))
        .map(content)
        .unwrap_or_default();
    let said = without_thoughts(&text).trim();
    if said.is_empty() {
        return Err(match text.trim().is_empty() {
            true => why_empty(root, choice),
            // All of it went into thinking.
            false => ErrorKind::OutputTooShort,
        });
    }
    let text = said;
    let text = if ran_out(choice) {
        cut::finished_sentences(text)
    } else {
        text
    };
    Ok(LlmAnswer {
        text: text.to_owned(),
        model: root
            .get("model")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .chars()
            .take(MAX_MODEL_CHARACTERS)
            .collect(),
        usage,
    })
}

/// What is said after the last thought. A server that does not know its model's way of thinking leaves the thoughts in the
/// text, often without the mark they begin with; they are not for the customer, and neither is a thought that has no end.
fn without_thoughts(text: &str) -> &str {
    match text.rsplit_once("</think>") {
        Some((_thoughts, said)) => said,
        None if text.trim_start().starts_with("<think>") => "",
        None => text,
    }
}

/// A text, or the text parts of a list of parts; a model's reasoning is not for the customer.
fn content(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        _ => String::new(),
    }
}

fn part(part: &Value) -> Option<&str> {
    if let Some(text) = part.as_str() {
        return Some(text);
    }
    let kind = part.get("type").and_then(Value::as_str).unwrap_or("text");
    matches!(kind, "text" | "output_text")
        .then(|| part.get("text")?.as_str())
        .flatten()
}

fn why_empty(root: &Value, choice: &Value) -> ErrorKind {
    let refused = choice
        .get("finish_reason")
        .is_some_and(|reason| reason == "content_filter")
        || choice
            .get("message")
            .and_then(|m| m.get("refusal"))
            .is_some_and(says);
    let details = root
        .get("usage")
        .and_then(|usage| usage.get("completion_tokens_details"));
    let reasoned = details
        .and_then(|d| d.get("reasoning_tokens"))
        .and_then(Value::as_f64)
        .is_some_and(|tokens| tokens > 0.0);
    if refused {
        ErrorKind::Moderated
    } else if ran_out(choice) || reasoned {
        ErrorKind::OutputTooShort
    } else {
        ErrorKind::EmptyAnswer
    }
}

/// Whether `max_tokens` ended the answer.
fn ran_out(choice: &Value) -> bool {
    ["finish_reason", "native_finish_reason"]
        .iter()
        .filter_map(|name| choice.get(name)?.as_str())
        .any(|reason| {
            ["length", "max_tokens"]
                .iter()
                .any(|known| reason.eq_ignore_ascii_case(known))
        })
}
