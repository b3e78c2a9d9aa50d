//! The business's view of conversations: the list, one of them, and that it was read.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use serde::Deserialize;

use super::schema::{BY_ACTIVITY, item_key};
use super::{Item, Page, Place, Table, TableError, in_spite_of_conflicts, item, keys, n, s};
use crate::conversation::head::{Head, PausedBy};
use crate::conversation::ids::{BotId, ConversationId, EpochMs};
use crate::conversation::message::{Author, MessageKind};
use crate::conversation::room::{self, LastWords, Name, Room};

/// Conversations that one page looks at when only some of them are wanted. At some 500 bytes each well below the 1 MB
/// at which DynamoDB ends a page by itself.
const LOOKED_AT: i32 = 1_000;

/// Which conversations are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    /// Those with messages that nobody has read.
    Unread,
    /// Those in which the bot is paused.
    Paused,
    /// Those with a failed turn that nobody has dealt with.
    Failed,
}

/// What is asked of the list.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// Whose conversations.
    pub bot_id: &'a BotId,
    /// Only these; all when none.
    pub filter: Option<Filter>,
    /// Only those whose name or number holds this; all when none.
    pub search: Option<&'a str>,
    /// Conversations of a page, 1 at least.
    pub limit: u16,
    /// Where the page begins; at the newest when none.
    pub from: Option<&'a Place>,
    /// The time.
    pub now: EpochMs,
}

/// What came of marking a conversation as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Nothing is unread.
    Done,
    /// There is no such conversation.
    NoSuchConversation,
}

impl Table {
    /// A page of a bot's conversations, the latest activity first. ONE Query of the bot's partition of the index by
    /// activity and no other (I12), eventually consistent, as every index is. Where only some are wanted, it looks at
    /// no more than 1,000, so a page may be short, even empty, and still have a next one.
    ///
    /// Costs 0.5 RCU for each 4 kB looked at: some 2 for a page of 30, up to some 60 for a search.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn conversations(&self, listing: &Listing<'_>) -> Result<Page<Room>, TableError> {
        const OPERATION: &str = "conversations";
        let list_pk = keys::bot(listing.bot_id);
        let mut query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(BY_ACTIVITY)
            .key_condition_expression("list_pk = :pk")
            .expression_attribute_values(":pk", s(&list_pk))
            .set_exclusive_start_key(listing.from.and_then(|place| place.in_list(&list_pk)))
            .scan_index_forward(false);
        let mut wanted = Vec::new();
        match listing.filter {
            None => {}
            Some(Filter::Unread) => {
                wanted.push("unread > :zero");
                query = query.expression_attribute_values(":zero", n(0));
            }
            Some(Filter::Paused) => {
                wanted.push("paused_until > :now");
                query = query.expression_attribute_values(":now", n(listing.now.0));
            }
            Some(Filter::Failed) => wanted.push("attribute_exists(failed_turn)"),
        }
        if let Some(search) = listing.search {
            wanted.push("contains(search_text, :needle)");
            query = query.expression_attribute_values(":needle", s(room::needle(search)));
        }
        let limit = usize::from(listing.limit.max(1));
        query = if wanted.is_empty() {
            query.limit(i32::from(listing.limit.max(1)))
        } else {
            query
                .limit(LOOKED_AT)
                .filter_expression(wanted.join(" AND "))
        };
        let output = query
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let mut found = output.items.unwrap_or_default();
        let mut next = output.last_evaluated_key.as_ref().and_then(Place::of);
        if found.len() > limit {
            found.truncate(limit);
            // The rest was looked at already: the next page begins behind the last one that is shown.
            next = found.last().and_then(Place::of);
        }
        let items = found.into_iter().map(|item| room(OPERATION, item));
        Ok(Page {
            items: items.collect::<Result<_, _>>()?,
            next,
        })
    }

    /// One conversation: as the list shows it, and its HEAD. One consistent GetItem; none when there is no such
    /// conversation. Costs the RCU of HEAD's size.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn conversation(
        &self,
        id: &ConversationId,
    ) -> Result<Option<(Room, Head)>, TableError> {
        const OPERATION: &str = "conversation";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::conversation(id), keys::HEAD)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        output
            .item
            .filter(is_conversation)
            .map(|item| seen(OPERATION, item))
            .transpose()
    }

    /// Notes that everything has been read. Idempotent.
    ///
    /// Key: HEAD, if it is a conversation's. Costs the WCU of HEAD's size, and 1 in the index by activity when something
    /// was unread. A message that comes in at the same moment may count as read.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn read(&self, id: &ConversationId) -> Result<Read, TableError> {
        let pk = keys::conversation(id);
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&pk, keys::HEAD)))
            .update_expression("SET unread = :zero")
            .condition_expression("attribute_exists(contact)")
            .expression_attribute_values(":zero", n(0));
        match in_spite_of_conflicts(&pk, || update.clone().send()).await {
            Ok(_) => Ok(Read::Done),
            Err(e)
                if e.as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(Read::NoSuchConversation)
            }
            Err(e) => Err(TableError::from_sdk("read", &e)),
        }
    }
}

/// Whether a HEAD is a conversation's: one that is being erased names no contact.
fn is_conversation(item: &Item) -> bool {
    item.contains_key("contact")
}

/// A HEAD, as the list shows it and as the rules see it.
pub(super) fn seen(operation: &'static str, item: Item) -> Result<(Room, Head), TableError> {
    Ok((room(operation, item.clone())?, item::head(operation, item)?))
}

/// The part of HEAD that the index by activity projects.
#[derive(Deserialize)]
struct RoomItem {
    pk: String,
    contact_name: Option<String>,
    last_text: Option<String>,
    last_kind: Option<MessageKind>,
    last_author: Option<Author>,
    #[serde(default)]
    unread: u64,
    paused_until: Option<EpochMs>,
    paused_by: Option<PausedBy>,
    opted_out_at: Option<EpochMs>,
    failed_turn: Option<u64>,
    list_at: EpochMs,
}

fn room(operation: &'static str, item: Item) -> Result<Room, TableError> {
    let item: RoomItem = serde_dynamo::from_item(item)
        .map_err(|_| TableError::malformed(operation, "HEAD has another shape"))?;
    let id =
        keys::parse_conversation(&item.pk).ok_or_else(|| TableError::malformed(operation, "pk"))?;
    let last = item.last_text.zip(item.last_kind).zip(item.last_author);
    Ok(Room {
        contact: id.contact,
        name: item.contact_name.filter(|name| !name.is_empty()).map(Name),
        last: last.map(|((text, kind), author)| LastWords { text, kind, author }),
        unread: item.unread,
        paused_until: item.paused_until,
        paused_by: item.paused_by,
        opted_out_at: item.opted_out_at,
        failed_turn: item.failed_turn,
        active_at: item.list_at,
    })
}
