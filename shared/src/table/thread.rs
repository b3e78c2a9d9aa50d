//! The messages of a conversation as the business reads them: with what became of each.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;

use super::messages::stored;
use super::usage::usd;
use super::{Commit, Item, Page, Place, StoredMessage, Table, TableError, keys, n, s};
use crate::conversation::ids::{ConversationId, EpochMs};
use crate::conversation::message::Author;
use crate::conversation::outcome::TurnStatus;

/// A message, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadMessage {
    /// The message and its key.
    pub stored: StoredMessage,
    /// How far it has come.
    pub delivery: Delivery,
    /// When its author changed it last.
    pub edited_at: Option<EpochMs>,
    /// The turn that made it. None for messages that no turn made, and for replies of before this was kept.
    pub turn: Option<TurnSummary>,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It came from the customer.
    Received,
    /// It is on its way to the gateway.
    Sending,
    /// The gateway took it, or it was written on the phone.
    Sent,
    /// The gateway would not take it.
    Undelivered,
    /// It was not sent (again), because a person had taken the conversation.
    Withheld,
}

/// A turn in short, as it stood when its reply was committed: kept with the reply, so that a page of messages is one
/// Query.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TurnSummary {
    /// The burst's number.
    pub number: u64,
    /// How it ended.
    pub status: TurnStatus,
    /// The model that answered.
    pub model: Option<String>,
    /// What the provider charged for all calls, in USD.
    pub cost_usd: f64,
    /// Tokens of the prompts.
    pub tokens_in: u64,
    /// Tokens of the answers.
    pub tokens_out: u64,
    /// Calls to the model.
    pub attempts: u32,
    /// How long all calls took, in milliseconds.
    pub llm_latency_ms: i64,
}

/// The attributes of a message's item that the protocol does not read.
#[derive(Deserialize)]
struct Extra {
    delivery: Option<Delivery>,
    edited_at: Option<EpochMs>,
    turn: Option<TurnSummary>,
}

impl Table {
    /// A page of a conversation's messages, newest first. ONE consistent Query of this contact's partition and no other
    /// (I12); of a conversation that is not there it is empty.
    ///
    /// Costs 1 RCU for each 4 kB.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn thread(
        &self,
        id: &ConversationId,
        limit: u16,
        from: Option<&Place>,
    ) -> Result<Page<ThreadMessage>, TableError> {
        const OPERATION: &str = "thread";
        let pk = keys::conversation(id);
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(&pk))
            .expression_attribute_values(":prefix", s(keys::MESSAGE_PREFIX))
            .set_exclusive_start_key(from.map(|place| place.in_table(&pk)))
            .scan_index_forward(false)
            .limit(i32::from(limit.max(1)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let items = output.items.unwrap_or_default();
        Ok(Page {
            items: items
                .into_iter()
                .map(|item| message(OPERATION, item))
                .collect::<Result<_, _>>()?,
            next: output.last_evaluated_key.as_ref().and_then(Place::of),
        })
    }
}

fn message(operation: &'static str, item: Item) -> Result<ThreadMessage, TableError> {
    let extra: Extra = serde_dynamo::from_item(item.clone())
        .map_err(|_| TableError::malformed(operation, "message"))?;
    let stored = stored(operation, item)?;
    let delivery = extra
        .delivery
        .unwrap_or_else(|| delivery(&stored, extra.turn.as_ref()));
    Ok(ThreadMessage {
        stored,
        delivery,
        edited_at: extra.edited_at,
        turn: extra.turn,
    })
}

/// How far a message has come whose item does not say so.
fn delivery(stored: &StoredMessage, turn: Option<&TurnSummary>) -> Delivery {
    match (stored.message.author, stored.message.delivered) {
        (Author::Customer, _) => Delivery::Received,
        (Author::Bot | Author::Person, true) => Delivery::Sent,
        (Author::Bot | Author::Person, false) => match turn.map(|turn| turn.status) {
            Some(TurnStatus::LeftToPerson) => Delivery::Withheld,
            _ => Delivery::Undelivered,
        },
    }
}

/// A turn in short, for the item of its reply: what [`TurnSummary`] reads.
pub(super) fn summary(commit: &Commit<'_>) -> AttributeValue {
    let outcome = &commit.draft.outcome;
    let spent = &outcome.spent;
    let null = AttributeValue::Null(true);
    let summary: HashMap<_, _> = [
        ("number", n(commit.burst)),
        ("status", s(outcome.status.as_str())),
        ("model", outcome.model.as_ref().map_or(null, s)),
        ("cost_usd", n(usd(spent.cost_usd))),
        ("tokens_in", n(spent.tokens_in)),
        ("tokens_out", n(spent.tokens_out)),
        ("attempts", n(spent.calls)),
        ("llm_latency_ms", n(spent.llm_latency_ms)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    AttributeValue::M(summary)
}
