//! The turns of a bot by how they stand: the index by activity, where each turn is listed under its status.

use super::schema::{BY_ACTIVITY, item_key};
use super::{Item, Page, Place, Table, TableError, Turn, keys, s};
use crate::conversation::ids::{BotId, ConversationId};
use crate::conversation::outcome::TurnStatus;

/// A turn and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedTurn {
    /// The conversation.
    pub id: ConversationId,
    /// The turn.
    pub turn: Turn,
}

impl Table {
    /// The turns of a bot that stand so, the one that ended last first. One Query of the index, eventually consistent, and
    /// one BatchGetItem. A turn that has changed since the index was written, or has expired, is left out, so a page may
    /// hold fewer than `limit`, which is 100 at most.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn turns(
        &self,
        bot_id: &BotId,
        status: TurnStatus,
        limit: u16,
        from: Option<&Place>,
    ) -> Result<Page<ListedTurn>, TableError> {
        const OPERATION: &str = "turns";
        let list = keys::turns(bot_id, status);
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(BY_ACTIVITY)
            .key_condition_expression("list_pk = :list")
            .expression_attribute_values(":list", s(&list))
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .set_exclusive_start_key(from.and_then(|from| from.in_list(&list)))
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let next = output.last_evaluated_key.as_ref().and_then(Place::of);
        let found: Vec<(String, String)> = output
            .items
            .unwrap_or_default()
            .iter()
            .filter_map(|item| Some((text(item, "pk")?, text(item, "sk")?)))
            .collect();
        let wanted = found.iter().map(|(pk, sk)| item_key(pk, sk)).collect();
        let mut listed = Vec::new();
        for item in self.batch(OPERATION, wanted).await? {
            let turn = listed_turn(item).ok_or_else(|| TableError::malformed(OPERATION, "turn"))?;
            // I12: whatever the index says, a turn of another bot is not this one's.
            if turn.turn.status == status && turn.id.bot_id == *bot_id {
                listed.push(turn);
            }
        }
        // A batch comes in no order.
        let place = |listed: &ListedTurn| {
            let key = (
                keys::conversation(&listed.id),
                keys::turn(listed.turn.burst),
            );
            found.iter().position(|found| *found == key)
        };
        listed.sort_by_cached_key(place);
        Ok(Page {
            items: listed,
            next,
        })
    }
}

fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

fn listed_turn(item: Item) -> Option<ListedTurn> {
    Some(ListedTurn {
        id: keys::parse_conversation(&text(&item, "pk")?)?,
        turn: serde_dynamo::from_item(item).ok()?,
    })
}
