//! The usage of a bot, by hour: counters that move in the commit of a turn, once per turn (I8).

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use serde::Deserialize;

use super::schema::item_key;
use super::store::{token, update};
use super::{Item, Name, Table, TableError, Transacted, keys, n, s};
use crate::conversation::ids::{BotId, ConversationId, EpochMs, Fence};
use crate::conversation::outcome::{Spent, TurnStatus};

/// Money with nine decimals: DynamoDB's numbers are decimal, and a token costs more than a nano-dollar.
pub(super) fn usd(amount: f64) -> String {
    let amount = if amount.is_finite() {
        amount.max(0.0)
    } else {
        0.0
    };
    format!("{amount:.9}")
}

/// What is counted.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct UsageCounts {
    /// Turns that ended.
    pub turns: u64,
    /// The same by how they ended.
    #[serde(skip)]
    pub by_status: BTreeMap<&'static str, u64>,
    /// Messages of customers in them.
    pub messages: u64,
    /// Calls to the model.
    pub llm_calls: u64,
    /// Tokens of the prompts.
    pub tokens_in: u64,
    /// Tokens of the answers.
    pub tokens_out: u64,
    /// Tokens of the prompts that the provider had cached.
    pub tokens_cached: u64,
    /// What the provider charged, in USD.
    pub cost_usd: f64,
    /// How long the calls took, in milliseconds.
    pub llm_latency_ms: u64,
    /// Generations that were billed and never sent.
    pub wasted: u64,
    /// Answers of free models.
    pub free_answers: u64,
    /// Answers that were kept from before: the model was not asked.
    pub cache_hits: u64,
    /// Tokens that those have saved.
    pub tokens_saved: u64,
    /// Questions that people have asked to try the bot; their calls, tokens and cost are among the others.
    pub trials: u64,
}

impl UsageCounts {
    /// The counts of calls alone.
    #[must_use]
    pub fn of(spent: &Spent) -> Self {
        Self {
            llm_calls: spent.calls.into(),
            tokens_in: spent.tokens_in,
            tokens_out: spent.tokens_out,
            tokens_cached: spent.tokens_cached,
            cost_usd: spent.cost_usd,
            llm_latency_ms: u64::try_from(spent.llm_latency_ms).unwrap_or_default(),
            wasted: spent.wasted.into(),
            ..Self::default()
        }
    }

    /// How many turns ended so.
    #[must_use]
    pub fn ended(&self, status: TurnStatus) -> u64 {
        self.by_status
            .get(status.as_str())
            .copied()
            .unwrap_or_default()
    }

    /// The share of the models' answers that cost nothing, from 0 to 1; none without an answer.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn free_model_ratio(&self) -> Option<f64> {
        let answers = self
            .ended(TurnStatus::Answered)
            .saturating_sub(self.cache_hits);
        (answers > 0).then(|| self.free_answers as f64 / answers as f64)
    }

    fn values(&self) -> Vec<(&'static str, AttributeValue)> {
        let fixed = [
            ("turns", n(self.turns)),
            ("messages", n(self.messages)),
            ("llm_calls", n(self.llm_calls)),
            ("tokens_in", n(self.tokens_in)),
            ("tokens_out", n(self.tokens_out)),
            ("tokens_cached", n(self.tokens_cached)),
            ("cost_usd", n(usd(self.cost_usd))),
            ("llm_latency_ms", n(self.llm_latency_ms)),
            ("wasted", n(self.wasted)),
            ("free_answers", n(self.free_answers)),
            ("cache_hits", n(self.cache_hits)),
            ("tokens_saved", n(self.tokens_saved)),
            ("trials", n(self.trials)),
        ];
        let by_status = self
            .by_status
            .iter()
            .map(|(status, count)| (*status, n(count)));
        fixed.into_iter().chain(by_status).collect()
    }
}

/// The usage of one hour.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageHour {
    /// The hour of the day, 0 to 23, UTC.
    pub hour: u8,
    /// What was counted in it.
    pub counts: UsageCounts,
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
        for (index, (name, value)) in counts.values().into_iter().enumerate() {
            parts.push(format!("#{index} :{index}"));
            update = update
                .expression_attribute_names(format!("#{index}"), name)
                .expression_attribute_values(format!(":{index}"), value);
        }
        update.update_expression(format!("ADD {}", parts.join(", ")))
    }

    /// Counts calls whose claim was taken over by somebody else: they were billed, and no commit will count them.
    ///
    /// Key: the bot's usage of this hour. Once per fence, however often it is called within ten minutes. Costs 2 WCU.
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
        let usage = self
            .add_usage(bot_id, now, counts)
            .build()
            .map_err(|e| TableError::malformed(operation, e.to_string()))?;
        match self.transact(operation, name, vec![update(usage)]).await? {
            Transacted::Done => Ok(()),
            Transacted::Cancelled(cancelled) => Err(cancelled.refused(operation)),
        }
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
        const OPERATION: &str = "usage_of_day";
        let (pk, day) = keys::usage_day(bot_id, at);
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :day)")
            .expression_attribute_values(":pk", s(pk))
            .expression_attribute_values(":day", s(day))
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let items = output.items.unwrap_or_default();
        items
            .into_iter()
            .map(|item| hour(item).ok_or_else(|| TableError::malformed(OPERATION, "usage")))
            .collect()
    }
}

fn hour(item: Item) -> Option<UsageHour> {
    let hour = item
        .get("sk")?
        .as_s()
        .ok()?
        .rsplit_once('#')?
        .1
        .parse()
        .ok()?;
    let by_status = TurnStatus::ENDS
        .iter()
        .filter_map(|status| {
            let count = item.get(status.as_str())?.as_n().ok()?.parse().ok()?;
            Some((status.as_str(), count))
        })
        .collect();
    let counts: UsageCounts = serde_dynamo::from_item(item).ok()?;
    Some(UsageHour {
        hour,
        counts: UsageCounts {
            by_status,
            ..counts
        },
    })
}
