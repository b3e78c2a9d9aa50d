//! The tables of `docs/TOKENS.md`.

mod corpus;

use std::path::Path;

use anyhow::{Context, Result};
use figures::page::table::{number, table};
use figures::page::{self, Page};

use crate::bill::{Bill, Prices};
use crate::rules::{Rules, compared};
use crate::world::{Called, World};

/// How long a provider keeps a prefix after its last use, the shortest that is published, in milliseconds.
const KEPT_MS: i64 = 5 * 60_000;
/// The longest that is published for prefixes in memory.
const KEPT_LONG_MS: i64 = 2 * KEPT_MS;
/// As if prompts came without a pause.
const KEPT_ALWAYS_MS: i64 = i64::MAX / 2;

/// Rules by their name, with the calls that they make.
type Compared = (&'static str, Rules, Vec<Called>);

/// The page as it should be.
///
/// # Errors
/// An input is missing or malformed, or the page lacks a mark.
pub fn tokens(root: &Path) -> Result<Page> {
    let world = World::read(root)?;
    let compared = compared(&world.settings)?.into_iter().map(|(name, rules)| {
        let calls = world.calls(&rules);
        (name, rules, calls)
    });
    let compared: Vec<Compared> = compared.collect();
    let parts = vec![
        ("saved", saved(&world, &compared)?),
        ("corpus", corpus::bots(&world)),
        ("bubbles", corpus::bubbles(&world)),
        ("prompt", corpus::prompts(&world)?),
        ("variants", variants(&world, &compared)?),
        ("used", used(&world, &compared)),
        ("regulars", regulars(&world, &compared)?),
        ("kept", kept(&world, &compared)?),
        ("bots", bots(&world)?),
    ];
    page::page(root, "docs/TOKENS.md", parts)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of the corpus, far below 2^52"
)]
fn count(count: usize) -> f64 {
    count as f64
}

fn shown(of: usize) -> String {
    number(count(of))
}

fn percent(part: f64, whole: f64) -> String {
    format!("{:.0} %", part / whole * 100.0)
}

/// The bill of 100 bursts.
fn of_100(world: &World, calls: &[Called], prices: &Prices, keep_ms: i64) -> Result<Bill> {
    let bursts = count(world.bursts().count());
    Ok(Bill::of(calls, prices, keep_ms)?.times(100.0 / bursts))
}

/// The calls of the rules that a test holds for.
fn calls_where(compared: &[Compared], is: impl Fn(&Rules) -> bool) -> Result<&[Called]> {
    let found = compared.iter().find(|(_, rules, _)| is(rules));
    Ok(&found.context("no such rules are compared")?.2)
}

/// What batching saves, and all of it together.
fn saved(world: &World, compared: &[Compared]) -> Result<String> {
    let bill = |calls| Bill::of(calls, &world.prices, KEPT_MS);
    let product = bill(calls_where(compared, |_| true)?)?;
    let alone = bill(calls_where(compared, |rules| !rules.batched)?)?;
    let nothing = bill(calls_where(compared, |rules| {
        !rules.batched && rules.time_first
    })?)?;
    let share_saved =
        |of: fn(&Bill) -> f64, than: &Bill| percent(of(than) - of(&product), of(than));
    let row = |name: &str, than: &Bill| {
        let all: [fn(&Bill) -> f64; 4] =
            [|b| b.calls, |b| b.tokens_in, |b| b.tokens_out, |b| b.usd];
        let shares = all.map(|of| share_saved(of, than));
        std::iter::once(name.to_owned()).chain(shares).collect()
    };
    let rows: [Vec<String>; 2] = [
        row("one call a bubble: what batching saves", &alone),
        row("a bot that sends all it has on every bubble", &nothing),
    ];
    Ok(table(
        &["saved against", "calls", "tokens in", "tokens out", "USD"],
        &rows,
    ))
}

fn variants(world: &World, compared: &[Compared]) -> Result<String> {
    let mut rows = Vec::new();
    let mut product = None;
    for (name, _, calls) in compared {
        let bill = of_100(world, calls, &world.prices, KEPT_MS)?;
        let product = *product.get_or_insert(bill.usd);
        let mut row = vec![(*name).to_owned()];
        row.extend(
            [bill.calls, bill.tokens_in, bill.cached, bill.tokens_out].map(|of| number(of.round())),
        );
        row.extend([
            format!("{:.4}", bill.usd),
            format!("{:.2}", bill.usd / product),
        ]);
        rows.push(row);
    }
    let head = [
        "for 100 bursts",
        "calls",
        "tokens in",
        "of these cached",
        "tokens out",
        "USD",
        "to the product",
    ];
    Ok(table(&head, &rows))
}

/// What the bounds on the history are worth: customers who come back, whose bots have all of it to tell.
fn regulars(world: &World, compared: &[Compared]) -> Result<String> {
    let world = world.of_one_contact_each()?;
    let bounds = |rules: &Rules| rules.limits.history_max_messages;
    let whole = |rules: &Rules| rules.batched && bounds(rules) == usize::MAX;
    let rules = |is: &dyn Fn(&Rules) -> bool| compared.iter().find(|(_, rules, _)| is(rules));
    let both = [rules(&|_| true), rules(&whole)];
    let mut rows = Vec::new();
    for (name, rules, _) in both.into_iter().flatten() {
        let bill = of_100(&world, &world.calls(rules), &world.prices, KEPT_MS)?;
        let mut row = vec![(*name).to_owned()];
        row.extend([bill.tokens_in, bill.cached].map(|of| number(of.round())));
        row.push(format!("{:.4}", bill.usd));
        rows.push(row);
    }
    Ok(table(
        &["for 100 bursts", "tokens in", "of these cached", "USD"],
        &rows,
    ))
}

/// How often the two switches of a bot found something to do.
fn used(world: &World, compared: &[Compared]) -> String {
    let bursts = world.bursts().count();
    let of = |is: fn(&Rules) -> bool| compared.iter().filter(move |(_, rules, _)| is(rules));
    let kept = of(|rules| rules.response_cache)
        .map(|(.., calls)| bursts - calls.len())
        .next();
    let default = &world.settings.model.name;
    let simple = of(|rules| rules.simple.is_some());
    let simple = simple
        .map(|(.., calls)| calls.iter().filter(|call| call.model != *default).count())
        .next();
    format!(
        "Of {bursts} bursts, {} got a kept answer with the response cache on, and {} were simple by the rule.\n",
        kept.unwrap_or_default(),
        simple.unwrap_or_default(),
    )
}

/// As the newest models have it.
fn cached_at_a_tenth(prices: &Prices) -> Prices {
    let mut prices = prices.clone();
    for price in prices.values_mut() {
        price.cached = price.input / 10.0;
    }
    prices
}

/// What the provider's cache is worth, by how long it keeps a prefix and by what a cached token costs.
fn kept(world: &World, compared: &[Compared]) -> Result<String> {
    let cheap = cached_at_a_tenth(&world.prices);
    let mut rows = Vec::new();
    for (name, rules, calls) in compared {
        if rules.response_cache || rules.simple.is_some() {
            continue;
        }
        let mut row = vec![(*name).to_owned()];
        for keep_ms in [KEPT_MS, KEPT_LONG_MS, KEPT_ALWAYS_MS] {
            let bill = of_100(world, calls, &world.prices, keep_ms)?;
            row.push(percent(bill.cached, bill.tokens_in));
        }
        for keep_ms in [KEPT_MS, KEPT_ALWAYS_MS] {
            row.push(format!("{:.4}", of_100(world, calls, &cheap, keep_ms)?.usd));
        }
        rows.push(row);
    }
    let head = [
        "tokens in that are cached",
        "kept 5 minutes",
        "10 minutes",
        "always",
        "USD with cached ones at a tenth, 5 minutes",
        "always",
    ];
    Ok(table(&head, &rows))
}

/// The saving of batching, bot by bot: it depends on how customers write.
fn bots(world: &World) -> Result<String> {
    let [product, alone] = [Rules::product, Rules::one_by_one].map(|rules| rules(&world.settings));
    let mut rows = Vec::new();
    for asked in &world.asked {
        let bursts = count(asked.bursts.len());
        let bill = |rules: &Rules| Bill::of(&world.calls_of(asked, rules), &world.prices, KEPT_MS);
        let (product, alone) = (bill(&product)?, bill(&alone)?);
        rows.push(vec![
            asked.talk.bot.bot_id.as_str().to_owned(),
            number(count(asked.bubbles.len()) / bursts),
            number((product.tokens_in / product.calls).round()),
            number((product.tokens_out / product.calls).round()),
            format!("{:.4}", product.usd * 100.0 / bursts),
            format!("{:.4}", alone.usd * 100.0 / bursts),
            format!("{:.2}", alone.usd / product.usd),
        ]);
    }
    let head = [
        "bot",
        "bubbles of a burst",
        "tokens in a call",
        "tokens out a call",
        "USD for 100 bursts",
        "one call a bubble",
        "to the product",
    ];
    Ok(table(&head, &rows))
}

#[cfg(test)]
mod tests {
    use clivy::prompt::Limits;
    use figures::inputs::root;

    use super::*;
    use crate::prompts::Order;

    #[test]
    fn the_committed_page_is_what_its_inputs_say() {
        let mut pages = [tokens(&root()).unwrap()];
        let stale = page::out_of_date(&pages).unwrap();
        assert!(stale.is_empty(), "cargo run -p tokens: {stale:?}");
        let other = pages[0]
            .1
            .replacen("| **the product** | 100 |", "| **the product** | 99 |", 1);
        pages[0].1 = other;
        assert_eq!(
            page::out_of_date(&pages).unwrap().len(),
            1,
            "another figure goes unseen"
        );
    }

    /// What the page says of the provider's cache, in words.
    #[test]
    fn short_beats_cached_at_half_the_price_and_not_at_a_tenth() {
        let world = World::read(&root()).unwrap();
        let product = Rules::product(&world.settings);
        let limits = Limits {
            documents_max: usize::MAX,
            ..product.limits
        };
        let all_in_order = Rules {
            limits,
            order: Order::Owners,
            ..product.clone()
        };
        let calls = [product, all_in_order].map(|rules| world.calls(&rules));
        let usd = |prices: &Prices| {
            calls
                .each_ref()
                .map(|calls| Bill::of(calls, prices, KEPT_MS).unwrap().usd)
        };
        let [short, cached] = usd(&world.prices);
        assert!(short < cached, "{short} {cached}");
        let [short, cached] = usd(&cached_at_a_tenth(&world.prices));
        assert!(cached < short, "{short} {cached}");
    }
}
