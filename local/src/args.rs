//! The command line of `cargo run -p local`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use clivy::access::{KeyName, Lifetime, OwnerId, Role};
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::BotId;
use serde::Deserialize;

use crate::world::as_deployed::MAXIMUM_CONCURRENCY;

/// Runs all of Clivy on this machine, without AWS, Docker or an account.
#[derive(Debug, Parser)]
#[command(name = "local", version, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What to do instead of running
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8070", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Where the inbox listens; the port after the other one when absent
    #[arg(long, value_name = "ADDRESS")]
    pub inbox: Option<SocketAddr>,
    /// The bots, as TOML; the demo shop when absent
    #[arg(long, value_name = "FILE")]
    pub bots: Option<PathBuf>,
    /// Use this gateway for every bot, whatever the file says
    #[arg(long, value_name = "URL")]
    pub gateway_url: Option<String>,
    /// Invoke functions that `cargo lambda watch` serves at this address
    #[arg(long, value_name = "URL")]
    pub functions: Option<String>,
    /// Where the data is kept between runs
    #[arg(
        long,
        default_value = ".clivy",
        value_name = "DIR",
        conflicts_with = "ephemeral"
    )]
    pub data: PathBuf,
    /// Keep nothing: all data is in memory
    #[arg(long)]
    pub ephemeral: bool,
    /// How long the demo model thinks, in milliseconds
    #[arg(long, default_value_t = 900, value_name = "MS")]
    pub demo_latency_ms: u64,
    /// Batches that the worker answers at once at most, as on AWS when absent
    #[arg(long, default_value_t = MAXIMUM_CONCURRENCY, value_name = "N")]
    pub max_concurrency: usize,
}

/// What can be done besides running.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes, lists and revokes the API keys of the inbox
    Key {
        /// What to do with keys
        #[command(subcommand)]
        action: KeyAction,
    },
}

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum KeyAction {
    /// Makes a key and prints it, this once
    Create {
        /// Whose bots it opens: the `owner` of the bots file
        #[arg(long, value_parser = OwnerId::new)]
        owner: OwnerId,
        /// What it may do: viewer, agent or owner
        #[arg(long)]
        role: Role,
        /// What people call it
        #[arg(long, value_parser = KeyName::new)]
        name: KeyName,
        /// Days until it expires; it does not when absent
        #[arg(long, value_parser = lifetime)]
        days: Option<(u32, Lifetime)>,
        /// Where
        #[command(flatten)]
        at: KeysAt,
    },
    /// Lists an owner's keys, the newest first
    List {
        /// Whose
        #[arg(long, value_parser = OwnerId::new)]
        owner: OwnerId,
        /// Where
        #[command(flatten)]
        at: KeysAt,
    },
    /// Revokes a key: from then on it opens nothing
    Revoke {
        /// Whose
        #[arg(long, value_parser = OwnerId::new)]
        owner: OwnerId,
        /// Its id, as `key list` shows it
        #[arg(long)]
        id: String,
        /// Where
        #[command(flatten)]
        at: KeysAt,
    },
}

/// Where the keys are.
#[derive(Debug, clap::Args)]
pub struct KeysAt {
    /// The data folder of the one-machine run, whether it is up or not
    #[arg(long, default_value = ".clivy", value_name = "DIR")]
    pub data: PathBuf,
    /// An inbox anywhere, by its address; the environment's ADMIN_SECRET must be its own
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub inbox: Option<String>,
}

fn lifetime(days: &str) -> anyhow::Result<(u32, Lifetime)> {
    let days = days.parse().context("not a number of days")?;
    Ok((days, Lifetime::of_days(Some(days))?))
}

impl Args {
    /// How long the demo model thinks.
    #[must_use]
    pub fn demo_latency(&self) -> Duration {
        Duration::from_millis(self.demo_latency_ms)
    }

    /// Where the inbox listens. Beside a port that the machine chooses it is another such one.
    #[must_use]
    pub fn inbox(&self) -> SocketAddr {
        self.inbox.unwrap_or_else(|| {
            let port = self.listen.port();
            let next = if port == 0 { 0 } else { port.wrapping_add(1) };
            SocketAddr::new(self.listen.ip(), next)
        })
    }

    /// The bots of the file, or the demo shop.
    ///
    /// # Errors
    /// The file cannot be read, or is not a list of bots; the message says where.
    pub fn bots(&self) -> anyhow::Result<Vec<Bot>> {
        match &self.bots {
            None => parse_bots(include_str!("../demo.toml")).context("the demo bot"),
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("{} could not be read", file.display()))?;
                parse_bots(&text)
                    .with_context(|| format!("{} is not a list of bots", file.display()))
            }
        }
    }
}

/// Where a bots file is wrong, and what was expected there. TOML's own error shows the line and quotes the value, and
/// those may be a token or a key (I11).
fn unreadable(error: &toml::de::Error, text: &str) -> anyhow::Error {
    let before = error
        .span()
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let message = error.message();
    // Of what serde says the end is ours: the names of our fields and types.
    let expected = message.rsplit_once(", expected ").map(|(_, ours)| ours);
    let what = match (message, expected) {
        (message, _) if message.starts_with("missing field") => message.to_owned(),
        (message, Some(ours)) if message.starts_with("unknown field") => {
            format!("an unknown field, expected {ours}")
        }
        (_, Some(ours)) => format!("expected {ours}"),
        _ => "this is not TOML, or not a value that fits".to_owned(),
    };
    anyhow::anyhow!("line {line}, column {column}: {what}")
}

/// Reads `[[bot]]` tables. Errors name places and fields and quote nothing (I11).
///
/// # Errors
/// It is not TOML, a field is missing or unknown, an id cannot be one, or two bots share one.
pub fn parse_bots(text: &str) -> anyhow::Result<Vec<Bot>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        bot: Vec<Bot>,
    }
    let File { bot: bots } = toml::from_str(text).map_err(|error| unreadable(&error, text))?;
    anyhow::ensure!(!bots.is_empty(), "there is no [[bot]] in it");
    for (index, bot) in bots.iter().enumerate() {
        let number = index + 1;
        // The table's keys are made of them.
        BotId::new(bot.bot_id.as_str()).map_err(|bad| anyhow::anyhow!("bot {number}: id {bad}"))?;
        OwnerId::new(bot.owner.as_str()).map_err(|bad| anyhow::anyhow!("bot {number}: {bad}"))?;
        let mut before = bots.iter().take(index);
        if let Some(twin) = before.position(|other| other.bot_id == bot.bot_id) {
            anyhow::bail!("bots {} and {number} have the same id", twin + 1);
        }
        let gateway = &bot.gateway;
        for (name, secret) in [
            ("hmac_key", &gateway.hmac_key),
            ("secret_path", &gateway.secret_path),
        ] {
            let empty = secret
                .as_ref()
                .is_some_and(|secret| secret.trim().is_empty());
            anyhow::ensure!(!empty, "bot {number}: {name} is empty");
        }
    }
    Ok(bots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(more: &str) -> String {
        format!(
            "[[bot]]\nid = \"a\"\nowner = \"o\"\n{more}\n[bot.gateway]\nkind = \"wuzapi\"\ntoken = \"s3cret\"\n"
        )
    }

    fn refusal(text: &str) -> String {
        format!("{:?}", parse_bots(text).unwrap_err())
    }

    #[test]
    fn a_file_that_cannot_be_read_says_where_and_shows_no_secret() {
        assert!(parse_bots(&with("")).is_ok());
        for (text, said) in [
            (with("").replace("\"s3cret\"", "s3cret"), "line 7, column 9"),
            (
                with("").replace("token", "tokn"),
                "an unknown field, expected",
            ),
            (
                with("active = \"s3cret\""),
                "line 4, column 10: expected a boolean",
            ),
            (
                with("").replace("wuzapi", "s3cret"),
                "line 6, column 8: expected `wuzapi`",
            ),
            (
                with("").replace("owner = \"o\"", ""),
                "missing field `owner`",
            ),
            (
                with("hmac_key = \"s3cret\""),
                "line 4, column 1: an unknown field",
            ),
        ] {
            let refusal = refusal(&text);
            assert!(refusal.contains(said), "{refusal}");
            assert!(!refusal.contains("s3cret"), "I11: {refusal}");
        }
    }

    #[test]
    fn a_bot_has_an_id_of_its_own_that_keys_can_be_made_of() {
        let long = "x".repeat(201);
        for id in ["", "a\\u0000", &long] {
            let text = with("").replace("id = \"a\"", &format!("id = \"{id}\""));
            assert!(refusal(&text).starts_with("bot 1: id "), "{id:?}");
        }
        let nobodys = with("").replace("\"o\"", "\" \"");
        assert!(refusal(&nobodys).starts_with("bot 1: an owner is"));
        let twins = with("") + &with("");
        assert!(refusal(&twins).contains("bots 1 and 2 have the same id"));
    }
}
