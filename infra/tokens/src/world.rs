//! The corpus, asked by the product's rules and by others.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::EpochMs;
use clivy::llm::ladder;
use clivy::prompt::{self, cache_key, stands_alone};
use clivy::table::CACHED_FOR_MS;
use figures::inputs::{Inputs, number};

use crate::bill::Prices;
use crate::bursts::Turn;
use crate::corpus::{self, Talk};
use crate::prompts;
use crate::rules::Rules;
use crate::settings::Settings;
use crate::tokenizer::Tokenizer;

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
    /// What a million tokens cost.
    pub prices: Prices,
    /// From the claim of a burst to its answer, in milliseconds.
    pub service_ms: i64,
}

/// One call of a model.
#[derive(Clone, Debug)]
pub struct Called {
    /// When.
    pub at: EpochMs,
    /// Which.
    pub model: String,
    /// The prompt, in tokens.
    pub prompt: Vec<u32>,
    /// Tokens of the answer.
    pub answer: usize,
}

/// Which of a bot's questions had a kept answer.
#[derive(Default)]
struct Kept(BTreeMap<String, EpochMs>);

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
            tokenizer: Tokenizer::default(),
            prices: inputs.prices.models,
            service_ms,
        })
    }

    /// The same words, each bot's from one contact who comes back every day.
    ///
    /// # Errors
    /// A burst does not come out where it did before.
    pub fn of_one_contact_each(&self) -> Result<Self> {
        let talks = self.asked.iter().map(|asked| asked.talk.of_one_contact());
        Ok(Self {
            asked: talks
                .map(|talk| Asked::of(talk, &self.settings, self.service_ms))
                .collect::<Result<_>>()?,
            settings: self.settings.clone(),
            prices: self.prices.clone(),
            ..*self
        })
    }

    /// Every burst, with the bot that it is for.
    pub fn bursts(&self) -> impl Iterator<Item = (&Asked, &Turn)> {
        self.asked
            .iter()
            .flat_map(|asked| asked.bursts.iter().map(move |turn| (asked, turn)))
    }

    /// The calls that these rules make for all bots, in the order of their times.
    #[must_use]
    pub fn calls(&self, rules: &Rules) -> Vec<Called> {
        let mut calls: Vec<Called> = self
            .asked
            .iter()
            .flat_map(|asked| self.calls_of(asked, rules))
            .collect();
        calls.sort_by_key(|call| call.at);
        calls
    }

    /// The same for one bot.
    #[must_use]
    pub fn calls_of(&self, asked: &Asked, rules: &Rules) -> Vec<Called> {
        let bot = Bot {
            simple: rules.simple.clone(),
            ..asked.talk.bot.clone()
        };
        let mut kept = Kept::default();
        let turns = if rules.batched {
            &asked.bursts
        } else {
            &asked.bubbles
        };
        let mut calls = Vec::new();
        for turn in turns {
            let mut turn = turn.clone();
            if rules.response_cache
                && stands_alone(&turn.history, &turn.burst, self.settings.cache_free_ms)
            {
                if kept.has(&bot, &turn, &self.settings) {
                    continue;
                }
                // What may be kept is asked without a history (I12).
                turn.history.clear();
            }
            calls.push(self.called(&bot, &turn, rules));
        }
        calls
    }

    fn called(&self, bot: &Bot, turn: &Turn, rules: &Rules) -> Called {
        let default = &self.settings.model;
        let rungs = ladder(bot, default, None, &prompt::question(&turn.burst));
        let prompt = prompts::prompt(bot, turn, &rules.limits, rules.order);
        let prompt = if rules.time_first {
            prompts::behind_the_time(prompt, turn.asked_at)
        } else {
            prompt
        };
        Called {
            at: turn.asked_at,
            model: rungs
                .first()
                .map_or(&default.name, |rung| &rung.model)
                .clone(),
            prompt: self.tokenizer.prompt(&prompt),
            answer: self.tokenizer.text(&turn.answer).len(),
        }
    }
}

impl Kept {
    /// Whether the question has a kept answer; if not, it has one from now on.
    fn has(&mut self, bot: &Bot, turn: &Turn, settings: &Settings) -> bool {
        let key = cache_key(bot, &settings.model.name, &prompt::question(&turn.burst));
        let until = self.0.get(&key).map(|at| at.plus_ms(CACHED_FOR_MS));
        let has = until.is_some_and(|until| turn.asked_at < until);
        if !has {
            self.0.insert(key, turn.asked_at);
        }
        has
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clivy::conversation::message::MessageKind;
    use clivy::conversation::opt;
    use clivy::prompt::Level;
    use clivy::prompt::fit::estimate_tokens;
    use clivy::prompt::reply::whatsapp_text;
    use figures::inputs::root;

    use super::*;
    use crate::corpus::tests::said;

    fn world() -> World {
        World::read(&root()).unwrap()
    }

    #[test]
    fn the_corpus_has_200_bursts_of_one_to_six_bubbles_that_come_out_by_the_rule() {
        let world = world();
        assert_eq!(world.bursts().count(), 200);
        let sizes: BTreeSet<usize> = world.bursts().map(|(_, turn)| turn.burst.len()).collect();
        assert_eq!(sizes, BTreeSet::from([1, 2, 3, 4, 5, 6]));
        for asked in &world.asked {
            let name = asked.talk.bot.bot_id.as_str();
            assert!((3..=30).contains(&asked.talk.bot.documents.len()), "{name}");
            for conversation in &asked.talk.conversations {
                assert!((1..=8).contains(&conversation.answers.len()), "{name}");
            }
        }
    }

    #[test]
    fn every_burst_is_asked_about_and_every_answer_is_as_whatsapp_shows_it() {
        for (asked, turn) in world().bursts() {
            assert_eq!(whatsapp_text(&turn.answer), turn.answer);
            let wish = opt::wish(&asked.talk.bot, false, &turn.burst);
            assert_eq!(wish, opt::Wish::Answer, "no model is asked");
            for bubble in &turn.burst {
                let content = &bubble.content;
                let is_placeholder = content.text.starts_with('[');
                assert!(
                    !is_placeholder || content.kind != MessageKind::Text,
                    "{} has no kind",
                    content.text
                );
            }
        }
    }

    /// Else a prompt that is thought to fit would be refused.
    #[test]
    fn the_products_estimate_is_never_below_the_count() {
        let world = world();
        for (asked, turn) in world.bursts() {
            let limits = &world.settings.limits;
            let prompt = prompt::build(
                &asked.talk.bot,
                &turn.history,
                &turn.burst,
                limits,
                Level::Full,
            );
            let (estimate, count) = (
                estimate_tokens(&prompt) as usize,
                world.tokenizer.prompt(&prompt).len(),
            );
            assert!(estimate >= count, "{estimate} for {count}");
        }
    }

    #[test]
    fn batching_asks_once_a_burst_and_without_it_once_a_bubble() {
        let world = world();
        let bubbles: usize = world.asked.iter().map(|asked| asked.bubbles.len()).sum();
        let calls = |rules: Rules| world.calls(&rules).len();
        assert_eq!(calls(Rules::product(&world.settings)), 200);
        assert_eq!(calls(Rules::one_by_one(&world.settings)), bubbles);
    }

    #[test]
    fn a_kept_answer_saves_the_call_only_where_nothing_was_said_before() {
        let mut world = world();
        let mut talk = said(
            r#"[0, "jam buka?"], "08-20", [60, "jam buka?"], "08-20", [3600, "Jam buka"], "08-20""#,
        )
        .unwrap();
        let again = said(r#"[0, "JAM BUKA?"], "08-20""#).unwrap().conversations;
        talk.conversations.extend(again);
        world.asked = vec![Asked::of(talk, &world.settings, 2_800).unwrap()];
        let product = Rules::product(&world.settings);
        assert_eq!(world.calls(&product).len(), 4);
        let calls = world.calls(&Rules {
            response_cache: true,
            ..product
        });
        let minutes: Vec<i64> = calls
            .iter()
            .map(|call| call.at.since_ms(corpus::DAY) / 60_000)
            .collect();
        assert_eq!(
            minutes,
            [540, 541],
            "the other contact's and the one an hour later have a kept answer"
        );
    }
}
