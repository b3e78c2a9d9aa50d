//! One line of the Embedded Metric Format.

use serde_json::{Map, Value, json};

use super::catalog::{Metric, Unit};
use crate::conversation::ids::EpochMs;

/// CloudWatch takes no longer value of a dimension, and nobody reads a longer property.
const LONGEST_TEXT_CHARACTERS: usize = 200;

/// Values that were measured together, with what is known about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    members: Map<String, Value>,
    directives: Vec<Directive>,
}

/// The metrics of a record that have the same dimensions.
#[derive(Clone, Debug, PartialEq)]
struct Directive {
    dimensions: Vec<&'static str>,
    metrics: Vec<(&'static str, Unit)>,
}

impl Record {
    /// With a value of a metric, and a word for each of its dimensions. What is no number is left out: CloudWatch
    /// refuses it, and JSON cannot say it. A metric has one value a record, and so has a dimension.
    #[must_use]
    pub fn measured<const D: usize>(
        mut self,
        metric: &Metric<D>,
        value: f64,
        words: [&str; D],
    ) -> Self {
        if !value.is_finite() {
            return self;
        }
        self.members.insert(metric.name.to_owned(), number(value));
        for (dimension, word) in metric.dimensions.iter().zip(words) {
            self.members.insert((*dimension).to_owned(), text(word));
        }
        let measured = (metric.name, metric.unit);
        let same = |directive: &&mut Directive| directive.dimensions == metric.dimensions;
        match self.directives.iter_mut().find(same) {
            Some(directive) => directive.metrics.push(measured),
            None => self.directives.push(Directive {
                dimensions: metric.dimensions.to_vec(),
                metrics: vec![measured],
            }),
        }
        self
    }

    /// With something that can be searched for but is no dimension. Never a number, a name or a text of a person (I11).
    #[must_use]
    pub fn about(mut self, property: &'static str, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::String(string) => text(&string),
            value => value,
        };
        self.members.insert(property.to_owned(), value);
        self
    }

    /// The line, without its end; none when nothing was measured. `at` is when: CloudWatch files the values under it,
    /// in `namespace`.
    #[must_use]
    pub fn line(&self, namespace: &str, at: EpochMs) -> Option<String> {
        if self.directives.is_empty() {
            return None;
        }
        let directives: Vec<Value> = self
            .directives
            .iter()
            .map(|directive| directive.json(namespace))
            .collect();
        let mut line = self.members.clone();
        line.insert(
            "_aws".to_owned(),
            json!({"Timestamp": at.0, "CloudWatchMetrics": directives}),
        );
        Some(Value::Object(line).to_string())
    }
}

impl Directive {
    fn json(&self, namespace: &str) -> Value {
        let metrics: Vec<Value> = self
            .metrics
            .iter()
            .map(|(name, unit)| json!({"Name": name, "Unit": unit.as_str()}))
            .collect();
        json!({"Namespace": namespace, "Dimensions": [self.dimensions], "Metrics": metrics})
    }
}

/// Whole numbers without a fraction, as people write them.
fn number(value: f64) -> Value {
    /// Above it not every whole number is an `f64`.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        json!(value as i64)
    } else {
        json!(value)
    }
}

/// CloudWatch takes no empty word, and throws the record away that has one.
fn text(word: &str) -> Value {
    match word.trim() {
        "" => Value::from("unknown"),
        word => word
            .chars()
            .take(LONGEST_TEXT_CHARACTERS)
            .collect::<String>()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::{
        BREAKER_STATE, CREDITS_REMAINING, HTTP_REQUEST_DURATION, OLDEST_OWED, TURNS_WITHOUT_OUTCOME,
    };
    use super::*;

    fn parsed(record: &Record) -> Value {
        serde_json::from_str(&record.line("Clivy", EpochMs(1_763_604_905_000)).unwrap()).unwrap()
    }

    #[test]
    fn a_line_is_what_the_format_says() {
        let record = Record::default()
            .measured(&HTTP_REQUEST_DURATION, 0.25, ["inbox", "2xx"])
            .about("route", "/health");
        let expected = json!({
            "_aws": {"Timestamp": 1_763_604_905_000_i64, "CloudWatchMetrics": [{
                "Namespace": "Clivy", "Dimensions": [["function", "status_class"]],
                "Metrics": [{"Name": "chatbot_http_request_duration_seconds", "Unit": "Seconds"}]}]},
            "chatbot_http_request_duration_seconds": 0.25,
            "function": "inbox", "status_class": "2xx", "route": "/health",
        });
        assert_eq!(parsed(&record), expected);
    }

    #[test]
    fn metrics_of_the_same_dimensions_share_a_directive_and_others_do_not() {
        let record = Record::default()
            .measured(&TURNS_WITHOUT_OUTCOME, 0.0, [])
            .measured(&BREAKER_STATE, 2.0, ["second"])
            .measured(&OLDEST_OWED, 3.0, []);
        let directives = &parsed(&record)["_aws"]["CloudWatchMetrics"];
        assert_eq!(directives.as_array().unwrap().len(), 2);
        assert_eq!(directives[0]["Dimensions"], json!([[]]));
        assert_eq!(directives[0]["Metrics"].as_array().unwrap().len(), 2);
        assert_eq!(directives[1]["Dimensions"], json!([["provider"]]));
    }

    #[test]
    fn what_cloudwatch_would_refuse_is_not_said() {
        let nothing = Record::default().about("bot", "demo");
        assert_eq!(nothing.line("Clivy", EpochMs(0)), None);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let record = Record::default().measured(&CREDITS_REMAINING, value, []);
            assert_eq!(record.line("Clivy", EpochMs(0)), None);
        }
        let record = Record::default()
            .measured(&BREAKER_STATE, 0.0, [" "])
            .about("model", "é".repeat(5_000));
        assert_eq!(parsed(&record)["provider"], "unknown");
        assert_eq!(
            parsed(&record)["model"].as_str().unwrap().chars().count(),
            200
        );
    }

    #[test]
    fn a_line_is_one_line_whatever_is_in_it() {
        let record = Record::default()
            .measured(&BREAKER_STATE, 0.0, ["a\nb"])
            .about("model", "\u{2028}\0\r\n\"}{");
        let line = record.line("Clivy", EpochMs(0)).unwrap();
        assert!(!line.contains(['\n', '\r', '\0']), "{line}");
        serde_json::from_str::<Value>(&line).unwrap();
    }

    #[test]
    fn money_keeps_its_fraction_and_counts_have_none() {
        let record = Record::default().measured(&CREDITS_REMAINING, -0.25, []);
        assert!(
            record
                .line("Clivy", EpochMs(0))
                .unwrap()
                .contains("\"credits_remaining_usd\":-0.25")
        );
        let record = Record::default().measured(&TURNS_WITHOUT_OUTCOME, 3.0, []);
        assert!(
            record
                .line("Clivy", EpochMs(0))
                .unwrap()
                .contains("\"turns_without_outcome\":3")
        );
    }
}
