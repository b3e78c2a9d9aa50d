//! The tables of `docs/TOKENS.md`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use clivy::prompt::fit::estimate_tokens;
use clivy::prompt::{Level, build};
use figures::page::table::{number, table};
use figures::page::{self, Page};

use crate::bill::{Bill, Prices};
use crate::bursts::Turn;
use crate::prefix::MINIMUM;
use crate::prompts::with;
use crate::rules::{Rules, compared};
use crate::world::{Asked, Called, World};

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
        ("corpus", corpus(&world)),
        ("bubbles", bubbles(&world)),
        ("prompt", prompt(&world)?),
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

fn corpus(world: &World) -> String {
    let row = |name: &str, all: &[&Asked]| {
        let sum = |of: &dyn Fn(&Asked) -> usize| shown(all.iter().map(|asked| of(asked)).sum());
        vec![
            name.to_owned(),
            sum(&|asked| asked.talk.bot.documents.len()),
            sum(&|asked| asked.talk.conversations.len()),
            sum(&|asked| asked.bursts.len()),
            sum(&|asked| asked.bubbles.len()),
        ]
    };
    let mut rows: Vec<_> = world
        .asked
        .iter()
        .map(|asked| row(asked.talk.bot.bot_id.as_str(), &[asked]))
        .collect();
    rows.push(row("**all**", &world.asked.iter().collect::<Vec<_>>()));
    table(
        &["bot", "documents", "conversations", "bursts", "bubbles"],
        &rows,
    )
}

/// How many bursts have how many bubbles.
fn bubbles(world: &World) -> String {
    let mut bursts: BTreeMap<usize, usize> = BTreeMap::new();
    for (_, turn) in world.bursts() {
        *bursts.entry(turn.burst.len()).or_default() += 1;
    }
    let all = count(bursts.values().sum());
    let row = |(bubbles, bursts): (&usize, &usize)| {
        let share = format!("{:.1} %", count(*bursts) / all * 100.0);
        vec![bubbles.to_string(), shown(*bursts), share]
    };
    let mut rows: Vec<_> = bursts.iter().map(row).collect();
    let bubbles: usize = bursts
        .iter()
        .map(|(bubbles, bursts)| bubbles * bursts)
        .sum();
    rows.push(vec![
        format!("**{} on average**", number(count(bubbles) / all)),
        number(all),
        String::new(),
    ]);
    table(&["bubbles of a burst", "bursts", "share"], &rows)
}

/// Tokens of one prompt of the product: instructions, documents, history, question, all of it.
fn parts_of(world: &World, asked: &Asked, turn: &Turn) -> [usize; 5] {
    let limits = &world.settings.limits;
    let of = |bot, history, burst| {
        world
            .tokenizer
            .prompt(&build(bot, history, burst, limits, Level::Full))
            .len()
    };
    let bot = &asked.talk.bot;
    let bare = with(bot, Vec::new());
    let (instructions, asks) = (of(&bare, &[], &[]), of(&bare, &[], &turn.burst));
    let told = of(&bare, &turn.history, &turn.burst);
    let all = of(bot, &turn.history, &turn.burst);
    [
        instructions,
        all - told,
        told - asks,
        asks - instructions,
        all,
    ]
}

/// What the product's prompts are made of.
fn prompt(world: &World) -> Result<String> {
    let all: Vec<[usize; 5]> = world
        .bursts()
        .map(|(asked, turn)| parts_of(world, asked, turn))
        .collect();
    let names = [
        "instructions of the owner, rules of the product",
        "documents",
        "history",
        "question",
        "**all of it**",
    ];
    let mut rows = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let mut sizes: Vec<usize> = all
            .iter()
            .filter_map(|parts| parts.get(index))
            .copied()
            .collect();
        sizes.sort_unstable();
        let at = |percent: usize| {
            let size = sizes.get(sizes.len().saturating_sub(1) * percent / 100);
            size.copied().map(shown).context("no bursts")
        };
        let mean = count(sizes.iter().sum()) / count(sizes.len());
        rows.push(vec![
            name.to_owned(),
            number(mean.round()),
            at(0)?,
            at(50)?,
            at(90)?,
            at(100)?,
        ]);
    }
    let long = all.iter().filter(|[.., all]| *all >= MINIMUM).count();
    let head = [
        "tokens of a prompt",
        "mean",
        "shortest",
        "median",
        "one in ten is longer than",
        "longest",
    ];
    let tail = format!(
        "\n{long} of {} prompts have {} tokens or more. {}\n",
        all.len(),
        shown(MINIMUM),
        characters(world),
    );
    Ok(table(&head, &rows) + &tail)
}

/// How long a token is, and what the product takes it for where it has to guess.
fn characters(world: &World) -> String {
    let (mut characters, mut tokens, mut guessed) = (0.0, 0.0, 0.0);
    for (asked, turn) in world.bursts() {
        let limits = &world.settings.limits;
        let prompt = build(
            &asked.talk.bot,
            &turn.history,
            &turn.burst,
            limits,
            Level::Full,
        );
        let texts = prompt.iter().map(|message| message.content.chars().count());
        characters += count(texts.sum());
        tokens += count(world.tokenizer.prompt(&prompt).len());
        guessed += f64::from(estimate_tokens(&prompt));
    }
    format!(
        "A token stands for {} characters. Where a model's context is known to be short the product guesses, and it guesses \
         {} times the count.",
        number(characters / tokens),
        number(guessed / tokens),
    )
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
