//! One rung of the ladder: one model, asked until it has answered, refused for good, or there is nothing left to reduce.

use std::time::Duration;

use clivy::conversation::ids::EpochMs;
use clivy::conversation::outcome::Spent;
use clivy::llm::{
    Ask, Class, ErrorKind, LlmAnswer, LlmClient, LlmError, Provider, Rung, TokenNumbers, Usage,
};
use clivy::prompt::fit::{self, Parts, Room};
use clivy::prompt::{ChatMessage, Level, reply};
use clivy::step;

use crate::Worker;
use crate::burst::Conversation;
use crate::failure::{LAST_ASK_MS, outcome_at};
use crate::observe;
use crate::record::{Held, Job};

/// What must be left of the invocation after the model has answered: draft, send, commit.
const AFTER_ANSWER_MS: i64 = 10_000;
/// Less than this is not worth asking for.
const SHORTEST_ASK_MS: i64 = 1_000;

/// Who asks, and what about.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The trigger's job.
    pub job: &'a Job<'a>,
    /// The claim.
    pub held: &'a Held,
    /// The messages.
    pub conversation: &'a Conversation,
}

impl Asking<'_> {
    /// Asks it: with less context when it says that there is too much, for less when the credits allow no more.
    pub async fn rung(&self, rung: &Rung, spent: &mut Spent) -> Result<LlmAnswer, LlmError> {
        let worker = self.job.worker;
        let parts = Parts {
            bot: &self.held.bot,
            history: &self.conversation.history,
            burst: &self.conversation.burst,
            limits: &worker.rules.prompt,
        };
        let mut max_tokens = worker.rules.ai_max_tokens;
        let mut level = Level::Full;
        let mut room = rung
            .context_tokens
            .map(|context_tokens| Room::known(context_tokens, max_tokens));
        let mut is_exact = false;
        loop {
            // What cannot be made to fit may fit all the same: the estimate errs on the safe side, and the numbers of a
            // refusal may be wrong. The burst alone is worth a call.
            let (fitting, messages) = fit::fitting(&parts, level, room)
                .or_else(|| fit::fitting(&parts, Level::BurstOnly, None))
                .ok_or_else(|| LlmError::of(ErrorKind::ContextTooLong))?;
            let error = match self.once(rung, fitting, &messages, max_tokens, spent).await {
                Ok(answer) => return Ok(answer),
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
            if !self.has_time() {
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
        let (worker, log) = (self.job.worker, &self.held.log);
        let id = &self.job.trigger.conversation;
        step!(
            info,
            "asked",
            log,
            { model = rung.model, provider = rung.provider.as_str(), level = ?level, },
            "asked the model"
        );
        let started_at = self.now();
        let user = worker.pseudonyms.user(id);
        let session_id = worker.pseudonyms.conversation(id);
        let asked = client(worker, self.held, rung.provider)
            .ask(
                &Ask {
                    model: &rung.model,
                    messages,
                    max_tokens,
                    user: &user,
                    session_id: &session_id,
                    max_price: self.held.bot.max_price,
                    allow_training: self.held.bot.allow_training,
                },
                self.patience(),
            )
            .await
            .and_then(sendable);
        let latency_ms = self.now().since_ms(started_at);
        let usage = match &asked {
            Ok(answer) => answer.usage,
            Err(error) => error.usage.unwrap_or_default(),
        };
        observe::call(self.job, self.held, rung, &asked, &usage, latency_ms);
        let is_wasted = asked.is_err() && usage.completion_tokens > 0;
        *spent = spent.plus(used_up(&usage, latency_ms, is_wasted));
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

    fn now(&self) -> EpochMs {
        self.job.worker.clock.now()
    }

    fn left_ms(&self) -> i64 {
        self.job.left_ms().saturating_sub(AFTER_ANSWER_MS)
    }

    /// Whether there is time for another call.
    pub fn has_time(&self) -> bool {
        self.left_ms() >= SHORTEST_ASK_MS
    }

    /// How long one answer may take: within the invocation, and not far beyond the moment at which the customer gets
    /// the fallback text instead.
    fn patience(&self) -> Duration {
        let until_outcome = outcome_at(self.job, self.held)
            .since_ms(self.now())
            .max(LAST_ASK_MS);
        let ms = self.left_ms().max(SHORTEST_ASK_MS).min(until_outcome);
        let limit = Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        self.job.worker.rules.ai_timeout.min(limit)
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

fn client(worker: &Worker, held: &Held, provider: Provider) -> LlmClient {
    match (provider, &worker.second, held.bot.openrouter_key.as_deref()) {
        (Provider::Second, Some(second), _) => second.client.clone(),
        (_, _, Some(key)) => worker.llm.with_key(key),
        _ => worker.llm.clone(),
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

fn used_up(usage: &Usage, llm_latency_ms: i64, is_wasted: bool) -> Spent {
    Spent {
        calls: 1,
        tokens_in: usage.prompt_tokens,
        tokens_out: usage.completion_tokens,
        tokens_cached: usage.cached_tokens,
        cost_usd: usage.cost_usd,
        llm_latency_ms,
        wasted: u32::from(is_wasted),
    }
}
