//! One rung of the ladder: one model, asked until it has answered, refused for good, or there is nothing left to reduce.

use std::time::Duration;

use super::{Ask, Class, ErrorKind, LlmAnswer, LlmClient, LlmError, Rung, TokenNumbers, Usage};
use crate::clock::Clock;
use crate::conversation::outcome::Spent;
use crate::prompt::fit::{self, Parts, Room};
use crate::prompt::{ChatMessage, Level, reply};
use crate::step;
use crate::telemetry::TurnFields;
use crate::usage::Times;

/// Whoever asks: how long they may wait, and what they make of each call.
pub trait Asker: Sync {
    /// How long one answer may take.
    fn limit(&self) -> Duration;
    /// Whether there is time for another call.
    fn has_time(&self) -> bool;
    /// A call has ended, well or not.
    fn called(&self, call: &Called<'_>);
}

/// A call that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// The rung.
    pub rung: &'a Rung,
    /// What came of it.
    pub asked: &'a Result<LlmAnswer, LlmError>,
    /// What it has used up.
    pub usage: &'a Usage,
    /// How long it took, in milliseconds.
    pub latency_ms: i64,
}

/// Who asks, and what about.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The rung's provider, with the key that pays.
    pub client: &'a LlmClient,
    /// What the prompt is made of.
    pub parts: Parts<'a>,
    /// The answer's length at most, in tokens.
    pub max_tokens: u32,
    /// See [`Ask::user`].
    pub user: &'a str,
    /// See [`Ask::session_id`].
    pub session_id: &'a str,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Whose question it is.
    pub asker: &'a dyn Asker,
    /// What every log line says.
    pub log: &'a TurnFields,
}

/// An answer, and how full the prompt was that got it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The answer, its text as WhatsApp shows it.
    pub answer: LlmAnswer,
    /// How much of the conversation and the documents the model saw.
    pub level: Level,
}

impl Asking<'_> {
    /// Asks it: with less context when it says that there is too much, for less when the credits allow no more. What the
    /// calls have used up is added to `spent`, whatever came of them.
    ///
    /// # Errors
    /// Of the last call; see [`ErrorKind`].
    pub async fn rung(&self, rung: &Rung, spent: &mut Spent) -> Result<Fitted, LlmError> {
        let mut max_tokens = self.max_tokens;
        let mut level = Level::Full;
        let mut room = rung
            .context_tokens
            .map(|context_tokens| Room::known(context_tokens, max_tokens));
        let mut is_exact = false;
        loop {
            // What cannot be made to fit may fit all the same: the estimate errs on the safe side, and the numbers of a
            // refusal may be wrong. The burst alone is worth a call.
            let (fitting, messages) = fit::fitting(&self.parts, level, room)
                .or_else(|| fit::fitting(&self.parts, Level::BurstOnly, None))
                .ok_or_else(|| LlmError::of(ErrorKind::ContextTooLong))?;
            let error = match self.once(rung, fitting, &messages, max_tokens, spent).await {
                Ok(answer) => {
                    return Ok(Fitted {
                        answer,
                        level: fitting,
                    });
                }
                Err(error) => error,
            };
            level = match next_question(&error, fitting, max_tokens, is_exact) {
                Next::Exactly(numbers) => {
                    is_exact = true;
                    room = Some(fit::room_after(&messages, &numbers, max_tokens));
                    level
                }
                Next::Shorter(shorter) => shorter,
                Next::ShorterAnswer(affordable) => {
                    max_tokens = affordable;
                    level
                }
                Next::None => return Err(error),
            };
            if !self.asker.has_time() {
                return Err(error);
            }
        }
    }

    /// One call, and what it has used up.
    async fn once(
        &self,
        rung: &Rung,
        level: Level,
        messages: &[ChatMessage],
        max_tokens: u32,
        spent: &mut Spent,
    ) -> Result<LlmAnswer, LlmError> {
        let (bot, log) = (self.parts.bot, self.log);
        step!(
            info,
            "asked",
            log,
            { model = rung.model, provider = rung.provider.as_str(), level = ?level, },
            "asked the model"
        );
        let started_at = self.clock.now();
        let asked = self
            .client
            .ask(
                &Ask {
                    model: &rung.model,
                    messages,
                    max_tokens,
                    user: self.user,
                    session_id: self.session_id,
                    max_price: bot.max_price,
                    allow_training: bot.allow_training,
                },
                self.asker.limit(),
            )
            .await
            .and_then(sendable);
        let latency_ms = self.clock.now().since_ms(started_at);
        let usage = match &asked {
            Ok(answer) => answer.usage,
            Err(error) => error.usage.unwrap_or_default(),
        };
        self.asker.called(&Called {
            rung,
            asked: &asked,
            usage: &usage,
            latency_ms,
        });
        let failed = asked.as_ref().err().map(|error| error.kind);
        *spent = spent.plus(&used_up(&usage, latency_ms, failed));
        let answer = asked?;
        step!(
            info,
            "answered",
            log,
            {
                model = answer.model,
                llm_latency_ms = latency_ms,
                tokens_in = usage.prompt_tokens,
                tokens_out = usage.completion_tokens,
                cost_usd = usage.cost_usd,
            },
            "the model answered"
        );
        Ok(answer)
    }
}

/// What is asked after a refusal, in the same rung.
#[derive(Debug, PartialEq)]
enum Next {
    /// The same, cut to what the refusal says is the limit.
    Exactly(TokenNumbers),
    /// With less context.
    Shorter(Level),
    /// For an answer of at most so many tokens.
    ShorterAnswer(u32),
    /// Nothing.
    None,
}

fn next_question(error: &LlmError, level: Level, max_tokens: u32, is_exact: bool) -> Next {
    match (error.class, error.tokens, error.max_tokens) {
        (Class::Reduce, Some(numbers), _) if !is_exact => Next::Exactly(numbers),
        (Class::Reduce, ..) => level.shorter().map_or(Next::None, Next::Shorter),
        // The balance allows for a shorter answer.
        (Class::Retry, _, Some(affordable)) if (1..max_tokens).contains(&affordable) => {
            Next::ShorterAnswer(affordable)
        }
        _ => Next::None,
    }
}

/// The answer as WhatsApp shows it. One of which nothing is left is none.
fn sendable(answer: LlmAnswer) -> Result<LlmAnswer, LlmError> {
    let text = reply::whatsapp_text(&answer.text);
    if text.is_empty() {
        return Err(LlmError {
            usage: Some(answer.usage),
            ..LlmError::of(ErrorKind::EmptyAnswer)
        });
    }
    Ok(LlmAnswer { text, ..answer })
}

/// What one call has used up; `failed` is the kind of its error.
fn used_up(usage: &Usage, llm_latency_ms: i64, failed: Option<ErrorKind>) -> Spent {
    Spent {
        calls: 1,
        errors: failed
            .map(|kind| (kind.as_str().to_owned(), 1))
            .into_iter()
            .collect(),
        tokens_in: usage.prompt_tokens,
        tokens_out: usage.completion_tokens,
        tokens_cached: usage.cached_tokens,
        cost_usd: usage.cost_usd,
        llm_latency_ms,
        llm_times: Times::one(llm_latency_ms),
        wasted: u32::from(failed.is_some() && usage.completion_tokens > 0),
    }
}
