//! Pages: their words are written by hand, the tables between the marks are computed.

mod cost;
mod scale;
pub mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::inputs::Inputs;

/// A computed part of a page: its mark's name, and its text.
pub type Part = (&'static str, String);

/// A page's path, and its text as it should be.
pub type Page = (PathBuf, String);

/// The pages of this crate as they should be.
///
/// # Errors
/// An input is missing, or a page lacks a mark.
pub fn all(root: &Path) -> Result<Vec<Page>> {
    let inputs = Inputs::read(root)?;
    Ok(vec![
        page(root, "docs/COST.md", cost::parts(&inputs)?)?,
        page(root, "docs/SCALE.md", scale::parts(&inputs)?)?,
    ])
}

/// The page of this name with its parts between the marks.
///
/// # Errors
/// It cannot be read, or lacks a mark.
pub fn page(root: &Path, name: &str, parts: Vec<Part>) -> Result<Page> {
    let path = root.join(name);
    let mut text = std::fs::read_to_string(&path).with_context(|| name.to_owned())?;
    for (mark, table) in parts {
        text = filled(&text, mark, &table).with_context(|| format!("{name}: no mark {mark}"))?;
    }
    Ok((path, text))
}

/// Writes the pages that differ from what they should be, and says which.
///
/// # Errors
/// One cannot be read or written.
pub fn write(pages: &[Page]) -> Result<()> {
    let stale = out_of_date(pages)?;
    for (path, text) in pages {
        let name = || path.display().to_string();
        let word = if stale.contains(&path.as_path()) {
            std::fs::write(path, text).with_context(name)?;
            "written"
        } else {
            "up to date"
        };
        println!("{}: {word}", name());
    }
    Ok(())
}

/// The pages that are not as they should be.
///
/// # Errors
/// One cannot be read.
pub fn out_of_date(pages: &[Page]) -> Result<Vec<&Path>> {
    let mut stale = Vec::new();
    for (path, text) in pages {
        let committed = std::fs::read_to_string(path);
        if committed.with_context(|| path.display().to_string())? != *text {
            stale.push(path.as_path());
        }
    }
    Ok(stale)
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
        let pages = all(&root()).unwrap();
        let stale = out_of_date(&pages).unwrap();
        assert!(stale.is_empty(), "cargo run -p figures: {stale:?}");
    }

    #[test]
    fn a_page_with_another_text_is_out_of_date() {
        let path = root().join("docs/COST.md");
        let text = std::fs::read_to_string(&path).unwrap();
        let other = format!("{text}1");
        let pages = [(path.clone(), text), (path.clone(), other)];
        assert!(out_of_date(&pages[..1]).unwrap().is_empty());
        assert_eq!(out_of_date(&pages).unwrap(), [path.as_path()]);
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
