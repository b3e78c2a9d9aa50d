//! `cargo run -p tokens`: computes the tables of `docs/TOKENS.md` again, and writes them where they differ.

use anyhow::Result;
use figures::{inputs, page};

fn main() -> Result<()> {
    page::write(&[tokens::page::tokens(&inputs::root())?])
}
