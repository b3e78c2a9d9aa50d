//! API keys: found by their hash, listed by their owner.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::Put;

use super::schema::{TTL_ATTRIBUTE, item_key};
use super::store::put;
use super::{Item, Name, Table, TableError, keys, n, s};
use crate::access::{ApiKey, KeyHash, OwnerId};
use crate::conversation::ids::EpochMs;

/// What came of revoking a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It opens nothing from now on, or did not before.
    Done,
    /// The owner has no such key.
    NoSuchKey,
}

impl Table {
    /// The key with this hash. Read consistently, so that a revoked key opens nothing from then on. Costs 1 RCU.
    ///
    /// # Errors
    /// The table cannot be reached, or the item is malformed.
    pub async fn api_key(&self, hash: &KeyHash) -> Result<Option<ApiKey>, TableError> {
        const OPERATION: &str = "api_key";
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item_key(&keys::api_key(hash), keys::API_KEY)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| TableError::from_sdk(OPERATION, &e))?;
        output.item.map(|item| read(OPERATION, item)).transpose()
    }

    /// Stores a new key: one item to find it by, one to list it by. A key that ends is forgotten with the messages of its
    /// last day. Costs 4 WCU.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn put_api_key(&self, key: &ApiKey) -> Result<(), TableError> {
        const OPERATION: &str = "put_api_key";
        let malformed = |what: &str| TableError::malformed(OPERATION, what);
        let mut item: Item = serde_dynamo::to_item(key).map_err(|_| malformed("key"))?;
        if let Some(ends_at) = key.expires_at {
            item.insert(TTL_ATTRIBUTE.to_owned(), self.expires_at(ends_at));
        }
        let listed = item_key(&keys::owner(&key.owner), &keys::listed_key(&key.hash));
        let found = item_key(&keys::api_key(&key.hash), keys::API_KEY);
        let writes = [found, listed]
            .into_iter()
            .map(|at| {
                let item = item.clone().into_iter().chain(at).collect();
                Put::builder()
                    .table_name(&self.name)
                    .set_item(Some(item))
                    .build()
                    .map(put)
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| malformed(&e.to_string()))?;
        let name = Name::EachTime(key.hash.as_str());
        self.transact_all(OPERATION, name, writes).await
    }

    /// The keys of an owner, those that have ended too. One Query.
    ///
    /// # Errors
    /// The table cannot be reached, or an item is malformed.
    pub async fn api_keys(&self, owner: &OwnerId) -> Result<Vec<ApiKey>, TableError> {
        const OPERATION: &str = "api_keys";
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(keys::owner(owner)))
            .expression_attribute_values(":prefix", s(keys::LISTED_KEY_PREFIX))
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|e| TableError::from_sdk(OPERATION, &e))?;
            found.push(read(OPERATION, item)?);
        }
        Ok(found)
    }

    /// Revokes a key of an owner, by its id. The item it is found by goes first: from then on it opens nothing.
    /// Idempotent. It stays in the list for as long as messages are kept. Costs a Query and 2 WCU.
    ///
    /// # Errors
    /// The table cannot be reached.
    pub async fn revoke_api_key(
        &self,
        owner: &OwnerId,
        id: &str,
        now: EpochMs,
    ) -> Result<Revoked, TableError> {
        const OPERATION: &str = "revoke_api_key";
        let keys_of_owner = self.api_keys(owner).await?;
        let Some(key) = keys_of_owner.into_iter().find(|key| key.hash.id() == id) else {
            return Ok(Revoked::NoSuchKey);
        };
        for at in [
            item_key(&keys::api_key(&key.hash), keys::API_KEY),
            item_key(&keys::owner(owner), &keys::listed_key(&key.hash)),
        ] {
            let revoked = self
                .client
                .update_item()
                .table_name(&self.name)
                .set_key(Some(at))
                .update_expression(
                    "SET revoked_at = if_not_exists(revoked_at, :now), #ttl = :forgotten",
                )
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_names("#ttl", TTL_ATTRIBUTE)
                .expression_attribute_values(":forgotten", self.expires_at(now))
                .expression_attribute_values(":now", n(now.0))
                .send()
                .await;
            match revoked {
                Ok(_) => {}
                Err(e)
                    if e.as_service_error()
                        .is_some_and(UpdateItemError::is_conditional_check_failed_exception) => {}
                Err(e) => return Err(TableError::from_sdk(OPERATION, &e)),
            }
        }
        Ok(Revoked::Done)
    }
}

fn read(operation: &'static str, item: Item) -> Result<ApiKey, TableError> {
    serde_dynamo::from_item(item).map_err(|_| TableError::malformed(operation, "key"))
}
