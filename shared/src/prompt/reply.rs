//! A model's answer as a WhatsApp text: its Markdown turned into WhatsApp's own marks, and bounded.

use super::{cut, inline};

/// The longest text WhatsApp takes, in characters.
pub const MAX_CHARACTERS: usize = 4_096;

/// What is looked at of an answer, in characters: far more than can be sent.
const MAX_INPUT_CHARACTERS: usize = 10 * MAX_CHARACTERS;

/// Each pass resolves what the one before it uncovered; two or three suffice for any text a person writes.
const MAX_PASSES: usize = 32;

const FENCE: &str = "```";

/// The answer in WhatsApp's formatting, cut at [`MAX_CHARACTERS`] where a sentence ends. Applied to its own
/// result it changes nothing. May be empty: the caller treats that as an empty answer.
#[must_use]
pub fn whatsapp_text(answer: &str) -> String {
    let mut text: String = answer.chars().take(MAX_INPUT_CHARACTERS).collect();
    for _ in 0..MAX_PASSES {
        let next = bounded(&converted(&text));
        if next == text {
            break;
        }
        text = next;
    }
    text
}

fn bounded(text: &str) -> String {
    let kept = cut::at_sentence(text, MAX_CHARACTERS);
    if !ends_in_code(kept) {
        return kept.to_owned();
    }
    // The cut fell into a block of code: leave room to close it.
    let closing = format!("\n{FENCE}");
    let kept = cut::at_sentence(text, MAX_CHARACTERS - closing.len());
    if ends_in_code(kept) {
        format!("{kept}{closing}")
    } else {
        kept.to_owned()
    }
}

fn ends_in_code(text: &str) -> bool {
    let mut fences = Fences::default();
    for line in text.lines() {
        fences.step(line);
    }
    fences.open.is_some()
}

fn converted(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.lines().collect();
    let mut out = Lines::default();
    let mut fences = Fences::default();
    let mut rest = lines.as_slice();
    while let Some((line, following)) = rest.split_first() {
        rest = following;
        match fences.step(line) {
            Step::Code(code) => out.code(&code),
            Step::Text => {
                if let Some((rows, after)) = table(line, following) {
                    rest = after;
                    rows.iter().for_each(|row| out.text(row));
                } else if !is_rule(line) {
                    out.text(&text_line(line));
                }
            }
        }
    }
    if fences.open.is_some() {
        out.code(FENCE);
    }
    out.0.trim().to_owned()
}

/// The lines so far. Outside code, more than one blank line in a row is one.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn text(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() && (self.0.is_empty() || self.0.ends_with("\n\n")) {
            return;
        }
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn code(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
}

/// Follows the fences of code blocks through a text, line by line.
#[derive(Default)]
struct Fences {
    open: Option<char>,
}

enum Step {
    Text,
    /// A line of code, or a fence, as it is to be written.
    Code(String),
}

impl Fences {
    fn step(&mut self, line: &str) -> Step {
        match self.open {
            Some(mark) => self.inside(line, mark),
            None => self.outside(line),
        }
    }

    fn inside(&mut self, line: &str, mark: char) -> Step {
        let trimmed = line.trim();
        let is_fence = trimmed.len() >= FENCE.len() && trimmed.chars().all(|c| c == mark);
        if is_fence {
            self.open = None;
            return Step::Code(FENCE.to_owned());
        }
        // WhatsApp also closes a block at the end of its last line.
        if mark == '`' && trimmed.ends_with(FENCE) {
            self.open = None;
        }
        Step::Code(line.to_owned())
    }

    fn outside(&mut self, line: &str) -> Step {
        let trimmed = line.trim();
        let Some(mark) = ['`', '~']
            .into_iter()
            .find(|mark| starts_fence(trimmed, *mark))
        else {
            return Step::Text;
        };
        let info = trimmed.trim_start_matches(mark);
        if info.contains(mark) {
            // Opened and closed on one line: a code span, or a mark of its own.
            return Step::Text;
        }
        self.open = Some(mark);
        let is_language = !info.trim().contains(char::is_whitespace);
        Step::Code(if is_language {
            FENCE.to_owned()
        } else {
            format!("{FENCE}{info}")
        })
    }
}

fn starts_fence(trimmed: &str, mark: char) -> bool {
    trimmed.chars().take_while(|c| *c == mark).count() >= FENCE.len()
}

fn text_line(line: &str) -> String {
    if let Some(title) = heading(line) {
        return title;
    }
    let content = line.trim_start();
    let indent = line.strip_suffix(content).unwrap_or_default();
    match bullet(content) {
        Some(item) => format!("{indent}• {}", inline::converted(item)),
        None => format!("{indent}{}", inline::converted(content)),
    }
}

/// `# Heading` -> `*Heading*`; a heading without a text is an empty line.
fn heading(line: &str) -> Option<String> {
    let trimmed = line.trim();
    let title = trimmed.trim_start_matches('#');
    let level = trimmed.len() - title.len();
    let is_heading =
        (1..=6).contains(&level) && (title.is_empty() || title.starts_with(char::is_whitespace));
    if !is_heading {
        return None;
    }
    let title = title.trim();
    // `# Title #` closes a heading, `# C#` does not.
    let open = title.trim_end_matches('#');
    let title = if open.is_empty() || open.ends_with(char::is_whitespace) {
        open.trim_end()
    } else {
        title
    };
    let title = inline::converted(title);
    let plain = without_bold(&title);
    // A star behind an address would become a part of it.
    let keep = plain.is_empty() || plain.contains("://") || plain.contains('\n');
    Some(if keep { title } else { format!("*{plain}*") })
}

/// A bold title is not made bold again: the stars that are marks go, `2 * 3` stays.
fn without_bold(title: &str) -> String {
    let boundary = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '*');
    let characters: Vec<char> = title.chars().collect();
    let at = |i: Option<usize>| i.and_then(|i| characters.get(i)).copied();
    let is_mark = |i: usize| {
        let (before, after) = (at(i.checked_sub(1)), at(i.checked_add(1)));
        let spaced = |c: Option<char>| c.is_none_or(char::is_whitespace);
        at(Some(i)) == Some('*')
            && (boundary(before) || boundary(after))
            && !(spaced(before) && spaced(after))
    };
    let plain: String = characters
        .iter()
        .enumerate()
        .filter(|(i, _)| !is_mark(*i))
        .map(|(_, c)| c)
        .collect();
    plain.trim().to_owned()
}

fn bullet(content: &str) -> Option<&str> {
    let item = content.strip_prefix(['-', '*'])?;
    (item.starts_with(char::is_whitespace) && !item.trim().is_empty()).then(|| item.trim_start())
}

/// `---`, `***`, `___` and their spaced forms.
fn is_rule(line: &str) -> bool {
    let mut marks = line.chars().filter(|c| !c.is_whitespace());
    let Some(first @ ('-' | '*' | '_')) = marks.next() else {
        return false;
    };
    marks.clone().all(|c| c == first) && marks.count() >= 2
}

/// A table that begins with `head`, as one bullet a row, and the lines behind it.
fn table<'l, 't>(head: &str, following: &'l [&'t str]) -> Option<(Vec<String>, &'l [&'t str])> {
    let (delimiter, body) = following.split_first()?;
    if !head.contains('|') || !is_delimiter(delimiter) {
        return None;
    }
    let heads: Vec<String> = cells(head).iter().map(|cell| without_bold(cell)).collect();
    let rows = body.iter().take_while(|line| line.contains('|')).count();
    let (body, after) = body.split_at_checked(rows)?;
    let mut out: Vec<String> = body.iter().map(|line| row(&heads, &cells(line))).collect();
    if out.is_empty() {
        out.push(heads.join(", "));
    }
    Some((out, after))
}

fn is_delimiter(line: &str) -> bool {
    line.contains('|')
        && line.contains('-')
        && line
            .chars()
            .all(|c| matches!(c, '|' | '-' | ':') || c.is_whitespace())
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let line = line.strip_suffix('|').unwrap_or(line);
    line.replace("\\|", "\u{0}")
        .split('|')
        .map(|cell| {
            inline::converted(cell.trim())
                .replace('\u{0}', "|")
                .replace('\n', " ")
        })
        .collect()
}

/// `• first – Head: second, Head: third`.
fn row(heads: &[String], cells: &[String]) -> String {
    let named: Vec<String> = cells
        .iter()
        .zip(
            heads
                .iter()
                .map(String::as_str)
                .chain(std::iter::repeat("")),
        )
        .skip(1)
        .filter(|(cell, _)| !cell.is_empty())
        .map(|(cell, head)| {
            if head.is_empty() {
                cell.clone()
            } else {
                format!("{head}: {cell}")
            }
        })
        .collect();
    let first = cells.first().map(String::as_str).unwrap_or_default();
    match (first.is_empty(), named.is_empty()) {
        (false, false) => format!("• {first} – {}", named.join(", ")),
        (false, true) => format!("• {first}"),
        (true, false) => format!("• {}", named.join(", ")),
        (true, true) => String::new(),
    }
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
