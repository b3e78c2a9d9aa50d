//! The graphs, section by section.

use clivy::llm::Provider;
use clivy::metrics::catalog::{self as metric, Metric};
use serde_json::{Value, json};

/// The template's functions.
const FUNCTIONS: [&str; 5] = ["Webhook", "Worker", "Sweeper", "Credits", "Inbox"];
/// Of this stack alone, as `METRICS_NAMESPACE` says.
const NAMESPACE: &str = "Clivy/${AWS::StackName}";

/// A line of a graph: one of our metrics, with its dimensions' words.
fn ours<const D: usize>(metric: &Metric<D>, words: [&str; D], stat: &str, label: &str) -> Value {
    let mut line = vec![json!(NAMESPACE), json!(metric.name)];
    for (dimension, word) in metric.dimensions.iter().zip(words) {
        line.extend([json!(dimension), json!(word)]);
    }
    line.push(json!({"stat": stat, "label": label}));
    Value::Array(line)
}

/// All lines of one of our metrics whose words are not known beforehand.
fn each_of<const D: usize>(metric: &Metric<D>, stat: &str) -> Value {
    let dimensions = metric.dimensions.join(",");
    let search = format!(
        "SEARCH('{{\"{NAMESPACE}\",{dimensions}}} MetricName=\"{}\"', '{stat}', 300)",
        metric.name
    );
    json!([{"expression": search, "label": ""}])
}

/// A line of AWS's own metrics; `place` is its dimension and the value of that.
fn of_aws(namespace: &str, name: &str, place: [&str; 2], stat: &str, label: &str) -> Value {
    let [dimension, value] = place;
    json!([namespace, name, dimension, value, {"stat": stat, "label": label}])
}

fn each_function(name: &str, stat: &str) -> Vec<Value> {
    FUNCTIONS
        .iter()
        .map(|function| {
            let place = format!("${{{function}}}");
            of_aws("AWS/Lambda", name, ["FunctionName", &place], stat, function)
        })
        .collect()
}

/// A graph. `period` in seconds.
fn graph(title: &str, period: u32, lines: &[Value]) -> Value {
    json!({"type": "metric", "properties": {
        "title": title, "region": "${AWS::Region}", "view": "timeSeries", "period": period, "metrics": lines,
    }})
}

/// What only the log lines say: cost is a property, because each model and bot would be a metric that is paid for.
fn from_log(title: &str, query: &str) -> Value {
    json!({"type": "log", "properties": {
        "title": title, "region": "${AWS::Region}", "view": "table", "query": format!("SOURCE '${{WorkerLogs}}' | {query}"),
    }})
}

pub fn traffic() -> Vec<Value> {
    let requests = |function: &str| {
        ["2xx", "4xx", "5xx"].map(|class| {
            let words = [function, class];
            ours(&metric::HTTP_REQUEST_DURATION, words, "SampleCount", class)
        })
    };
    let refused =
        |name: &str, label: &str| json!([NAMESPACE, name, {"stat": "Sum", "label": label}]);
    let active = ours(&metric::CONVERSATIONS_ACTIVE, [], "Sum", "conversations");
    vec![
        graph("Webhooks", 300, &requests("webhook")),
        graph("Inbox requests", 300, &requests("inbox")),
        graph(
            "Webhooks refused",
            300,
            &[
                refused("webhook_unauthorized_total", "401"),
                refused("webhook_turned_away_total", "429"),
            ],
        ),
        graph("Active conversations per hour", 3600, &[active]),
    ]
}

pub fn outcome() -> Vec<Value> {
    vec![
        graph(
            "No outcome in time",
            60,
            &[ours(
                &metric::TURNS_WITHOUT_OUTCOME,
                [],
                "Maximum",
                "customers",
            )],
        ),
        graph(
            "Longest wait for an answer (s)",
            60,
            &[ours(&metric::OLDEST_OWED, [], "Maximum", "oldest owed")],
        ),
        graph(
            "Sweeper",
            300,
            &[
                ours(&metric::SWEEPER_HITS, [], "Sum", "hits"),
                ours(&metric::SWEEPER_FAILED, [], "Sum", "failed"),
                ours(&metric::SWEEPER_INCOMPLETE, [], "Sum", "incomplete runs"),
                ours(&metric::SWEEPER_INCOMPLETE, [], "SampleCount", "runs"),
            ],
        ),
        graph(
            "Worker's records",
            300,
            &[
                ours(&metric::WORKER_RECORDS, [], "Sum", "handled"),
                ours(&metric::WORKER_RECORDS_AGAIN, [], "Sum", "come again"),
            ],
        ),
    ]
}

pub fn latency() -> Vec<Value> {
    let percentiles = ["p50", "p95", "p99"];
    let response = percentiles.map(|stat| ours(&metric::MESSAGE_RESPONSE_TIME, [], stat, stat));
    let http = ["webhook", "inbox"].map(|function| {
        ours(
            &metric::HTTP_REQUEST_DURATION,
            [function, "2xx"],
            "p95",
            function,
        )
    });
    let api = [("Api", "webhook"), ("InboxApi", "inbox")].map(|(api, label)| {
        let place = format!("${{{api}}}");
        of_aws("AWS/ApiGateway", "Latency", ["ApiId", &place], "p95", label)
    });
    vec![
        graph("From message to reply (s)", 300, &response),
        graph("Requests as the function saw them, p95 (s)", 300, &http),
        graph("Requests as the API saw them, p95 (ms)", 300, &api),
        graph(
            "Longest invocation (ms)",
            300,
            &each_function("Duration", "Maximum"),
        ),
    ]
}

pub fn cost() -> Vec<Value> {
    vec![
        graph(
            "Calls to OpenRouter by status and price",
            300,
            &[each_of(&metric::OPENROUTER_REQUESTS, "Sum")],
        ),
        graph(
            "Calls to the second provider by status",
            300,
            &[each_of(&metric::SECOND_PROVIDER_REQUESTS, "Sum")],
        ),
        graph(
            "Tokens by kind and whose key pays",
            300,
            &[each_of(&metric::TOKEN_USAGE, "Sum")],
        ),
        graph(
            "Share of free answers",
            3600,
            &[ours(&metric::FREE_MODEL_EFFICIENCY, [], "Average", "free")],
        ),
        from_log(
            "Cost by model (USD, of the range shown)",
            "filter ispresent(cost_usd) | stats sum(cost_usd) as usd, count() as calls by model | sort usd desc",
        ),
    ]
}

pub fn queue() -> Vec<Value> {
    let of = |name: &str, queue: &str, label: &str| {
        let place = format!("${{{queue}.QueueName}}");
        of_aws("AWS/SQS", name, ["QueueName", &place], "Maximum", label)
    };
    vec![
        graph(
            "Queue",
            60,
            &[
                of("ApproximateNumberOfMessagesVisible", "Queue", "ready"),
                of(
                    "ApproximateNumberOfMessagesNotVisible",
                    "Queue",
                    "in flight",
                ),
                of("ApproximateNumberOfMessagesDelayed", "Queue", "delayed"),
            ],
        ),
        graph(
            "Age of the oldest trigger (s)",
            60,
            &[of("ApproximateAgeOfOldestMessage", "Queue", "age")],
        ),
        graph(
            "Dead letters",
            60,
            &[of(
                "ApproximateNumberOfMessagesVisible",
                "DeadLetterQueue",
                "waiting",
            )],
        ),
    ]
}

pub fn providers() -> Vec<Value> {
    let breakers = [Provider::OpenRouter, Provider::Second].map(|provider| {
        let word = provider.as_str();
        ours(&metric::BREAKER_STATE, [word], "Maximum", word)
    });
    vec![
        graph("Breaker: 0 closed, 1 half open, 2 open", 60, &breakers),
        graph(
            "Credits left (USD)",
            3600,
            &[ours(&metric::CREDITS_REMAINING, [], "Minimum", "left")],
        ),
        graph(
            "Alerts about credits",
            3600,
            &[
                ours(&metric::CREDITS_ALERTS, [], "Sum", "alerts"),
                ours(&metric::CREDITS_ALERTS, [], "SampleCount", "runs"),
            ],
        ),
    ]
}

pub fn errors() -> Vec<Value> {
    let table = |name: &str, label: &str| {
        of_aws(
            "AWS/DynamoDB",
            name,
            ["TableName", "${Table}"],
            "Sum",
            label,
        )
    };
    let api = |name: &str, api: &str, label: &str| {
        let place = format!("${{{api}}}");
        of_aws("AWS/ApiGateway", name, ["ApiId", &place], "Sum", label)
    };
    vec![
        graph("Errors", 300, &each_function("Errors", "Sum")),
        graph("Throttles", 300, &each_function("Throttles", "Sum")),
        graph(
            "Concurrency",
            60,
            &each_function("ConcurrentExecutions", "Maximum"),
        ),
        graph(
            "APIs' refusals",
            300,
            &[
                api("5xx", "Api", "webhook 5xx"),
                api("4xx", "Api", "webhook 4xx"),
                api("5xx", "InboxApi", "inbox 5xx"),
                api("4xx", "InboxApi", "inbox 4xx"),
            ],
        ),
        graph(
            "Table",
            300,
            &[
                table("ConsumedReadCapacityUnits", "read units"),
                table("ConsumedWriteCapacityUnits", "write units"),
                table("ReadThrottleEvents", "throttled reads"),
                table("WriteThrottleEvents", "throttled writes"),
            ],
        ),
    ]
}
