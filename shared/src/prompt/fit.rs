//! Prompts that fit into a model's context: an estimate before the first call, and one exact cut after a refusal.
//!
//! No tokenizer: there is one for every model, and the numbers in a refusal are better than any of them.

use super::{ChatMessage, Level, Limits, assemble, build, cut, question};
use crate::conversation::bot::Bot;
use crate::conversation::message::Message;
use crate::llm::TokenNumbers;

/// Tokens that wrap one message: who speaks, and where it begins and ends.
const TOKENS_PER_MESSAGE: u32 = 4;
/// Tokens that introduce the answer.
const TOKENS_PER_PROMPT: u32 = 3;

/// A burst is not cut below this, in characters: less than that is not the customer's question any more.
pub const BURST_MIN_CHARACTERS: usize = 200;

/// What a measure that was taken from a refusal is held back by: texts are not all alike, and counts are rounded.
const SAFETY: f64 = 1.03;

/// How many tokens a prompt comes to, at most, as tokenizers go: two ASCII characters a token (text runs from three
/// to five, prices and addresses come close to two), and every other character as many tokens as it has bytes in
/// UTF-8 less one, which is one for `é`, two for `漢` and three for an emoji.
#[must_use]
pub fn estimate_tokens(messages: &[ChatMessage]) -> u32 {
    messages
        .iter()
        .map(|message| {
            let halves: usize = message.content.chars().map(half_tokens).sum();
            let tokens = u32::try_from(halves.div_ceil(2)).unwrap_or(u32::MAX);
            tokens.saturating_add(TOKENS_PER_MESSAGE)
        })
        .fold(TOKENS_PER_PROMPT, u32::saturating_add)
}

fn half_tokens(c: char) -> usize {
    match c.len_utf8() {
        1 => 1,
        bytes => 2 * (bytes - 1),
    }
}

/// How a model counts, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Measure {
    /// Nothing is known: as [`estimate_tokens`] does.
    Estimated,
    /// It has counted a prompt: in tokens per unit of [`Size`], of which the one counts that gives the most.
    ///
    /// One unit is not enough. A model that counts every character alike finds little in a prompt full of emojis;
    /// per byte the instructions, which hold none, would seem to need next to nothing once the emojis are cut
    /// away, and the second call would be refused as well. The largest holds for a model that counts in any of the
    /// units, or in any mixture of them, whatever is cut away.
    Seen(Size),
}

/// How large a prompt is, or how much a model counts for one unit of it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Size {
    characters: f64,
    bytes: f64,
    /// Words, and everything else but spaces one by one: prices and addresses take more tokens than sentences.
    pieces: f64,
    /// Characters where one that is not ASCII weighs as much as its bytes would as tokens of their own, next to a
    /// text of four characters a token: the steepest that models count.
    weighted: f64,
}

impl Size {
    #[expect(
        clippy::cast_precision_loss,
        reason = "lengths of prompts, far below 2^52"
    )]
    fn of(messages: &[ChatMessage]) -> Self {
        let (mut characters, mut bytes, mut pieces, mut weighted) = (0_usize, 0, 0, 0);
        let mut in_word = false;
        for c in messages.iter().flat_map(|m| m.content.chars()) {
            let goes_on = in_word && c.is_alphabetic();
            in_word = c.is_alphabetic();
            characters += 1;
            bytes += c.len_utf8();
            pieces += usize::from(!c.is_whitespace() && !goes_on);
            weighted += if c.is_ascii() { 1 } else { 4 * c.len_utf8() };
        }
        Self {
            characters: characters as f64,
            bytes: bytes as f64,
            pieces: pieces as f64,
            weighted: weighted as f64,
        }
    }
}

impl Measure {
    /// As a model counts that found `tokens` in `sent`.
    fn seen(sent: &[ChatMessage], tokens: u32) -> Self {
        let size = Size::of(sent);
        let per = |units: f64| f64::from(tokens) * SAFETY / units.max(1.0);
        Self::Seen(Size {
            characters: per(size.characters),
            bytes: per(size.bytes),
            pieces: per(size.pieces),
            weighted: per(size.weighted),
        })
    }

    fn tokens(&self, messages: &[ChatMessage]) -> f64 {
        match self {
            Self::Estimated => f64::from(estimate_tokens(messages)),
            Self::Seen(per) => {
                let size = Size::of(messages);
                (per.characters * size.characters)
                    .max(per.bytes * size.bytes)
                    .max(per.pieces * size.pieces)
                    .max(per.weighted * size.weighted)
            }
        }
    }
}

/// The room that a prompt has beside its answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// What prompt and answer may come to together, in tokens.
    pub context_tokens: u32,
    /// The answer's length at most, in tokens.
    pub max_tokens: u32,
    measure: Measure,
}

impl Room {
    /// The room in a model that takes `context_tokens` and has not been asked yet: what is in it is estimated.
    #[must_use]
    pub fn known(context_tokens: u32, max_tokens: u32) -> Self {
        Self {
            context_tokens,
            max_tokens,
            measure: Measure::Estimated,
        }
    }

    /// Whether a prompt fits, as this room counts.
    #[must_use]
    pub fn fits(&self, messages: &[ChatMessage]) -> bool {
        self.measure.tokens(messages) + f64::from(self.max_tokens) <= f64::from(self.context_tokens)
    }
}

/// The room in a model that refused `sent` with these numbers: counted as the model counts, with 3 % to spare, so
/// that one cut is enough.
///
/// Some models count the answer's `max_tokens` in, and most do not say so. Where the refusal does not tell the two
/// apart, everything it counted is taken for the prompt's: the cut is a little deeper than it had to be, and fits
/// both ways.
#[must_use]
pub fn room_after(sent: &[ChatMessage], numbers: &TokenNumbers, max_tokens: u32) -> Room {
    let counted = numbers.prompt.unwrap_or(numbers.requested);
    let whole = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
    Room {
        context_tokens: whole(numbers.maximum),
        max_tokens,
        measure: Measure::seen(sent, whole(counted)),
    }
}

/// What a prompt is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Whose instructions and documents.
    pub bot: &'a Bot,
    /// What was said before.
    pub history: &'a [Message],
    /// What is to be answered.
    pub burst: &'a [Message],
    /// How much of it at most.
    pub limits: &'a Limits,
}

/// The fullest prompt from `from` on that fits into the room, or just `from` where no room is known. Where not even
/// the burst alone fits, its newest part that does. `None` where that would be less than [`BURST_MIN_CHARACTERS`]
/// of a longer burst, or where the instructions leave no room at all: this model is of no use.
#[must_use]
pub fn fitting(
    parts: &Parts<'_>,
    from: Level,
    room: Option<Room>,
) -> Option<(Level, Vec<ChatMessage>)> {
    let at = |level| build(parts.bot, parts.history, parts.burst, parts.limits, level);
    let Some(room) = room else {
        return Some((from, at(from)));
    };
    let mut level = from;
    loop {
        let messages = at(level);
        if room.fits(&messages) {
            return Some((level, messages));
        }
        match level.shorter() {
            Some(shorter) => level = shorter,
            None => return Some((level, newest_fitting(parts, level, room)?)),
        }
    }
}

/// The prompt with as much of the burst's end as fits.
fn newest_fitting(parts: &Parts<'_>, level: Level, room: Room) -> Option<Vec<ChatMessage>> {
    let whole = question(parts.burst);
    let with = |characters| {
        let question = cut::newest(&whole, characters);
        (!is_nothing(&question))
            .then(|| assemble(parts.bot, parts.history, question, parts.limits, level))
    };
    // The whole burst does not fit. A longer end of it holds every shorter one, so the search may halve.
    let mut too_many = whole.chars().count();
    let mut enough = BURST_MIN_CHARACTERS.min(too_many);
    let fits = |characters| with(characters).is_none_or(|messages| room.fits(&messages));
    if !fits(enough) || enough == too_many {
        return None;
    }
    while too_many - enough > 1 {
        let middle = enough + (too_many - enough) / 2;
        if fits(middle) {
            enough = middle;
        } else {
            too_many = middle;
        }
    }
    with(enough)
}

/// Whether a cut left only the sign that something is missing: what ends the burst is seen as one character, and it
/// is longer than the room.
fn is_nothing(question: &str) -> bool {
    question.trim_start_matches(cut::ELLIPSIS).trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Role;

    fn prompt(text: &str) -> Vec<ChatMessage> {
        vec![ChatMessage {
            role: Role::User,
            content: text.to_owned(),
        }]
    }

    #[test]
    fn a_prompt_is_shown_by_its_length() {
        let shown = format!("{:?}", prompt("rahasia"));
        assert!(
            shown.contains("characters: 7") && !shown.contains("rahasia"),
            "I11"
        );
    }

    #[test]
    fn a_size_is_in_four_units() {
        let size = Size {
            characters: 14.0,
            bytes: 17.0,
            pieces: 9.0,
            weighted: 29.0,
        };
        assert_eq!(Size::of(&prompt("Rp 50.000 ya 👍")), size);
    }

    #[test]
    fn a_model_counts_in_the_unit_that_it_may_count_most_in() {
        for (seen, text, times) in [
            ("ab 12 é", "aaaaaaaaaaaaaaaa", 16.0 / 7.0),
            ("é", "a👍", 5.0 / 2.0),
            ("ab 12 é", "11111111", 8.0 / 4.0),
            ("ab 12 é", "éééé", 32.0 / 14.0),
        ] {
            let tokens = Measure::seen(&prompt(seen), 100).tokens(&prompt(text));
            assert!(
                (tokens - 100.0 * SAFETY * times).abs() < 1e-9,
                "{text}: {tokens}"
            );
        }
    }
}
