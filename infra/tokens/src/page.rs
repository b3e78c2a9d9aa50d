//! The tables of `docs/TOKENS.md`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use clivy::conversation::bot::SimpleRule;
use clivy::prompt::{Level, Limits, build};
use figures::page::table::{number, table};
use figures::page::{self, Page};

use crate::bursts::Turn;
use crate::prompts::{Order, with};
use crate::variants::{Asked, Rules, World};

/// The model of simple bursts, in the tables that have one.
const SIMPLE_MODEL: &str = "openai/gpt-4.1-nano";
/// How long a provider keeps a prefix after its last use, the shortest that is published, in milliseconds.
const KEPT_MS: i64 = 5 * 60_000;

/// The page as it should be.
///
/// # Errors
/// An input is missing or malformed, or the page lacks a mark.
pub fn tokens(root: &Path) -> Result<Page> {
    let world = World::read(root)?;
    let parts = vec![
        ("corpus", corpus(&world)),
        ("bubbles", bubbles(&world)),
        ("prompt", prompt(&world)?),
        ("variants", variants(&world)?),
        ("kept", kept(&world)?),
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
    for turn in world.asked.iter().flat_map(|asked| &asked.bursts) {
        *bursts.entry(turn.burst.len()).or_default() += 1;
    }
    let all = count(world.bursts());
    let row = |(bubbles, bursts): (&usize, &usize)| {
        vec![
            bubbles.to_string(),
            shown(*bursts),
            percent(count(*bursts), all),
        ]
    };
    let mut rows: Vec<_> = bursts.iter().map(row).collect();
    let bubbles: usize = bursts
        .iter()
        .map(|(bubbles, bursts)| bubbles * bursts)
        .sum();
    rows.push(vec![
        format!("**mean {}**", number(count(bubbles) / all)),
        shown(world.bursts()),
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
    let turns = world
        .asked
        .iter()
        .flat_map(|asked| asked.bursts.iter().map(move |turn| (asked, turn)));
    let all: Vec<[usize; 5]> = turns
        .map(|(asked, turn)| parts_of(world, asked, turn))
        .collect();
    let names = [
        "instructions of the owner and rules of the product",
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
        let at = |part: usize| {
            sizes
                .get((sizes.len().saturating_sub(1)) * part / 100)
                .copied()
                .context("no bursts")
        };
        let mean = count(sizes.iter().sum()) / count(sizes.len());
        rows.push(vec![
            name.to_owned(),
            number(mean.round()),
            shown(at(0)?),
            shown(at(50)?),
            shown(at(90)?),
            shown(at(100)?),
        ]);
    }
    let long = all
        .iter()
        .filter(|parts| {
            parts
                .last()
                .is_some_and(|all| *all >= crate::prefix::MINIMUM)
        })
        .count();
    let head = [
        "tokens of a prompt",
        "mean",
        "shortest",
        "median",
        "one in ten is longer than",
        "longest",
    ];
    let tail = format!(
        "\n{} of {} prompts have {} tokens or more.\n",
        long,
        all.len(),
        shown(crate::prefix::MINIMUM)
    );
    Ok(table(&head, &rows) + &tail)
}

/// The rules that are compared, the product's first.
fn compared(world: &World) -> Result<Vec<(&'static str, Rules)>> {
    let product = Rules::product(&world.settings);
    let limits = product.limits;
    let simple: SimpleRule = toml::from_str(&format!("model = \"{SIMPLE_MODEL}\""))?;
    let all_documents = Limits {
        documents_max: usize::MAX,
        ..limits
    };
    let whole_history = Limits {
        history_max_messages: usize::MAX,
        history_max_characters: usize::MAX,
        ..limits
    };
    let with = |change: &dyn Fn(&mut Rules)| {
        let mut rules = product.clone();
        change(&mut rules);
        rules
    };
    Ok(vec![
        ("**the product**", product.clone()),
        ("one call a bubble", with(&|rules| rules.batched = false)),
        (
            "all documents, the most relevant first",
            with(&|rules| rules.limits = all_documents),
        ),
        (
            "all documents, in the owner's order",
            with(&|rules| {
                rules.limits = all_documents;
                rules.order = Order::Owners;
            }),
        ),
        (
            "the same behind the time",
            with(&|rules| {
                rules.limits = all_documents;
                rules.order = Order::Owners;
                rules.time_first = true;
            }),
        ),
        (
            "the whole history, whole messages",
            with(&|rules| rules.limits = whole_history),
        ),
        ("the time first", with(&|rules| rules.time_first = true)),
        (
            "the documents behind the history",
            with(&|rules| rules.order = Order::BehindHistory),
        ),
        (
            "the product's documents, in the owner's order",
            with(&|rules| rules.order = Order::Owners),
        ),
        (
            "the response cache on",
            with(&|rules| rules.response_cache = true),
        ),
        (
            "simple bursts to a cheaper model",
            with(&|rules| rules.simple = Some(simple.clone())),
        ),
        (
            "both",
            with(&|rules| {
                rules.response_cache = true;
                rules.simple = Some(simple.clone());
            }),
        ),
        (
            "**none of it**: a call a bubble, all documents whole, the whole history, the time first",
            with(&|rules| {
                rules.batched = false;
                rules.limits = Limits {
                    documents_max: usize::MAX,
                    document_max_characters: usize::MAX,
                    ..whole_history
                };
                rules.order = Order::Owners;
                rules.time_first = true;
            }),
        ),
    ])
}

fn variants(world: &World) -> Result<String> {
    let compared = compared(world)?;
    let mut rows = Vec::new();
    let mut product = None;
    for (name, rules) in &compared {
        let bill = world
            .bill(rules, KEPT_MS)?
            .times(100.0 / count(world.bursts()));
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

/// What the provider's cache is worth, where it keeps a prefix for so long after its last use.
fn kept(world: &World) -> Result<String> {
    let mut rows = Vec::new();
    for (name, rules) in compared(world)? {
        if rules.response_cache || rules.simple.is_some() {
            continue;
        }
        let mut row = vec![name.to_owned()];
        for keep_ms in [KEPT_MS, 2 * KEPT_MS, i64::MAX / 2] {
            let bill = world.bill(&rules, keep_ms)?;
            let usd = bill.usd * 100.0 / count(world.bursts());
            row.push(format!(
                "{} · {usd:.4}",
                percent(bill.cached, bill.tokens_in)
            ));
        }
        rows.push(row);
    }
    let head = [
        "share of the tokens in that is cached · USD for 100 bursts",
        "kept 5 minutes",
        "10 minutes",
        "for ever",
    ];
    Ok(table(&head, &rows))
}

/// The saving of batching, bot by bot: it depends on how customers write.
fn bots(world: &World) -> Result<String> {
    let product = Rules::product(&world.settings);
    let alone = Rules {
        batched: false,
        ..product.clone()
    };
    let mut rows = Vec::new();
    for asked in &world.asked {
        let bills = [&product, &alone].map(|rules| world.bill_of(asked, rules, KEPT_MS));
        let [product, alone] = bills;
        let (product, alone) = (product?, alone?);
        let bursts = count(asked.bursts.len());
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
    use std::collections::BTreeSet;

    use clivy::conversation::message::MessageKind;
    use clivy::conversation::opt;
    use clivy::prompt::reply::whatsapp_text;
    use figures::inputs::root;

    use super::*;

    #[test]
    fn the_committed_page_is_what_its_inputs_say() {
        let mut pages = [tokens(&root()).unwrap()];
        assert!(
            page::out_of_date(&pages).unwrap().is_empty(),
            "cargo run -p tokens"
        );
        pages[0].1 =
            pages[0]
                .1
                .replacen("| **the product** | 100 |", "| **the product** | 99 |", 1);
        assert_eq!(
            page::out_of_date(&pages).unwrap().len(),
            1,
            "another figure goes unseen"
        );
    }

    #[test]
    fn the_corpus_has_200_bursts_of_one_to_six_bubbles_that_come_out_by_the_rule() {
        let world = World::read(&root()).unwrap();
        assert_eq!(world.bursts(), 200);
        let sizes: BTreeSet<usize> = world
            .asked
            .iter()
            .flat_map(|a| &a.bursts)
            .map(|t| t.burst.len())
            .collect();
        assert_eq!(sizes, BTreeSet::from([1, 2, 3, 4, 5, 6]));
        for asked in &world.asked {
            assert!(
                (3..=30).contains(&asked.talk.bot.documents.len()),
                "{}",
                asked.talk.bot.bot_id.as_str()
            );
            for (index, conversation) in asked.talk.conversations.iter().enumerate() {
                let bursts = conversation.answers.len();
                assert!(
                    (1..=8).contains(&bursts),
                    "{}, conversation {}",
                    asked.talk.bot.bot_id.as_str(),
                    index + 1
                );
            }
        }
    }

    #[test]
    fn every_answer_is_as_whatsapp_shows_it_and_every_burst_is_asked_about() {
        let world = World::read(&root()).unwrap();
        for asked in &world.asked {
            for turn in &asked.bursts {
                assert_eq!(whatsapp_text(&turn.answer), turn.answer);
                assert_eq!(
                    opt::wish(&asked.talk.bot, false, &turn.burst),
                    opt::Wish::Answer,
                    "is not answered by a model"
                );
                for bubble in &turn.burst {
                    let is_placeholder = bubble.content.text.starts_with('[');
                    let is_text = bubble.content.kind == MessageKind::Text;
                    assert!(
                        !(is_placeholder && is_text),
                        "{} has no kind",
                        bubble.content.text
                    );
                }
            }
        }
    }

    #[test]
    fn batching_never_asks_more_than_once_a_burst() {
        let world = World::read(&root()).unwrap();
        let product = Rules::product(&world.settings);
        let alone = Rules {
            batched: false,
            ..product.clone()
        };
        let [product, alone] =
            [product, alone].map(|rules| world.bill(&rules, KEPT_MS).unwrap().calls);
        let bubbles: usize = world.asked.iter().map(|asked| asked.bubbles.len()).sum();
        assert_eq!((product, alone), (200.0, count(bubbles)));
    }
}
