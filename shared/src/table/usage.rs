//! The usage of a bot, by hour: counters that move in the commit of a turn, once per turn (I8).
//!
//! One item an hour, with only what is not zero: below 3 kB when everything there is has happened in it, 1 kB in most.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};

use super::schema::item_key;
use super::store::{token, update};
use super::{Item, Name, Table, TableError, keys, n, s};
use crate::conversation::ids::{BotId, ConversationId, EpochMs, Fence};
use crate::conversation::outcome::{Spent, TurnStatus};
use crate::usage::{Bucket, Day, Times, UsageCounts, UsageHour};

/// What the counters of errors begin with; the class follows.
const ERROR_PREFIX: &str = "err_";
/// What the buckets of the calls' times begin with; the upper bound follows, in milliseconds. Each counts its own alone.
const LLM_PREFIX: &str = "llm_le_";
/// The same of the customers' waits.
const RESPONSE_PREFIX: &str = "rt_le_";

const HOUR_MS: i64 = 3_600_000;

/// Money with nine decimals: DynamoDB's numbers are decimal, and a token costs more than a nano-dollar.
pub(super) fn usd(amount: f64) -> String {
    let amount = if amount.is_finite() {
        amount.max(0.0)
    } else {
        0.0
    };
    format!("{amount:.9}")
}

/// The counters that move, by attribute. Those that are zero stay as they are.
fn moved(counts: &UsageCounts) -> Vec<(String, AttributeValue)> {
    let fixed = [
        ("conversations", counts.conversations),
        ("new_contacts", counts.new_contacts),
        ("turns", counts.turns),
        ("messages", counts.messages),
        ("llm_calls", counts.llm_calls),
        ("trials", counts.trials),
        ("tokens_in", counts.tokens_in),
        ("tokens_out", counts.tokens_out),
        ("tokens_cached", counts.tokens_cached),
        ("llm_latency_ms", counts.llm_latency_ms),
        ("response_ms", counts.response_ms),
        ("wasted", counts.wasted),
        ("free_answers", counts.free_answers),
        ("saved_by_batching", counts.saved_by_batching),
        ("cache_hits", counts.cache_hits),
        ("tokens_saved", counts.tokens_saved),
    ];
    let fixed = fixed.map(|(name, count)| (name.to_owned(), count));
    let by_status = counts
        .by_status
        .iter()
        .map(|(status, count)| ((*status).to_owned(), *count));
    let errors = counts
        .errors
        .iter()
        .map(|(class, count)| (format!("{ERROR_PREFIX}{class}"), *count));
    let numbers = fixed
        .into_iter()
        .chain(by_status)
        .chain(errors)
        .chain(buckets(LLM_PREFIX, &counts.llm_times))
        .chain(buckets(RESPONSE_PREFIX, &counts.response_times))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| (name, n(count)));
    let cost = (counts.cost_usd > 0.0).then(|| ("cost_usd".to_owned(), n(usd(counts.cost_usd))));
    numbers.chain(cost).collect()
}

fn buckets(prefix: &'static str, times: &Times) -> impl Iterator<Item = (String, u64)> {
    times
        .iter()
        .map(move |(bucket, count)| (format!("{prefix}{}", String::from(bucket)), count))
}

impl Table {
    /// The counters' part of a transaction.
    pub(super) fn add_usage(
        &self,
        bot_id: &BotId,
        at: EpochMs,
        counts: &UsageCounts,
    ) -> UpdateBuilder {
        let (pk, sk) = keys::usage(bot_id, at);
        let mut update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(item_key(&pk, &sk)));
        let mut parts = Vec::new();
        for (index, (name, value)) in moved(counts).into_iter().enumerate() {
            parts.push(format!("#{index} :{index}"));
            update = update
                .expression_attribute_names(format!("#{index}"), name)
                .expression_attribute_values(format!(":{index}"), value);
        }
        update.update_expression(format!("ADD {}", parts.join(", ")))
    }

    /// Counts calls whose claim was taken over by somebody else: they were billed, and no commit will count them.
    ///
    /// Key: the bot's usage of this hour. Once per fence, however often it is called within ten minutes. Costs 2 WCU, 4
    /// from 1 kB on.
    ///
    /// # Errors
    /// The table cannot be reached: then these calls are missing from the ledger.
    pub async fn count_lost(
        &self,
        id: &ConversationId,
        fence: Fence,
        spent: &Spent,
        now: EpochMs,
    ) -> Result<(), TableError> {
        const OPERATION: &str = "count_lost";
        let name = token(&[OPERATION, &keys::conversation(id), &fence.0.to_string()]);
        let counts = UsageCounts::of(spent);
        self.count(OPERATION, Name::Once(&name), &id.bot_id, &counts, now)
            .await
    }

    /// Counts a question that a person has asked to try the bot: no turn will count its calls (I8).
    ///
    /// Key: the bot's usage of this hour. Once per call; what is repeated after a lost answer is counted once. Costs 2 WCU.
    ///
    /// # Errors
    /// The table cannot be reached: then these calls are missing from the ledger.
    pub async fn count_trial(
        &self,
        bot_id: &BotId,
        spent: &Spent,
        now: EpochMs,
    ) -> Result<(), TableError> {
        const OPERATION: &str = "count_trial";
        let counts = UsageCounts {
            trials: 1,
            ..UsageCounts::of(spent)
        };
        self.count(OPERATION, Name::EachTime(OPERATION), bot_id, &counts, now)
            .await
    }

    async fn count(
        &self,
        operation: &'static str,
        name: Name<'_>,
        bot_id: &BotId,
        counts: &UsageCounts,
        now: EpochMs,
    ) -> Result<(), TableError> {
        if moved(counts).is_empty() {
            return Ok(());
        }
        let usage = self
            .add_usage(bot_id, now, counts)
            .build()
            .map_err(|e| TableError::malformed(operation, e.to_string()))?;
        self.transact_all(operation, name, vec![update(usage)])
            .await
    }

    /// A bot's usage of the days (UTC) `from` to `to`, both included, hour by hour, oldest first; hours in which nothing
    /// was counted are left out. Read consistently, so that a counter never seems to run backwards.
    ///
    /// One Query for each calendar month. Costs 1 RCU for 4 kB: about 200 for a month in which every hour was busy.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn usage_between(
        &self,
        bot_id: &BotId,
        from: Day,
        to: Day,
    ) -> Result<Vec<UsageHour>, TableError> {
        let mut hours = Vec::new();
        let mut first = from;
        while first <= to {
            let last = first.month_ends().min(to);
            self.usage_in_month(bot_id, first, last, &mut hours).await?;
            first = last.plus(1);
        }
        Ok(hours)
    }

    /// The days `first` to `last`, which are of one month. One Query, all pages.
    async fn usage_in_month(
        &self,
        bot_id: &BotId,
        first: Day,
        last: Day,
        hours: &mut Vec<UsageHour>,
    ) -> Result<(), TableError> {
        const OPERATION: &str = "usage_in_month";
        let (pk, from) = keys::usage(bot_id, first.begins());
        let (_, to) = keys::usage(bot_id, last.plus(1).begins().plus_ms(-1));
        let mut items = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", s(pk))
            .expression_attribute_values(":from", s(from))
            .expression_attribute_values(":to", s(to))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let month = first.month_begins();
        while let Some(item) = items.next().await {
            let item = item.map_err(|e| TableError::from_sdk(OPERATION, &e))?;
            let hour =
                hour(month, &item).ok_or_else(|| TableError::malformed(OPERATION, "usage"))?;
            hours.push(hour);
        }
        Ok(())
    }

    /// A bot's usage of the day (UTC) that `at` is in, hour by hour; hours without a turn are left out. One Query.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn usage_of_day(
        &self,
        bot_id: &BotId,
        at: EpochMs,
    ) -> Result<Vec<UsageHour>, TableError> {
        let day = Day::of(at);
        self.usage_between(bot_id, day, day).await
    }
}

/// An hour of a month.
fn hour(month: Day, item: &Item) -> Option<UsageHour> {
    let (day, hour) = keys::parse_usage_hour(item.get("sk")?.as_s().ok()?)?;
    let mut counts: UsageCounts = serde_dynamo::from_item(item.clone()).ok()?;
    for status in TurnStatus::ENDS {
        if let Some(count) = item.get(status.as_str()).and_then(number) {
            counts.by_status.insert(status.as_str(), count);
        }
    }
    for (name, value) in item {
        if let Some(class) = name.strip_prefix(ERROR_PREFIX) {
            counts.errors.insert(class.to_owned(), number(value)?);
        } else if let Some(bucket) = name.strip_prefix(LLM_PREFIX) {
            counts.llm_times.add(bucket_of(bucket)?, number(value)?);
        } else if let Some(bucket) = name.strip_prefix(RESPONSE_PREFIX) {
            counts
                .response_times
                .add(bucket_of(bucket)?, number(value)?);
        }
    }
    let at = month.plus(i64::from(day) - 1).begins();
    Some(UsageHour {
        at: at.plus_ms(i64::from(hour) * HOUR_MS),
        counts,
    })
}

fn number(value: &AttributeValue) -> Option<u64> {
    value.as_n().ok()?.parse().ok()
}

fn bucket_of(word: &str) -> Option<Bucket> {
    Bucket::try_from(word.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::BOUNDS_MS;

    /// An hour in which everything that can be counted was, a billion times.
    fn everything() -> UsageCounts {
        const MANY: u64 = 1_000_000_000;
        let mut times = Times::default();
        for bound in BOUNDS_MS.into_iter().chain([u64::MAX]) {
            let bucket = Bucket::of(i64::try_from(bound).unwrap_or(i64::MAX));
            times.add(bucket, MANY);
        }
        // Longer than any class there is, and more of them.
        let errors = (0..25).map(|n| (format!("a_class_with_a_long_name_{n:02}"), MANY));
        UsageCounts {
            conversations: MANY,
            new_contacts: MANY,
            turns: MANY,
            by_status: TurnStatus::ENDS
                .map(|status| (status.as_str(), MANY))
                .into(),
            messages: MANY,
            llm_calls: MANY,
            trials: MANY,
            errors: errors.collect(),
            tokens_in: MANY,
            tokens_out: MANY,
            tokens_cached: MANY,
            cost_usd: 123_456.789,
            llm_latency_ms: MANY,
            llm_times: times.clone(),
            response_ms: MANY,
            response_times: times,
            wasted: MANY,
            free_answers: MANY,
            saved_by_batching: MANY,
            cache_hits: MANY,
            tokens_saved: MANY,
        }
    }

    #[test]
    fn what_is_written_is_read_and_never_needs_more_than_four_kilobytes() {
        let counts = everything();
        let (pk, sk) = ("U#demo#202511", "D#20#H#07");
        let mut item = item_key(pk, sk);
        item.extend(moved(&counts));
        let size: usize = item
            .iter()
            .map(|(name, value)| {
                // At most one byte for two digits and two more.
                let value = value.as_s().map_or(12, String::len);
                name.len() + value
            })
            .sum();
        assert!(size < 3_000, "{size} bytes");
        let month = Day::parse("2025-11-01").unwrap();
        let read = hour(month, &item).unwrap();
        assert_eq!(read.counts, counts);
        assert_eq!(read.at, EpochMs(1_763_596_800_000 + 7 * HOUR_MS));
    }

    #[test]
    fn what_is_zero_is_not_written() {
        assert_eq!(moved(&UsageCounts::default()), Vec::new());
        let one = UsageCounts {
            turns: 1,
            by_status: [("skipped", 1)].into(),
            ..UsageCounts::default()
        };
        let names: Vec<String> = moved(&one).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["turns", "skipped"]);
    }

    #[test]
    fn an_item_of_an_older_version_is_read_with_zeros() {
        let mut item = item_key("U#demo#202511", "D#20#H#07");
        item.insert("turns".to_owned(), n(3));
        item.insert("cost_usd".to_owned(), n("0.000000000"));
        let read = hour(Day::parse("2025-11-01").unwrap(), &item).unwrap();
        assert_eq!((read.counts.turns, read.counts.trials), (3, 0));
        assert_eq!(read.counts.llm_times.quantile_ms(0.95), None);
    }
}
