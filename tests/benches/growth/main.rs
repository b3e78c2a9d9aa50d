//! What a message costs as things grow: conversations in the table, bubbles in a burst, messages in a conversation. One command:
//!
//! ```text
//! cargo bench -p tests --bench growth
//! cargo bench -p tests --bench growth -- --plots docs --json figures.json
//! ```
//!
//! The real functions, adapters and SDK clients over the embedded engine, in this process and on a paused clock: requests and capacity
//! units are counted, processor time is measured beside the engine's own (a floor: one conditional put at the same size of the
//! table). It takes minutes, and asserts no times. `docs/PERFORMANCE.md` says how to read the figures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on should end right there"
)]

mod plot;
mod point;
mod table;

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use figures::inputs::{self, Inputs};
use serde::Serialize;

use crate::point::{Point, Size};

/// What grows while the rest stays as it is.
#[derive(Serialize)]
struct Axis {
    /// The file's name.
    name: &'static str,
    /// What the plot's x axis is called.
    label: &'static str,
    /// Where a size lies on it.
    #[serde(skip)]
    place: fn(&Size) -> i64,
    #[serde(skip)]
    sizes: Vec<Size>,
}

/// One axis, measured.
#[derive(Serialize)]
struct Measured {
    #[serde(flatten)]
    axis: Axis,
    points: Vec<Point>,
}

/// Measures how costs grow.
#[derive(Parser)]
struct Args {
    /// Draw the plots into this folder, as growth-NAME.svg
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only sizes of up to so many conversations in the table
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    conversations: i64,
    /// `cargo bench` passes it to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn axes(most: i64) -> Vec<Axis> {
    let usual = Size::USUAL;
    let sizes = |values: &[i64], of: &dyn Fn(i64) -> Size| -> Vec<Size> {
        let sizes = values.iter().map(|value| of(*value));
        sizes.filter(|size| size.conversations <= most).collect()
    };
    vec![
        Axis {
            name: "conversations",
            label: "conversations in the table",
            place: |size| size.conversations,
            sizes: sizes(&[1_000, 10_000, 100_000], &|conversations| Size {
                conversations,
                ..usual
            }),
        },
        Axis {
            name: "bubbles",
            label: "bubbles in a burst",
            place: |size| size.bubbles,
            sizes: sizes(&[1, 2, 3, 5, 10, 20], &|bubbles| Size { bubbles, ..usual }),
        },
        Axis {
            name: "history",
            label: "messages in the conversation",
            place: |size| size.history,
            sizes: sizes(&[10, 100, 1_000, 10_000], &|history| Size {
                history,
                ..usual
            }),
        },
    ]
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    clivy::aws::install_crypto();
    let inputs = Inputs::read(&inputs::root())?;
    let mut all = Vec::new();
    for axis in axes(args.conversations) {
        let mut points = Vec::new();
        for size in axis.sizes.iter().copied() {
            println!("{}: {size} ...", axis.name);
            // Boxed: a point holds a world.
            points.push(Box::pin(point::measure(&inputs, size)).await?);
        }
        let measured = Measured { axis, points };
        println!("\n{}", table::of(&measured));
        if let Some(folder) = &args.plots {
            plot::draw(folder, &measured)?;
        }
        all.push(measured);
    }
    if let Some(file) = &args.json {
        let json = serde_json::to_string_pretty(&all)?;
        std::fs::write(file, json + "\n")
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}
