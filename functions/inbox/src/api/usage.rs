//! What was used, by hour or day.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use clivy::conversation::ids::EpochMs;
use clivy::usage::{By, Day, Span, UsageCounts, nano_usd, total};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Inbox;
use crate::auth::{OnBot, Viewer};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::time::Time;

/// The share of a percentile: all but one of twenty.
const P95: f64 = 0.95;
/// The days that are shown when none are asked for.
const DEFAULT_DAYS: i64 = 7;

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new().routes(routes!(usage))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The first day (UTC), 1970 to 9998. Without it the seven days that end with `to`.
    #[param(value_type = Option<String>, format = Date, example = "2025-11-14")]
    from: Option<String>,
    /// The last day (UTC), included. Without it today. By day at most 92 days, by hour at most 7.
    #[param(value_type = Option<String>, format = Date, example = "2025-11-20")]
    to: Option<String>,
    /// How the time is divided: `day` (the default; UTC days) or `hour`.
    #[param(value_type = Option<Division>)]
    by: Option<String>,
}

/// How the time is divided.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Division {
    /// By hour.
    Hour,
    /// By day (UTC).
    Day,
}

impl From<By> for Division {
    fn from(by: By) -> Self {
        match by {
            By::Hour => Self::Hour,
            By::Day => Self::Day,
        }
    }
}

/// The usage of some days.
#[derive(Debug, Serialize, ToSchema)]
struct Usage {
    /// The first day (UTC).
    #[schema(format = Date)]
    from: String,
    /// The last day (UTC), included.
    #[schema(format = Date)]
    to: String,
    /// How the time is divided.
    by: Division,
    /// Every hour or day of it, oldest first. Those in which nothing happened are there too, with zeros.
    items: Vec<BucketUsage>,
    /// All of it together.
    total: Counts,
}

/// The usage of one hour or day.
#[derive(Debug, Serialize, ToSchema)]
struct BucketUsage {
    /// When it began.
    at: Time,
    /// What was counted in it.
    #[serde(flatten)]
    counts: Counts,
}

/// What was counted. A turn is counted when it is committed, in that hour, once, with everything it has used up.
#[derive(Debug, Serialize, ToSchema)]
struct Counts {
    /// Contacts with whom a turn ended. Of a day exact: different contacts. Of several days the sum of the days: who
    /// writes on three days is three. Of an hour those with whom it was the first turn of the day.
    conversations: u64,
    /// Contacts whose very first turn ended.
    new_contacts: u64,
    /// Turns that ended.
    turns: u64,
    /// The same by how they ended; what never happened is left out.
    by_status: BTreeMap<String, u64>,
    /// Customers' messages in them.
    messages: u64,
    /// Calls to the model, those that failed included.
    llm_calls: u64,
    /// Questions tried on the bot by somebody of the business.
    trials: u64,
    /// Tokens of the prompts.
    tokens_in: u64,
    /// Tokens of the answers.
    tokens_out: u64,
    /// Tokens of the prompts that the provider had cached.
    tokens_cached: u64,
    /// What the provider charged, in USD, to nine decimals.
    cost_usd: f64,
    /// `cost_usd` by `conversations`, in USD; null without any. Of several days: of a conversation's day.
    cost_per_conversation: Option<f64>,
    /// How long a call to the model took on average, in milliseconds; null without a call.
    latency_ms_average: Option<u64>,
    /// How long 95 of 100 calls took at most, in milliseconds; null without a call. Taken from a histogram: from 1 s to
    /// 128 s it is off by less than half.
    latency_ms_p95: Option<u64>,
    /// How long a customer waited on average, in milliseconds: from the oldest message of a burst to its reply, what a
    /// person's pause or a rate limit took included; null when none got a reply.
    response_ms_average: Option<u64>,
    /// How long 95 of 100 customers waited at most, in milliseconds, as exact as `latency_ms_p95`.
    response_ms_p95: Option<u64>,
    /// Calls to the model that gave nothing that could be sent, by the class of the error.
    errors: BTreeMap<String, u64>,
    /// The share of the models' answers that cost nothing, from 0 to 1; null without an answer.
    free_model_ratio: Option<f64>,
    /// Calls that were not made because bubbles were answered together: in every answered turn its messages but one.
    calls_saved_by_batching: u64,
    /// Calls that were not made because the answer was kept from before.
    calls_saved_by_cache: u64,
    /// Tokens that those would have used.
    tokens_saved: u64,
    /// Answers that were paid for and never sent.
    wasted: u64,
}

impl From<&UsageCounts> for Counts {
    fn from(counts: &UsageCounts) -> Self {
        let by_status = counts.by_status.iter().filter(|(_, count)| **count > 0);
        Self {
            conversations: counts.conversations,
            new_contacts: counts.new_contacts,
            turns: counts.turns,
            by_status: by_status
                .map(|(status, count)| ((*status).to_owned(), *count))
                .collect(),
            messages: counts.messages,
            llm_calls: counts.llm_calls,
            trials: counts.trials,
            tokens_in: counts.tokens_in,
            tokens_out: counts.tokens_out,
            tokens_cached: counts.tokens_cached,
            cost_usd: nano_usd(counts.cost_usd),
            cost_per_conversation: counts.cost_per_conversation(),
            latency_ms_average: counts.llm_ms_average().map(whole),
            latency_ms_p95: counts.llm_times.quantile_ms(P95).map(whole),
            response_ms_average: counts.response_ms_average().map(whole),
            response_ms_p95: counts.response_times.quantile_ms(P95).map(whole),
            errors: counts.errors.clone(),
            free_model_ratio: counts.free_model_ratio(),
            calls_saved_by_batching: counts.saved_by_batching,
            calls_saved_by_cache: counts.cache_hits,
            tokens_saved: counts.tokens_saved,
            wasted: counts.wasted,
        }
    }
}

/// Whole milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to an integer saturates, and a time is never below zero"
)]
fn whole(ms: f64) -> u64 {
    ms.round() as u64
}

/// What a bot has used, by hour or by day, and in all. Read from the ledger, which moves with every turn that ends.
#[utoipa::path(
    get,
    path = "/api/bots/{bot}/usage",
    tag = "usage",
    params(("bot" = String, Path, description = "The bot."), Asked),
    responses(
        (status = 200, description = "The usage.", body = Usage),
        (status = 400, description = "The query is not understood.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such bot, or somebody else's.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "No such day or division, or more days than can be asked for at once.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Our own trouble: the same request may work in a moment.", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn usage(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Viewer>,
    Query(asked): Query<Asked>,
) -> Result<Json<Usage>, Problem> {
    let span = span(&asked, inbox.clock.now())?;
    let hours = inbox
        .table
        .usage_between(&on.bot_id, span.from(), span.to())
        .await?;
    let buckets = span.divide(&hours);
    Ok(Json(Usage {
        from: span.from().to_string(),
        to: span.to().to_string(),
        by: span.by().into(),
        total: Counts::from(&total(buckets.iter().map(|(_, counts)| counts))),
        items: buckets
            .iter()
            .map(|(at, counts)| BucketUsage {
                at: Time(*at),
                counts: Counts::from(counts),
            })
            .collect(),
    }))
}

/// The time that is asked about.
fn span(asked: &Asked, now: EpochMs) -> Result<Span, Problem> {
    let by = match asked.by.as_deref() {
        None | Some("day") => By::Day,
        Some("hour") => By::Hour,
        Some(_) => return Err(Problem::invalid("by is hour or day")),
    };
    let to = day("to", asked.to.as_deref())?.unwrap_or_else(|| Day::of(now));
    let from = day("from", asked.from.as_deref())?.unwrap_or_else(|| to.plus(1 - DEFAULT_DAYS));
    Span::new(from, to, by).map_err(|error| Problem::invalid(error.to_string()))
}

fn day(name: &str, text: Option<&str>) -> Result<Option<Day>, Problem> {
    text.map(|text| {
        Day::parse(text).ok_or_else(|| {
            Problem::invalid(format!(
                "{name} is a day of the years 1970 to 9998 as YYYY-MM-DD"
            ))
        })
    })
    .transpose()
}
