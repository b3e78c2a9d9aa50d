//! When two texts ask the same.

/// The text in lower case, every run of spaces and line breaks as one space, without the punctuation and the emojis
/// around it. Digits and signs that mean something stay. A text of nothing but punctuation and emojis stays as it
/// is: 👍 is not 👎.
#[must_use]
pub fn normalised(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let whole = words.join(" ").to_lowercase();
    let inner = whole.trim_matches(is_around);
    if inner.is_empty() {
        whole
    } else {
        inner.to_owned()
    }
}

/// Punctuation, WhatsApp's marks, emojis and what joins them. Not the signs of prices, phone numbers and names:
/// `C++` is not `C`.
fn is_around(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '.' | ','
                | '!'
                | '?'
                | ';'
                | ':'
                | '…'
                | '"'
                | '\''
                | '`'
                | '*'
                | '_'
                | '~'
                | '('
                | ')'
                | '['
                | ']'
                | '{'
                | '}'
                | '“'
                | '”'
                | '‘'
                | '’'
                | '«'
                | '»'
                | '¡'
                | '¿'
                | '。'
                | '、'
                | '！'
                | '？'
                | '，'
                | '：'
                | '；'
                | '؟'
                | '،'
        )
        || is_emoji(c)
}

/// The blocks that emojis are in, their skin tones and flags among them, and the invisible characters that join them.
fn is_emoji(c: char) -> bool {
    matches!(
        u32::from(c),
        0x200B..=0x200D
            | 0x20E3
            | 0x2600..=0x27BF
            | 0x2B00..=0x2BFF
            | 0xFE00..=0xFE0F
            | 0xFEFF
            | 0x1F000..=0x1FAFF
            | 0xE0020..=0xE007F
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_is_the_same_however_it_is_typed() {
        for text in [
            "jam buka hari ini",
            "Jam buka hari ini?",
            "  JAM  buka\n\thari ini ?!! ",
            "jam buka hari ini 😊🙏🏽",
            "*Jam buka hari ini?* ❤️",
            "“jam buka hari ini”…",
            "👨‍👩‍👧 jam buka hari ini 🇮🇩",
        ] {
            assert_eq!(normalised(text), "jam buka hari ini", "{text}");
        }
    }

    #[test]
    fn what_means_something_stays() {
        for (text, same) in [
            ("Nomor 12?", "nomor 12"),
            ("12", "12"),
            ("+62 811", "+62 811"),
            ("$5", "$5"),
            ("diskon 50%", "diskon 50%"),
            ("Kursus C++?", "kursus c++"),
            ("Kursus C#", "kursus c#"),
            ("bolu, lapis", "bolu, lapis"),
            ("halo 😊 kak", "halo 😊 kak"),
            ("ÉCLAIR!", "éclair"),
        ] {
            assert_eq!(normalised(text), same);
        }
    }

    #[test]
    fn nothing_but_signs_is_not_nothing() {
        assert_eq!(normalised(" 👍 "), "👍");
        assert_ne!(normalised("👍"), normalised("👎"));
        assert_ne!(normalised("?"), normalised("!"));
        assert_eq!(normalised(" \n"), "");
    }

    #[test]
    fn what_is_normalised_stays_so() {
        for text in ["Halo, kak! 😊", "👍👍", "(a) b.", "İstanbul?", "…"] {
            let once = normalised(text);
            assert_eq!(normalised(&once), once, "{text}");
        }
    }
}
