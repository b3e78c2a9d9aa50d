//! Whoever runs Clivy: knows `ADMIN_SECRET`, and makes the first key of an owner with it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use clivy::secrets::Rotating;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::bearer;
use crate::Inbox;
use crate::problem::Problem;

/// Somebody who knows `ADMIN_SECRET`. Where none is set there is nobody, and the routes that want one are not there (404).
#[derive(Clone, Copy, Debug)]
pub struct Admin;

impl FromRequestParts<Arc<Inbox>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        inbox: &Arc<Inbox>,
    ) -> Result<Self, Self::Rejection> {
        let secret = inbox.settings.admin_secret.as_ref();
        let secret = secret.ok_or_else(Problem::not_found)?;
        let presented = bearer(&parts.headers).ok_or_else(Problem::unauthorized)?;
        if is_one_of(presented, secret) {
            return Ok(Self);
        }
        Err(Problem::unauthorized())
    }
}

/// While the secret changes each of its versions opens. All are compared: the time does not tell which one was nearly right.
fn is_one_of(presented: &[u8], secret: &Rotating) -> bool {
    let fitting = secret
        .all()
        .filter(|version| is_same(presented, version.as_bytes()));
    fitting.count() > 0
}

/// Takes the same time whatever is presented, however long it is: what is compared are hashes.
fn is_same(presented: &[u8], secret: &[u8]) -> bool {
    Sha256::digest(presented)
        .ct_eq(&Sha256::digest(secret))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_is_the_secret() {
        let secret = b"0123456789abcdef0123456789abcdef".as_slice();
        assert!(is_same(secret, secret));
        for other in [
            &secret[1..],
            &secret[..31],
            b"",
            b"0123456789abcdef0123456789abcdeF",
        ] {
            assert!(!is_same(other, secret));
        }
    }

    #[test]
    fn while_the_secret_changes_both_versions_of_it_open() {
        let (new, old) = ("n".repeat(32), "o".repeat(32));
        let secret = Rotating::new(&format!("{new}\n{old}")).unwrap();
        assert!(is_one_of(new.as_bytes(), &secret));
        assert!(is_one_of(old.as_bytes(), &secret));
        assert!(!is_one_of(format!("{new}\n{old}").as_bytes(), &secret));
        assert!(!is_one_of(b"", &secret));
    }
}
