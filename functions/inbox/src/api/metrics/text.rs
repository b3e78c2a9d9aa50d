//! The Prometheus text format, version 0.0.4. Pure.

use std::fmt::Write;

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, and begins again at zero.
    Counter,
    /// Any value.
    Gauge,
    /// Buckets, their sum and their count.
    Histogram,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One line: a value and what it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What follows the family's name: nothing, or the parts of a histogram.
    pub suffix: &'static str,
    /// The labels, in order.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// A metric with all of its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What it is, for people.
    pub help: &'static str,
    /// Its samples.
    pub samples: Vec<Sample>,
}

impl Family {
    /// A metric without samples yet.
    #[must_use]
    pub fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            name,
            kind,
            help,
            samples: Vec::new(),
        }
    }

    /// Adds a sample.
    pub fn push(&mut self, labels: &[(&'static str, &str)], value: f64) {
        self.push_part("", labels, value);
    }

    /// Adds a part of a histogram.
    pub fn push_part(&mut self, suffix: &'static str, labels: &[(&'static str, &str)], value: f64) {
        self.samples.push(Sample {
            suffix,
            labels: labels
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            value,
        });
    }
}

/// The families as text. Those without a sample are left out.
#[must_use]
pub fn render(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        // Writing to a String never fails.
        let _ = writeln!(text, "# HELP {} {}", family.name, escaped_help(family.help));
        let _ = writeln!(text, "# TYPE {} {}", family.name, family.kind.word());
        for sample in &family.samples {
            let _ = writeln!(
                text,
                "{}{}{} {}",
                family.name,
                sample.suffix,
                labels(&sample.labels),
                value(sample.value)
            );
        }
    }
    text
}

fn labels(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let all: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    format!("{{{}}}", all.join(","))
}

/// A label's value: backslash, quote and newline would end it or change it. Bots are named by people.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn escaped_help(help: &str) -> String {
    help.replace('\\', "\\\\").replace('\n', "\\n")
}

fn value(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_written_as_the_format_wants_it() {
        let mut family = Family::new("a_total", Kind::Counter, "What it \\ is.\nReally.");
        family.push(&[("bot", "a\\b\"c\nd"), ("status", "ok")], 3.0);
        family.push(&[], 0.000_000_001);
        let empty = Family::new("b", Kind::Gauge, "Nothing.");
        assert_eq!(
            render(&[family, empty]),
            "# HELP a_total What it \\\\ is.\\nReally.\n\
             # TYPE a_total counter\n\
             a_total{bot=\"a\\\\b\\\"c\\nd\",status=\"ok\"} 3\n\
             a_total 0.000000001\n"
        );
    }

    #[test]
    fn what_is_no_number_is_written_in_the_words_of_the_format() {
        let all = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.5].map(value);
        assert_eq!(all, ["NaN", "+Inf", "-Inf", "-1.5"]);
    }
}
