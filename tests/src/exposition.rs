//! A strict reader of the Prometheus text format 0.0.4: what it takes, every scraper takes.

use std::collections::{BTreeMap, BTreeSet};

/// The labels of a sample.
pub type Labels = BTreeMap<String, String>;

/// A metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Its samples: the full name, the labels, the value.
    pub samples: Vec<(String, Labels, f64)>,
}

/// A scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrape(pub BTreeMap<String, Metric>);

impl Scrape {
    /// The value of one sample; none when it is not there.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: Labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let all = self.0.values().flat_map(|metric| &metric.samples);
        let mut found = all.filter(|(sample, of, _)| sample == name && *of == labels);
        found.next().map(|(_, _, value)| *value)
    }

    /// The sum of all samples of a name for one bot.
    pub fn sum(&self, name: &str, bot: &str) -> f64 {
        let all = self.0.values().flat_map(|metric| &metric.samples);
        all.filter(|(sample, labels, _)| {
            sample == name && labels.get("bot").is_some_and(|of| of == bot)
        })
        .map(|(_, _, value)| value)
        .sum()
    }
}

/// Reads a scrape; panics where the format is broken.
pub fn read(text: &str) -> Scrape {
    assert!(text.ends_with('\n'), "the last line must end");
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let mut helped = BTreeSet::new();
    let mut current: Option<String> = None;
    for line in text.strip_suffix('\n').unwrap().split('\n') {
        assert!(!line.is_empty() && !line.contains('\r'), "{line:?}");
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect(line);
            assert!(is_name(name) && !help.is_empty(), "{line}");
            assert!(helped.insert(name.to_owned()), "twice: {line}");
            // One group a metric: what was begun before never goes on.
            current = Some(name.to_owned());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect(line);
            assert_eq!(current.as_deref(), Some(name), "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            let metric = Metric {
                kind: kind.to_owned(),
                samples: Vec::new(),
            };
            assert!(metrics.insert(name.to_owned(), metric).is_none(), "{line}");
        } else {
            assert!(!line.starts_with('#'), "no comments are written: {line}");
            let of = current.as_ref().expect(line);
            let metric = metrics.get_mut(of).expect(line);
            let sample = sample(line);
            let part = sample.0.strip_prefix(of.as_str()).expect(line);
            let parts: &[&str] = match metric.kind.as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(parts.contains(&part), "{line}");
            let twice = metric
                .samples
                .iter()
                .any(|(name, labels, _)| (name, labels) == (&sample.0, &sample.1));
            assert!(!twice, "twice: {line}");
            metric.samples.push(sample);
        }
    }
    for (name, metric) in &metrics {
        check(name, metric);
    }
    Scrape(metrics)
}

fn is_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

/// `name{label="value",…} number`
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).expect(line);
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect(line);
            assert!(is_name(label) && !label.contains(':'), "{line}");
            let (value, after) = quoted(after, line);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = after.strip_prefix(',').unwrap_or(after);
            if let Some(after) = after.strip_prefix('}') {
                rest = after;
                break;
            }
        }
    }
    let number = rest.strip_prefix(' ').expect(line);
    let value = match number {
        "NaN" => f64::NAN,
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => {
            let is_decimal = |c: char| c.is_ascii_digit() || ".-+e".contains(c);
            assert!(number.chars().all(is_decimal), "{line}");
            number.parse().expect(line)
        }
    };
    (name.to_owned(), labels, value)
}

/// What stands before the closing quote, unescaped, and what follows it.
fn quoted<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, text.get(at + 1..).unwrap()),
            '\\' => match chars.next().expect(line).1 {
                'n' => value.push('\n'),
                c @ ('\\' | '"') => value.push(c),
                _ => panic!("no such escape: {line}"),
            },
            c => value.push(c),
        }
    }
    panic!("an open quote: {line}")
}

fn check(name: &str, metric: &Metric) {
    assert!(!metric.samples.is_empty(), "{name} has no samples");
    match metric.kind.as_str() {
        "counter" => {
            assert!(name.ends_with("_total"), "{name}");
            for (_, _, value) in &metric.samples {
                assert!(value.is_finite() && *value >= 0.0, "{name} {value}");
            }
        }
        "histogram" => check_histogram(name, metric),
        _ => {}
    }
}

/// Every histogram has its buckets in order, each with what the ones before it have, and as many in all as it counts.
fn check_histogram(name: &str, metric: &Metric) {
    let mut buckets: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for (part, labels, value) in &metric.samples {
        if part.ends_with("_bucket") {
            let mut labels = labels.clone();
            let le = match labels.remove("le").expect(name).as_str() {
                "+Inf" => f64::INFINITY,
                le => le.parse().expect(name),
            };
            buckets.entry(labels).or_default().push((le, *value));
        }
    }
    for (labels, buckets) in buckets {
        let of = |suffix: &str| {
            let wanted = format!("{name}{suffix}");
            let mut all = metric.samples.iter();
            let found = all.find(|(part, of, _)| *part == wanted && *of == labels);
            found.expect(&wanted).2
        };
        for pair in buckets.windows(2) {
            assert!(
                pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1,
                "{name} {labels:?}"
            );
        }
        let last = buckets.last().unwrap();
        assert_eq!(*last, (f64::INFINITY, of("_count")), "{name} {labels:?}");
        assert!(of("_sum") >= 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_format_allows_is_read() {
        let scrape = read(
            "# HELP a_total x\n# TYPE a_total counter\na_total{bot=\"a\\\\\\\"\\n,}\",s=\"\"} 3\na_total 0.5\n\
             # HELP h y\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 7.5\nh_count 3\n",
        );
        assert_eq!(
            scrape.value("a_total", &[("bot", "a\\\"\n,}"), ("s", "")]),
            Some(3.0)
        );
        assert_eq!(scrape.value("h_sum", &[]), Some(7.5));
    }

    #[test]
    fn what_breaks_the_format_is_refused() {
        let head = "# HELP a_total x\n# TYPE a_total counter\n";
        let histogram = "# HELP h y\n# TYPE h histogram\n";
        for bad in [
            "a_total 3\n".to_owned(),
            head.to_owned(),
            format!("{head}a_total 3"),
            format!("{head}a_total three\n"),
            format!("{head}a_total -1\n"),
            format!("{head}a_total 1\na_total 1\n"),
            format!("{head}b_total 1\n"),
            format!("{head}a_total{{bot=\"a\"b\"}} 1\n"),
            format!("{head}a_total{{bot=\"a\\q\"}} 1\n"),
            format!("{head}a_total{{bot=\"a\nb\"}} 1\n"),
            format!("{head}a_total 1\n{head}a_total{{a=\"\"}} 1\n"),
            format!("{head}a_total 1\n\n"),
            format!(
                "{histogram}h_bucket{{le=\"1\"}} 2\nh_bucket{{le=\"+Inf\"}} 1\nh_sum 1\nh_count 1\n"
            ),
            format!("{histogram}h_bucket{{le=\"1\"}} 2\nh_sum 1\nh_count 2\n"),
            format!("{histogram}h_bucket{{le=\"+Inf\"}} 2\nh_sum 1\nh_count 3\n"),
        ] {
            let read = std::panic::catch_unwind(|| read(&bad));
            assert!(read.is_err(), "{bad}");
        }
    }
}
