//! When the state of the queues is news: the page counts down by itself, so a trigger that came closer is none.

use serde_json::Value;

/// How far a due time may drift before it is news, in milliseconds.
const DRIFT_MS: i64 = 150;

/// Whether `now` tells more than `before`, taken `elapsed_ms` earlier, tells already.
pub(super) fn is_news(before: &Value, now: &Value, elapsed_ms: i64) -> bool {
    let (before, due_before) = without_due_times(before);
    let (now, due_now) = without_due_times(now);
    let moved = |(then, is): (&i64, &i64)| {
        let expected = then.saturating_sub(elapsed_ms).max(0);
        expected.saturating_sub((*is).max(0)).abs() > DRIFT_MS
    };
    before != now || due_before.iter().zip(&due_now).any(moved)
}

/// The status without its triggers' due times, and those.
fn without_due_times(status: &Value) -> (Value, Vec<i64>) {
    let mut rest = status.clone();
    let triggers = rest
        .pointer_mut("/queue/triggers")
        .and_then(Value::as_array_mut);
    let mut due = Vec::new();
    for trigger in triggers
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        let removed = trigger.remove("due_in_ms");
        due.push(removed.as_ref().and_then(Value::as_i64).unwrap_or(0));
    }
    (rest, due)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(due: &[i64], dlq: u64) -> Value {
        let triggers: Vec<Value> = due
            .iter()
            .map(|ms| json!({"due_in_ms": ms, "state": "delayed", "receive_count": 0}))
            .collect();
        json!({"queue": {"visible": 0, "in_flight": 0, "delayed": due.len(), "triggers": triggers}, "dlq": {"visible": dlq}})
    }

    #[test]
    fn time_that_passes_is_no_news() {
        assert!(!is_news(
            &status(&[3_000, 900], 0),
            &status(&[2_260, 140], 0),
            750
        ));
        assert!(
            !is_news(&status(&[100], 0), &status(&[0], 0), 750),
            "due is due"
        );
        assert!(!is_news(&status(&[100], 0), &status(&[-600], 0), 750));
    }

    #[test]
    fn a_new_trigger_a_moved_one_and_a_count_are_news() {
        assert!(is_news(
            &status(&[3_000], 0),
            &status(&[3_000, 3_000], 0),
            10
        ));
        assert!(is_news(&status(&[500], 0), &status(&[3_000], 0), 10));
        assert!(is_news(&status(&[500], 0), &status(&[500], 1), 10));
        assert!(is_news(&Value::Null, &status(&[], 0), 0));
    }
}
