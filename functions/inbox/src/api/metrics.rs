//! Metrics for scrapers, from the ledger: right over all instances and cold starts, whoever is asked.

mod families;
mod installation;
mod text;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use clivy::conversation::ids::{BotId, EpochMs};
use clivy::table::TableError;
use clivy::usage::{Day, UsageCounts, total};
use futures_util::{StreamExt, TryStreamExt, stream};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Inbox;
use crate::auth::Caller;
use crate::problem::Problem;

/// The most bots of one owner that are shown: each is a Query. How many are left out is a metric itself.
const MOST_BOTS: usize = 50;
/// Queries at a time.
const AT_ONCE: usize = 8;

pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// What one bot has used.
struct BotUsage {
    bot_id: BotId,
    /// Since the month (UTC) began.
    month: UsageCounts,
    /// Since the day (UTC) began.
    today: UsageCounts,
}

/// The metrics of the caller's owner's bots, at most 50 of them, and of the installation, in the Prometheus text format
/// 0.0.4. Counters are those of the current month (UTC), over all instances: they begin again at zero when a month does,
/// which scrapers take for a restart.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "metrics",
    responses(
        (status = 200, description = "The metrics, as `text/plain; version=0.0.4; charset=utf-8`.", body = String, content_type = "text/plain"),
        (status = 401, description = "No valid key.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Our own trouble: the same request may work in a moment.", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn metrics(
    State(inbox): State<Arc<Inbox>>,
    caller: Caller,
) -> Result<impl IntoResponse, Problem> {
    let now = inbox.clock.now();
    let mut bots = inbox.table.bots_of(&caller.owner).await?;
    let left_out = bots.len().saturating_sub(MOST_BOTS);
    bots.truncate(MOST_BOTS);
    let (usage, installation) =
        futures_util::try_join!(usage_of(&inbox, bots, now), installation::read(&inbox, now))?;
    let mut families = families::of_bots(&usage, left_out);
    families.extend(installation.families());
    let headers = [
        (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text::render(&families)))
}

/// The usage of each of the bots (I12: they are the caller's owner's). One Query each.
async fn usage_of(
    inbox: &Inbox,
    bots: Vec<BotId>,
    now: EpochMs,
) -> Result<Vec<BotUsage>, TableError> {
    let today = Day::of(now);
    stream::iter(bots)
        .map(|bot_id| async move {
            let from = today.month_begins();
            let hours = inbox.table.usage_between(&bot_id, from, today).await?;
            let of_today = hours.iter().filter(|hour| Day::of(hour.at) == today);
            Ok(BotUsage {
                month: total(hours.iter().map(|hour| &hour.counts)),
                today: total(of_today.map(|hour| &hour.counts)),
                bot_id,
            })
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}
