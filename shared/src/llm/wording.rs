//! What the texts of errors say. Only where a text is all there is: providers word the same thing in many
//! ways, and change it.

/// Every known way to say that prompt and answer do not fit into the model's context. Lower case.
const CONTEXT: &[&str] = &[
    "maximum context length",
    "max context length",
    "context_length_exceeded",
    "context length exceeded",
    "exceeds the context length",
    "exceed context limit",
    "exceeds context limit",
    "exceeded context limit",
    "context limit exceeded",
    "context window",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "maximum prompt length",
    "reduce the length of the messages",
    "reduce the length of the prompt",
    "reduce the length of either",
    "exceeded model token limit",
    "exceeds the model's token limit",
    "longer than the maximum model length",
    // OpenAI-compatible servers other than OpenRouter.
    "available context size",
    "greater than the context length",
    "tokens in the prompt cannot exceed",
    "tokens + `max_new_tokens` must be",
    "range of input length should be",
];

/// Sentences in which something else is too long, or a budget is: another prompt does not help.
const NOT_CONTEXT: &[&str] = &[
    // One field of the request.
    "string too long",
    "string_too_long",
    "string_above_max_length",
    // Credits.
    "prompt tokens limit exceeded",
    "higher monthly limit",
];

/// Whether the text says that the prompt is too long for the model. `text` is lower case.
pub(super) fn is_context_overflow(text: &str) -> bool {
    let known = CONTEXT.iter().any(|words| text.contains(words)) || input_count_exceeds(text);
    known && !is_another_limit(text)
}

/// Whether the text is about another limit that only sounds like one of the context's.
pub(super) fn is_another_limit(text: &str) -> bool {
    NOT_CONTEXT.iter().any(|words| text.contains(words))
}

/// `input token count (1200000) exceeds the maximum number of tokens allowed`.
fn input_count_exceeds(text: &str) -> bool {
    text.split_once("input token count")
        .is_some_and(|(_, rest)| rest.contains("exceed"))
}

/// Whether an entity is called too large, as 422 answers do.
pub(super) fn is_too_large(text: &str) -> bool {
    let large = ["too large", "too long", "too many tokens"]
        .iter()
        .any(|words| text.contains(words));
    large && !is_another_limit(text)
}

/// The tokens of an answer that the credits still allow: `can only afford 3919`, and the older
/// `max_tokens limit exceeded: 100000 > 9577`.
pub(super) fn affordable_tokens(text: &str) -> Option<u32> {
    let number = match text.split_once("can only afford") {
        Some((_, rest)) => numbers(rest).next(),
        None => {
            let (_, rest) = text.split_once("max_tokens limit exceeded")?;
            numbers(rest.split_once('>')?.1).next()
        }
    };
    number.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX))
}

/// By how much a prompt is too long, as the error tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenNumbers {
    /// What the model takes, in tokens.
    pub maximum: u64,
    /// What the request came to, in tokens, counted the same way.
    pub requested: u64,
    /// What of it was the prompt, where the text tells it apart from the answer's `max_tokens`. Without it,
    /// `requested` may be both together or the prompt alone.
    pub prompt: Option<u64>,
}

/// What stands before the number that the model takes.
const BEFORE_MAXIMUM: &[&str] = &[
    "maximum context length is",
    "maximum context length of",
    "maximum prompt length is",
    "maximum model length of",
    "number of tokens allowed",
    "model token limit:",
    "context window of",
    "context limit of",
    "configured limit of",
    "available context size (",
    "too large for model with",
    "prompt cannot exceed",
    "`max_new_tokens` must be <=",
    ": limit",
];
/// What stands before the number that was sent.
const BEFORE_REQUESTED: &[&str] = &[
    "you requested about",
    "you requested a total of",
    "you requested",
    "resulted in",
    "request contains",
    "prompt contains",
    "input token count",
    "requested:",
    "(length",
    "your prompt has",
    "request (",
    "- received",
    "given:",
    ", requested",
];
/// What stands behind the number of the prompt's own tokens.
const AFTER_PROMPT: &[&str] = &[
    " in the messages",
    " in your messages",
    " in the prompt",
    " in your prompt",
    " of text input",
    " tokens from the input messages",
];

/// The numbers, where the text holds the two that matter and they make sense. `text` is lower case.
pub(super) fn token_numbers(text: &str) -> Option<TokenNumbers> {
    let named = after_any(text, BEFORE_MAXIMUM).zip(after_any(text, BEFORE_REQUESTED));
    let named = named.map(|(maximum, requested)| TokenNumbers {
        maximum,
        requested,
        prompt: before_any(text, AFTER_PROMPT),
    });
    let found = named.or_else(|| compared(text))?;
    (found.maximum > 0 && found.requested > found.maximum).then_some(TokenNumbers {
        prompt: found
            .prompt
            .filter(|prompt| (1..=found.requested).contains(prompt)),
        ..found
    })
}

fn after_any(text: &str, words: &[&str]) -> Option<u64> {
    words.iter().find_map(|words| {
        let (_, rest) = text.split_once(words)?;
        // The number must belong to these words, not to a later sentence.
        let near: String = rest.chars().take(20).collect();
        numbers(&near).next()
    })
}

fn before_any(text: &str, words: &[&str]) -> Option<u64> {
    words.iter().find_map(|words| {
        let (before, _) = text.split_once(words)?;
        // Directly before them, or it is not theirs.
        let digits = before
            .chars()
            .rev()
            .take_while(|c| c.is_ascii_digit() || *c == ',');
        let number: String = digits.collect::<Vec<_>>().into_iter().rev().collect();
        numbers(&number).next()
    })
}

/// `204548 tokens > 199999 maximum`, `199000 + 8000 > 200000`: of a sum, the prompt comes first.
fn compared(text: &str) -> Option<TokenNumbers> {
    let (left, right) = text.split_once(" > ")?;
    let sum = left.rsplit([':', ';']).next()?;
    Some(TokenNumbers {
        maximum: numbers(right).next()?,
        requested: numbers(sum).fold(0, u64::saturating_add),
        prompt: numbers(sum).next().filter(|_| sum.contains('+')),
    })
}

/// The whole numbers of a text, `4,096` as one.
fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split(|c: char| !(c.is_ascii_digit() || c == ','))
        .map(|digits| digits.replace(',', ""))
        .filter_map(|digits| digits.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(text: &str) -> Option<(u64, u64)> {
        token_numbers(&text.to_lowercase()).map(|n| (n.maximum, n.requested))
    }

    #[test]
    fn the_numbers_are_found_in_every_wording_that_has_them() {
        let cases = [
            (
                "This model's maximum context length is 4096 tokens. However, you requested 4104 tokens (3104 in the messages, 1000 in the completion).",
                (4096, 4104),
            ),
            (
                "This endpoint's maximum context length is 200,000 tokens. However, you requested about 264,437 tokens (262437 of text input, 2000 in the output).",
                (200_000, 264_437),
            ),
            (
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 204308 tokens.",
                (128_000, 204_308),
            ),
            (
                "prompt is too long: 204548 tokens > 199999 maximum",
                (199_999, 204_548),
            ),
            (
                "prompt is too long: 204,548 tokens > 199,999 maximum",
                (199_999, 204_548),
            ),
            (
                "input length and `max_tokens` exceed context limit: 199000 + 8000 > 200000, decrease input length",
                (200_000, 207_000),
            ),
            (
                "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).",
                (1_048_575, 1_200_000),
            ),
            (
                "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
                (131_072, 200_000),
            ),
            (
                "Your request exceeded model token limit: 8192 (requested: 9001)",
                (8_192, 9_001),
            ),
            (
                "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
                (4_096, 5_000),
            ),
        ];
        for (text, numbers) in cases {
            assert_eq!(both(text), Some(numbers), "{text}");
        }
    }

    #[test]
    fn the_numbers_of_other_servers_are_found_too() {
        let cases = [
            (
                "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
                (4_096, 5_000),
            ),
            (
                "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
                (32_768, 40_000),
            ),
            (
                "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000",
                (4_081, 5_000),
            ),
            (
                "`inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 `inputs` tokens and 512 `max_new_tokens`",
                (4_097, 5_000),
            ),
            (
                "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000.",
                (30_000, 40_000),
            ),
            (
                "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 306000 tokens.",
                (272_000, 306_000),
            ),
        ];
        for (text, numbers) in cases {
            assert_eq!(both(text), Some(numbers), "{text}");
        }
    }

    #[test]
    fn the_prompts_own_tokens_are_told_apart_where_the_text_does() {
        let prompt = |text: &str| token_numbers(&text.to_lowercase()).unwrap().prompt;
        for text in [
            "maximum context length is 4096 tokens. However, you requested 4104 tokens (3104 in the messages, 1000 in the completion).",
            "maximum context length is 4,096 tokens. However, you requested about 4,104 tokens (3,104 of text input, 1,000 in the output).",
            "exceeds the model's maximum context length of 4096 tokens. You requested a total of 4104 tokens: 3104 tokens from the input messages and 1000 tokens for the completion.",
            "input length and `max_tokens` exceed context limit: 3104 + 1000 > 4096",
        ] {
            assert_eq!(prompt(text), Some(3_104), "{text}");
        }
        for text in [
            "prompt is too long: 204548 tokens > 199999 maximum",
            "maximum context length is 4096 tokens. However, you requested 5000 tokens in the messages",
            "maximum context length is 4096 tokens. However, you requested 5000 tokens (9999 in the messages)",
        ] {
            assert_eq!(prompt(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_that_make_no_sense_are_none() {
        for text in [
            "maximum context length is 4096 tokens",
            "maximum context length is 0, you requested 5",
            "maximum context length is 4096 tokens. However, you requested 100 tokens",
            "maximum context length is 99999999999999999999999 tokens, you requested 1",
            "a > b",
            "",
        ] {
            assert_eq!(both(text), None, "{text}");
        }
    }

    #[test]
    fn the_affordable_tokens_are_the_ones_behind_the_words() {
        let text =
            "you requested up to 16384 tokens, but can only afford 3,919. to increase, visit";
        assert_eq!(affordable_tokens(text), Some(3_919));
        assert_eq!(
            affordable_tokens("max_tokens limit exceeded: 100000 > 9577. to increase"),
            Some(9_577)
        );
        assert_eq!(affordable_tokens("can only afford it"), None);
        assert_eq!(
            affordable_tokens("can only afford 99999999999"),
            Some(u32::MAX)
        );
    }

    #[test]
    fn a_number_of_a_later_sentence_belongs_to_no_words_before_it_whatever_the_characters_between()
    {
        for between in ["a", "é", "€", "😀"] {
            let far = between.repeat(25);
            assert_eq!(
                after_any(&format!("given:{far} 7"), &["given:"]),
                None,
                "{between}"
            );
            assert_eq!(
                after_any(&format!("given:{between} 7"), &["given:"]),
                Some(7)
            );
        }
    }
}
