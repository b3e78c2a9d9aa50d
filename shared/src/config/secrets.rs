//! The secrets that are ours: several versions of each may be valid at a time.

use super::Reader;
use crate::secrets::{PATH, Rotating};

/// The secret behind all pseudonyms: `PSEUDONYM_KEY`, at least 16 characters; while it changes its versions, one a line.
pub fn pseudonym_key(reader: &mut Reader) -> Rotating {
    const NAME: &str = "PSEUDONYM_KEY";
    reader.rotating(NAME, 16).unwrap_or_else(|| {
        reader.fault(NAME, "is missing");
        Rotating::missing()
    })
}

/// `ADMIN_SECRET`, at least 32 characters: opens the route that makes API keys. While it changes its versions, one a line: each
/// of them opens it. None when it is absent.
pub fn admin_secret(reader: &mut Reader) -> Option<Rotating> {
    reader.rotating("ADMIN_SECRET", 32)
}

/// `BOT_SECRETS_KEY`, at least 32 characters: seals the secrets of the bots in the table. While it changes its versions, one a
/// line. Where the secrets come from SSM it must be there. Elsewhere it may be absent, and the bots' secrets are stored as
/// they are: a key in the same folder would lock nothing.
pub fn bot_secrets_key(reader: &mut Reader) -> Option<Rotating> {
    const NAME: &str = "BOT_SECRETS_KEY";
    let key = reader.rotating(NAME, 32);
    if key.is_none() && reader.optional(PATH).is_some() {
        reader.fault(NAME, "is missing");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(values: &[(&str, &str)]) -> Reader {
        let values = values.iter();
        Reader::new(
            values
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn every_version_of_a_secret_must_be_long_enough() {
        let long = "0123456789abcdef0123456789abcdef";
        for (name, good, bad) in [
            (
                "PSEUDONYM_KEY",
                "0123456789abcdef\nfedcba9876543210",
                "0123456789abcdef\nshort",
            ),
            ("ADMIN_SECRET", long, "0123456789abcdef"),
            ("BOT_SECRETS_KEY", long, "0123456789abcdef"),
        ] {
            let faults = |value: &str| {
                let mut reader = reader(&[("PSEUDONYM_KEY", "0123456789abcdef"), (name, value)]);
                pseudonym_key(&mut reader);
                admin_secret(&mut reader);
                bot_secrets_key(&mut reader);
                reader.finish()
            };
            assert_eq!(faults(good), Ok(()), "{name}");
            assert_eq!(faults(bad).unwrap_err().0[0].name, name);
        }
    }

    #[test]
    fn a_key_of_a_provider_has_one_version() {
        let read = |key: &str| {
            let mut reader = reader(&[("OPENROUTER_API_KEY", key)]);
            crate::config::openrouter(&mut reader);
            reader.finish().map_err(|faults| faults.0[0].name)
        };
        assert_eq!(read("sk-or-v1-new\n"), Ok(()));
        assert_eq!(
            read("sk-or-v1-new\nsk-or-v1-old"),
            Err("OPENROUTER_API_KEY")
        );
    }

    #[test]
    fn bots_secrets_may_be_plain_only_where_secrets_are_settings() {
        let read = |values: &[(&str, &str)]| {
            let mut reader = reader(values);
            bot_secrets_key(&mut reader);
            reader.finish().map_err(|faults| faults.0[0].name)
        };
        assert_eq!(read(&[]), Ok(()));
        assert_eq!(
            read(&[("SECRETS_PATH", "/clivy/prod")]),
            Err("BOT_SECRETS_KEY")
        );
    }
}
