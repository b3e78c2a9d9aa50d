//! What calls cost.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use figures::inputs::ModelPrice;

use crate::prefix::ProviderCache;
use crate::world::Called;

/// Prices by model, in USD for a million tokens.
pub type Prices = BTreeMap<String, ModelPrice>;

/// What a way to answer costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bill {
    /// Calls of a model.
    pub calls: f64,
    /// Tokens of their prompts, cached ones among them.
    pub tokens_in: f64,
    /// Tokens that the provider had at hand.
    pub cached: f64,
    /// Tokens of the answers.
    pub tokens_out: f64,
    /// USD.
    pub usd: f64,
}

impl Bill {
    /// The bill of calls in the order of their times, where a provider keeps a prefix for `keep_ms` after its last use.
    ///
    /// # Errors
    /// A model has no price.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of tokens, far below 2^52"
    )]
    pub fn of(calls: &[Called], prices: &Prices, keep_ms: i64) -> Result<Self> {
        let mut bill = Self::default();
        let mut provider = ProviderCache::new(keep_ms);
        for call in calls {
            let price = prices.get(&call.model);
            let price = price.with_context(|| format!("prices.toml: no model {}", call.model))?;
            let (read, answer) = (call.prompt.len() as f64, call.answer as f64);
            let cached = provider.read(call.at, &call.model, &call.prompt) as f64;
            bill.calls += 1.0;
            bill.tokens_in += read;
            bill.cached += cached;
            bill.tokens_out += answer;
            bill.usd +=
                ((read - cached) * price.input + cached * price.cached + answer * price.output)
                    / 1e6;
        }
        Ok(bill)
    }

    /// The same for another number of bursts.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self {
            calls: self.calls * factor,
            tokens_in: self.tokens_in * factor,
            cached: self.cached * factor,
            tokens_out: self.tokens_out * factor,
            usd: self.usd * factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use clivy::conversation::ids::EpochMs;

    use super::*;

    #[test]
    fn a_cached_token_is_paid_at_its_own_price() {
        let price = ModelPrice {
            input: 10.0,
            cached: 1.0,
            output: 100.0,
            read: String::new(),
            from: String::new(),
        };
        let call = |minutes: i64| Called {
            at: EpochMs(minutes * 60_000),
            model: "m".to_owned(),
            prompt: vec![7; 1_100],
            answer: 10,
        };
        let prices = Prices::from([("m".to_owned(), price)]);
        let bill = Bill::of(&[call(0), call(1), call(9)], &prices, 300_000).unwrap();
        let counts = (bill.calls, bill.tokens_in, bill.cached, bill.tokens_out);
        assert_eq!(counts, (3.0, 3_300.0, 1_024.0, 30.0));
        let usd = (2_276.0 * 10.0 + 1_024.0 * 1.0 + 30.0 * 100.0) / 1e6;
        assert!((bill.usd - usd).abs() < 1e-12, "{bill:?}");
        assert!(
            Bill::of(&[call(0)], &Prices::new(), 0).is_err(),
            "a model without a price"
        );
    }
}
