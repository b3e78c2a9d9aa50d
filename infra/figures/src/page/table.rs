//! Tables and numbers in Markdown.

/// A table: its head, and its rows. Columns but the first are numbers, and to the right.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|---|", head.join(" | "));
    text.push_str(&"---:|".repeat(head.len().saturating_sub(1)));
    text.push('\n');
    for row in rows {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}

/// The same with all columns to the left: words.
#[must_use]
pub fn words(head: &[&str], rows: &[Vec<String>]) -> String {
    let with_numbers = table(head, rows);
    with_numbers.replacen("---:|", "---|", head.len())
}

/// With commas between the thousands; decimals only where they say something.
#[must_use]
pub fn number(value: f64) -> String {
    // A sum of nothing is minus nothing.
    let value = value + 0.0;
    let decimals = match value.abs() {
        size if size >= 100.0 || (size - size.round()).abs() < 1e-9 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text
        .split_once('.')
        .map_or((text.as_str(), ""), |(w, r)| (w, r));
    let mut grouped = String::new();
    let digits = whole.chars().count();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0
            && (digits - index) % 3 == 0
            && digit.is_ascii_digit()
            && !grouped.ends_with('-')
        {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match rest {
        "" => grouped,
        rest => format!("{grouped}.{rest}"),
    }
}

/// Money: cents up to 100 USD.
#[must_use]
pub fn usd(value: f64) -> String {
    match value {
        value if value < 0.000_05 => "–".to_owned(),
        value if value < 0.005 => "< 0.01".to_owned(),
        value if value < 100.0 => format!("{value:.2}"),
        value => number(value.round()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_say_no_more_than_they_know() {
        let all = [0.0, 0.5, 12.34, 999.6, 1_000.0, 1_234_567.8, 4.0];
        let shown = all.map(number);
        assert_eq!(
            shown,
            ["0", "0.50", "12.3", "1,000", "1,000", "1,234,568", "4"]
        );
        let money = [0.0, 0.001, 0.05, 12.345, 1_234.5].map(usd);
        assert_eq!(money, ["–", "< 0.01", "0.05", "12.35", "1,235"]);
    }

    #[test]
    fn a_table_has_as_many_columns_in_every_line() {
        let text = table(&["a", "b"], &[vec!["1".to_owned(), "2".to_owned()]]);
        assert_eq!(text, "| a | b |\n|---|---:|\n| 1 | 2 |\n");
        assert_eq!(words(&["a", "b"], &[]), "| a | b |\n|---|---|\n");
    }
}
