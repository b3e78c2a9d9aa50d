//! The breaker of a provider: one item, written only when something is wrong.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::Deserialize;

use super::claim::lost_race;
use super::schema::item_key;
use super::{Item, Table, TableError, keys, n, s};
use crate::breaker::{Breaker, Limits};
use crate::conversation::ids::{EpochMs, Owner};

#[derive(Default, Deserialize)]
#[serde(default)]
struct BreakerItem {
    failures: u32,
    open_until: Option<EpochMs>,
    probe_until: Option<EpochMs>,
}

/// Whether a probe is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Make the call, then say how it went.
    Ours,
    /// Somebody else makes it, or it is too early.
    Taken,
}

impl Table {
    /// Reads a provider's breaker. Costs 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn breaker(&self, provider: &str) -> Result<Breaker, TableError> {
        const OPERATION: &str = "breaker";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::breaker(provider), keys::BREAKER)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        read(OPERATION, output.item.unwrap_or_default())
    }

    /// Counts a failed call, and opens the breaker when there have been too many in a row. Many failures at once open
    /// it once: whoever comes later finds it open and leaves its end alone. Costs 1 WCU, and 1 for the opening.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn breaker_failure(
        &self,
        provider: &str,
        limits: Limits,
        now: EpochMs,
    ) -> Result<Breaker, TableError> {
        const OPERATION: &str = "breaker_failure";
        let key = item_key(&keys::breaker(provider), keys::BREAKER);
        let output = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.clone()))
            .update_expression("ADD failures :one")
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let breaker = read(OPERATION, output.attributes.unwrap_or_default())?;
        if breaker.failures < limits.max_failures || breaker.open_until.is_some() {
            return Ok(breaker);
        }
        let open_until = now.plus_ms(limits.cooldown_ms);
        let opened = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .update_expression("SET open_until = :until")
            .condition_expression("attribute_not_exists(open_until)")
            .expression_attribute_values(":until", n(open_until.0))
            .send()
            .await;
        match opened {
            Ok(_) => Ok(Breaker {
                open_until: Some(open_until),
                ..breaker
            }),
            Err(error) if lost_race(&error).is_some() => self.breaker(provider).await,
            Err(error) => Err(TableError::from_sdk(OPERATION, &error)),
        }
    }

    /// Takes the probe of a half-open breaker until `until`: one caller at a time, over all instances (I7).
    /// Costs 1 WCU.
    ///
    /// # Errors
    /// The table cannot be reached. The probe may be taken all the same; its lease ends by itself.
    pub async fn breaker_probe(
        &self,
        provider: &str,
        owner: &Owner,
        until: EpochMs,
        now: EpochMs,
    ) -> Result<Probe, TableError> {
        let taken = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::breaker(provider), keys::BREAKER)))
            .update_expression("SET probe_until = :until, probe_owner = :owner")
            // Our own write whose answer was lost is ours.
            .condition_expression(
                "open_until <= :now AND (attribute_not_exists(probe_until) OR probe_until <= :now \
                 OR probe_owner = :owner)",
            )
            .expression_attribute_values(":until", n(until.0))
            .expression_attribute_values(":owner", s(&owner.0))
            .expression_attribute_values(":now", n(now.0))
            .send()
            .await;
        match taken {
            Ok(_) => Ok(Probe::Ours),
            Err(error) if lost_race(&error).is_some() => Ok(Probe::Taken),
            Err(error) => Err(TableError::from_sdk("breaker_probe", &error)),
        }
    }

    /// A probe failed: the breaker stays open until `open_until`. Costs 1 WCU.
    ///
    /// # Errors
    /// The table cannot be reached: the probe's lease ends by itself, and the next one tries.
    pub async fn breaker_reopen(
        &self,
        provider: &str,
        owner: &Owner,
        open_until: EpochMs,
    ) -> Result<(), TableError> {
        let reopened = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::breaker(provider), keys::BREAKER)))
            .update_expression("SET open_until = :until REMOVE probe_until, probe_owner")
            .condition_expression("probe_owner = :owner")
            .expression_attribute_values(":until", n(open_until.0))
            .expression_attribute_values(":owner", s(&owner.0))
            .send()
            .await;
        match reopened {
            Ok(_) => Ok(()),
            // Another probe has taken over since.
            Err(error) if lost_race(&error).is_some() => Ok(()),
            Err(error) => Err(TableError::from_sdk("breaker_reopen", &error)),
        }
    }

    /// A call succeeded: the breaker is closed and healthy, which is to have no item. Costs 1 WCU.
    ///
    /// # Errors
    /// The table cannot be reached: the next success tries again.
    pub async fn breaker_close(&self, provider: &str) -> Result<(), TableError> {
        self.client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::breaker(provider), keys::BREAKER)))
            .update_expression("REMOVE failures, open_until, probe_until, probe_owner")
            .send()
            .await
            .map(|_| ())
            .map_err(|e| TableError::from_sdk("breaker_close", &e))
    }
}

fn read(operation: &'static str, item: Item) -> Result<Breaker, TableError> {
    let item: BreakerItem = serde_dynamo::from_item(item)
        .map_err(|_| TableError::malformed(operation, "the breaker has another shape"))?;
    Ok(Breaker {
        failures: item.failures,
        open_until: item.open_until,
        probe_until: item.probe_until,
    })
}
