//! API keys.

use clivy::access::{ApiKey, KEY_BYTES, Role, Secret};
use clivy::table::{Revoked, keys};

use crate::bots::owner;
use crate::endpoint::{Endpoint, NOW, after, forgotten};

/// A key of budi's.
pub fn key() -> ApiKey {
    ApiKey {
        hash: Secret::of(&[7; KEY_BYTES]).hash(),
        owner: owner("budi"),
        role: Role::Agent,
        name: "laptop".to_owned(),
        created_at: NOW,
        expires_at: Some(after(1_000)),
        revoked_at: None,
    }
}

pub async fn an_api_key_is_found_by_its_hash_and_revoked_by_its_owner(e: &Endpoint) {
    let (key, ani) = (key(), owner("ani"));
    let (budi, hash) = (key.owner.clone(), key.hash.clone());
    assert_eq!(e.table.api_key(&hash).await.unwrap(), None);
    e.table.put_api_key(&key).await.unwrap();
    assert_eq!(e.table.api_key(&hash).await.unwrap(), Some(key.clone()));
    assert_eq!(
        e.table.api_keys(&budi).await.unwrap(),
        std::slice::from_ref(&key)
    );
    assert!(e.table.api_keys(&ani).await.unwrap().is_empty());
    let pk = keys::api_key(&hash);
    assert_eq!(
        e.number(&pk, keys::API_KEY, "expires_at").await,
        forgotten(1_000)
    );
    let id = key.hash.id();
    let revoke = |owner, at| e.table.revoke_api_key(owner, &id, after(at));
    assert_eq!(revoke(&ani, 1).await.unwrap(), Revoked::NoSuchKey, "I12");
    assert_eq!(revoke(&budi, 2).await.unwrap(), Revoked::Done);
    assert_eq!(revoke(&budi, 3).await.unwrap(), Revoked::Done);
    let revoked = e.table.api_key(&hash).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(after(2)), "the first one counts");
    assert_eq!(
        e.table.api_keys(&budi).await.unwrap()[0].revoked_at,
        Some(after(2))
    );
}
