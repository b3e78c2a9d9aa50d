//! What is true of the whole installation: the providers, the credits, who waits. Numbers only: they tell nobody anything
//! about somebody else's conversations (I12).

use clivy::breaker::Provider as Known;
use clivy::conversation::ids::EpochMs;
use clivy::llm::Provider;
use clivy::table::{Owed, TableError, keys};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::AT_ONCE;
use super::text::{Family, Kind};
use crate::Inbox;

/// How far back a run of the credits still says what is left, in milliseconds: a day, and what a schedule may be late.
const CREDITS_KNOWN_MS: i64 = 25 * 3_600_000;
/// The most conversations that are looked at one by one, those owed for longest first.
const MOST_OWED: usize = 100;
/// How long after its deadline an outcome is missing, in milliseconds: as the sweeper's grace.
const GRACE_MS: i64 = 30_000;

/// The installation as it is now.
pub struct Installation {
    now: EpochMs,
    providers: Vec<(Provider, Known)>,
    credits_usd: Option<f64>,
    oldest_owed_ms: i64,
    without_outcome: u64,
}

/// Reads it: an item for each provider, the last day's runs of the credits, a page of each part of the index of owed
/// answers, and the HEADs of those that are owed for longest.
pub async fn read(inbox: &Inbox, now: EpochMs) -> Result<Installation, TableError> {
    let (providers, credits_usd, owed) =
        futures_util::try_join!(providers(inbox), credits_usd(inbox, now), owed(inbox, now))?;
    let waited: Vec<i64> = stream::iter(owed)
        .map(|owed| waited_ms(inbox, owed, now))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let patience_ms = inbox.settings.outcome_deadline_ms.saturating_add(GRACE_MS);
    let too_long = waited.iter().filter(|ms| **ms >= patience_ms);
    Ok(Installation {
        now,
        providers,
        credits_usd,
        without_outcome: too_long.count() as u64,
        oldest_owed_ms: waited.into_iter().max().unwrap_or_default(),
    })
}

async fn providers(inbox: &Inbox) -> Result<Vec<(Provider, Known)>, TableError> {
    let reads = [Provider::OpenRouter, Provider::Second].map(|provider| async move {
        let known = inbox.table.provider(provider.as_str()).await?;
        Ok((provider, known))
    });
    try_join_all(reads).await
}

/// What the newest run of the credits knows that could read it.
async fn credits_usd(inbox: &Inbox, now: EpochMs) -> Result<Option<f64>, TableError> {
    let from = now.plus_ms(-CREDITS_KNOWN_MS);
    let runs = inbox.table.credits_runs(from, now).await?;
    Ok(runs
        .into_iter()
        .rev()
        .find_map(|run| run.figures?.remaining_usd()))
}

/// The conversations that are owed an answer for longest, by the index.
async fn owed(inbox: &Inbox, now: EpochMs) -> Result<Vec<Owed>, TableError> {
    let shards = (0..keys::OWED_SHARDS).map(|shard| inbox.table.owed(shard, now, None));
    let pages = try_join_all(shards).await?;
    let mut owed: Vec<Owed> = pages.into_iter().flat_map(|page| page.owed).collect();
    owed.sort_by_key(|owed| owed.since);
    owed.truncate(MOST_OWED);
    Ok(owed)
}

/// For how long a customer has waited for nothing but us; zero when it was answered since, or while a person or a rate
/// limit holds it.
async fn waited_ms(inbox: &Inbox, owed: Owed, now: EpochMs) -> Result<i64, TableError> {
    let head = inbox.table.head(&owed.id).await?;
    let waited_ms = head.and_then(|head| head.waited_ms(now));
    Ok(waited_ms.unwrap_or_default())
}

impl Installation {
    /// It as metrics.
    pub fn families(&self) -> Vec<Family> {
        let mut breaker = Family::new(
            "breaker_state",
            Kind::Gauge,
            "The circuit breaker of a provider: 0 closed, 1 half open, 2 open.",
        );
        for (provider, known) in &self.providers {
            let labels = [("provider", provider.as_str())];
            breaker.push(&labels, state(known, self.now));
        }
        let mut credits = Family::new(
            "credits_remaining_usd",
            Kind::Gauge,
            "What the OpenRouter account or key has left, in USD. Not there while it is not known.",
        );
        if let Some(usd) = self.credits_usd {
            credits.push(&[], usd);
        }
        let mut oldest = Family::new(
            "oldest_owed_seconds",
            Kind::Gauge,
            "For how long the customer who waits longest has waited for nothing but us.",
        );
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        oldest.push(&[], self.oldest_owed_ms as f64 / 1000.0);
        let mut without = Family::new(
            "turns_without_outcome",
            Kind::Gauge,
            "Customers who got neither an answer nor the fallback text in time. Of the 100 longest owed at most.",
        );
        #[expect(clippy::cast_precision_loss, reason = "100 at most")]
        without.push(&[], self.without_outcome as f64);
        vec![breaker, credits, oldest, without]
    }
}

fn state(known: &Known, now: EpochMs) -> f64 {
    match known.breaker.state(now) {
        "closed" => 0.0,
        "open" => 2.0,
        _ => 1.0,
    }
}
