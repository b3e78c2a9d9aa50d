//! A provider under one key: its breaker and its parked models. One item, written only when something is wrong.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::Deserialize;

use super::claim::lost_race;
use super::schema::item_key;
use super::{Item, Table, TableError, keys, n, s};
use crate::breaker::{Breaker, Limits, Provider};
use crate::conversation::ids::{EpochMs, Owner};

#[derive(Default, Deserialize)]
#[serde(default)]
struct BreakerItem {
    failures: u32,
    open_until: Option<EpochMs>,
    probe_until: Option<EpochMs>,
    reason: Option<String>,
}

/// What the attributes of parked models begin with. One attribute each, so that two instances never overwrite each
/// other's.
const PARKED: &str = "parked:";

/// A failed call, as the breaker counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// As how many failures it counts.
    pub weight: u32,
    /// What went wrong, in the words of the error kinds.
    pub reason: &'a str,
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
    /// Reads what is known of a provider. Costs 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn provider(&self, provider: &str) -> Result<Provider, TableError> {
        const OPERATION: &str = "provider";
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

    /// Counts a failed call as `weight` failures, and opens the breaker when there have been too many in a row. Many
    /// failures at once open it once: whoever comes later finds it open and leaves its end alone. Costs 1 WCU, and 1
    /// for the opening. True when this call has opened it.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn breaker_failure(
        &self,
        provider: &str,
        failure: Failure<'_>,
        limits: Limits,
        now: EpochMs,
    ) -> Result<(Provider, bool), TableError> {
        const OPERATION: &str = "breaker_failure";
        let key = item_key(&keys::breaker(provider), keys::BREAKER);
        let output = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.clone()))
            .update_expression("ADD failures :weight")
            .expression_attribute_values(":weight", n(failure.weight))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        let mut seen = read(OPERATION, output.attributes.unwrap_or_default())?;
        if seen.breaker.failures < limits.max_failures || seen.breaker.open_until.is_some() {
            return Ok((seen, false));
        }
        let open_until = now.plus_ms(limits.cooldown_ms);
        let opened = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .update_expression("SET open_until = :until, reason = :reason")
            .condition_expression("attribute_not_exists(open_until)")
            .expression_attribute_values(":reason", s(failure.reason))
            .expression_attribute_values(":until", n(open_until.0))
            .send()
            .await;
        match opened {
            Ok(_) => {
                seen.breaker.open_until = Some(open_until);
                seen.reason = Some(failure.reason.to_owned());
                Ok((seen, true))
            }
            Err(error) if lost_race(&error).is_some() => {
                Ok((self.provider(provider).await?, false))
            }
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

    /// Parks a model until then: it is asked no more. Costs 1 WCU.
    ///
    /// # Errors
    /// The table cannot be reached: the next refusal parks it.
    pub async fn park_model(
        &self,
        provider: &str,
        model: &str,
        until: EpochMs,
    ) -> Result<(), TableError> {
        self.client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::breaker(provider), keys::BREAKER)))
            .update_expression("SET #model = :until")
            .expression_attribute_names("#model", format!("{PARKED}{model}"))
            .expression_attribute_values(":until", n(until.0))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| TableError::from_sdk("park_model", &e))
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
        reason: &str,
    ) -> Result<(), TableError> {
        let reopened = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::breaker(provider), keys::BREAKER)))
            .update_expression(
                "SET open_until = :until, reason = :reason REMOVE probe_until, probe_owner",
            )
            .condition_expression("probe_owner = :owner")
            .expression_attribute_values(":reason", s(reason))
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
            .update_expression("REMOVE failures, open_until, probe_until, probe_owner, reason")
            .send()
            .await
            .map(|_| ())
            .map_err(|e| TableError::from_sdk("breaker_close", &e))
    }
}

fn read(operation: &'static str, item: Item) -> Result<Provider, TableError> {
    let parked = item
        .iter()
        .filter_map(|(name, value)| {
            let until = value.as_n().ok()?.parse().ok()?;
            Some((name.strip_prefix(PARKED)?.to_owned(), EpochMs(until)))
        })
        .collect();
    let item: BreakerItem = serde_dynamo::from_item(item)
        .map_err(|_| TableError::malformed(operation, "the breaker has another shape"))?;
    Ok(Provider {
        breaker: Breaker {
            failures: item.failures,
            open_until: item.open_until,
            probe_until: item.probe_until,
        },
        parked,
        reason: item.reason,
    })
}
