//! The ledger's counts as metrics.

use clivy::conversation::outcome::TurnStatus;
use clivy::usage::{BOUNDS_MS, UsageCounts, nano_usd};

use super::BotUsage;
use super::text::{Family, Kind};

/// What one counter of a bot says.
type Count = fn(&UsageCounts) -> u64;

/// The metrics of these bots; `left_out` more bots there are of the same owner.
pub fn of_bots(bots: &[BotUsage], left_out: usize) -> Vec<Family> {
    let mut bots_left_out = Family::new(
        "chatbot_metrics_bots_left_out",
        Kind::Gauge,
        "Bots of this owner that are not shown here, because there are more than 50.",
    );
    bots_left_out.push(&[], number(left_out as u64));
    let mut families = vec![
        requests(bots),
        errors(bots),
        tokens(bots),
        turns(bots),
        cost(bots),
        active(bots),
        response_times(bots),
        free_ratio(bots),
    ];
    families.extend(plain_counters(bots));
    families.push(bots_left_out);
    families
}

/// Counters with no label but the bot.
fn plain_counters(bots: &[BotUsage]) -> Vec<Family> {
    let counters: [(&'static str, &'static str, Count); 6] = [
        (
            "chatbot_messages_total",
            "Customers' messages in the turns that ended.",
            |counts| counts.messages,
        ),
        (
            "chatbot_new_contacts_total",
            "Contacts whose very first turn ended.",
            |counts| counts.new_contacts,
        ),
        (
            "chatbot_wasted_generations_total",
            "Answers that were paid for and never sent.",
            |counts| counts.wasted,
        ),
        (
            "chatbot_cache_hits_total",
            "Answers that were kept from before: the model was not asked.",
            |counts| counts.cache_hits,
        ),
        (
            "chatbot_calls_saved_by_batching_total",
            "Calls that were not made because bubbles were answered together.",
            |counts| counts.saved_by_batching,
        ),
        (
            "chatbot_trials_total",
            "Questions tried on the bot by somebody of the business.",
            |counts| counts.trials,
        ),
    ];
    counters
        .into_iter()
        .map(|(name, help, count)| {
            let mut family = Family::new(name, Kind::Counter, help);
            for bot in bots {
                family.push(&[("bot", bot.bot_id.as_str())], number(count(&bot.month)));
            }
            family
        })
        .collect()
}

fn requests(bots: &[BotUsage]) -> Family {
    let mut family = Family::new(
        "chatbot_openrouter_requests_total",
        Kind::Counter,
        "Calls to the model, those to a second provider included, by whether they gave an answer that could be sent.",
    );
    for bot in bots {
        let failed = bot.month.failed_calls();
        let answered = bot.month.llm_calls.saturating_sub(failed);
        for (status, count) in [("ok", answered), ("error", failed)] {
            let labels = [("bot", bot.bot_id.as_str()), ("status", status)];
            family.push(&labels, number(count));
        }
    }
    family
}

fn errors(bots: &[BotUsage]) -> Family {
    let mut family = Family::new(
        "chatbot_openrouter_errors_total",
        Kind::Counter,
        "Calls to the model that gave nothing that could be sent, by the class of the error.",
    );
    for bot in bots {
        for (class, count) in &bot.month.errors {
            let labels = [("bot", bot.bot_id.as_str()), ("class", class.as_str())];
            family.push(&labels, number(*count));
        }
    }
    family
}

fn tokens(bots: &[BotUsage]) -> Family {
    let mut family = Family::new(
        "chatbot_token_usage_total",
        Kind::Counter,
        "Tokens of prompts and of completions. Those that the provider had cached are part of the prompts.",
    );
    for bot in bots {
        let counts = &bot.month;
        for (kind, count) in [
            ("prompt", counts.tokens_in),
            ("completion", counts.tokens_out),
            ("cached", counts.tokens_cached),
        ] {
            let labels = [("bot", bot.bot_id.as_str()), ("type", kind)];
            family.push(&labels, number(count));
        }
    }
    family
}

fn turns(bots: &[BotUsage]) -> Family {
    let mut family = Family::new(
        "chatbot_turns_total",
        Kind::Counter,
        "Turns that ended, by how.",
    );
    for bot in bots {
        for status in TurnStatus::ENDS {
            let labels = [("bot", bot.bot_id.as_str()), ("status", status.as_str())];
            family.push(&labels, number(bot.month.ended(status)));
        }
    }
    family
}

fn cost(bots: &[BotUsage]) -> Family {
    let mut family = Family::new(
        "chatbot_cost_usd_total",
        Kind::Counter,
        "What the providers charged, in USD.",
    );
    for bot in bots {
        let labels = [("bot", bot.bot_id.as_str())];
        family.push(&labels, nano_usd(bot.month.cost_usd));
    }
    family
}

fn active(bots: &[BotUsage]) -> Family {
    let mut family = Family::new(
        "chatbot_conversations_active_total",
        Kind::Gauge,
        "Different contacts with whom a turn ended today (UTC).",
    );
    for bot in bots {
        let labels = [("bot", bot.bot_id.as_str())];
        family.push(&labels, number(bot.today.conversations));
    }
    family
}

fn response_times(bots: &[BotUsage]) -> Family {
    let mut family = Family::new(
        "chatbot_message_response_time_seconds",
        Kind::Histogram,
        "How long customers waited, from the oldest message of a burst to its reply.",
    );
    for bot in bots {
        let (bot_id, times) = (bot.bot_id.as_str(), &bot.month.response_times);
        for bound_ms in BOUNDS_MS {
            let le = seconds(bound_ms).to_string();
            let labels = [("bot", bot_id), ("le", le.as_str())];
            family.push_part("_bucket", &labels, number(times.at_most(bound_ms)));
        }
        let all = number(times.count());
        family.push_part("_bucket", &[("bot", bot_id), ("le", "+Inf")], all);
        let sum = seconds(bot.month.response_ms);
        family.push_part("_sum", &[("bot", bot_id)], sum);
        family.push_part("_count", &[("bot", bot_id)], all);
    }
    family
}

fn free_ratio(bots: &[BotUsage]) -> Family {
    let mut family = Family::new(
        "chatbot_free_model_efficiency_ratio",
        Kind::Gauge,
        "The share of this month's answers that came from free models. Not there before the first answer.",
    );
    for bot in bots {
        if let Some(ratio) = bot.month.free_model_ratio() {
            family.push(&[("bot", bot.bot_id.as_str())], ratio);
        }
    }
    family
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

fn seconds(ms: u64) -> f64 {
    number(ms) / 1000.0
}
