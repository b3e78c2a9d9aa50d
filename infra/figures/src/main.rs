//! `cargo run -p figures`: computes the tables of the two pages again, and writes them where they differ.

use anyhow::{Context, Result};
use figures::{inputs, page};

fn main() -> Result<()> {
    for (path, text) in page::all(&inputs::root())? {
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let word = if before == text {
            "up to date"
        } else {
            "written"
        };
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("{}: {word}", path.display());
    }
    Ok(())
}
