//! The two pages: their words are written by hand, the tables between the marks are computed.

mod cost;
mod scale;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::inputs::Inputs;

/// A computed part of a page: its mark's name, and its text.
pub type Part = (&'static str, String);

/// Both pages as they should be, with their paths.
///
/// # Errors
/// An input is missing, or a page lacks a mark.
pub fn all(root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let inputs = Inputs::read(root)?;
    let pages = [
        ("docs/COST.md", cost::parts(&inputs)?),
        ("docs/SCALE.md", scale::parts(&inputs)?),
    ];
    let mut done = Vec::new();
    for (name, parts) in pages {
        let path = root.join(name);
        let mut text = std::fs::read_to_string(&path).with_context(|| name.to_owned())?;
        for (mark, table) in parts {
            text =
                filled(&text, mark, &table).with_context(|| format!("{name}: no mark {mark}"))?;
        }
        done.push((path, text));
    }
    Ok(done)
}

/// The page with what is between the marks replaced; none when it lacks them.
fn filled(page: &str, mark: &str, table: &str) -> Option<String> {
    let begin = format!("<!-- figures: {mark} -->\n");
    let end = "<!-- end -->";
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}{table}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::root;

    #[test]
    fn the_committed_pages_are_what_their_inputs_say() {
        for (path, text) in all(&root()).unwrap() {
            let committed = std::fs::read_to_string(&path).unwrap();
            assert!(
                committed == text,
                "{} is out of date: cargo run -p figures",
                path.display()
            );
        }
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page =
            "a\n<!-- figures: x -->\nold\n<!-- end -->\nb <!-- figures: y -->\n<!-- end -->\n";
        let filled = filled(page, "x", "new\n").unwrap();
        assert_eq!(
            filled,
            "a\n<!-- figures: x -->\nnew\n<!-- end -->\nb <!-- figures: y -->\n<!-- end -->\n"
        );
        assert_eq!(super::filled(page, "z", ""), None);
    }
}
