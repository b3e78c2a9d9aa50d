//! From the evidence to the kind of an error: `error_type`, then `availability`, then status and code, then
//! the text.

use super::error::{Class, ErrorKind};
use super::evidence::Evidence;
use super::wording;

/// Providers refuse to write less, and a customer could not read it.
const SHORTEST_USEFUL_ANSWER_TOKENS: u32 = 16;

/// What a word of an API's vocabulary means: a kind, or the status that goes with it, where more than the
/// word is needed to tell the kind.
enum Meaning {
    Kind(ErrorKind),
    Status(u16),
}

/// The kind of an error and what to do. `status` is the stated one; `None` where HTTP said 200 and the body
/// says no other.
pub(super) fn decide(evidence: &Evidence, status: Option<u16>) -> (ErrorKind, Class) {
    if let Some(meaning) = evidence.error_type.as_deref().and_then(meaning) {
        let kind = resolved(&meaning, evidence);
        return (kind, kind.class());
    }
    let available = evidence.availability.as_deref().and_then(foreign_meaning);
    let kind = match available {
        Some(meaning) => resolved(&meaning, evidence),
        None => by_status(evidence, status),
    };
    match (evidence.retryable, kind.class()) {
        (Some(true), Class::Permanent) => (ErrorKind::ProviderDown, Class::Retry),
        // Fewer tokens are another request than the one that is not to be repeated.
        (Some(false), Class::Retry) if kind != ErrorKind::OnlyShorterAffordable => {
            (kind, Class::Permanent)
        }
        (_, class) => (kind, class),
    }
}

fn resolved(meaning: &Meaning, evidence: &Evidence) -> ErrorKind {
    match meaning {
        Meaning::Kind(kind) => *kind,
        Meaning::Status(status) => by_number(evidence, *status),
    }
}

/// OpenRouter's `error_type`s. `unmapped` and words not known yet mean nothing: the status decides.
fn meaning(word: &str) -> Option<Meaning> {
    Some(match word {
        "context_length_exceeded" => Meaning::Kind(ErrorKind::ContextTooLong),
        "max_tokens_exceeded" => Meaning::Kind(ErrorKind::OutputTooShort),
        // One field of the request is too long, not the prompt.
        "string_too_long" => Meaning::Kind(ErrorKind::BadRequest),
        "content_policy_violation" | "refusal" => Meaning::Kind(ErrorKind::Moderated),
        "authentication" => Meaning::Status(401),
        "payment_required" | "token_limit_exceeded" => Meaning::Status(402),
        "permission_denied" => Meaning::Status(403),
        "not_found" => Meaning::Status(404),
        "timeout" => Meaning::Status(408),
        "precondition_failed" => Meaning::Status(412),
        "payload_too_large" => Meaning::Status(413),
        "unprocessable" => Meaning::Status(422),
        "rate_limit_exceeded" => Meaning::Status(429),
        "server" => Meaning::Status(500),
        "provider_unavailable" => Meaning::Status(502),
        "provider_overloaded" => Meaning::Status(503),
        "invalid_request"
        | "invalid_prompt"
        | "invalid_image"
        | "image_too_large"
        | "image_too_small"
        | "unsupported_image_format"
        | "image_not_found"
        | "image_download_failed" => Meaning::Status(400),
        _ => return None,
    })
}

/// The words that OpenAI-compatible APIs write into `code` and `type`, besides OpenRouter's own.
fn foreign_meaning(word: &str) -> Option<Meaning> {
    Some(match word {
        "invalid_api_key" | "authentication_error" => Meaning::Status(401),
        "insufficient_quota"
        | "insufficient_credits"
        | "insufficient_balance"
        | "billing_error"
        | "billing_hard_limit_reached"
        | "billing_not_active" => Meaning::Status(402),
        "model_not_found" | "not_found_error" | "invalid_model" => Meaning::Status(404),
        "exceed_context_size_error" => Meaning::Kind(ErrorKind::ContextTooLong),
        "rate_limit_error" | "rate_limited" => Meaning::Status(429),
        "server_error" | "internal_server_error" | "api_error" => Meaning::Status(500),
        "overloaded_error" | "overloaded" => Meaning::Status(503),
        "content_filter" => Meaning::Kind(ErrorKind::Moderated),
        "string_above_max_length" => Meaning::Kind(ErrorKind::BadRequest),
        _ => return meaning(word),
    })
}

fn by_status(evidence: &Evidence, status: Option<u16>) -> ErrorKind {
    // These say too little: a word beside them says more.
    let vague = matches!(status, None | Some(400 | 500));
    let said = evidence.words.iter().find_map(|word| foreign_meaning(word));
    match (said, status) {
        (Some(meaning), _) if vague => resolved(&meaning, evidence),
        (_, Some(status)) => by_number(evidence, status),
        (_, None) => by_text(evidence),
    }
}

fn by_number(evidence: &Evidence, status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::InvalidKey,
        402 => payment(evidence),
        403 => forbidden(evidence),
        404 | 410 => ErrorKind::ModelUnavailable,
        408 | 504 | 524 => ErrorKind::TimedOut,
        413 => ErrorKind::ContextTooLong,
        422 if wording::is_too_large(&evidence.text) => ErrorKind::ContextTooLong,
        429 => limited(evidence),
        400..=499 => wrapped(evidence).unwrap_or_else(|| refused(evidence)),
        500 => wrapped(evidence).unwrap_or(ErrorKind::ServerError),
        503 | 529 => wrapped(evidence).unwrap_or(ErrorKind::Overloaded),
        501..=599 => wrapped(evidence).unwrap_or(ErrorKind::ProviderDown),
        // Redirects are not followed: the base URL is not the API's.
        300..=399 => ErrorKind::Misconfigured,
        _ => ErrorKind::Unreadable,
    }
}

/// A provider's own refusal inside an error of another kind.
fn wrapped(evidence: &Evidence) -> Option<ErrorKind> {
    let text = &evidence.text;
    if wording::is_context_overflow(text) {
        return Some(ErrorKind::ContextTooLong);
    }
    let about_credits =
        text.contains("prompt tokens limit exceeded") || wording::affordable_tokens(text).is_some();
    about_credits.then(|| payment(evidence))
}

fn payment(evidence: &Evidence) -> ErrorKind {
    if is_in_flight(evidence) {
        return ErrorKind::InFlightBudget;
    }
    match wording::affordable_tokens(&evidence.text) {
        Some(tokens) if tokens >= SHORTEST_USEFUL_ANSWER_TOKENS => ErrorKind::OnlyShorterAffordable,
        _ => ErrorKind::NoCredits,
    }
}

fn is_in_flight(evidence: &Evidence) -> bool {
    evidence.is_limited_by(|source| {
        matches!(
            source,
            "openrouter_in_flight_budget" | "in_flight_budget_exhausted"
        )
    }) || evidence
        .text
        .contains("retry after in-flight requests settle")
}

fn forbidden(evidence: &Evidence) -> ErrorKind {
    let text = &evidence.text;
    if is_in_flight(evidence) {
        return ErrorKind::InFlightBudget;
    }
    if evidence
        .is_limited_by(|source| source.ends_with("_budget") || source.ends_with("_key_limit"))
    {
        return ErrorKind::BudgetSpent;
    }
    let says_any = |words: &[&str]| words.iter().any(|words| text.contains(words));
    if evidence.flagged || says_any(&["moderation", "flagged", "request blocked", "content policy"])
    {
        return ErrorKind::Moderated;
    }
    if says_any(&[
        "key limit exceeded",
        "budget limit exceeded",
        "budget exceeded",
    ]) {
        return ErrorKind::BudgetSpent;
    }
    if means_status(evidence, 404) {
        return ErrorKind::ModelUnavailable;
    }
    wrapped(evidence).unwrap_or(ErrorKind::Forbidden)
}

/// Whether a word beside the status says what this other status means.
fn means_status(evidence: &Evidence, status: u16) -> bool {
    let mut meanings = evidence
        .words
        .iter()
        .filter_map(|word| foreign_meaning(word));
    meanings.any(|meaning| matches!(meaning, Meaning::Status(meant) if meant == status))
}

fn limited(evidence: &Evidence) -> ErrorKind {
    let daily = evidence.text.contains("free-models-per-day")
        || evidence.is_limited_by(|source| source.contains("free_tier_daily"));
    if daily {
        ErrorKind::DailyFreeLimit
    } else if means_status(evidence, 402) {
        ErrorKind::NoCredits
    } else if evidence.text.contains("request too large") {
        // More than a whole minute's tokens: waiting does not help.
        ErrorKind::ContextTooLong
    } else {
        ErrorKind::RateLimited
    }
}

fn refused(evidence: &Evidence) -> ErrorKind {
    let says_any = |words: &[&str]| words.iter().any(|words| evidence.text.contains(words));
    if evidence.flagged {
        ErrorKind::Moderated
    } else if says_any(&["not a valid model", "no endpoints found", "model not found"]) {
        ErrorKind::ModelUnavailable
    } else if says_any(&["api key not valid", "invalid api key", "incorrect api key"]) {
        ErrorKind::InvalidKey
    } else if says_any(&["credit balance is too low", "insufficient balance"]) {
        ErrorKind::NoCredits
    } else {
        ErrorKind::BadRequest
    }
}

/// An error under a 200 that states neither a code nor a word we know.
fn by_text(evidence: &Evidence) -> ErrorKind {
    let text = &evidence.text;
    if let Some(kind) = wrapped(evidence) {
        return kind;
    }
    if evidence.flagged || !evidence.limit.is_empty() {
        let kind = forbidden(evidence);
        if kind != ErrorKind::Forbidden {
            return kind;
        }
    }
    if wording::is_another_limit(text) {
        ErrorKind::BadRequest
    } else if text.contains("rate limit")
        || text.contains("rate-limit")
        || text.contains("free-models-per-day")
    {
        limited(evidence)
    } else if text.contains("timed out") || text.contains("timeout") {
        ErrorKind::TimedOut
    } else if text.contains("overloaded") {
        ErrorKind::Overloaded
    } else if text.contains("insufficient credits") {
        ErrorKind::NoCredits
    } else {
        ErrorKind::ProviderDown
    }
}
