//! Names for people that say nothing about them: in logs, in the queue, and towards the model's provider
//! (I11). All of them come from one secret, the setting `PSEUDONYM_KEY`.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use sha2::{Digest, Sha256};

use crate::conversation::ids::{BotId, Contact, ConversationId, hex, unhex};

/// Makes pseudonyms, and opens those that can be opened.
#[derive(Clone)]
pub struct Pseudonyms {
    hash_key: [u8; 32],
    nonce_key: [u8; 32],
    seal_key: LessSafeKey,
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms([redacted])")
    }
}

/// A sealed contact that this key cannot open: made with another key, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed contact cannot be opened with this key")]
pub struct CannotOpen;

impl Pseudonyms {
    /// Derives what is needed from the secret.
    ///
    /// # Errors
    /// Never in practice: the derived key has the length that the cipher wants.
    pub fn new(secret: &str) -> Result<Self, CannotOpen> {
        let derive = |purpose: &str| -> [u8; 32] {
            Sha256::digest(format!("clivy/{purpose}/{secret}")).into()
        };
        let seal_key =
            UnboundKey::new(&CHACHA20_POLY1305, &derive("seal")).map_err(|_| CannotOpen)?;
        Ok(Self {
            hash_key: derive("hash"),
            nonce_key: derive("nonce"),
            seal_key: LessSafeKey::new(seal_key),
        })
    }

    /// The conversation's name in logs: 16 hex digits.
    #[must_use]
    pub fn conversation(&self, id: &ConversationId) -> String {
        let name = format!(
            "conversation|{}|{}",
            id.bot_id.as_str(),
            id.contact.as_str()
        );
        hex(&mac(&self.hash_key, name.as_bytes()))
            .chars()
            .take(16)
            .collect()
    }

    /// The customer's name towards the model's provider: 32 hex digits, different for every bot.
    #[must_use]
    pub fn user(&self, id: &ConversationId) -> String {
        let name = format!("user|{}|{}", id.bot_id.as_str(), id.contact.as_str());
        hex(&mac(&self.hash_key, name.as_bytes()))
            .chars()
            .take(32)
            .collect()
    }

    /// The contact as a trigger carries it: sealed for this bot, so that a dead letter shows no phone
    /// number. The nonce comes from the content, which makes the same contact seal to the same text.
    ///
    /// # Errors
    /// Never in practice: the cipher refuses only texts of gigabytes.
    pub fn seal(&self, bot_id: &BotId, contact: &Contact) -> Result<String, CannotOpen> {
        let name = format!("{}|{}", bot_id.as_str(), contact.as_str());
        let nonce: [u8; NONCE_LEN] = mac(&self.nonce_key, name.as_bytes())
            .first_chunk()
            .copied()
            .ok_or(CannotOpen)?;
        let mut text = contact.as_str().as_bytes().to_vec();
        self.seal_key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bot_id.as_str()),
                &mut text,
            )
            .map_err(|_| CannotOpen)?;
        Ok(hex(&nonce) + &hex(&text))
    }

    /// The contact inside a trigger.
    ///
    /// # Errors
    /// Sealed with another key or for another bot, or damaged.
    pub fn open(&self, bot_id: &BotId, sealed: &str) -> Result<Contact, CannotOpen> {
        let bytes = unhex(sealed).ok_or(CannotOpen)?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(CannotOpen)?;
        let mut text = text.to_vec();
        let plain = self
            .seal_key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(bot_id.as_str()),
                &mut text,
            )
            .map_err(|_| CannotOpen)?;
        let plain = std::str::from_utf8(plain).map_err(|_| CannotOpen)?;
        Contact::new(plain).map_err(|_| CannotOpen)
    }
}

fn mac(key: &[u8; 32], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(bot: &str, contact: &str) -> ConversationId {
        ConversationId {
            bot_id: BotId::new(bot).unwrap(),
            contact: Contact::new(contact).unwrap(),
        }
    }

    #[test]
    fn a_sealed_contact_shows_no_digit_run_and_opens_only_with_its_key_and_bot() {
        let names = Pseudonyms::new("secret").unwrap();
        let a = id("demo", "6281100020001");
        let sealed = names.seal(&a.bot_id, &a.contact).unwrap();
        assert!(!sealed.contains("6281100020001"));
        assert_eq!(names.open(&a.bot_id, &sealed).unwrap(), a.contact);
        assert_eq!(names.seal(&a.bot_id, &a.contact).unwrap(), sealed);
        let other_bot = BotId::new("other").unwrap();
        assert_eq!(names.open(&other_bot, &sealed), Err(CannotOpen));
        let other_key = Pseudonyms::new("secret2").unwrap();
        assert_eq!(other_key.open(&a.bot_id, &sealed), Err(CannotOpen));
    }

    #[test]
    fn damaged_seals_are_refused_without_a_panic() {
        let names = Pseudonyms::new("secret").unwrap();
        let bot = BotId::new("demo").unwrap();
        for sealed in ["", "0", "zz", "00", "6281100020001", &"00".repeat(40), "é"] {
            assert_eq!(names.open(&bot, sealed), Err(CannotOpen));
        }
    }

    #[test]
    fn pseudonyms_differ_by_bot_contact_key_and_purpose() {
        let names = Pseudonyms::new("secret").unwrap();
        let a = id("demo", "6281100020001");
        let all = [
            names.conversation(&a),
            names.conversation(&id("demo", "6281100020002")),
            names.conversation(&id("demo2", "6281100020001")),
            Pseudonyms::new("other").unwrap().conversation(&a),
            names.user(&a).chars().take(16).collect(),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|name| name.len() == 16));
    }
}
