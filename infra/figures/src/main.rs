//! `cargo run -p figures`: computes the tables of the two pages again, and writes them where they differ.

use anyhow::Result;
use figures::{inputs, page};

fn main() -> Result<()> {
    page::write(&page::all(&inputs::root())?)
}
