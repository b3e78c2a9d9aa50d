//! HEAD and message items to and from the rules' types.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;

use super::{Item, TableError};
use crate::conversation::head::{Claim, Draft, Head, PausedBy, RetryWith};
use crate::conversation::ids::{EpochMs, Fence, MessageId, MessageKey, Owner};
use crate::conversation::outcome::{Outcome, Spent};
use crate::conversation::outgoing::Outbox;
use crate::conversation::rate::Window;
use crate::conversation::trigger::ModelName;
use crate::usage::Day;

/// HEAD as it lies in the table: flat, so that one UpdateItem moves it. Unknown attributes are left
/// alone, so that a newer version may add some.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HeadItem {
    born_at: Option<EpochMs>,
    pend: BTreeSet<MessageKey>,
    pend_since: Option<EpochMs>,
    last_mid: Option<MessageKey>,
    last_at: Option<EpochMs>,
    burst: u64,
    tries: u32,
    retry_at: Option<EpochMs>,
    paused_until: Option<EpochMs>,
    paused_by: Option<PausedBy>,
    opted_out_at: Option<EpochMs>,
    held_until: Option<EpochMs>,
    ended_at: Option<EpochMs>,
    rate_since: Option<EpochMs>,
    rate_answered: u32,
    spent: Option<String>,
    counted_day: Option<Day>,
    c_fence: Option<Fence>,
    c_owner: Option<String>,
    c_until: Option<EpochMs>,
    c_since: Option<EpochMs>,
    c_mids: BTreeSet<MessageKey>,
    c_text: Option<String>,
    c_rid: Option<MessageId>,
    c_outcome: Option<String>,
    c_sends: u32,
    o_mids: BTreeSet<MessageKey>,
    o_owner: Option<String>,
    o_until: Option<EpochMs>,
    o_sends: u32,
    r_model: Option<String>,
    r_mid: Option<MessageKey>,
}

/// Reads a HEAD.
pub(super) fn head(operation: &'static str, item: Item) -> Result<Head, TableError> {
    let malformed = |what: &str| TableError::malformed(operation, what);
    let item: HeadItem =
        serde_dynamo::from_item(item).map_err(|_| malformed("HEAD has another shape"))?;
    let claim = match item.c_fence {
        None => None,
        Some(fence) => Some(Claim {
            fence,
            owner: Owner(item.c_owner.ok_or_else(|| malformed("c_owner"))?),
            until: item.c_until.ok_or_else(|| malformed("c_until"))?,
            since: item.c_since.ok_or_else(|| malformed("c_since"))?,
            keys: item.c_mids,
            draft: match item.c_text {
                None => None,
                Some(text) => Some(Draft {
                    text,
                    reply_id: item.c_rid.ok_or_else(|| malformed("c_rid"))?,
                    outcome: outcome(item.c_outcome.as_deref())
                        .ok_or_else(|| malformed("c_outcome"))?,
                    sends: item.c_sends,
                }),
            },
        }),
    };
    Ok(Head {
        born_at: item.born_at,
        pend: item.pend,
        pend_since: item.pend_since,
        last_key: item.last_mid,
        last_at: item.last_at,
        bursts: item.burst,
        tries: item.tries,
        retry_at: item.retry_at,
        paused_until: item.paused_until,
        paused_by: item.paused_by,
        opted_out_at: item.opted_out_at,
        held_until: item.held_until,
        ended_at: item.ended_at,
        window: Window {
            since: item.rate_since,
            answered: item.rate_answered,
        },
        spent: match item.spent {
            None => Spent::default(),
            Some(json) => serde_json::from_str(&json).map_err(|_| malformed("spent"))?,
        },
        counted_day: item.counted_day,
        claim,
        outbox: Outbox {
            keys: item.o_mids,
            owner: item.o_owner.map(Owner),
            until: item.o_until,
            sends: item.o_sends,
        },
        retry_with: match (item.r_model, item.r_mid) {
            (Some(model), Some(key)) => Some(RetryWith {
                model: ModelName::new(&model).map_err(|_| malformed("r_model"))?,
                key,
            }),
            _ => None,
        },
    })
}

fn outcome(json: Option<&str>) -> Option<Outcome> {
    serde_json::from_str(json?).ok()
}

/// A string set. DynamoDB has no empty sets: never call it with one.
pub(super) fn key_set(keys: &BTreeSet<MessageKey>) -> AttributeValue {
    AttributeValue::Ss(keys.iter().map(|key| key.as_str().to_owned()).collect())
}

/// The first characters of a text, for the list of conversations.
pub(super) fn preview(text: &str) -> String {
    const PREVIEW_CHARACTERS: usize = 120;
    text.chars().take(PREVIEW_CHARACTERS).collect()
}
