//! The tables of `docs/SCALE.md`.

use anyhow::Result;

use super::Part;
use super::table::{number, table};
use crate::cost;
use crate::inputs::{Inputs, number as assumed};
use crate::scale::breaker::{self, Calls};
use crate::scale::keys::{self, Shared};
use crate::scale::simulation::{Seen, World, run};

/// Messages a second, over all bots.
const RATES: [f64; 3] = [100.0, 1_000.0, 10_000.0];

pub fn parts(inputs: &Inputs) -> Result<Vec<Part>> {
    Ok(vec![
        ("rates", rates(inputs)?),
        ("breaker", open_breakers(inputs)?),
        ("keys", hot_keys(inputs)?),
        ("conflicts", conflicts(inputs)?),
        ("simulation", simulation(inputs)?),
        ("places", places(inputs)?),
    ])
}

/// What each rate asks of the account, in a second.
fn rates(inputs: &Inputs) -> Result<String> {
    let a_burst = inputs.messages_a_burst()?;
    let burst = inputs.burst()?;
    let webhooks = 1.0
        + assumed(&inputs.assumed.traffic, "ignored_events")?
        + assumed(&inputs.assumed.traffic, "duplicates")?;
    let webhook_seconds = cost::webhook_ms(inputs)? / 1_000.0;
    let turn_seconds = cost::worker_ms(inputs, &burst, 1.0)? / 1_000.0;
    let completion = assumed(&inputs.assumed.traffic, "completion_tokens")?;
    let tokens = cost::prompt_tokens(inputs, &burst)? + burst.model_calls * completion;
    let queue = burst.queue_requests();
    let logs = burst.log_bytes + burst.metric_bytes;
    // Of each burst, or of each message.
    let lines: [(&str, f64); 10] = [
        ("webhooks", webhooks * a_burst),
        (
            "webhooks at work at once",
            webhooks * a_burst * webhook_seconds,
        ),
        ("turns", 1.0),
        ("turns at work at once", turn_seconds),
        ("write units of the table", table_writes(&burst)),
        (
            "write units of the indexes",
            burst.writes() - table_writes(&burst),
        ),
        ("read units", burst.reads()),
        ("SQS requests", queue),
        ("tokens a minute", tokens * 60.0),
        ("MB of our log lines", logs / 1_000_000.0),
    ];
    let row = |(name, each): &(&str, f64)| {
        let mut row = vec![(*name).to_owned()];
        row.extend(RATES.map(|rate| number(rate / a_burst * each)));
        row
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    let head = ["in a second", "100 messages", "1,000", "10,000"];
    Ok(table(&head, &rows))
}

fn table_writes(scene: &crate::budget::Scene) -> f64 {
    let of_indexes = ["list of conversations", "list of turns", "owed shard"];
    let mine = scene
        .write_units
        .iter()
        .filter(|(name, _)| !of_indexes.contains(&name.as_str()));
    mine.map(|(_, units)| units).sum()
}

/// How many are not asked, and what is written to the breaker's item, by the share of calls that fail.
fn open_breakers(inputs: &Inputs) -> Result<String> {
    let wait = |name: &str| assumed(&inputs.assumed.waits, name);
    let template = |name: &str| assumed(&inputs.assumed.template, name);
    let a_burst = inputs.messages_a_burst()?;
    let mut rows = Vec::new();
    for failing in [0.001, 0.01, 0.02, 0.05, 0.1, 0.2] {
        let mut row = vec![format!("{} %", failing * 100.0)];
        for rate in RATES {
            let calls = Calls {
                a_second: rate / a_burst,
                failing,
                max_failures: template("breaker_max_failures")? as u32,
                cooldown: template("breaker_cooldown_seconds")?,
                median: wait("model")? / 1_000.0,
                sigma: wait("model_sigma")?,
                calls: 1_000_000,
            };
            let seen = breaker::run(calls);
            let writes = number(seen.writes_a_second);
            row.push(format!("{:.1} % · {writes}", seen.refused * 100.0));
        }
        rows.push(row);
    }
    let head = [
        "calls that fail",
        "not asked · writes/s at 100 messages/s",
        "at 1,000",
        "at 10,000",
    ];
    Ok(table(&head, &rows))
}

fn hot_keys(inputs: &Inputs) -> Result<String> {
    let mut rows = Vec::new();
    for key in keys::all(inputs)? {
        let (of, heads) = match key.shared {
            Shared::Conversation => ("a conversation", 0.0),
            Shared::Bot => ("a bot", 1.0),
            Shared::EightOfAll => ("everybody, in eight", 1.0 / 8.0),
            Shared::All => ("everybody", 1.0),
        };
        let mut row = vec![
            format!("{}: {}", key.name, key.pattern),
            of.to_owned(),
            format!("{:.2}", key.units_a_message),
            number(key.full_at().round()),
        ];
        row.extend(RATES.map(|rate| match key.shared {
            Shared::Conversation => "–".to_owned(),
            _ => number((rate * heads * key.units_a_message).round()),
        }));
        rows.push(row);
    }
    let head = [
        "key",
        "shared by",
        "write units a message",
        "full at messages/s",
        "units/s at 100",
        "at 1,000",
        "at 10,000",
    ];
    Ok(table(&head, &rows))
}

/// What transactions on one item of usage do to each other.
fn conflicts(inputs: &Inputs) -> Result<String> {
    let held = assumed(&inputs.assumed.waits, "dynamodb_transaction")?;
    let a_burst = inputs.messages_a_burst()?;
    let row = |turns: f64| {
        let refused = keys::conflicts(turns, held);
        let tries = match refused {
            share if share < 1.0 => format!("{:.2}", 1.0 / (1.0 - share)),
            _ => "no end".to_owned(),
        };
        vec![
            number(turns),
            number(turns * a_burst),
            format!("{:.0} %", refused * 100.0),
            tries,
            format!("{:.4} %", refused.powi(8) * 100.0),
        ]
    };
    let rows: Vec<_> = [1.0, 5.0, 10.0, 25.0, 50.0, 100.0].map(row).into();
    let head = [
        "turns/s of one bot",
        "messages/s",
        "tries refused",
        "tries a commit",
        "all eight tries refused",
    ];
    Ok(table(&head, &rows))
}

fn world(inputs: &Inputs, rate: f64, places: usize) -> Result<World> {
    let wait = |name: &str| assumed(&inputs.assumed.waits, name);
    let record = inputs.budget.scene("superseded_trigger")?;
    let nothing = crate::budget::Scene::default();
    Ok(World {
        messages_a_second: rate,
        places,
        batch: assumed(&inputs.assumed.template, "batch_size")? as usize,
        silence_ms: 3_000,
        superseded_ms: cost::worker_ms(inputs, record, 0.0)? as u64,
        sending_ms: cost::worker_ms(inputs, &nothing, 1.0)? as u64,
        model_median_ms: wait("model")?,
        model_sigma: wait("model_sigma")?,
        seconds: 600,
        opened_a_minute: 300.0,
    })
}

fn told(seen: &Seen) -> Vec<String> {
    let grows = if seen.grows { "**yes**" } else { "no" };
    let waited = |seconds: f64| format!("{seconds:.1}");
    vec![
        grows.to_owned(),
        waited(seen.waited_p50),
        waited(seen.waited_p95),
        waited(seen.waited_max),
        number(seen.busy.round()),
        number(seen.in_flight_max as f64),
        format!("{:.1}", seen.records_a_batch),
        format!("{:.2}", seen.place_seconds_a_turn),
    ]
}

const SEEN: [&str; 8] = [
    "queue grows",
    "waited p50, s",
    "p95",
    "longest",
    "places taken",
    "in flight at most",
    "records a batch",
    "instance seconds a turn",
];

/// Ten minutes of each rate, from a standing start.
fn simulation(inputs: &Inputs) -> Result<String> {
    let mut rows = Vec::new();
    let runs = [
        (100.0, 50),
        (100.0, 100),
        (100.0, 1_000),
        (1_000.0, 100),
        (1_000.0, 500),
        (1_000.0, 1_000),
        (10_000.0, 1_000),
        (10_000.0, 10_000),
    ];
    for (rate, places) in runs {
        let seen = run(World {
            // Past what one mapping can: several queues, each with a mapping that opens by itself.
            opened_a_minute: 300.0 * (places as f64 / 1_000.0).max(1.0),
            ..world(inputs, rate, places)?
        });
        let mut row = vec![number(rate), number(places as f64)];
        row.extend(told(&seen));
        rows.push(row);
    }
    let head: Vec<&str> = ["messages/s", "MaximumConcurrency"]
        .into_iter()
        .chain(SEEN)
        .collect();
    Ok(table(&head, &rows))
}

/// The fewest places with which nobody waits long, all of them open, by the size of a batch.
fn places(inputs: &Inputs) -> Result<String> {
    let mut rows = Vec::new();
    for batch in [1, 3, 10] {
        for places in [30, 40, 50, 60, 80, 120, 160, 200] {
            let seen = run(World {
                batch,
                opened_a_minute: f64::INFINITY,
                seconds: 300,
                ..world(inputs, 100.0, places)?
            });
            if seen.waited_p95 < 1.0 && !seen.grows {
                let mut row = vec![number(f64::from(batch as u32)), number(places as f64)];
                row.extend(told(&seen));
                rows.push(row);
                break;
            }
        }
    }
    let head: Vec<&str> = ["batch size", "places needed"]
        .into_iter()
        .chain(SEEN)
        .collect();
    Ok(table(&head, &rows))
}
