//! One line of Markdown to WhatsApp's marks: bold, strike-through, links. Code spans and addresses pass
//! through as they are.

/// How far the end of a mark, a label or an address is looked for, in bytes: longer ones are no marks, and
/// the bound keeps the work linear.
const MAX_SPAN_BYTES: usize = 1_000;

/// Characters that end a sentence or a mark rather than an address.
const AFTER_ADDRESS: &[char] = &[
    '*', '_', '~', '.', ',', ';', ':', '!', '?', ')', ']', '\'', '"',
];

/// The line in WhatsApp's formatting. A `<br>` becomes a line break.
pub(super) fn converted(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let (text, length) = replacement(rest, before).unwrap_or_else(|| {
            let length = verbatim(rest, before);
            (prefix(rest, length).to_owned(), length)
        });
        out.push_str(&text);
        before = prefix(rest, length).chars().next_back().or(Some(first));
        rest = suffix(rest, length.max(first.len_utf8()));
    }
    out
}

/// What the beginning of `rest` turns into and how many bytes of it do; `None` where it stays as it is.
fn replacement(rest: &str, before: Option<char>) -> Option<(String, usize)> {
    match rest.chars().next()? {
        '*' | '_' | '~' => marked(rest, before),
        '[' | '!' => link(rest, before),
        '<' => line_break(rest)
            .map(|n| ("\n".to_owned(), n))
            .or_else(|| bracketed_address(rest)),
        _ => None,
    }
}

/// How many bytes of `rest` stay as they are before anything else is looked at. Never zero for a text.
fn verbatim(rest: &str, before: Option<char>) -> usize {
    let Some(first) = rest.chars().next() else {
        return 0;
    };
    match first {
        '`' => code_span(rest),
        // The whole run: `***` without an end must not be taken for `*` and `**`.
        '*' | '_' | '~' => run_length(rest, first),
        _ => address_length(rest, before).unwrap_or(first.len_utf8()),
    }
}

/// A run of backticks up to the next run of the same length, or the run alone where there is none.
fn code_span(rest: &str) -> usize {
    let ticks = run_length(rest, '`');
    let mut at = ticks;
    while let Some(found) = suffix(rest, at).find('`') {
        at += found;
        let closing = run_length(suffix(rest, at), '`');
        at += closing;
        if closing == ticks {
            return at;
        }
    }
    ticks
}

fn address_length(rest: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let is_address = ["https://", "http://", "www."].iter().any(|scheme| {
        rest.get(..scheme.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(scheme))
    });
    if !is_address {
        return None;
    }
    let end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`' | '|'))
        .unwrap_or(rest.len());
    Some(prefix(rest, end).trim_end_matches(AFTER_ADDRESS).len())
}

/// `**x**`, `__x__` and `~~x~~`; three stars are bold and italic.
fn marked(rest: &str, before: Option<char>) -> Option<(String, usize)> {
    let mark = rest.chars().next()?;
    let width = run_length(rest, mark);
    let (open, close) = match (mark, width) {
        ('*' | '_', 2) => ("*", "*"),
        ('*' | '_', 3) => ("*_", "_*"),
        ('~', 2) => ("~", "~"),
        _ => return None,
    };
    let inner_from_here = suffix(rest, width);
    if inner_from_here
        .chars()
        .next()
        .is_none_or(char::is_whitespace)
    {
        return None;
    }
    let inner = prefix(inner_from_here, closing(inner_from_here, mark, width)?);
    let length = width + inner.len() + width;
    let after = suffix(rest, length).chars().next();
    let inside_a_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let is_mark = match mark {
        // `snake__case__name` is one word, in Markdown too.
        '_' => !inside_a_word(before) && !inside_a_word(after),
        // `2**3**4` is arithmetic, `Rp**50.000**` is not.
        _ => !(inside_a_word(before) && inside_a_word(after)),
    };
    is_mark.then(|| (format!("{open}{}{close}", converted(inner)), length))
}

/// Where the closing mark begins: a run of the same width right behind a word, outside code and addresses.
fn closing(text: &str, mark: char, width: usize) -> Option<usize> {
    let mut at = 0;
    let mut before: Option<char> = None;
    while at < MAX_SPAN_BYTES {
        let rest = suffix(text, at);
        let first = rest.chars().next()?;
        let length = verbatim(rest, before);
        let closes = first == mark && length == width && before.is_some_and(|c| !c.is_whitespace());
        if closes {
            return Some(at);
        }
        before = prefix(rest, length).chars().next_back();
        at += length;
    }
    None
}

/// `[label](address)` and `![label](address)`.
fn link(rest: &str, before: Option<char>) -> Option<(String, usize)> {
    // `list[0](x)` is code.
    if before.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let bang = usize::from(rest.starts_with('!'));
    let label = enclosed(suffix(rest, bang), '[', ']')?;
    let target = enclosed(suffix(rest, bang + label.len() + 2), '(', ')')?;
    let length = bang + label.len() + 2 + target.len() + 2;
    let address = without_title(target)?;
    let label = converted(label.trim());
    let text = if address.is_empty() {
        label
    } else if label.is_empty() || same_address(&label, address) {
        address.to_owned()
    } else if label.ends_with(':') {
        format!("{label} {address}")
    } else {
        format!("{label}: {address}")
    };
    Some((text, length))
}

/// What stands between `open` at the start and its `close`, on one line.
fn enclosed(text: &str, open: char, close: char) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, c) in text
        .char_indices()
        .take_while(|(at, _)| *at <= MAX_SPAN_BYTES)
    {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.checked_sub(1)?;
        }
        if depth == 0 {
            return text.get(open.len_utf8()..at);
        }
    }
    None
}

/// The address of `address "title"`; `None` where the brackets hold something else.
fn without_title(target: &str) -> Option<&str> {
    let target = target.trim();
    let (address, title) = target
        .split_once(char::is_whitespace)
        .unwrap_or((target, ""));
    if !title.is_empty() && !title.trim_start().starts_with(['"', '\'', '(']) {
        return None;
    }
    let address = address
        .strip_prefix('<')
        .and_then(|a| a.strip_suffix('>'))
        .unwrap_or(address);
    Some(without_mail_scheme(address))
}

fn without_mail_scheme(address: &str) -> &str {
    address
        .strip_prefix("mailto:")
        .or_else(|| address.strip_prefix("tel:"))
        .unwrap_or(address)
}

fn same_address(label: &str, address: &str) -> bool {
    fn bare(text: &str) -> String {
        let text = text.trim_matches(['*', '_', '~', '/']).to_lowercase();
        let text = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .unwrap_or(&text);
        text.strip_prefix("www.").unwrap_or(text).to_owned()
    }
    bare(label) == bare(address)
}

fn bracketed_address(rest: &str) -> Option<(String, usize)> {
    let inner = enclosed(rest, '<', '>')?;
    let known = ["https://", "http://", "mailto:", "tel:"];
    let is_address = known.iter().any(|scheme| inner.starts_with(scheme))
        && !inner.contains(char::is_whitespace);
    is_address.then(|| (without_mail_scheme(inner).to_owned(), inner.len() + 2))
}

fn line_break(rest: &str) -> Option<usize> {
    let tag = prefix(rest, rest.find('>')? + 1);
    let name = tag.strip_prefix('<')?.strip_suffix('>')?.trim_end();
    let name = name.strip_suffix('/').unwrap_or(name).trim_end();
    name.eq_ignore_ascii_case("br").then_some(tag.len())
}

fn run_length(text: &str, of: char) -> usize {
    text.len() - text.trim_start_matches(of).len()
}

fn prefix(text: &str, bytes: usize) -> &str {
    text.get(..bytes).unwrap_or(text)
}

fn suffix(text: &str, bytes: usize) -> &str {
    text.get(bytes..).unwrap_or_default()
}
