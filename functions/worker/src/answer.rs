//! K3 and K4: the model is asked once, and its answer is stored before anybody sees it.

use std::time::Duration;

use clivy::breaker::Breaker;
use clivy::channel::wuzapi::Presence;
use clivy::conversation::head::Draft;
use clivy::conversation::ids::MessageId;
use clivy::conversation::outcome::{Attempt, Outcome, TurnStatus};
use clivy::llm::{Ask, Class, LlmAnswer, LlmError};
use clivy::prompt::{self, Level, reply};
use clivy::step;
use clivy::table::{Drafted, TableError};
use futures_util::future::{Either, select};

use crate::batch::End;
use crate::breaker::{Leave, Verdict};
use crate::burst::{Conversation, gather};
use crate::deliver;
use crate::failure::{self, Failure, Trouble};
use crate::record::{Held, Job};

/// What must be left of the invocation after the model has answered: draft, send, commit.
const AFTER_ANSWER_MS: i64 = 10_000;
/// Less than this is not worth asking for.
const SHORTEST_ASK_MS: i64 = 1_000;

/// Answers a burst that has no draft yet.
pub async fn answer(job: &Job<'_>, held: &Held) -> Result<End, Trouble> {
    step!(info, "claimed", held.log, {}, "claimed a burst");
    if !held.bot.active {
        let outcome = Outcome::without_answer(TurnStatus::Skipped, None);
        return draft(job, held, String::new(), outcome).await;
    }
    if held.head.tries > job.worker.rules.ai_max_attempts {
        // Earlier tries ended without a trace, in a crash or a timeout: no further one is paid for.
        return fallback(job, held, None).await;
    }
    let conversation = match gather(job, held).await {
        Ok(conversation) => conversation,
        Err(error) => return failure::failed(job, held, &Failure::table(job, held, &error)).await,
    };
    if conversation.burst.is_empty() {
        // Its messages were erased: there is nothing to answer.
        let outcome = Outcome::without_answer(TurnStatus::Skipped, None);
        return draft(job, held, String::new(), outcome).await;
    }
    let leave = match leave(job).await {
        Err(error) => return failure::failed(job, held, &Failure::table(job, held, &error)).await,
        Ok(Leave::Given { breaker, probe }) => (breaker, probe),
        // Nobody has been asked, and nobody will be in time.
        Ok(Leave::NotBefore(_)) if failure::is_overdue(job, held) => {
            return fallback(job, held, None).await;
        }
        Ok(Leave::NotBefore(until)) => return failure::wait(job, held, until, "BreakerOpen").await,
    };
    let asked = alongside(
        ask(job, held, &conversation),
        while_asking(job, held, &conversation),
    )
    .await;
    let verdict = asked
        .as_ref()
        .map_or_else(|failure| failure.verdict, |_| Verdict::Works);
    tell(job, leave, verdict).await;
    match asked {
        Ok((text, outcome)) => draft(job, held, text, outcome).await,
        Err(failure) => failure::failed(job, held, &failure).await,
    }
}

/// K2: the provider's breaker. Asked after the claim, because a burst that waits too long must end all the same.
async fn leave(job: &Job<'_>) -> Result<Leave, TableError> {
    let worker = job.worker;
    // A probe that dies is over when its invocation is.
    let probe_until = job.deadline;
    let now = worker.clock.now();
    let leave = worker
        .breaker
        .leave(&worker.table, &job.owner, probe_until, now);
    leave.await
}

/// A breaker that cannot be told must not cost the customer the answer.
async fn tell(job: &Job<'_>, leave: (Breaker, bool), verdict: Verdict) {
    let worker = job.worker;
    let now = worker.clock.now();
    let limits = worker.rules.breaker;
    let told = worker
        .breaker
        .tell(&worker.table, &job.owner, leave, verdict, limits, now);
    if let Err(error) = told.await {
        tracing::warn!(step = "breaker_not_told", %error, "the breaker could not be told");
    }
}

/// The customer gets the bot's fallback text, once, and the turn is parked.
pub async fn fallback(
    job: &Job<'_>,
    held: &Held,
    attempt: Option<Attempt>,
) -> Result<End, Trouble> {
    step!(warn, "fallback", held.log, {}, "no answer could be made");
    let outcome = Outcome::without_answer(TurnStatus::Failed, attempt);
    draft(job, held, held.bot.fallback_text().to_owned(), outcome).await
}

/// K4. What HEAD holds afterwards is what is sent, whoever wrote it.
async fn draft(job: &Job<'_>, held: &Held, text: String, outcome: Outcome) -> Result<End, Trouble> {
    let id = &job.trigger.conversation;
    let draft = Draft {
        text,
        reply_id: id.reply_id(held.head.burst()),
        outcome,
        sends: 1,
    };
    let drafted = job
        .worker
        .table
        .draft(id, held.claim.fence, &draft, job.worker.clock.now())
        .await?;
    match drafted {
        Drafted::Stored(head) => {
            step!(info, "drafted", held.log, {}, "stored the draft");
            let stored = head.claim.as_ref().and_then(|claim| claim.draft.clone());
            deliver::deliver(job, held, &head, &stored.unwrap_or(draft)).await
        }
        Drafted::Paused { until } => failure::wait(job, held, until, "Paused").await,
        Drafted::FencedOut => failure::fenced_out(job, held).await,
    }
}

/// K3: asks the model, with less context when it says that there is too much.
async fn ask(
    job: &Job<'_>,
    held: &Held,
    conversation: &Conversation,
) -> Result<(String, Outcome), Failure> {
    let worker = job.worker;
    let model = held
        .bot
        .models
        .first()
        .map_or(&worker.rules.model, |model| &model.name);
    let started_at = worker.clock.now();
    let mut level = Level::Full;
    let mut max_tokens = worker.rules.ai_max_tokens;
    loop {
        step!(info, "asked", held.log, { model, level = ?level, }, "asked the model");
        match ask_once(job, conversation, &held.bot, model, level, max_tokens).await {
            Ok(answer) => {
                let text = reply::whatsapp_text(&answer.text);
                if text.is_empty() {
                    return Err(Failure::empty(job, held, started_at, model));
                }
                let outcome = answered(job, held, started_at, &answer);
                return Ok((text, outcome));
            }
            Err(error) => match (error.class, level.shorter(), error.max_tokens) {
                (Class::Reduce, Some(shorter), _) => level = shorter,
                // The balance allows for a shorter answer: once.
                (Class::Retry, _, Some(affordable))
                    if affordable < max_tokens && affordable > 0 =>
                {
                    max_tokens = affordable;
                }
                _ => return Err(Failure::llm(job, held, started_at, model, &error)),
            },
        }
    }
}

async fn ask_once(
    job: &Job<'_>,
    conversation: &Conversation,
    bot: &clivy::conversation::bot::Bot,
    model: &str,
    level: Level,
    max_tokens: u32,
) -> Result<LlmAnswer, LlmError> {
    let worker = job.worker;
    let id = &job.trigger.conversation;
    let messages = prompt::build(
        bot,
        &conversation.history,
        &conversation.burst,
        &worker.rules.prompt,
        level,
    );
    let left_ms = job
        .left_ms()
        .saturating_sub(AFTER_ANSWER_MS)
        .max(SHORTEST_ASK_MS);
    let timeout = worker.rules.ai_timeout.min(Duration::from_millis(
        u64::try_from(left_ms).unwrap_or_default(),
    ));
    worker
        .llm
        .ask(
            &Ask {
                model,
                messages: &messages,
                max_tokens,
                user: &worker.pseudonyms.user(id),
                session_id: &worker.pseudonyms.conversation(id),
                max_price: bot.max_price,
                allow_training: bot.allow_training,
            },
            timeout,
        )
        .await
}

fn answered(
    job: &Job<'_>,
    held: &Held,
    started_at: clivy::conversation::ids::EpochMs,
    answer: &LlmAnswer,
) -> Outcome {
    let ended_at = job.worker.clock.now();
    let latency_ms = ended_at.since_ms(started_at);
    let usage = &answer.usage;
    step!(
        info,
        "answered",
        held.log,
        {
            model = answer.model,
            llm_latency_ms = latency_ms,
            tokens_in = usage.prompt_tokens,
            tokens_out = usage.completion_tokens,
            cost_usd = usage.cost_usd,
        },
        "the model answered"
    );
    Outcome {
        status: TurnStatus::Answered,
        attempt: Some(Attempt {
            number: held.head.tries,
            started_at,
            ended_at,
            model: answer.model.clone(),
            class: "ok".to_owned(),
            message: String::new(),
        }),
        model: Some(answer.model.clone()),
        tokens_in: usage.prompt_tokens,
        tokens_out: usage.completion_tokens,
        tokens_cached: usage.cached_tokens,
        cost_usd: usage.cost_usd,
        llm_latency_ms: latency_ms,
    }
}

/// Best effort, beside the model's thinking: the record's visibility, read ticks, "typing…".
async fn while_asking(job: &Job<'_>, held: &Held, conversation: &Conversation) {
    let gateway = &held.bot.gateway;
    let contact = &job.trigger.conversation.contact;
    let ids: Vec<MessageId> = conversation.burst.iter().map(|m| m.mid.clone()).collect();
    let sender = &job.worker.sender;
    // Whatever becomes of them, the reply does not wait for it.
    let _ = futures_util::join!(
        job.shorten_visibility(),
        sender.mark_read(gateway, contact, &ids),
        sender.presence(gateway, contact, Presence::Composing),
    );
}

/// Runs `side` for as long as `main` takes, and not a moment longer.
pub async fn alongside<T>(main: impl Future<Output = T>, side: impl Future<Output = ()>) -> T {
    match select(Box::pin(main), Box::pin(side)).await {
        Either::Left((result, _unfinished)) => result,
        Either::Right(((), main)) => main.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_side_effect_that_hangs_delays_nothing() {
        let main = async { 7 };
        assert_eq!(alongside(main, std::future::pending()).await, 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_effect_that_ends_first_leaves_the_main_part_running() {
        let main = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            7
        };
        assert_eq!(alongside(main, async {}).await, 7);
    }
}
