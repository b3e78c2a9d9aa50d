//! The text that a conversation is searched by, and what is searched: a name on the first line, then the query.

use clivy::conversation::ids::Contact;
use clivy::conversation::room::{needle, searchable};

use crate::Target;
use crate::input::Input;

/// The target.
pub const TARGET: Target = Target {
    name: "search",
    run,
    seeds,
    words: &[
        "+62 ", "0813", "(0813)", "-", "İ", "ß", "ΑΣ", "ǅ", "\u{2003}", "\u{200d}", "😀", "K",
    ],
};

fn seeds() -> Vec<Vec<u8>> {
    [
        "Dewi Anggraini\ndewi",
        "Bu ANI 🏪\n+62 813-0004-5678",
        "ΑΣΑ\nΑΣ",
        "İstanbul\nistanbul",
        "\n0813 0004",
        "62813\n(0813) 0004.5678",
        " a \n\u{2003}",
    ]
    .map(|lines| lines.as_bytes().to_vec())
    .to_vec()
}

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (name, query) = (input.line(), input.text());
    let contact = Contact::new("6281300045678").unwrap();
    let text = searchable(&contact, Some(&name));
    assert_eq!(text, searchable(&contact, Some(&name)));
    // 200 characters of a name; some become three in small letters.
    assert!(
        text.chars().count() <= 3 * 200 + 40,
        "a search text without end"
    );
    let wanted = needle(&query);
    assert_eq!(
        wanted,
        needle(&query),
        "the same query looks for two things"
    );
    assert!(wanted.len() <= 3 * query.len(), "a needle that grows");
    assert!(
        !wanted.chars().any(|c| c.is_ascii_uppercase()),
        "a needle that finds nothing"
    );
    assert_eq!(
        wanted.is_empty(),
        query.trim().is_empty(),
        "a query that is lost"
    );
    // Who writes a name as it is finds it; a name that looks like a number is looked for among the numbers.
    let is_short = name.chars().count() <= 200;
    let number_like = |c: char| c.is_ascii_digit() || " +-().".contains(c);
    if is_short && !name.trim().chars().all(number_like) {
        assert!(text.contains(&needle(&name)), "a name does not find itself");
    }
    finds_the_number(&text, &query);
}

/// Digits of the number are found however they are set apart.
fn finds_the_number(text: &str, query: &str) {
    let digits: String = query
        .chars()
        .filter(char::is_ascii_digit)
        .take(13)
        .collect();
    if digits.is_empty() {
        return;
    }
    let number = "6281300045678";
    let from = digits.len() % number.len();
    let piece = &number[from..];
    let spaced: String = piece
        .chars()
        .flat_map(|digit| [digit, [' ', '-', '.', '('][from % 4]])
        .collect();
    assert!(text.contains(&needle(&spaced)), "{spaced} is not found");
    assert!(text.contains(&needle("(0813) 0004-5678")));
}
