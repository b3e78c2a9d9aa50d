//! The breaker of a provider, opened and closed by somebody who makes no call: an account that is empty pauses all calls
//! of its key, and a filled one need not wait for a probe.

use super::claim::lost_race;
use super::schema::item_key;
use super::{Table, TableError, keys, n, s};
use crate::conversation::ids::EpochMs;

/// Whether a breaker was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open from now on, for the reason given.
    Now,
    /// It is open already, or somebody probes: both end by themselves.
    Already,
}

/// Whether a breaker was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It was open for the reason given, and is closed and healthy from now on.
    Now,
    /// It is closed, or open for another reason: nothing was done.
    NotOpenForThis,
}

impl Table {
    /// Opens a provider's breaker until `until`, for a reason that is no failed call. From `until` on it is half open: one
    /// probe a cooldown, over all instances (I7), so that it heals by itself.
    ///
    /// Key: the breaker. Condition: it is closed, or half open with nobody probing; then the reason becomes this one.
    /// Costs 1 WCU, also when the condition fails.
    ///
    /// # Errors
    /// The table cannot be reached. It may be open all the same; opening it again changes nothing.
    pub async fn breaker_open(
        &self,
        provider: &str,
        reason: &str,
        until: EpochMs,
        now: EpochMs,
    ) -> Result<Opened, TableError> {
        let opened = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::breaker(provider), keys::BREAKER)))
            .update_expression(
                "SET open_until = :until, reason = :reason, failures = if_not_exists(failures, :zero)",
            )
            .condition_expression(
                "attribute_not_exists(open_until) OR (open_until <= :now \
                 AND (attribute_not_exists(probe_until) OR probe_until <= :now))",
            )
            .expression_attribute_values(":until", n(until.0))
            .expression_attribute_values(":reason", s(reason))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":now", n(now.0))
            .send()
            .await;
        match opened {
            Ok(_) => Ok(Opened::Now),
            Err(error) if lost_race(&error).is_some() => Ok(Opened::Already),
            Err(error) => Err(TableError::from_sdk("breaker_open", &error)),
        }
    }

    /// Closes a provider's breaker if it is open for this reason. A probe that is under way finds it closed.
    ///
    /// Key: the breaker. Condition: open, and the reason is this one. Costs 1 WCU, also when the condition fails.
    ///
    /// # Errors
    /// The table cannot be reached: the next probe closes it.
    pub async fn breaker_close_if(
        &self,
        provider: &str,
        reason: &str,
    ) -> Result<Closed, TableError> {
        let closed = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::breaker(provider), keys::BREAKER)))
            .update_expression("REMOVE failures, open_until, reason, probe_until, probe_owner")
            .condition_expression("attribute_exists(open_until) AND reason = :reason")
            .expression_attribute_values(":reason", s(reason))
            .send()
            .await;
        match closed {
            Ok(_) => Ok(Closed::Now),
            Err(error) if lost_race(&error).is_some() => Ok(Closed::NotOpenForThis),
            Err(error) => Err(TableError::from_sdk("breaker_close_if", &error)),
        }
    }
}
