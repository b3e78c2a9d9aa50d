//! The rate limit of a bot, over all of its contacts: one counter per bot and window.

use super::claim::lost_race;
use super::schema::item_key;
use super::{Table, TableError, keys, n};
use crate::conversation::ids::{BotId, EpochMs};
use crate::conversation::rate::RateLimit;

impl Table {
    /// Takes room for so many messages out of a bot's window. Gives the window's end when there is no room left; a
    /// burst that is larger than the limit needs a window to itself.
    ///
    /// A burst that is tried again takes room again: the limit is on what is asked, and errs on the side of less.
    ///
    /// Key: the bot's counter of this window. Costs 1 WCU, a refusal too.
    ///
    /// # Errors
    /// The table cannot be reached. The room may be taken all the same.
    pub async fn take_room(
        &self,
        bot_id: &BotId,
        messages: usize,
        limit: RateLimit,
        now: EpochMs,
    ) -> Result<Option<EpochMs>, TableError> {
        let window_ms = limit.window_ms.max(1);
        let begins = EpochMs(now.0.div_euclid(window_ms).saturating_mul(window_ms));
        let ends = begins.plus_ms(window_ms);
        let left = i64::from(limit.max_messages)
            .saturating_sub(i64::try_from(messages).unwrap_or(i64::MAX));
        let taken = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(
                &keys::bot_rate(bot_id),
                &keys::window(begins),
            )))
            .update_expression("SET expires_at = :expires ADD messages :messages")
            .condition_expression("attribute_not_exists(messages) OR messages <= :left")
            .expression_attribute_values(":expires", n(ends.0 / 1000 + 3_600))
            .expression_attribute_values(":messages", n(messages))
            .expression_attribute_values(":left", n(left))
            .send()
            .await;
        match taken {
            Ok(_) => Ok(None),
            Err(error) if lost_race(&error).is_some() => Ok(Some(ends)),
            Err(error) => Err(TableError::from_sdk("take_room", &error)),
        }
    }
}
