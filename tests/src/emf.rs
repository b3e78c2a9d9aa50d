//! The lines of CloudWatch's Embedded Metric Format that a world's functions have written, checked as CloudWatch does.

use serde_json::Value;

use crate::world::TestWorld;

/// Units that CloudWatch knows, of those that are whole words.
const UNITS: [&str; 7] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Count",
    "Percent",
    "None",
];

impl TestWorld {
    /// What the functions have measured so far, oldest first. Panics when a line is not what the format wants.
    pub fn measured(&self) -> Vec<Value> {
        let lines = self.world.metrics.lines();
        lines.iter().map(|line| checked(line)).collect()
    }

    /// The values of a metric so far, oldest first, of the lines that have these words.
    pub fn values(&self, metric: &str, words: &[(&str, &str)]) -> Vec<f64> {
        self.measured()
            .iter()
            .filter(|line| names(line).contains(&metric))
            .filter(|line| words.iter().all(|(name, word)| line[*name] == *word))
            .map(|line| line[metric].as_f64().unwrap())
            .collect()
    }
}

/// The metrics that a line declares.
pub fn names(line: &Value) -> Vec<&str> {
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap().iter();
    directives
        .flat_map(|directive| directive["Metrics"].as_array().unwrap())
        .map(|metric| metric["Name"].as_str().unwrap())
        .collect()
}

/// A line, parsed. Panics when CloudWatch would not make metrics of it.
pub fn checked(line: &str) -> Value {
    assert!(line.len() < 256 * 1024 && !line.contains('\n'), "{line}");
    let json: Value = serde_json::from_str(line).unwrap();
    let aws = &json["_aws"];
    assert!(
        aws["Timestamp"].as_i64().unwrap() > 1_600_000_000_000,
        "{line}"
    );
    let directives = aws["CloudWatchMetrics"].as_array().unwrap();
    assert!(!directives.is_empty(), "{line}");
    for directive in directives {
        assert_eq!(directive["Namespace"], clivy::metrics::NAMESPACE);
        check_dimensions(&json, directive);
        check_metrics(&json, directive);
    }
    let all = names(&json);
    let mut once = all.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), all.len(), "a metric is declared twice: {line}");
    json
}

fn check_dimensions(line: &Value, directive: &Value) {
    for set in directive["Dimensions"].as_array().unwrap() {
        let set = set.as_array().unwrap();
        assert!(set.len() <= 30, "{line}");
        for name in set {
            let name = name.as_str().unwrap();
            let word = line[name].as_str();
            let word = word.unwrap_or_else(|| panic!("{name} has no word: {line}"));
            let length = word.chars().count();
            assert!((1..=1024).contains(&length) && word.is_ascii(), "{line}");
        }
    }
}

fn check_metrics(line: &Value, directive: &Value) {
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!((1..=100).contains(&metrics.len()), "{line}");
    for metric in metrics {
        let name = metric["Name"].as_str().unwrap();
        assert!(line[name].is_number(), "{name} has no value: {line}");
        let unit = metric["Unit"].as_str().unwrap();
        assert!(UNITS.contains(&unit), "{unit} is no unit");
    }
}
