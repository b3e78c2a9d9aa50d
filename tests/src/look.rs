//! What a world's table holds, for tests to look at, and the changes that somebody else would make to it.

use clivy::breaker::Provider;
use clivy::conversation::head::Head;
use clivy::conversation::ids::{BotId, Contact, ConversationId, EpochMs};
use clivy::conversation::message::Message;
use clivy::table::{Turn, UsageCounts, UsageHour};
use serde_json::Value;

use crate::world::TestWorld;

impl TestWorld {
    /// A conversation's id.
    pub fn id(&self, bot: &str, contact: &str) -> ConversationId {
        ConversationId {
            bot_id: BotId::new(bot).unwrap(),
            contact: Contact::new(contact).unwrap(),
        }
    }

    /// A conversation's HEAD.
    pub async fn head(&self, bot: &str, contact: &str) -> Head {
        let id = self.id(bot, contact);
        self.world.table.head(&id).await.unwrap().unwrap()
    }

    /// A conversation's messages, oldest first.
    pub async fn history(&self, bot: &str, contact: &str) -> Vec<Message> {
        let id = self.id(bot, contact);
        let newest = self.world.table.newest(&id, 1_000).await.unwrap();
        let mut all: Vec<Message> = newest.into_iter().map(|stored| stored.message).collect();
        all.sort_by(|a, b| a.order().cmp(&b.order()));
        all
    }

    /// What is known of a provider.
    pub async fn provider(&self, name: &str) -> Provider {
        self.world.table.provider(name).await.unwrap()
    }

    /// A bot's usage of the day that `at` is in, all hours together.
    pub async fn usage(&self, bot: &str, at: EpochMs) -> UsageCounts {
        let bot_id = BotId::new(bot).unwrap();
        let hours = self.world.table.usage_of_day(&bot_id, at).await.unwrap();
        let mut sum = UsageCounts::default();
        for UsageHour { counts, .. } in hours {
            sum.turns += counts.turns;
            sum.messages += counts.messages;
            sum.llm_calls += counts.llm_calls;
            sum.tokens_in += counts.tokens_in;
            sum.tokens_out += counts.tokens_out;
            sum.cost_usd += counts.cost_usd;
            sum.wasted += counts.wasted;
            sum.free_answers += counts.free_answers;
            sum.cache_hits += counts.cache_hits;
            sum.tokens_saved += counts.tokens_saved;
            sum.trials += counts.trials;
            sum.llm_latency_ms += counts.llm_latency_ms;
            for (status, count) in counts.by_status {
                *sum.by_status.entry(status).or_default() += count;
            }
        }
        sum
    }

    /// Changes a HEAD past everything, as somebody else would.
    pub async fn update_head(&self, bot: &str, contact: &str, expression: &str, values: Value) {
        let key =
            serde_json::json!({"pk": {"S": format!("C#{bot}#{contact}")}, "sk": {"S": "HEAD"}});
        let update = serde_json::json!({"TableName": "clivy", "Key": key, "UpdateExpression": expression,
            "ExpressionAttributeValues": values});
        self.dynamodb("UpdateItem", update).await;
    }

    /// Pauses a conversation.
    pub async fn pause(&self, bot: &str, contact: &str, until: EpochMs) {
        let values = serde_json::json!({":until": {"N": until.0.to_string()}});
        let set = "SET paused_until = :until";
        self.update_head(bot, contact, set, values).await;
    }

    /// A turn.
    pub async fn turn(&self, bot: &str, contact: &str, burst: u64) -> Turn {
        let id = self.id(bot, contact);
        self.world.table.turn(&id, burst).await.unwrap().unwrap()
    }
}
