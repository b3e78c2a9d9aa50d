//! The files that everything is computed from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::budget::{Budget, Scene};

/// The checkout's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A list price.
#[derive(Clone, Debug, Deserialize)]
pub struct Price {
    /// USD for `per` units.
    pub usd: f64,
    /// How many units that buys.
    pub per: f64,
    /// What an account has free of charge every month, for ever.
    #[serde(default)]
    pub free: f64,
    /// Of what.
    pub unit: String,
    /// When the page was written that it was read on.
    pub read: String,
    /// Which page.
    pub from: String,
}

/// A model's prices, in USD for a million tokens.
#[derive(Clone, Debug, Deserialize)]
pub struct ModelPrice {
    /// Of the prompt.
    pub input: f64,
    /// Of the part of the prompt that the provider has at hand.
    pub cached: f64,
    /// Of the answer.
    pub output: f64,
    /// When the page was written.
    pub read: String,
    /// Which page.
    pub from: String,
}

/// One region's prices.
#[derive(Clone, Debug, Deserialize)]
pub struct Region {
    /// AWS's name.
    pub name: String,
    /// The prices, by name.
    #[serde(flatten)]
    pub prices: BTreeMap<String, Price>,
}

impl Region {
    /// What so many units cost, in USD.
    ///
    /// # Errors
    /// No such price is known.
    pub fn cost(&self, name: &str, units: f64) -> Result<f64> {
        let price = self.prices.get(name);
        let price = price.with_context(|| format!("prices.toml: no price of {name}"))?;
        Ok(units * price.usd / price.per)
    }
}

/// `infra/cost/prices.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Prices {
    /// The region that is computed.
    #[serde(rename = "us-east-1")]
    pub region: Region,
    /// What is known of the region nearest to most customers.
    #[serde(rename = "ap-southeast-1")]
    pub singapore: Region,
    /// Prices of models.
    pub models: BTreeMap<String, ModelPrice>,
}

/// Numbers by name.
pub type Numbers = BTreeMap<String, f64>;

/// A month with so much traffic.
#[derive(Clone, Debug, Deserialize)]
pub struct Month {
    /// What it is called.
    pub name: String,
    /// Messages of customers.
    pub messages: f64,
    /// Share of invocations that meet a cold start.
    pub cold: f64,
}

/// `infra/cost/assumptions.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Assumptions {
    /// What template.yaml says.
    pub template: Numbers,
    /// What customers do.
    pub traffic: Numbers,
    /// How long answers of others take, in milliseconds.
    pub waits: Numbers,
    /// Processor time.
    pub processor: Numbers,
    /// What costs without traffic.
    pub idle: Numbers,
    /// What others write to the logs.
    pub logs: Numbers,
    /// The months that are computed.
    pub month: Vec<Month>,
    /// The system that is compared with.
    pub peer: Numbers,
}

/// A number of a table of numbers.
///
/// # Errors
/// There is none of that name.
pub fn number(numbers: &Numbers, name: &str) -> Result<f64> {
    let number = numbers.get(name).copied();
    number.with_context(|| format!("assumptions.toml: no {name}"))
}

/// All inputs.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// What was measured.
    pub budget: Budget,
    /// What is paid.
    pub prices: Prices,
    /// What is assumed.
    pub assumed: Assumptions,
}

impl Inputs {
    /// Reads the files of a checkout.
    ///
    /// # Errors
    /// One is missing or malformed.
    pub fn read(root: &Path) -> Result<Self> {
        Ok(Self {
            budget: parse(&root.join("tests/budget.toml"))?,
            prices: parse(&root.join("infra/cost/prices.toml"))?,
            assumed: parse(&root.join("infra/cost/assumptions.toml"))?,
        })
    }

    /// What an average burst cost, from its first bubble to its answer, tries that fail included.
    ///
    /// # Errors
    /// An input is missing.
    pub fn burst(&self) -> Result<Scene> {
        let of = |name: &str| number(&self.assumed.traffic, name);
        let scene = |name: &str| self.budget.scene(name);
        let usual = scene("burst_of_1_after_a_silence")?
            .times(of("bursts_of_1")?)
            .plus(&scene("burst_of_3_after_a_silence")?.times(of("bursts_of_3")?));
        let (retried, failed) = (of("with_a_retry")?, of("with_the_fallback")?);
        Ok(usual
            .times(1.0 - retried - failed)
            .plus(&scene("burst_of_1_with_a_retry")?.times(retried))
            .plus(&scene("burst_of_1_with_the_fallback")?.times(failed)))
    }

    /// Messages in an average burst.
    ///
    /// # Errors
    /// An input is missing.
    pub fn messages_a_burst(&self) -> Result<f64> {
        let of = |name: &str| number(&self.assumed.traffic, name);
        Ok(of("bursts_of_1")? + 3.0 * of("bursts_of_3")?)
    }
}

fn parse<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}
