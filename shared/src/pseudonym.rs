//! Names for people that say nothing about them: in logs, in the queue, and towards the model's provider
//! (I11). All of them come from one secret, the setting `PSEUDONYM_KEY`.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::conversation::ids::{BotId, Contact, ConversationId, hex, unhex};
use crate::sealing::{Sealer, mac};
use crate::secrets::Rotating;

pub use crate::sealing::CannotOpen;

/// Makes pseudonyms, and opens those that can be opened. While the secret changes it has two versions: everything is made
/// with the current one, and what either has sealed is opened.
#[derive(Clone)]
pub struct Pseudonyms {
    hash_key: [u8; 32],
    current: Sealer,
    others: Vec<Sealer>,
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms([redacted])")
    }
}

impl Pseudonyms {
    /// Derives what is needed from the secret.
    ///
    /// # Errors
    /// Never in practice: the derived keys have the length that the cipher wants.
    pub fn new(secret: &Rotating) -> Result<Self, CannotOpen> {
        let sealer = |secret: &str| Sealer::new(derive("nonce", secret), &derive("seal", secret));
        Ok(Self {
            hash_key: derive("hash", secret.current()),
            current: sealer(secret.current())?,
            others: secret.others().map(sealer).collect::<Result<_, _>>()?,
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
        let sealed = self.current.seal(bot_id.as_str(), contact.as_str())?;
        Ok(hex(&sealed))
    }

    /// The contact inside a trigger.
    ///
    /// # Errors
    /// Sealed with neither version of the key, or for another bot, or damaged.
    pub fn open(&self, bot_id: &BotId, sealed: &str) -> Result<Contact, CannotOpen> {
        let bytes = unhex(sealed).ok_or(CannotOpen)?;
        let plain = std::iter::once(&self.current)
            .chain(&self.others)
            .find_map(|sealer| sealer.open(bot_id.as_str(), &bytes).ok())
            .ok_or(CannotOpen)?;
        Contact::new(&plain).map_err(|_| CannotOpen)
    }
}

fn derive(purpose: &str, secret: &str) -> [u8; 32] {
    Sha256::digest(format!("clivy/{purpose}/{secret}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(secret: &str) -> Pseudonyms {
        Pseudonyms::new(&Rotating::new(secret).unwrap()).unwrap()
    }

    fn id(bot: &str, contact: &str) -> ConversationId {
        ConversationId {
            bot_id: BotId::new(bot).unwrap(),
            contact: Contact::new(contact).unwrap(),
        }
    }

    #[test]
    fn a_sealed_contact_shows_no_digit_run_and_opens_only_with_its_key_and_bot() {
        let names = of("secret");
        let a = id("demo", "6281100020001");
        let sealed = names.seal(&a.bot_id, &a.contact).unwrap();
        assert!(!sealed.contains("6281100020001"));
        assert_eq!(names.open(&a.bot_id, &sealed).unwrap(), a.contact);
        assert_eq!(names.seal(&a.bot_id, &a.contact).unwrap(), sealed);
        let other_bot = BotId::new("other").unwrap();
        assert_eq!(names.open(&other_bot, &sealed), Err(CannotOpen));
        let other_key = of("secret2");
        assert_eq!(other_key.open(&a.bot_id, &sealed), Err(CannotOpen));
    }

    #[test]
    fn a_contact_sealed_before_the_secret_had_versions_opens_still() {
        // What the version without them wrote (N-1): secret, bot and contact as above.
        let sealed =
            "bced1f93c337b1d3a8fe0e31716ae3e96eb8a06b19692ee65ab7e59d7fc419d2bada8088d81e004f18";
        let a = id("demo", "6281100020001");
        assert_eq!(of("secret").open(&a.bot_id, sealed), Ok(a.contact));
    }

    #[test]
    fn while_the_secret_changes_both_versions_open_and_the_first_one_seals() {
        let a = id("demo", "6281100020001");
        let (old, new) = (of("old"), of("new"));
        let (announced, changed) = (of("old\nnew"), of("new\nold"));
        // An instance that has seen the change, and one that has seen the announcement only, read each other.
        for (writer, reader) in [
            (&old, &announced),
            (&announced, &old),
            (&announced, &changed),
            (&changed, &announced),
            (&changed, &new),
        ] {
            let sealed = writer.seal(&a.bot_id, &a.contact).unwrap();
            assert_eq!(reader.open(&a.bot_id, &sealed).unwrap(), a.contact);
        }
        let sealed = changed.seal(&a.bot_id, &a.contact).unwrap();
        assert_eq!(old.open(&a.bot_id, &sealed), Err(CannotOpen));
        assert_eq!(announced.conversation(&a), old.conversation(&a));
        assert_eq!(changed.conversation(&a), new.conversation(&a));
    }

    #[test]
    fn damaged_seals_are_refused_without_a_panic() {
        let names = of("secret");
        let bot = BotId::new("demo").unwrap();
        for sealed in ["", "0", "zz", "00", "6281100020001", &"00".repeat(40), "é"] {
            assert_eq!(names.open(&bot, sealed), Err(CannotOpen));
        }
    }

    #[test]
    fn pseudonyms_differ_by_bot_contact_key_and_purpose() {
        let names = of("secret");
        let a = id("demo", "6281100020001");
        let all = [
            names.conversation(&a),
            names.conversation(&id("demo", "6281100020002")),
            names.conversation(&id("demo2", "6281100020001")),
            of("other").conversation(&a),
            names.user(&a).chars().take(16).collect(),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|name| name.len() == 16));
    }
}
