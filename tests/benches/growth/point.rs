//! One size, measured: what is counted in one world, and processor time in another that counts nothing.

use std::fmt;

use anyhow::Context;
use clivy::access::Role as KeyRole;
use figures::budget::Scene;
use figures::cost;
use figures::inputs::Inputs;
use local::world::TABLE;
use serde::Serialize;
use tests::counted::Counted;
use tests::faults::{ROLE, Role};
use tests::floor;
use tests::grown::{self, contact};
use tests::process::usage::cpu_seconds;
use tests::shop::{Shop, demo_bot};
use tests::world::{START, TestWorld};

/// The model whose prices are taken.
const MODEL: &str = "openai/gpt-4o-mini";
/// So many customers write at the same time, each in a conversation of its own, with the history that is measured; the other
/// conversations have the usual one.
const WRITERS: i64 = 40;
/// Bursts are repeated until the processor was busy for so long, in seconds: its time is told in hundredths.
const BUSY: f64 = 2.0;
/// Conditional puts of the floor.
const PUTS: u32 = 20_000;

/// How large everything is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Size {
    /// Conversations in the table.
    pub conversations: i64,
    /// Messages in a conversation.
    pub history: i64,
    /// Bubbles in a burst.
    pub bubbles: i64,
}

impl Size {
    /// What does not grow.
    pub const USUAL: Self = Self {
        conversations: 1_000,
        history: 10,
        bubbles: 3,
    };
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            conversations,
            history,
            bubbles,
        } = self;
        write!(
            f,
            "{conversations} conversations, {history} messages in each that goes on, bursts of {bubbles}"
        )
    }
}

/// What there is at one size. "A message" is a bubble with its share of the answer.
#[derive(Serialize)]
pub struct Point {
    /// How large.
    pub size: Size,
    /// Requests to AWS a message.
    pub requests: f64,
    /// Write units a message.
    pub write_units: f64,
    /// Read units a message.
    pub read_units: f64,
    /// Calls of the model a message.
    pub model_calls: f64,
    /// Tokens of prompts a message.
    pub prompt_tokens: f64,
    /// USD for 1,000 messages: requests and units of DynamoDB and SQS.
    pub requests_usd: f64,
    /// USD for 1,000 messages: the model.
    pub tokens_usd: f64,
    /// Read units of the first page of the list of conversations.
    pub list_read_units: f64,
    /// Read units of the newest page of the conversation.
    pub thread_read_units: f64,
    /// Read units of a run of the sweeper.
    pub sweep_read_units: f64,
    /// Processor time a message, in milliseconds: functions, SDK and engine.
    pub cpu_ms: f64,
    /// Processor time of one conditional put of the engine alone, in milliseconds.
    pub put_ms: f64,
}

/// Measures one size.
///
/// # Errors
/// An input is missing, or `/proc` cannot be read.
pub async fn measure(inputs: &Inputs, size: Size) -> anyhow::Result<Point> {
    let counts = Box::pin(count(size)).await;
    let (cpu_ms, put_ms) = Box::pin(processor(size)).await?;
    let messages = size.bubbles as f64;
    let Counts {
        burst,
        list,
        thread,
        sweep,
    } = counts;
    let tokens = cost::tokens_usd(inputs, MODEL, &burst)?.context("the model has no price")?;
    Ok(Point {
        size,
        requests: (burst.requests_to("dynamodb") + burst.requests_to("sqs")) / messages,
        write_units: burst.writes() / messages,
        read_units: burst.reads() / messages,
        model_calls: burst.model_calls / messages,
        prompt_tokens: cost::prompt_tokens(inputs, &burst)? / messages,
        requests_usd: cost::requests_usd(inputs, &burst)? / messages * 1_000.0,
        tokens_usd: tokens / messages * 1_000.0,
        list_read_units: list.reads(),
        thread_read_units: thread.reads(),
        sweep_read_units: sweep.reads(),
        cpu_ms,
        put_ms,
    })
}

fn fill(world: &TestWorld, size: Size) {
    let items = (0..size.conversations).flat_map(|n| {
        let history = if n < WRITERS {
            size.history
        } else {
            Size::USUAL.history
        };
        let contact = contact(n);
        let head = grown::head(
            "demo",
            &contact,
            &format!("Pelanggan {n}"),
            START.plus_ms(-n * 1_000),
        );
        let messages = (1..=history).map(move |number| {
            let at = START.plus_ms(-number * 60_000);
            grown::message("demo", &contact, number, at)
        });
        messages.chain([head])
    });
    grown::import(world, items);
}

struct Counts {
    burst: Scene,
    list: Scene,
    thread: Scene,
    sweep: Scene,
}

/// A burst in a conversation, after somebody else's has brought the settings; a look at each page; a sweep.
async fn count(size: Size) -> Counts {
    let counted = Counted::open().await;
    fill(&counted.shop.world, size);
    counted.burst(&contact(1), 1).await;
    let bubbles = usize::try_from(size.bubbles).unwrap();
    let burst = counted.burst(&contact(0), bubbles).await;
    let owner = demo_bot().owner;
    let (key, _) = counted.shop.world.key(owner.as_str(), KeyRole::Agent).await;
    let api = counted.shop.world.api_with(key.expose());
    let list = "/api/bots/demo/conversations".to_owned();
    let thread = format!("{list}/{}/messages", contact(0));
    let mut pages = Vec::new();
    for path in [list, thread] {
        let mark = counted.mark();
        ROLE.scope(Role::Inbox, api.get(&path)).await.expect(200);
        pages.push(counted.since(&mark));
    }
    let [list, thread] = pages.try_into().unwrap();
    Counts {
        burst,
        list,
        thread,
        sweep: counted.sweep().await,
    }
}

/// Processor time of a message and of a put, in milliseconds.
async fn processor(size: Size) -> anyhow::Result<(f64, f64)> {
    let us = std::process::id();
    let world = TestWorld::new(&[demo_bot()]).await;
    fill(&world, size);
    let shop = Shop::open(world);
    let writers: Vec<String> = (0..WRITERS).map(contact).collect();
    let bubbles = usize::try_from(size.bubbles)?;
    // The first burst fills caches.
    shop.burst(&writers, bubbles).await;
    let (mut busy, mut messages) = (0.0, 0);
    while busy < BUSY {
        shop.silence().await;
        let begin = cpu_seconds(us)?;
        shop.burst(&writers, bubbles).await;
        busy += cpu_seconds(us)? - begin;
        messages += writers.len() * bubbles;
    }
    let begin = cpu_seconds(us)?;
    for number in 0..PUTS {
        floor::put(&shop.world.world.engines, TABLE, number).await?;
    }
    let puts = cpu_seconds(us)? - begin;
    let ms = 1_000.0;
    Ok((busy * ms / messages as f64, puts * ms / f64::from(PUTS)))
}
