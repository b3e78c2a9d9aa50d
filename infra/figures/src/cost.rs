//! What a month costs: measured counts and sizes, times assumed waits, times list prices.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::budget::Scene;
use crate::inputs::{Inputs, Month, Numbers, Region, number};

/// Bytes of a GB, as AWS bills them.
pub(crate) const GB: f64 = 1_000_000_000.0;
const MB_OF_GB: f64 = 1024.0;

/// One line of a bill.
#[derive(Clone, Debug)]
pub struct Line {
    /// What is paid for.
    pub name: &'static str,
    /// How much of it.
    pub quantity: f64,
    /// At the list price, in USD.
    pub usd: f64,
}

/// A bill.
#[derive(Clone, Debug, Default)]
pub struct Bill {
    /// Its lines, in the same order in every bill.
    pub lines: Vec<Line>,
    /// Units by the name of their price: several lines may have one.
    pub(crate) units: BTreeMap<String, f64>,
}

impl Bill {
    /// All of it, in USD.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.lines.iter().map(|line| line.usd).sum()
    }

    /// All of it, when nothing else in the account uses up what is free, in USD.
    ///
    /// # Errors
    /// A price is missing.
    pub fn total_beyond_free(&self, region: &Region) -> Result<f64> {
        let mut total = 0.0;
        for (name, units) in &self.units {
            let free = region.prices.get(name).map_or(0.0, |price| price.free);
            total += region.cost(name, (units - free).max(0.0))?;
        }
        Ok(total)
    }
}

/// Time that is billed, in GB-seconds, and the invocations that it is made of.
#[derive(Clone, Copy, Debug, Default)]
struct Compute {
    invocations: f64,
    gb_seconds: f64,
}

/// How one function's invocations are billed.
struct Function {
    memory_mb: f64,
    cold: f64,
    init_ms: f64,
}

impl Function {
    fn of(inputs: &Inputs, memory: &str, cold: f64) -> Result<Self> {
        Ok(Self {
            memory_mb: number(&inputs.assumed.template, memory)?,
            cold,
            init_ms: number(&inputs.assumed.waits, "init")?,
        })
    }

    /// How long here, in milliseconds, what takes a whole core so long as is measured.
    fn processor_ms(&self, inputs: &Inputs, name: &str) -> Result<f64> {
        let core_ms = number(&inputs.assumed.processor, name)?;
        let whole = number(&inputs.assumed.processor, "memory_of_one_core_mb")?;
        Ok(core_ms * (whole / self.memory_mb).max(1.0))
    }

    fn billed(&self, invocations: f64, all_ms: f64) -> Compute {
        let ms = all_ms + invocations * self.cold * self.init_ms;
        Compute {
            invocations,
            gb_seconds: ms / 1000.0 * self.memory_mb / MB_OF_GB,
        }
    }
}

/// How long the worker is busy with such a scene, in milliseconds, every record by itself: it waits for the model.
///
/// # Errors
/// An input is missing.
pub fn worker_ms(inputs: &Inputs, scene: &Scene, turns: f64) -> Result<f64> {
    let wait = |name: &str| number(&inputs.assumed.waits, name);
    let function = Function::of(inputs, "worker_memory_mb", 0.0)?;
    let record = wait("dynamodb_write")? + function.processor_ms(inputs, "record")?;
    let sending = wait("dynamodb_write")? + wait("gateway")? + wait("dynamodb_transaction")?;
    // The mean of a lognormal time is above its median.
    let model = wait("model")? * (wait("model_sigma")?.powi(2) / 2.0).exp();
    Ok(scene.records * record + scene.model_calls * model + turns * sending)
}

/// How long a webhook takes, in milliseconds.
///
/// # Errors
/// An input is missing.
pub fn webhook_ms(inputs: &Inputs) -> Result<f64> {
    let wait = |name: &str| number(&inputs.assumed.waits, name);
    let function = Function::of(inputs, "webhook_memory_mb", 0.0)?;
    let processor = function.processor_ms(inputs, "webhook")?;
    Ok(wait("sqs_send")? + wait("dynamodb_transaction")? + processor)
}

/// Everything that happens in a month, added up.
struct Counts {
    scene: Scene,
    api_requests: f64,
    compute: Vec<Compute>,
    polls: f64,
    series: f64,
    stored_gb: f64,
}

fn counts(inputs: &Inputs, month: &Month) -> Result<Counts> {
    let budget = &inputs.budget;
    let idle = |name: &str| number(&inputs.assumed.idle, name);
    let traffic = |name: &str| number(&inputs.assumed.traffic, name);
    let bursts = month.messages / inputs.messages_a_burst()?;
    let duplicates = month.messages * traffic("duplicates")?;
    let ignored = month.messages * traffic("ignored_events")?;
    let webhooks = month.messages + duplicates + ignored;
    let looks = match month.messages > 0.0 {
        true => traffic("inbox_hours")? * 3600.0 * traffic("inbox_looks_a_second")?,
        false => 0.0,
    };
    let (sweeps, runs) = (idle("sweeps_a_month")?, idle("credit_runs_a_month")?);
    let answered = inputs.burst()?.times(bursts);
    let quiet = [
        budget.scene("sweep_with_nothing_to_do")?.times(sweeps),
        budget.scene("credits_run")?.times(runs),
    ];
    let busy = [
        budget.scene("duplicate_message")?.times(duplicates),
        budget.scene("ignored_event")?.times(ignored),
        budget.scene("look_of_an_inbox_page")?.times(looks),
    ];
    let always: f64 = quiet.iter().map(|scene| scene.metric_series).sum();
    let traffics = [&answered, &busy[2]].map(|scene| scene.metric_series);
    let series = always
        + if bursts > 0.0 {
            traffics.iter().sum()
        } else {
            0.0
        };
    let function = |memory: &str, cold: f64| Function::of(inputs, memory, cold);
    let wait = |name: &str| number(&inputs.assumed.waits, name);
    let compute = vec![
        function("webhook_memory_mb", month.cold)?.billed(webhooks, webhooks * webhook_ms(inputs)?),
        function("worker_memory_mb", month.cold)?
            .billed(answered.invocations, worker_ms(inputs, &answered, bursts)?),
        function("sweeper_memory_mb", idle("sweeper_cold")?)?
            .billed(sweeps, sweeps * 2.0 * wait("dynamodb_read")?),
        function("credits_memory_mb", idle("credits_cold")?)?.billed(runs, runs * wait("gateway")?),
        function("inbox_memory_mb", traffic("inbox_cold")?)?
            .billed(looks, looks * wait("inbox_look")?),
    ];
    let kept = number(&inputs.assumed.template, "message_retention_days")? / 30.0;
    Ok(Counts {
        stored_gb: answered.stored_bytes * kept / GB,
        scene: quiet.iter().chain(&busy).fold(answered, Scene::plus),
        api_requests: webhooks + looks,
        compute,
        polls: idle("pollers")? * 30.0 * 86_400.0 / idle("poll_seconds")?,
        series,
    })
}

/// A month's bill.
///
/// # Errors
/// An input is missing.
pub fn bill(inputs: &Inputs, month: &Month) -> Result<Bill> {
    let counts = counts(inputs, month)?;
    let scene = &counts.scene;
    let region = &inputs.prices.region;
    let mut lines = Vec::new();
    let mut units: BTreeMap<String, f64> = BTreeMap::new();
    let mut line = |name, quantity: f64, prices: &[&str]| -> Result<()> {
        let mut usd = 0.0;
        for price in prices {
            usd += region.cost(price, quantity)?;
            *units.entry((*price).to_owned()).or_default() += quantity;
        }
        lines.push(Line {
            name,
            quantity,
            usd,
        });
        Ok(())
    };
    let names = [
        "Lambda webhook, GB-seconds",
        "Lambda worker, GB-seconds",
        "Lambda sweeper, GB-seconds",
        "Lambda credits, GB-seconds",
        "Lambda inbox, GB-seconds",
    ];
    for (name, compute) in names.into_iter().zip(&counts.compute) {
        line(name, compute.gb_seconds, &["lambda_gb_seconds_arm64"])?;
    }
    let invocations: f64 = counts.compute.iter().map(|one| one.invocations).sum();
    line("Lambda, requests", invocations, &["lambda_requests"])?;
    line(
        "HTTP API, requests",
        counts.api_requests,
        &["http_api_requests"],
    )?;
    line(
        "DynamoDB, write units",
        scene.writes(),
        &["dynamodb_write_units"],
    )?;
    line(
        "DynamoDB, read units",
        scene.reads(),
        &["dynamodb_read_units"],
    )?;
    let storage = ["dynamodb_storage", "dynamodb_pitr"];
    line(
        "DynamoDB, GB stored and backed up",
        counts.stored_gb,
        &storage,
    )?;
    let queue = scene.queue_requests() + counts.polls;
    line("SQS, requests", queue, &["sqs_requests", "sqs_fair_queue"])?;
    let log_gb = log_bytes(&inputs.assumed.logs, &counts, invocations)? / GB;
    line("Logs, GB written", log_gb, &["logs_ingested"])?;
    let kept = number(&inputs.assumed.template, "log_retention_days")? / 30.0;
    let compressed = number(&inputs.assumed.logs, "compressed")?;
    line(
        "Logs, GB kept",
        log_gb * kept * compressed,
        &["logs_stored"],
    )?;
    line("Metrics of our own", counts.series, &["custom_metric"])?;
    let idle = |name: &str| number(&inputs.assumed.idle, name);
    line("Alarms", idle("alarms")?, &["alarm"])?;
    line("Dashboard", idle("dashboards")?, &["dashboard"])?;
    line("KMS key", idle("kms_keys")?, &["kms_key"])?;
    line("KMS, requests", idle("kms_requests")?, &["kms_requests"])?;
    let out =
        (scene.model_bytes + scene.gateway_calls * 1_000.0 + counts.api_requests * 500.0) / GB;
    line("Data to the internet, GB", out, &["transfer_out"])?;
    Ok(Bill { lines, units })
}

/// Our lines, Lambda's about each invocation, the API's about each request; and what CloudWatch adds to a line.
fn log_bytes(logs: &Numbers, counts: &Counts, invocations: f64) -> Result<f64> {
    let of = |name: &str| number(logs, name);
    let scene = &counts.scene;
    let lines = scene.log_lines
        + scene.metric_lines
        + invocations * of("platform_lines")?
        + counts.api_requests;
    let written = scene.log_bytes
        + scene.metric_bytes
        + invocations * of("platform_bytes")?
        + counts.api_requests * of("access_bytes")?;
    Ok(written + lines * of("line_overhead_bytes")?)
}

/// What a scene's requests to DynamoDB and SQS cost, in USD: what grows with the data, if anything does.
///
/// # Errors
/// A price is missing.
pub fn requests_usd(inputs: &Inputs, scene: &Scene) -> Result<f64> {
    let region = &inputs.prices.region;
    let queue = scene.queue_requests();
    Ok(region.cost("dynamodb_write_units", scene.writes())?
        + region.cost("dynamodb_read_units", scene.reads())?
        + region.cost("sqs_requests", queue)?
        + region.cost("sqs_fair_queue", queue)?)
}

/// Tokens of a scene's prompts.
///
/// # Errors
/// An input is missing.
pub fn prompt_tokens(inputs: &Inputs, scene: &Scene) -> Result<f64> {
    Ok(scene.prompt_characters / number(&inputs.assumed.traffic, "characters_a_token")?)
}

/// What a scene's calls of a model cost, in USD; none when its prices are not known.
///
/// # Errors
/// An input is missing.
pub fn tokens_usd(inputs: &Inputs, model: &str, scene: &Scene) -> Result<Option<f64>> {
    let Some(price) = inputs.prices.models.get(model) else {
        return Ok(None);
    };
    let completion = number(&inputs.assumed.traffic, "completion_tokens")?;
    let millions =
        prompt_tokens(inputs, scene)? * price.input + scene.model_calls * completion * price.output;
    Ok(Some(millions / 1_000_000.0))
}

/// What the models cost in a month, in USD: the burst as one question, or every bubble as one.
///
/// # Errors
/// An input is missing.
pub fn models(inputs: &Inputs, model: &str, month: &Month) -> Result<Option<[f64; 2]>> {
    let bursts = month.messages / inputs.messages_a_burst()?;
    let Some(a_burst) = tokens_usd(inputs, model, &inputs.burst()?)? else {
        return Ok(None);
    };
    let batched = bursts * a_burst;
    Ok(Some([batched, batched * inputs.messages_a_burst()?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::root;

    fn month(messages: f64) -> Month {
        Month {
            name: String::new(),
            messages,
            cold: 0.0,
        }
    }

    fn of_messages(messages: f64) -> Bill {
        bill(&Inputs::read(&root()).unwrap(), &month(messages)).unwrap()
    }

    fn line<'a>(bill: &'a Bill, name: &str) -> &'a Line {
        bill.lines.iter().find(|line| line.name == name).unwrap()
    }

    fn is_near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
    }

    #[test]
    fn without_traffic_only_what_is_always_there_is_paid() {
        let idle = of_messages(0.0);
        for name in [
            "HTTP API, requests",
            "Lambda webhook, GB-seconds",
            "Lambda worker, GB-seconds",
        ] {
            assert!(is_near(line(&idle, name).quantity, 0.0), "{name}");
        }
        // Five polls at a time of 20 s each, all month.
        assert!(is_near(line(&idle, "SQS, requests").quantity, 648_000.0));
        assert!(line(&idle, "Lambda, requests").quantity > 43_800.0);
        assert!((5.0..15.0).contains(&idle.total()), "{}", idle.total());
    }

    #[test]
    fn traffic_costs_in_proportion() {
        let [one, two, three] = [1e6, 2e6, 3e6].map(|messages| of_messages(messages).total());
        assert!(is_near(three - two, two - one), "{one} {two} {three}");
        assert!(two - one > 10.0);
    }

    #[test]
    fn a_line_is_counted_units_times_their_price() {
        let mut inputs = Inputs::read(&root()).unwrap();
        for name in ["with_a_retry", "with_the_fallback", "duplicates"] {
            inputs.assumed.traffic.insert(name.to_owned(), 0.0);
        }
        let units = |name: &str| inputs.budget.scene(name).unwrap().writes();
        let bursts = units("burst_of_1_after_a_silence") + units("burst_of_3_after_a_silence");
        let idle = 43_800.0 * units("sweep_with_nothing_to_do") + 730.0 * units("credits_run");
        // 1,000 messages are 250 bursts of one and 250 of three.
        let expected = 250.0 * bursts + idle;
        let bill = bill(&inputs, &month(1_000.0)).unwrap();
        let line = line(&bill, "DynamoDB, write units");
        assert!(
            is_near(line.quantity, expected),
            "{} {expected}",
            line.quantity
        );
        assert!(is_near(line.usd, expected * 0.625e-6));
    }

    #[test]
    fn the_worker_is_paid_for_waiting_by_its_memory() {
        let inputs = Inputs::read(&root()).unwrap();
        let mut half = inputs.clone();
        half.assumed
            .template
            .insert("worker_memory_mb".to_owned(), 256.0);
        let month = month(1e6);
        let [all, less] = [&inputs, &half].map(|inputs| {
            line(&bill(inputs, &month).unwrap(), "Lambda worker, GB-seconds").quantity
        });
        // A little more than half: the same work takes longer on half of the processor.
        assert!((0.5..0.53).contains(&(less / all)), "{}", less / all);
    }

    #[test]
    fn what_is_free_is_taken_off_once() {
        let inputs = Inputs::read(&root()).unwrap();
        let bill = bill(&inputs, &month(100_000.0)).unwrap();
        let beyond = bill.total_beyond_free(&inputs.prices.region).unwrap();
        // Five lines of GB-seconds are one allowance: all of them together are below 400,000.
        assert!(beyond < bill.total() - line(&bill, "Alarms").usd / 2.0);
        assert!(beyond > line(&bill, "DynamoDB, write units").usd);
    }

    #[test]
    fn a_token_has_as_many_characters_as_the_corpus_says() {
        let inputs = Inputs::read(&root()).unwrap();
        let assumed = number(&inputs.assumed.traffic, "characters_a_token").unwrap();
        let page = std::fs::read_to_string(root().join("docs/TOKENS.md")).unwrap();
        let said = format!("A token stands for {assumed} characters.");
        assert!(page.contains(&said), "{said}");
    }

    #[test]
    fn a_question_a_bubble_costs_as_often_as_there_are_bubbles() {
        let inputs = Inputs::read(&root()).unwrap();
        let [batched, alone] = models(&inputs, "openai/gpt-4o-mini", &month(1e6))
            .unwrap()
            .unwrap();
        assert!(is_near(alone, 2.0 * batched), "{batched} {alone}");
        assert_eq!(models(&inputs, "no/such", &month(1e6)).unwrap(), None);
    }
}
