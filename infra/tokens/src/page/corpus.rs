//! What the corpus is, and the product's prompts for it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clivy::prompt::fit::estimate_tokens;
use clivy::prompt::{Level, build};
use figures::page::table::{number, table};

use super::{count, shown};
use crate::bursts::Turn;
use crate::prefix::MINIMUM;
use crate::prompts::with;
use crate::world::{Asked, World};

/// Whose customers wrote how much.
pub fn bots(world: &World) -> String {
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
pub fn bubbles(world: &World) -> String {
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
pub fn prompts(world: &World) -> Result<String> {
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
