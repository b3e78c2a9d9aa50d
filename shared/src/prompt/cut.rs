//! Cutting texts by characters, never by bytes and never inside what a person sees as one character.

use unicode_segmentation::UnicodeSegmentation as _;

pub(super) const ELLIPSIS: char = '…';

/// The text, or its beginning with an ellipsis: at most `max_characters` together.
#[must_use]
pub fn shortened(text: &str, max_characters: usize) -> String {
    if within(text, max_characters) {
        return text.to_owned();
    }
    let Some(room) = max_characters.checked_sub(1) else {
        return String::new();
    };
    let mut out = beginning(text, room).trim_end().to_owned();
    out.push(ELLIPSIS);
    out
}

/// The text, or its end after an ellipsis: at most `max_characters` together.
#[must_use]
pub fn newest(text: &str, max_characters: usize) -> String {
    let characters = text.chars().count();
    if characters <= max_characters {
        return text.to_owned();
    }
    let Some(room) = max_characters.checked_sub(1) else {
        return String::new();
    };
    let surplus = characters.saturating_sub(room);
    let mut passed = 0;
    let kept: String = text
        .graphemes(true)
        .skip_while(|cluster| {
            let skip = passed < surplus;
            passed += cluster.chars().count();
            skip
        })
        .collect();
    format!("{ELLIPSIS}{}", kept.trim_start())
}

/// The text, or as much of it as fits: up to the last end of a sentence when that lies in the second half,
/// else up to the last word's end there, else as many whole characters as fit.
#[must_use]
pub fn at_sentence(text: &str, max_characters: usize) -> &str {
    if within(text, max_characters) {
        return text;
    }
    let start = beginning(text, max_characters);
    let at_least = max_characters / 2;
    // What follows decides whether the very last character ends a sentence or a word.
    let rest = text.get(start.len()..).unwrap_or_default();
    prefix_where(start, rest, at_least, ends_sentence)
        .or_else(|| {
            prefix_where(start, rest, at_least, |_, next| {
                next.is_none_or(char::is_whitespace)
            })
        })
        .unwrap_or(start)
        .trim_end()
}

/// The text without an unfinished last sentence, as a model leaves it that ran out of tokens; the whole text
/// when less than half of it would remain.
#[must_use]
pub fn finished_sentences(text: &str) -> &str {
    let text = text.trim_end();
    let at_least = text.chars().count() / 2;
    prefix_where(text, "", at_least, ends_sentence)
        .unwrap_or(text)
        .trim_end()
}

fn within(text: &str, max_characters: usize) -> bool {
    // A character has at least one byte: most texts need no counting.
    text.len() <= max_characters || text.chars().count() <= max_characters
}

/// The longest beginning of whole grapheme clusters. A single cluster longer than the limit is cut inside,
/// so that the limit holds whatever is sent.
fn beginning(text: &str, max_characters: usize) -> &str {
    let mut characters = 0;
    let mut bytes = 0;
    for cluster in text.graphemes(true) {
        characters += cluster.chars().count();
        if characters > max_characters {
            break;
        }
        bytes += cluster.len();
    }
    if bytes == 0 {
        bytes = text.chars().take(max_characters).map(char::len_utf8).sum();
    }
    text.get(..bytes).unwrap_or_default()
}

/// The longest prefix of at least `at_least` characters after whose last character `ends(before, next)` holds.
/// `rest` is what follows `text`.
fn prefix_where<'t>(
    text: &'t str,
    rest: &str,
    at_least: usize,
    ends: impl Fn(&str, Option<char>) -> bool,
) -> Option<&'t str> {
    let characters = text.chars().count();
    let mut next = rest.chars().next();
    for (back, (at, last)) in text.char_indices().rev().enumerate() {
        if characters - back < at_least {
            return None;
        }
        let prefix = text.get(..at + last.len_utf8())?;
        if ends(prefix, next) {
            return Some(prefix);
        }
        next = Some(last);
    }
    None
}

/// A line's end, or a full stop and its like before a space: `Rp 50.000` ends nothing. Closing quotes,
/// brackets and WhatsApp's markers may stand between.
fn ends_sentence(prefix: &str, next: Option<char>) -> bool {
    if next == Some('\n') {
        return true;
    }
    if next.is_some_and(|c| !c.is_whitespace()) {
        return false;
    }
    let inner = prefix.trim_end_matches(['"', '\'', '”', '’', ')', ']', '*', '_', '~']);
    let Some(head) = inner.strip_suffix(['.', '!', '?', '…', '。', '！', '？']) else {
        return false;
    };
    // `1.` at the start of a line numbers an item that has not begun yet.
    let line = head.rsplit('\n').next().unwrap_or_default().trim();
    line.is_empty() || !line.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_within_the_limit_is_left_alone() {
        assert_eq!(shortened("halo", 4), "halo");
        assert_eq!(newest("halo", 4), "halo");
        assert_eq!(at_sentence("halo", 4), "halo");
    }

    #[test]
    fn the_limit_counts_characters_and_not_bytes() {
        assert_eq!(at_sentence("Ya. Éééé", 8), "Ya. Éééé");
        assert_eq!(shortened("éééé", 4), "éééé");
        assert_eq!(shortened("ééééé", 4), "ééé…");
    }

    #[test]
    fn a_sentence_is_kept_that_is_half_of_the_text() {
        assert_eq!(finished_sentences("Ok. Apa"), "Ok.");
        assert_eq!(finished_sentences("Ok. Apakah"), "Ok. Apakah");
        assert_eq!(finished_sentences("O. Apa saja"), "O. Apa saja");
    }

    #[test]
    fn a_cut_text_keeps_the_limit_with_its_ellipsis_counted() {
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(newest("abcdef", 4), "…def");
        assert_eq!(shortened("abcdef", 1), "…");
        assert_eq!(shortened("abcdef", 0), "");
        assert_eq!(newest("abcdef", 0), "");
    }

    #[test]
    fn a_family_emoji_is_never_cut_in_half() {
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(family.chars().count(), 7);
        assert_eq!(shortened(&format!("ab{family}cd"), 6), "ab…");
        assert_eq!(newest(&format!("ab{family}cd"), 6), "…cd");
        assert_eq!(at_sentence(&format!("ab{family}"), 8), "ab");
    }

    #[test]
    fn one_endless_cluster_is_cut_all_the_same() {
        let cluster = format!("a{}", "\u{0301}".repeat(50));
        assert_eq!(at_sentence(&cluster, 10).chars().count(), 10);
    }

    #[test]
    fn a_long_text_ends_with_a_sentence() {
        assert_eq!(
            at_sentence("Satu dua tiga. Empat lima enam.", 20),
            "Satu dua tiga."
        );
        assert_eq!(
            at_sentence("Satu dua tiga? (Ya!) Empat lima", 24),
            "Satu dua tiga? (Ya!)"
        );
        assert_eq!(
            at_sentence("Satu dua tiga\nempat lima enam", 20),
            "Satu dua tiga"
        );
    }

    #[test]
    fn a_sentence_that_ends_exactly_at_the_limit_is_kept_whole() {
        assert_eq!(
            at_sentence("Satu dua. Tiga lima. Enam.", 20),
            "Satu dua. Tiga lima."
        );
    }

    #[test]
    fn a_price_is_no_sentence_end() {
        assert_eq!(
            at_sentence("Harganya cuma Rp 50.000 saja", 21),
            "Harganya cuma Rp"
        );
    }

    #[test]
    fn an_item_number_is_no_sentence_end() {
        assert_eq!(
            at_sentence("Satu dua tiga.\n2. Empat lima", 18),
            "Satu dua tiga."
        );
    }

    #[test]
    fn a_sentence_end_in_the_first_half_does_not_throw_the_rest_away() {
        assert_eq!(
            at_sentence("Ya. satu dua tiga empat lima", 20),
            "Ya. satu dua tiga"
        );
    }

    #[test]
    fn a_text_without_words_is_cut_hard() {
        assert_eq!(at_sentence(&"é".repeat(30), 20), "é".repeat(20));
    }

    #[test]
    fn an_unfinished_sentence_is_dropped_when_enough_remains() {
        assert_eq!(
            finished_sentences("Bisa, kak. Ongkirnya gratis unt"),
            "Bisa, kak.".to_owned() + " Ongkirnya gratis unt"
        );
        assert_eq!(
            finished_sentences("Bisa, kak, kami kirim besok. Ongkirnya gr"),
            "Bisa, kak, kami kirim besok."
        );
        assert_eq!(finished_sentences("Bisa."), "Bisa.");
        assert_eq!(finished_sentences(""), "");
    }
}
