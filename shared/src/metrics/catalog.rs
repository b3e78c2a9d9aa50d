//! Every metric: its name, unit and dimensions. The type holds the number of dimensions, so that a value is never emitted
//! with one missing. A test compares `docs/METRICS.md` with this.

/// CloudWatch's units, those that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Seconds.
    Seconds,
    /// Money, states and shares: CloudWatch has no unit for them.
    None,
}

impl Unit {
    /// CloudWatch's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
            Self::None => "None",
        }
    }
}

/// A metric with `D` dimensions. Whatever has many values is a property of the line instead: each combination of
/// dimensions is a metric that is paid for.
#[derive(Clone, Copy, Debug)]
pub struct Metric<const D: usize> {
    /// Its name.
    pub name: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    /// What its values are told apart by.
    pub dimensions: [&'static str; D],
}

const fn metric<const D: usize>(
    name: &'static str,
    unit: Unit,
    dimensions: [&'static str; D],
) -> Metric<D> {
    Metric {
        name,
        unit,
        dimensions,
    }
}

/// How long a request took, as the function saw it.
pub const HTTP_REQUEST_DURATION: Metric<2> = metric(
    "chatbot_http_request_duration_seconds",
    Unit::Seconds,
    ["function", "status_class"],
);
/// Calls to models at OpenRouter.
pub const OPENROUTER_REQUESTS: Metric<2> = metric(
    "chatbot_openrouter_requests_total",
    Unit::Count,
    ["status", "is_free_model"],
);
/// Calls to the provider below it: another one's errors are not OpenRouter's.
pub const SECOND_PROVIDER_REQUESTS: Metric<1> = metric(
    "chatbot_second_provider_requests_total",
    Unit::Count,
    ["status"],
);
/// Tokens of calls to models.
pub const TOKEN_USAGE: Metric<2> = metric(
    "chatbot_token_usage_total",
    Unit::Count,
    ["type", "user_tier"],
);
/// 1 for the first turn that ends in a conversation in a clock hour (UTC), 0 for the others: the sum over such an hour is
/// the number of conversations that were active in it.
pub const CONVERSATIONS_ACTIVE: Metric<0> =
    metric("chatbot_conversations_active_total", Unit::Count, []);
/// From the burst's oldest message to the reply.
pub const MESSAGE_RESPONSE_TIME: Metric<0> =
    metric("chatbot_message_response_time_seconds", Unit::Seconds, []);
/// 1 for an answer of a free model, 0 for one of another: the average is the ratio.
pub const FREE_MODEL_EFFICIENCY: Metric<0> =
    metric("chatbot_free_model_efficiency_ratio", Unit::None, []);
/// Records that the queue has handed out.
pub const WORKER_RECORDS: Metric<0> = metric("worker_records_total", Unit::Count, []);
/// Those of them that must come again.
pub const WORKER_RECORDS_AGAIN: Metric<0> = metric("worker_records_again_total", Unit::Count, []);
/// Customers who have got neither an answer nor the fallback text in time (I1).
pub const TURNS_WITHOUT_OUTCOME: Metric<0> = metric("turns_without_outcome", Unit::Count, []);
/// How long the customer waits who has waited longest; 0 when nobody does.
pub const OLDEST_OWED: Metric<0> = metric("oldest_owed_seconds", Unit::Seconds, []);
/// Conversations that only the sweeper has brought on again.
pub const SWEEPER_HITS: Metric<0> = metric("sweeper_hits_total", Unit::Count, []);
/// Conversations that it could not read or trigger.
pub const SWEEPER_FAILED: Metric<0> = metric("sweeper_failed_total", Unit::Count, []);
/// 1 when a run did not get to the end, or could not keep its record.
pub const SWEEPER_INCOMPLETE: Metric<0> = metric("sweeper_incomplete", Unit::Count, []);
/// 0 closed, 1 half open, 2 open.
pub const BREAKER_STATE: Metric<1> = metric("breaker_state", Unit::None, ["provider"]);
/// What is left to spend, in USD.
pub const CREDITS_REMAINING: Metric<0> = metric("credits_remaining_usd", Unit::None, []);
/// Alerts that were published.
pub const CREDITS_ALERTS: Metric<0> = metric("credits_alerts_total", Unit::Count, []);

/// A metric, whatever its number of dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    /// What its values are told apart by.
    pub dimensions: Vec<&'static str>,
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Entry> {
    fn entry<const D: usize>(metric: Metric<D>) -> Entry {
        Entry {
            name: metric.name,
            unit: metric.unit,
            dimensions: metric.dimensions.to_vec(),
        }
    }
    vec![
        entry(HTTP_REQUEST_DURATION),
        entry(OPENROUTER_REQUESTS),
        entry(SECOND_PROVIDER_REQUESTS),
        entry(TOKEN_USAGE),
        entry(CONVERSATIONS_ACTIVE),
        entry(MESSAGE_RESPONSE_TIME),
        entry(FREE_MODEL_EFFICIENCY),
        entry(WORKER_RECORDS),
        entry(WORKER_RECORDS_AGAIN),
        entry(TURNS_WITHOUT_OUTCOME),
        entry(OLDEST_OWED),
        entry(SWEEPER_HITS),
        entry(SWEEPER_FAILED),
        entry(SWEEPER_INCOMPLETE),
        entry(BREAKER_STATE),
        entry(CREDITS_REMAINING),
        entry(CREDITS_ALERTS),
    ]
}
