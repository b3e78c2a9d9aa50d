//! A bot's settings as an item: `json`, and beside it `sealed`, its secrets under the vault's key.
//!
//! The token leaves `json` altogether when it is sealed. A version that knows no vault then finds no token and fails, as it does
//! when the table is down, and its callers come again (I1). With a blank or a sealed text in its place it would take that for
//! the secret and refuse the gateway's webhooks with 401, after which gateways give messages up.

use serde_json::Value;

use super::bot::{json, to_json};
use super::{Item, Table, TableError, s};
use crate::conversation::bot::Bot;
use crate::conversation::ids::BotId;
use crate::vault::BotSecrets;

/// The attribute of the sealed secrets.
const SEALED: &str = "sealed";

impl Table {
    /// The settings in an item, with their secrets: sealed ones, or plain ones of an earlier version or of a table without a
    /// vault.
    pub(super) fn read_settings(
        &self,
        operation: &'static str,
        bot_id: &BotId,
        item: &Item,
    ) -> Result<Bot, TableError> {
        let Some(sealed) = item.get(SEALED).and_then(|sealed| sealed.as_s().ok()) else {
            return json(operation, item);
        };
        let malformed = |what: &str| TableError::malformed(operation, what);
        let vault = self.vault.as_ref();
        let vault = vault.ok_or_else(|| malformed("sealed secrets without a key"))?;
        let secrets = vault
            .open(bot_id, sealed)
            .map_err(|_| malformed("sealed secrets that this key does not open"))?;
        let mut settings: Value = json(operation, item)?;
        // Whatever comes: the sealed secrets take its place.
        settings
            .get_mut("gateway")
            .and_then(Value::as_object_mut)
            .ok_or_else(|| malformed("json"))?
            .insert("token".to_owned(), Value::String(String::new()));
        let bot = serde_json::from_value(settings).map_err(|_| malformed("json"))?;
        Ok(secrets.given_to(bot))
    }

    /// Puts the settings into what an update of the item sets; gives what it removes besides, with a comma in front.
    pub(super) fn put_settings(
        &self,
        operation: &'static str,
        bot: &Bot,
        set: &mut Item,
    ) -> Result<&'static str, TableError> {
        let Some(vault) = &self.vault else {
            set.insert("json".to_owned(), to_json(operation, bot)?);
            return Ok(", sealed");
        };
        let malformed = |what: &str| TableError::malformed(operation, what);
        // What reading would refuse is not written.
        let plain = to_json(operation, &bot.without_secrets())?;
        let mut settings: Value = plain
            .as_s()
            .ok()
            .and_then(|json| serde_json::from_str(json).ok())
            .ok_or_else(|| malformed("json"))?;
        settings
            .get_mut("gateway")
            .and_then(Value::as_object_mut)
            .ok_or_else(|| malformed("json"))?
            .remove("token");
        let sealed = vault
            .seal(&bot.bot_id, &BotSecrets::of(bot))
            .map_err(|_| malformed("secrets that cannot be sealed"))?;
        set.insert("json".to_owned(), s(settings.to_string()));
        set.insert(SEALED.to_owned(), s(sealed));
        Ok("")
    }
}
