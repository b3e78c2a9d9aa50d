//! Blank texts and cut texts.

/// The longest text of one message that is kept, in characters: WhatsApp's own limit.
pub(super) const MAX_TEXT_CHARACTERS: usize = 65_536;

/// Whether nothing in `text` can be seen: white space, zero-width and control characters only.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c,
                '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
    })
}

/// `text`, unless it is blank.
pub(super) fn non_blank(text: &str) -> Option<&str> {
    (!is_blank(text)).then_some(text)
}

/// The first `characters` characters of `text`.
pub(super) fn cut(text: &str, characters: usize) -> &str {
    // A text of so few bytes cannot have more characters.
    if text.len() <= characters {
        return text;
    }
    text.char_indices()
        .nth(characters)
        .and_then(|(end, _)| text.get(..end))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_alone_are_blank() {
        for text in [
            "",
            " \n\t",
            "\u{200b}\u{200d}",
            "\u{feff}",
            "\u{2800}",
            "\u{3164}",
            "\0",
            "\u{200e} \u{fe0f}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in [".", "\u{200b}a", "🙏🏽", "👨\u{200d}👩", "مرحبا", "0"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("🙏🙏🙏", 2), "🙏🙏");
        assert_eq!(cut("🙏🙏", 2), "🙏🙏");
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(cut("", 3), "");
    }
}
