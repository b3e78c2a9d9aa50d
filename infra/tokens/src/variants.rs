//! What the corpus costs, answered by the product's rules and by others.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::path::Path;

use anyhow::{Context, Result};
use clivy::conversation::bot::{Bot, SimpleRule};
use clivy::conversation::ids::EpochMs;
use clivy::llm::ladder;
use clivy::prompt::{self, ChatMessage, Limits, cache_key, stands_alone};
use clivy::table::CACHED_FOR_MS;
use figures::inputs::{Inputs, ModelPrice, number};

use crate::bursts::Turn;
use crate::corpus::{self, Talk};
use crate::prefix::ProviderCache;
use crate::prompts::{self, Order};
use crate::settings::Settings;
use crate::tokenizer::Tokenizer;

/// How the corpus is answered.
#[derive(Clone, Debug)]
pub struct Rules {
    /// One question a burst, or one a bubble.
    pub batched: bool,
    /// How much goes into a prompt.
    pub limits: Limits,
    /// Where the documents stand.
    pub order: Order,
    /// The time stands before everything else.
    pub time_first: bool,
    /// Answers are kept.
    pub response_cache: bool,
    /// The model of simple bursts.
    pub simple: Option<SimpleRule>,
}

impl Rules {
    /// The product, as a bot has it that sets nothing.
    #[must_use]
    pub fn product(settings: &Settings) -> Self {
        Self {
            batched: true,
            limits: settings.limits,
            order: Order::Relevance,
            time_first: false,
            response_cache: false,
            simple: None,
        }
    }
}

/// A bot and its turns, over all its conversations, in the order in which they are asked.
#[derive(Debug)]
pub struct Asked {
    /// The bot.
    pub talk: Talk,
    /// One a burst.
    pub bursts: Vec<Turn>,
    /// One a bubble.
    pub bubbles: Vec<Turn>,
}

/// Everything that is counted on.
pub struct World {
    /// The bots.
    pub asked: Vec<Asked>,
    /// The product's defaults.
    pub settings: Settings,
    /// The model's tokens.
    pub tokenizer: Tokenizer,
    /// Prices by model.
    pub prices: BTreeMap<String, ModelPrice>,
}

/// One call of a model.
struct Call {
    at: EpochMs,
    model: String,
    prompt: Vec<ChatMessage>,
    answer: String,
}

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

    fn plus(&self, other: &Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            tokens_in: self.tokens_in + other.tokens_in,
            cached: self.cached + other.cached,
            tokens_out: self.tokens_out + other.tokens_out,
            usd: self.usd + other.usd,
        }
    }
}

impl Sum for Bill {
    fn sum<I: Iterator<Item = Self>>(bills: I) -> Self {
        bills.fold(Self::default(), |sum, bill| sum.plus(&bill))
    }
}

impl World {
    /// Reads the corpus and the prices of a checkout.
    ///
    /// # Errors
    /// An input is missing or malformed, or a burst does not come out where the corpus has its answer.
    pub fn read(root: &Path) -> Result<Self> {
        let inputs = Inputs::read(root)?;
        let settings = Settings::default();
        let wait = |name| number(&inputs.assumed.waits, name);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a few seconds, in milliseconds"
        )]
        let service_ms = (wait("model")? + wait("gateway")?) as i64;
        let talks = corpus::read(root)?.into_iter();
        Ok(Self {
            asked: talks
                .map(|talk| Asked::of(talk, &settings, service_ms))
                .collect::<Result<_>>()?,
            settings,
            tokenizer: Tokenizer::new()?,
            prices: inputs.prices.models,
        })
    }

    /// Bursts in the corpus.
    #[must_use]
    pub fn bursts(&self) -> usize {
        self.asked.iter().map(|asked| asked.bursts.len()).sum()
    }

    /// What these rules cost for the whole corpus, where a provider keeps a prefix for `keep_ms` after its last use.
    ///
    /// # Errors
    /// A model has no price.
    pub fn bill(&self, rules: &Rules, keep_ms: i64) -> Result<Bill> {
        let bills = self
            .asked
            .iter()
            .map(|asked| self.bill_of(asked, rules, keep_ms));
        bills.sum()
    }

    /// The same for one bot's conversations. Bots share no prefix that is long enough to be cached.
    ///
    /// # Errors
    /// A model has no price.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of tokens, far below 2^52"
    )]
    pub fn bill_of(&self, asked: &Asked, rules: &Rules, keep_ms: i64) -> Result<Bill> {
        let mut bill = Bill::default();
        let mut provider = ProviderCache::new(keep_ms);
        for call in self.calls(asked, rules) {
            let price = self.prices.get(&call.model);
            let price = price.with_context(|| format!("prices.toml: no model {}", call.model))?;
            let prompt = self.tokenizer.prompt(&call.prompt);
            let (read, answer) = (
                prompt.len() as f64,
                self.tokenizer.text(&call.answer).len() as f64,
            );
            let cached = provider.read(call.at, &call.model, prompt) as f64;
            let millions =
                (read - cached) * price.input + cached * price.cached + answer * price.output;
            bill = bill.plus(&Bill {
                calls: 1.0,
                tokens_in: read,
                cached,
                tokens_out: answer,
                usd: millions / 1e6,
            });
        }
        Ok(bill)
    }

    fn calls(&self, asked: &Asked, rules: &Rules) -> Vec<Call> {
        let bot = Bot {
            simple: rules.simple.clone(),
            ..asked.talk.bot.clone()
        };
        let default = &self.settings.model;
        let mut kept: BTreeMap<String, EpochMs> = BTreeMap::new();
        let mut calls = Vec::new();
        for turn in if rules.batched {
            &asked.bursts
        } else {
            &asked.bubbles
        } {
            let question = prompt::question(&turn.burst);
            let mut turn = turn.clone();
            if rules.response_cache
                && stands_alone(&turn.history, &turn.burst, self.settings.cache_free_ms)
            {
                let key = cache_key(&bot, &default.name, &question);
                let until = kept.get(&key).map(|at| at.plus_ms(CACHED_FOR_MS));
                if until.is_some_and(|until| turn.asked_at < until) {
                    continue;
                }
                kept.insert(key, turn.asked_at);
                // What may be kept is asked without a history (I12).
                turn.history.clear();
            }
            let rungs = ladder(&bot, default, None, &question);
            let prompt = prompts::prompt(&bot, &turn, &rules.limits, rules.order);
            calls.push(Call {
                at: turn.asked_at,
                model: rungs
                    .first()
                    .map_or(&default.name, |rung| &rung.model)
                    .clone(),
                prompt: if rules.time_first {
                    prompts::behind_the_time(prompt, turn.asked_at)
                } else {
                    prompt
                },
                answer: turn.answer,
            });
        }
        calls
    }
}

impl Asked {
    fn of(talk: Talk, settings: &Settings, service_ms: i64) -> Result<Self> {
        let (mut bursts, mut bubbles) = (Vec::new(), Vec::new());
        for (index, conversation) in talk.conversations.iter().enumerate() {
            let name = || format!("{}: conversation {}", talk.bot.bot_id.as_str(), index + 1);
            let batches = conversation
                .bursts(&settings.debounce, service_ms)
                .with_context(name)?;
            bursts.extend(conversation.turns(&batches)?);
            bubbles.extend(conversation.turns(&conversation.one_by_one())?);
        }
        for turns in [&mut bursts, &mut bubbles] {
            turns.sort_by_key(|turn| turn.asked_at);
        }
        Ok(Self {
            talk,
            bursts,
            bubbles,
        })
    }
}
