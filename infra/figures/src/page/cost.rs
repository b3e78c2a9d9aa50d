//! The tables of `docs/COST.md`.

use anyhow::Result;

use super::Part;
use super::table::{number, table, usd, words};
use crate::cost::{self, Bill};
use crate::inputs::{Inputs, Month, Numbers, Region};
use crate::peer::{self, Peer};

const MODEL: &str = "openai/gpt-4o-mini";

pub fn parts(inputs: &Inputs) -> Result<Vec<Part>> {
    Ok(vec![
        ("counts", counts(inputs)),
        ("sums", sums(inputs)?),
        ("months", months(inputs)?),
        ("thousand", thousand(inputs)?),
        ("settings", settings(inputs)?),
        ("models", models(inputs)?),
        ("assumptions", assumptions(inputs)),
        ("prices", prices(inputs)),
    ])
}

fn nothing() -> Month {
    Month {
        name: "idle".to_owned(),
        messages: 0.0,
        cold: 1.0,
    }
}

fn scenes(inputs: &Inputs) -> Vec<Vec<String>> {
    let scenes = inputs.budget.scenes();
    let row = |(name, scene): (&str, &crate::budget::Scene)| {
        let mut row = vec![name.replace('_', " ")];
        row.extend(
            [
                scene.requests_to("dynamodb"),
                scene.requests_to("sqs"),
                scene.writes(),
                scene.reads(),
                scene.invocations,
                scene.model_calls,
                scene.gateway_calls,
                scene.log_bytes + scene.metric_bytes,
            ]
            .map(number),
        );
        row
    };
    scenes.map(row).collect()
}

fn counts(inputs: &Inputs) -> String {
    let head = [
        "scene",
        "DynamoDB requests",
        "SQS requests",
        "write units",
        "read units",
        "worker invocations",
        "model calls",
        "gateway calls",
        "log bytes",
    ];
    table(&head, &scenes(inputs))
}

/// The bills of no traffic and of the three months.
fn bills(inputs: &Inputs) -> Result<Vec<(Month, Bill)>> {
    let months = std::iter::once(nothing()).chain(inputs.assumed.month.iter().cloned());
    months
        .map(|month| {
            let bill = cost::bill(inputs, &month)?;
            Ok((month, bill))
        })
        .collect()
}

fn sums(inputs: &Inputs) -> Result<String> {
    let mut rows = Vec::new();
    let bills = bills(inputs)?;
    let mut row = |name: &str, value: &dyn Fn(&Month, &Bill) -> Result<String>| -> Result<()> {
        let mut row = vec![name.to_owned()];
        for (month, bill) in &bills {
            row.push(value(month, bill)?);
        }
        rows.push(row);
        Ok(())
    };
    row("**Clivy on AWS**", &|_, bill| {
        Ok(format!("**{}**", usd(bill.total())))
    })?;
    row(
        "the same, if nothing else in the account uses what is free",
        &|_, bill| Ok(usd(bill.total_beyond_free(&inputs.prices.region)?)),
    )?;
    for (name, kind) in [
        ("containers, one of each", Peer::Single),
        ("containers, two of each", Peer::Doubled),
    ] {
        row(name, &|month, _| {
            Ok(usd(peer::peer(inputs, month, kind)?.total()))
        })?;
    }
    row("the model, either way", &|month, _| {
        let model = cost::models(inputs, MODEL, month)?;
        Ok(model.map_or_else(|| "?".to_owned(), |[batched, _]| usd(batched)))
    })?;
    let head = [
        "USD a month",
        "no traffic",
        "1,000 messages",
        "100,000",
        "10,000,000",
    ];
    Ok(table(&head, &rows))
}

fn months(inputs: &Inputs) -> Result<String> {
    let bills = bills(inputs)?;
    let Some((_, first)) = bills.first() else {
        return Ok(String::new());
    };
    let mut rows = Vec::new();
    for (index, line) in first.lines.iter().enumerate() {
        let mut row = vec![line.name.to_owned()];
        let lines = bills.iter().filter_map(|(_, bill)| bill.lines.get(index));
        row.extend(lines.map(|line| match line.quantity {
            0.0 => "–".to_owned(),
            quantity => format!("{} · {}", number(quantity), usd(line.usd)),
        }));
        rows.push(row);
    }
    let mut sum = vec!["**USD**".to_owned()];
    sum.extend(
        bills
            .iter()
            .map(|(_, bill)| format!("**{}**", usd(bill.total()))),
    );
    rows.push(sum);
    let head = [
        "quantity · USD",
        "no traffic",
        "1,000 messages",
        "100,000",
        "10,000,000",
    ];
    Ok(table(&head, &rows))
}

/// What the next 1,000 messages cost, where there are many: the largest month less the one without traffic.
fn thousand(inputs: &Inputs) -> Result<String> {
    let Some(month) = inputs.assumed.month.last() else {
        return Ok(String::new());
    };
    let busy = cost::bill(inputs, month)?;
    let idle = cost::bill(inputs, &nothing())?;
    let thousands = month.messages / 1_000.0;
    let mut all: Vec<(&str, f64)> = busy
        .lines
        .iter()
        .zip(&idle.lines)
        .map(|(busy, idle)| (busy.name, (busy.usd - idle.usd) / thousands))
        .filter(|(_, usd)| *usd > 0.000_05)
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let total: f64 = all.iter().map(|(_, usd)| usd).sum();
    let row = |(name, usd): &(&str, f64)| {
        vec![
            (*name).to_owned(),
            format!("{usd:.4}"),
            format!("{:.0} %", usd / total * 100.0),
        ]
    };
    let mut rows: Vec<_> = all.iter().map(row).collect();
    rows.push(vec![
        "**all**".to_owned(),
        format!("**{total:.4}**"),
        String::new(),
    ]);
    Ok(table(&["for 1,000 messages", "USD", "share"], &rows))
}

/// One thing that is changed.
type Change = (&'static str, fn(&mut Inputs));

fn changes() -> [Change; 7] {
    [
        ("worker at 256 MB (`MemorySize`)", |all| {
            all.assumed
                .template
                .insert("worker_memory_mb".to_owned(), 256.0);
        }),
        ("a model that answers in 1.2 s instead of 2.5 s", |all| {
            all.assumed.waits.insert("model".to_owned(), 1_200.0);
        }),
        ("the gateway posts nothing but messages", |all| {
            all.assumed.traffic.insert("ignored_events".to_owned(), 0.0);
        }),
        ("customers who write one bubble a burst", |all| {
            all.assumed.traffic.insert("bursts_of_1".to_owned(), 1.0);
            all.assumed.traffic.insert("bursts_of_3".to_owned(), 0.0);
        }),
        ("customers who write three bubbles a burst", |all| {
            all.assumed.traffic.insert("bursts_of_1".to_owned(), 0.0);
            all.assumed.traffic.insert("bursts_of_3".to_owned(), 1.0);
        }),
        (
            "messages kept for 15 days (`MessageRetentionDays`)",
            |all| {
                all.assumed
                    .template
                    .insert("message_retention_days".to_owned(), 15.0);
            },
        ),
        ("no page of the inbox open", |all| {
            all.assumed.traffic.insert("inbox_hours".to_owned(), 0.0);
        }),
    ]
}

/// The largest month with one thing changed at a time.
fn settings(inputs: &Inputs) -> Result<String> {
    let Some(month) = inputs.assumed.month.last() else {
        return Ok(String::new());
    };
    let before = cost::bill(inputs, month)?.total();
    let mut rows = vec![vec!["as it is".to_owned(), usd(before), String::new()]];
    for (name, change) in changes() {
        let mut changed = inputs.clone();
        change(&mut changed);
        let after = cost::bill(&changed, month)?.total();
        let percent = (after - before) / before * 100.0;
        rows.push(vec![
            name.to_owned(),
            usd(after),
            format!("{percent:+.0} %"),
        ]);
    }
    Ok(table(
        &["10,000,000 messages a month", "USD", "change"],
        &rows,
    ))
}

fn models(inputs: &Inputs) -> Result<String> {
    let burst = inputs.burst()?;
    let mut rows = Vec::new();
    for month in &inputs.assumed.month {
        if let Some([batched, alone]) = cost::models(inputs, MODEL, month)? {
            rows.push(vec![number(month.messages), usd(batched), usd(alone)]);
        }
    }
    let tokens = format!(
        "{MODEL}: {} tokens of prompt a burst (characters measured; so many a token as in [TOKENS](TOKENS.md)), {} of answer (assumed).\n\n",
        number(cost::prompt_tokens(inputs, &burst)?.round()),
        number(
            inputs
                .assumed
                .traffic
                .get("completion_tokens")
                .copied()
                .unwrap_or_default()
        ),
    );
    let head = [
        "messages a month",
        "one question a burst, USD",
        "one a bubble, USD",
    ];
    Ok(tokens + &table(&head, &rows))
}

fn assumptions(inputs: &Inputs) -> String {
    let assumed = &inputs.assumed;
    let groups = [
        ("traffic", &assumed.traffic),
        ("waits, ms", &assumed.waits),
        ("processor", &assumed.processor),
        ("idle", &assumed.idle),
        ("logs", &assumed.logs),
        ("template", &assumed.template),
        ("peer", &assumed.peer),
    ];
    let row = |(name, numbers): (&str, &Numbers)| {
        let shown = |(name, value): (&String, &f64)| format!("{} {value}", name.replace('_', " "));
        let all: Vec<String> = numbers.iter().map(shown).collect();
        vec![name.to_owned(), all.join(" · ")]
    };
    let rows: Vec<_> = groups.into_iter().map(row).collect();
    words(&["of", "assumed"], &rows)
}

fn prices(inputs: &Inputs) -> String {
    let mut rows = Vec::new();
    for (name, price) in &inputs.prices.region.prices {
        let of = |region: &Region| region.prices.get(name).map(|price| price.usd.to_string());
        let each = format!("{} for {} {}", price.usd, number(price.per), price.unit);
        rows.push(vec![
            name.replace('_', " "),
            each,
            of(&inputs.prices.singapore).unwrap_or_else(|| "not found".to_owned()),
            if price.free > 0.0 {
                number(price.free)
            } else {
                String::new()
            },
            price.read.clone(),
            price.from.clone(),
        ]);
    }
    for (name, price) in &inputs.prices.models {
        let each = format!(
            "{} in, {} in and cached, {} out, for a million tokens",
            price.input, price.cached, price.output
        );
        let none = String::new;
        let (read, from) = (price.read.clone(), price.from.clone());
        rows.push(vec![name.clone(), each, none(), none(), read, from]);
    }
    let [here, there] =
        [&inputs.prices.region, &inputs.prices.singapore].map(|region| region.name.as_str());
    let head = ["price", here, there, "free a month", "as of", "read in"];
    words(&head, &rows)
}
