//! The secrets of bots as they lie in the table: sealed under `BOT_SECRETS_KEY`, for one bot each, so that whoever can read the
//! table, an export or a backup of it has none, and a secret that is copied to another bot cannot be opened (I12). Why not
//! by KMS: `docs/decisions/0012-secrets.md`.

use std::fmt;

use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use serde::{Deserialize, Serialize};

use crate::conversation::bot::{Bot, Gateway};
use crate::conversation::ids::{BotId, hex, unhex};
use crate::sealing::{CannotOpen, Sealer};
use crate::secrets::Rotating;

/// What a sealed text begins with. Another way of sealing gets another number.
const VERSION: &str = "1";

/// Seals and opens bots' secrets. While its key changes it has two versions: the current one seals, both open. Debug prints
/// none (I11).
#[derive(Clone)]
pub struct Vault {
    current: Lock,
    others: Vec<Lock>,
}

/// One version of the key.
#[derive(Clone)]
struct Lock {
    /// Names the version in what it has sealed, and says nothing about it.
    id: String,
    sealer: Sealer,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

/// What is secret of a bot's settings. A newer version may know more.
#[derive(Serialize, Deserialize)]
pub struct BotSecrets {
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hmac_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openrouter_key: Option<String>,
}

impl fmt::Debug for BotSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BotSecrets([redacted])")
    }
}

impl BotSecrets {
    /// Those of a bot.
    #[must_use]
    pub fn of(bot: &Bot) -> Self {
        Self {
            token: bot.gateway.token.clone(),
            hmac_key: bot.gateway.hmac_key.clone(),
            secret_path: bot.gateway.secret_path.clone(),
            // A blank one is none, as where settings are read.
            openrouter_key: bot
                .openrouter_key
                .as_deref()
                .map(str::trim)
                .filter(|key| !key.is_empty())
                .map(str::to_owned),
        }
    }

    /// The bot with these.
    #[must_use]
    pub fn given_to(self, bot: Bot) -> Bot {
        Bot {
            openrouter_key: self.openrouter_key,
            gateway: Gateway {
                token: self.token,
                hmac_key: self.hmac_key,
                secret_path: self.secret_path,
                ..bot.gateway
            },
            ..bot
        }
    }
}

impl Vault {
    /// The vault of this key. It should be as random as it is long: nothing slows guessing down.
    ///
    /// # Errors
    /// Never in practice: the derived keys have the length that the cipher wants.
    pub fn new(key: &Rotating) -> Result<Self, CannotOpen> {
        Ok(Self {
            current: Lock::new(key.current())?,
            others: key.others().map(Lock::new).collect::<Result<_, _>>()?,
        })
    }

    /// The vault of a key that may be absent.
    ///
    /// # Errors
    /// As [`Vault::new`].
    pub fn of(key: Option<&Rotating>) -> Result<Option<Self>, CannotOpen> {
        key.map(Self::new).transpose()
    }

    /// A bot's secrets as the table keeps them: `1:<version of the key>:<hex>`.
    ///
    /// # Errors
    /// Never in practice: the cipher refuses only texts of gigabytes.
    pub fn seal(&self, bot_id: &BotId, secrets: &BotSecrets) -> Result<String, CannotOpen> {
        let Lock { id, sealer } = &self.current;
        let text = serde_json::to_string(secrets).map_err(|_| CannotOpen)?;
        let sealed = sealer.seal(bot_id.as_str(), &text)?;
        Ok(format!("{VERSION}:{id}:{}", hex(&sealed)))
    }

    /// What [`Vault::seal`] has made for this bot.
    ///
    /// # Errors
    /// Sealed in another way, with a key that is not here, or for another bot; or damaged.
    pub fn open(&self, bot_id: &BotId, sealed: &str) -> Result<BotSecrets, CannotOpen> {
        let mut parts = sealed.splitn(3, ':');
        let (Some(VERSION), Some(id), Some(text)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(CannotOpen);
        };
        let lock = std::iter::once(&self.current)
            .chain(&self.others)
            .find(|lock| lock.id == id)
            .ok_or(CannotOpen)?;
        let bytes = unhex(text).ok_or(CannotOpen)?;
        let text = lock.sealer.open(bot_id.as_str(), &bytes)?;
        serde_json::from_str(&text).map_err(|_| CannotOpen)
    }
}

impl Lock {
    fn new(key: &str) -> Result<Self, CannotOpen> {
        let key = Salt::new(HKDF_SHA256, b"clivy/bot-secrets").extract(key.as_bytes());
        let id: [u8; 4] = derived(&key, b"id")?;
        Ok(Self {
            id: hex(&id),
            sealer: Sealer::new(derived(&key, b"nonce")?, &derived(&key, b"seal")?)?,
        })
    }
}

/// A length of key material.
struct Bytes<const N: usize>;

impl<const N: usize> KeyType for Bytes<N> {
    fn len(&self) -> usize {
        N
    }
}

fn derived<const N: usize>(key: &Prk, purpose: &[u8]) -> Result<[u8; N], CannotOpen> {
    let mut bytes = [0; N];
    key.expand(&[purpose], Bytes::<N>)
        .and_then(|material| material.fill(&mut bytes))
        .map_err(|_| CannotOpen)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "old-0123456789abcdef0123456789abcdef";
    const NEW: &str = "new-0123456789abcdef0123456789abcdef";

    fn vault(key: &str) -> Vault {
        Vault::new(&Rotating::new(key).unwrap()).unwrap()
    }

    fn secrets() -> BotSecrets {
        BotSecrets {
            token: "the-token".to_owned(),
            hmac_key: Some("the-hmac-key".to_owned()),
            secret_path: None,
            openrouter_key: Some("sk-or-v1-own".to_owned()),
        }
    }

    fn opened(vault: &Vault, bot: &str, sealed: &str) -> Result<String, CannotOpen> {
        let secrets = vault.open(&BotId::new(bot).unwrap(), sealed)?;
        Ok(serde_json::to_string(&secrets).unwrap())
    }

    #[test]
    fn secrets_come_back_for_their_bot_and_key_and_show_nothing_before() {
        let (vault_, bot) = (vault(OLD), BotId::new("demo").unwrap());
        let sealed = vault_.seal(&bot, &secrets()).unwrap();
        for secret in ["the-token", "hmac", "sk-or", OLD] {
            assert!(!sealed.contains(secret), "{sealed}");
            assert!(!sealed.contains(&hex(secret.as_bytes())), "{sealed}");
        }
        let same = serde_json::to_string(&secrets()).unwrap();
        assert_eq!(opened(&vault_, "demo", &sealed), Ok(same));
        assert_eq!(opened(&vault_, "other", &sealed), Err(CannotOpen));
        assert_eq!(opened(&vault(NEW), "demo", &sealed), Err(CannotOpen));
        assert!(!format!("{:?} {:?}", vault_, secrets()).contains("the-token"));
    }

    #[test]
    fn while_the_key_changes_both_versions_open_and_the_first_one_seals() {
        let bot = BotId::new("demo").unwrap();
        let changing = vault(&format!("{NEW}\n{OLD}"));
        let by_old = vault(OLD).seal(&bot, &secrets()).unwrap();
        assert!(opened(&changing, "demo", &by_old).is_ok());
        let by_changing = changing.seal(&bot, &secrets()).unwrap();
        assert!(opened(&vault(NEW), "demo", &by_changing).is_ok());
        assert_eq!(opened(&vault(OLD), "demo", &by_changing), Err(CannotOpen));
    }

    #[test]
    fn whatever_else_there_is_is_refused_without_a_panic() {
        let vault = vault(OLD);
        let sealed = vault
            .seal(&BotId::new("demo").unwrap(), &secrets())
            .unwrap();
        let flipped: String = sealed
            .chars()
            .rev()
            .enumerate()
            .map(|(index, c)| match (index, c) {
                (0, '0') => '1',
                (0, _) => '0',
                (_, c) => c,
            })
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        let id = sealed.split(':').nth(1).unwrap();
        for bad in [
            String::new(),
            "1".to_owned(),
            "1::".to_owned(),
            format!("1:{id}:"),
            format!("1:{id}:zz"),
            format!("1:{id}:{}", "00".repeat(40)),
            sealed.replacen('1', "2", 1),
            flipped,
            "é".to_owned(),
        ] {
            assert_eq!(opened(&vault, "demo", &bad), Err(CannotOpen), "{bad}");
        }
    }
}
