//! The command line of `cargo run -p local`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use clivy::conversation::bot::Bot;
use serde::Deserialize;

/// Runs all of Clivy on this machine, without AWS, Docker or an account.
#[derive(Debug, Parser)]
#[command(name = "local", version)]
pub struct Args {
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

/// Reads `[[bot]]` tables.
///
/// # Errors
/// It is not TOML, a field is missing or unknown, or two bots share an id.
pub fn parse_bots(text: &str) -> anyhow::Result<Vec<Bot>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        bot: Vec<Bot>,
    }
    let File { bot: bots } = toml::from_str(text)?;
    anyhow::ensure!(!bots.is_empty(), "there is no [[bot]] in it");
    for (index, bot) in bots.iter().enumerate() {
        let gateway = &bot.gateway;
        let twin = bots
            .iter()
            .take(index)
            .any(|other| other.bot_id == bot.bot_id);
        anyhow::ensure!(!twin, "two bots have the id {:?}", bot.bot_id.as_str());
        for (name, secret) in [
            ("hmac_key", &gateway.hmac_key),
            ("secret_path", &gateway.secret_path),
        ] {
            let empty = secret
                .as_ref()
                .is_some_and(|secret| secret.trim().is_empty());
            anyhow::ensure!(!empty, "bot {:?}: {name} is empty", bot.bot_id.as_str());
        }
    }
    Ok(bots)
}
