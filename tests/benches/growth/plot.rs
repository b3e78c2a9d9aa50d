//! The figures as pictures.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::Measured;
use crate::point::Point;

const SIZE: (u32, u32) = (1_080, 300);
const BLUE: RGBColor = RGBColor(37, 99, 235);
const ORANGE: RGBColor = RGBColor(217, 119, 6);

type Line = (&'static str, RGBColor, fn(&Point) -> f64);

/// What stands beside each other: a heading, and lines.
const PANELS: [(&str, &[Line]); 3] = [
    (
        "capacity units a message",
        &[
            ("write", BLUE, |point| point.write_units),
            ("read", ORANGE, |point| point.read_units),
        ],
    ),
    (
        "processor time a message, ms",
        &[
            ("system and engine", BLUE, |point| point.cpu_ms),
            ("one put of the engine", ORANGE, |point| point.put_ms),
        ],
    ),
    (
        "USD for 1,000 messages",
        &[
            ("DynamoDB and SQS", BLUE, |point| point.requests_usd),
            ("the model", ORANGE, |point| point.tokens_usd),
        ],
    ),
];

/// Draws `growth-NAME.svg`.
///
/// # Errors
/// It cannot be written.
pub fn draw(folder: &Path, measured: &Measured) -> anyhow::Result<()> {
    let path = folder.join(format!("growth-{}.svg", measured.axis.name));
    let root = SVGBackend::new(&path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, (heading, lines)) in root.split_evenly((1, PANELS.len())).iter().zip(PANELS) {
        panel(area, measured, heading, lines)?;
    }
    root.present()?;
    Ok(())
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    measured: &Measured,
    heading: &str,
    lines: &[Line],
) -> anyhow::Result<()> {
    let xs = || {
        measured
            .points
            .iter()
            .map(|point| (measured.axis.place)(&point.size) as f64)
    };
    let (least, most) = (xs().fold(f64::MAX, f64::min), xs().fold(0.0, f64::max));
    let values = lines
        .iter()
        .flat_map(|(_, _, of)| measured.points.iter().map(of));
    let top = values.fold(0.0, f64::max) * 1.35;
    let mut chart = ChartBuilder::on(area)
        .caption(heading, ("sans-serif", 15))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d((least..most).log_scale(), 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(measured.axis.label)
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .draw()?;
    for &(name, color, of) in lines {
        let points: Vec<(f64, f64)> = xs().zip(measured.points.iter().map(of)).collect();
        chart
            .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)).point_size(0))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
        chart.draw_series(
            points
                .iter()
                .map(|point| Circle::new(*point, 3, color.filled())),
        )?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(TRANSPARENT)
        .draw()?;
    Ok(())
}
