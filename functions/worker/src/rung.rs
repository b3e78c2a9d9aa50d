//! One rung of the ladder, asked within what is left of the invocation.

use std::time::Duration;

use clivy::conversation::outcome::Spent;
use clivy::llm::{
    Asker, Asking as AskingRung, Called, LlmAnswer, LlmClient, LlmError, Provider, Rung,
};
use clivy::prompt::fit::Parts;

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
    /// Asks a model until it has answered, refused for good, or there is nothing left to reduce.
    pub async fn rung(&self, rung: &Rung, spent: &mut Spent) -> Result<LlmAnswer, LlmError> {
        let worker = self.job.worker;
        let id = &self.job.trigger.conversation;
        let asking = AskingRung {
            client: &client(worker, self.held, rung.provider),
            parts: Parts {
                bot: &self.held.bot,
                history: &self.conversation.history,
                burst: &self.conversation.burst,
                limits: &worker.rules.prompt,
            },
            max_tokens: worker.rules.ai_max_tokens,
            user: &worker.pseudonyms.user(id),
            session_id: &worker.pseudonyms.conversation(id),
            clock: worker.clock.as_ref(),
            asker: self,
            log: &self.held.log,
        };
        asking.rung(rung, spent).await.map(|fitted| fitted.answer)
    }

    fn left_ms(&self) -> i64 {
        self.job.left_ms().saturating_sub(AFTER_ANSWER_MS)
    }
}

impl Asker for Asking<'_> {
    /// Within the invocation, and not far beyond the moment at which the customer gets the fallback text instead.
    fn limit(&self) -> Duration {
        let until_outcome = outcome_at(self.job, self.held)
            .since_ms(self.job.worker.clock.now())
            .max(LAST_ASK_MS);
        let ms = self.left_ms().max(SHORTEST_ASK_MS).min(until_outcome);
        let limit = Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        self.job.worker.rules.ai_timeout.min(limit)
    }

    fn has_time(&self) -> bool {
        self.left_ms() >= SHORTEST_ASK_MS
    }

    fn called(&self, call: &Called<'_>) {
        observe::call(self.job, self.held, call);
    }
}

fn client(worker: &Worker, held: &Held, provider: Provider) -> LlmClient {
    match (provider, &worker.second, held.bot.openrouter_key.as_deref()) {
        (Provider::Second, Some(second), _) => second.client.clone(),
        (_, _, Some(key)) => worker.llm.with_key(key),
        _ => worker.llm.clone(),
    }
}
