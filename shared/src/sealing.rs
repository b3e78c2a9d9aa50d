//! Texts that only a key can read again: ChaCha20-Poly1305, with the nonce made of the content. No randomness is needed,
//! and under one nonce there is only ever one text. What shows: the same text sealed twice for the same purpose looks the same.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

/// Sealed with another key or for another purpose, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what is sealed cannot be opened with this key")]
pub struct CannotOpen;

/// Seals and opens with one key. It has no Debug: it is one.
#[derive(Clone)]
pub(crate) struct Sealer {
    nonce_key: [u8; 32],
    key: LessSafeKey,
}

impl Sealer {
    /// A sealer of these two keys, which must be independent of each other.
    ///
    /// # Errors
    /// Never in practice: the keys have the length that the cipher wants.
    pub fn new(nonce_key: [u8; 32], seal_key: &[u8; 32]) -> Result<Self, CannotOpen> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, seal_key).map_err(|_| CannotOpen)?;
        Ok(Self {
            nonce_key,
            key: LessSafeKey::new(key),
        })
    }

    /// The nonce, then the text and its tag. It opens with the same `purpose` only.
    ///
    /// # Errors
    /// Never in practice: the cipher refuses only texts of gigabytes.
    pub fn seal(&self, purpose: &str, text: &str) -> Result<Vec<u8>, CannotOpen> {
        let nonce: [u8; NONCE_LEN] = mac(&self.nonce_key, format!("{purpose}|{text}").as_bytes())
            .first_chunk()
            .copied()
            .ok_or(CannotOpen)?;
        let mut sealed = text.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose),
                &mut sealed,
            )
            .map_err(|_| CannotOpen)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// The text.
    ///
    /// # Errors
    /// Another key, another purpose, or damage.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<String, CannotOpen> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(CannotOpen)?;
        let mut text = text.to_vec();
        let plain = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(purpose),
                &mut text,
            )
            .map_err(|_| CannotOpen)?;
        let plain = std::str::from_utf8(plain).map_err(|_| CannotOpen)?;
        Ok(plain.to_owned())
    }
}

/// HMAC-SHA256.
pub(crate) fn mac(key: &[u8; 32], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}
