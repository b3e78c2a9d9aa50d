//! Kept answers: a question that a bot has answered before, asked by somebody with whom nothing has been said lately,
//! gets the same answer without the model. Off unless the bot wants it.

use clivy::conversation::outcome::{Outcome, TurnStatus};
use clivy::prompt;
use clivy::step;
use clivy::table::Cached;

use crate::ask::Answer;
use crate::burst::Conversation;
use crate::record::{Held, Job};

/// A burst as it will be asked.
pub struct Question {
    /// The messages that the model sees.
    pub conversation: Conversation,
    /// Under which name its answer is kept; none when it must not be.
    key: Option<String>,
}

/// An answer from before.
pub struct Kept {
    /// The text.
    pub text: String,
    /// The turn's record.
    pub outcome: Outcome,
}

impl Question {
    /// Whether its answer may be kept. If so the model sees nothing but the burst: an answer that knows what was said
    /// before belongs to one contact alone (I12).
    pub fn of(job: &Job<'_>, held: &Held, conversation: Conversation) -> Self {
        let free_ms = job.worker.rules.cache_history_free_ms;
        // Nor is it when a person wants to see what another model says.
        let may_be_kept = held.bot.response_cache && held.wanted_model().is_none();
        let Conversation { history, burst, .. } = &conversation;
        if !may_be_kept || !prompt::stands_alone(history, burst, free_ms) {
            return Self {
                conversation,
                key: None,
            };
        }
        let question = prompt::question(&conversation.burst);
        let key = prompt::cache_key(&held.bot, &job.worker.rules.model.name, &question);
        Self {
            key: Some(key),
            conversation: Conversation {
                history: Vec::new(),
                ..conversation
            },
        }
    }

    /// The answer that is kept for it. A cache that cannot be read is an empty one.
    pub async fn kept(&self, job: &Job<'_>, held: &Held) -> Option<Kept> {
        let worker = job.worker;
        let now = worker.clock.now();
        let cached = match worker.table.cached(self.key.as_deref()?, now).await {
            Ok(cached) => cached?,
            Err(error) => {
                step!(warn, "cache_failed", held.log, { error = %error, }, "kept answers cannot be read");
                return None;
            }
        };
        step!(
            info,
            "cache_hit",
            held.log,
            { tokens_saved = cached.tokens, },
            "the answer was kept from before"
        );
        Some(Kept {
            outcome: Outcome {
                model: Some(cached.model),
                tokens_saved: Some(cached.tokens),
                ..Outcome::without_answer(TurnStatus::Answered)
            },
            text: cached.text,
        })
    }

    /// Counts that it was given, after the customer has it. Best effort.
    pub async fn count(&self, job: &Job<'_>, held: &Held) {
        let Some(key) = &self.key else { return };
        if let Err(error) = job.worker.table.cache_hit(key).await {
            step!(warn, "cache_failed", held.log, { error = %error, }, "the answer could not be counted");
        }
    }

    /// Keeps the answer, after the customer has it. Best effort.
    pub async fn keep(&self, job: &Job<'_>, held: &Held, answer: &Answer) {
        let Some(key) = &self.key else { return };
        let cached = Cached {
            text: answer.text.clone(),
            model: answer.model.clone(),
            tokens: answer.tokens,
        };
        let worker = job.worker;
        let kept = worker.table.put_cached(key, &cached, worker.clock.now());
        if let Err(error) = kept.await {
            step!(warn, "cache_failed", held.log, { error = %error, }, "the answer could not be kept");
        }
    }
}
