//! What becomes of a burst that has no draft yet. Limits first, then a kept answer or the model (K3), then the draft
//! (K4): it is stored before anybody sees it.

use clivy::channel::wuzapi::Presence;
use clivy::conversation::brake;
use clivy::conversation::head::Draft;
use clivy::conversation::ids::{EpochMs, MessageId};
use clivy::conversation::opt::{self, Opt, Wish};
use clivy::conversation::outcome::{Outcome, TurnStatus};
use clivy::llm::{Rung, ladder};
use clivy::prompt;
use clivy::step;
use clivy::table::Drafted;
use futures_util::future::{Either, select};

use crate::ask::{self, Answer, Asked, Tried};
use crate::batch::End;
use crate::burst::{Conversation, gather};
use crate::deliver;
use crate::failure::{self, Trouble};
use crate::insist::insist;
use crate::keep;
use crate::record::{Held, Job};
use crate::release;

/// Answers a burst that has no draft yet.
pub async fn answer(job: &Job<'_>, held: &Held) -> Result<End, Trouble> {
    step!(info, "claimed", held.log, {}, "claimed a burst");
    let nothing = Tried::default();
    let now = job.worker.clock.now();
    if let Some(until) = held.head.paused(now) {
        // A claim that was taken over: nothing is paid for while a person has the conversation.
        return release::paused(job, held, until, &nothing).await;
    }
    if !held.bot.active {
        return without_reply(job, held, TurnStatus::Skipped).await;
    }
    // Before every other rule: whoever has opted out, or was answered by a person, gets no fallback text either.
    let conversation = match gather(job, held).await {
        Ok(conversation) => conversation,
        Err(error) => return failure::unreadable(job, held, &error).await,
    };
    let is_out = held.head.opted_out_at.is_some();
    match opt::wish(&held.bot, is_out, conversation.whole_burst()) {
        Wish::Changed(opt) => return confirm(job, held, opt).await,
        Wish::Silence => {
            step!(
                info,
                "opted_out",
                held.log,
                {},
                "the contact wants no answers"
            );
            return without_reply(job, held, TurnStatus::OptedOut).await;
        }
        Wish::Answer => {}
    }
    if conversation.is_left_to_person() {
        step!(
            info,
            "left_to_person",
            held.log,
            {},
            "a person has answered the burst"
        );
        return without_reply(job, held, TurnStatus::LeftToPerson).await;
    }
    if conversation.burst.is_empty() {
        // Its messages were erased: there is nothing to answer.
        return without_reply(job, held, TurnStatus::Skipped).await;
    }
    welcome(job, held, conversation).await
}

/// The contact wants an answer, and nobody else has given one: the limits, then a kept answer or the model.
async fn welcome(job: &Job<'_>, held: &Held, conversation: Conversation) -> Result<End, Trouble> {
    let rules = &job.worker.rules;
    let nothing = Tried::default();
    let now = job.worker.clock.now();
    let is_retry = held.head.tries > 1;
    if held.head.tries > rules.ai_max_attempts || (is_retry && failure::is_overdue(job, held)) {
        // Earlier tries failed, or ended without a trace in a crash or a timeout: no further one is paid for.
        return fallback(job, held, nothing).await;
    }
    let messages = held.claim.keys.len();
    if let Some(until) = held
        .head
        .window
        .closed_until(rules.rate_limit, messages, now)
    {
        return hold_back(job, held, until, "RateLimited").await;
    }
    if let Some(why) = brake::is_loop(&conversation.history, &conversation.burst) {
        step!(warn, "loop_brake", held.log, { reason = why.as_str(), }, "the contact looks like another bot");
        return without_reply(job, held, TurnStatus::Braked).await;
    }
    let question = keep::Question::of(job, held, conversation);
    match question.kept(job, held).await {
        Some(kept) => {
            let end = draft(job, held, kept.text, kept.outcome, nothing).await?;
            question.count(job, held).await;
            Ok(end)
        }
        None => ask_the_model(job, held, &question).await,
    }
}

async fn ask_the_model(
    job: &Job<'_>,
    held: &Held,
    question: &keep::Question,
) -> Result<End, Trouble> {
    let worker = job.worker;
    let rungs = rungs(job, held, &question.conversation);
    let nothing = Tried::default();
    // K2: waiting for a breaker takes no room and no try.
    match ask::all_shut_until(job, held, &rungs).await {
        Ok(None) => {}
        Ok(Some(until)) => return release::wait(job, held, until, "BreakerOpen", nothing).await,
        Err(error) => return failure::unreadable(job, held, &error).await,
    }
    if let Some(limit) = worker.rules.bot_rate_limit {
        let (bot_id, now) = (&held.bot.bot_id, worker.clock.now());
        let messages = held.claim.keys.len();
        match worker.table.take_room(bot_id, messages, limit, now).await {
            Ok(None) => {}
            Ok(Some(until)) => return hold_back(job, held, until, "BotRateLimited").await,
            Err(error) => return failure::unreadable(job, held, &error).await,
        }
    }
    let (asked, tried) = alongside(
        ask::ask(job, held, &question.conversation, &rungs),
        while_asking(job, held, &question.conversation),
    )
    .await;
    match asked {
        Asked::Answered(answer) => {
            let outcome = answered(&answer);
            let end = draft(job, held, answer.text.clone(), outcome, tried).await?;
            question.keep(job, held, &answer).await;
            Ok(end)
        }
        Asked::Failed(failure) => failure::failed(job, held, &failure, tried).await,
        Asked::NotBefore(until) => release::wait(job, held, until, "BreakerOpen", tried).await,
    }
}

fn rungs(job: &Job<'_>, held: &Held, conversation: &Conversation) -> Vec<Rung> {
    let worker = job.worker;
    if let Some(model) = held.wanted_model() {
        return vec![Rung::wanted(model, &held.bot)];
    }
    let second = worker.second.as_ref().map(|second| &second.model);
    ladder(
        &held.bot,
        &worker.rules.model,
        second,
        &prompt::question(&conversation.burst),
    )
}

/// The customer has written more than the window takes: everything waits and is answered together (I9).
async fn hold_back(job: &Job<'_>, held: &Held, until: EpochMs, why: &str) -> Result<End, Trouble> {
    step!(info, "rate_limited", held.log, { reason = why, }, "the burst waits for the next window");
    release::hold(job, held, until, why, &Tried::default()).await
}

/// The burst ends without a reply.
async fn without_reply(job: &Job<'_>, held: &Held, status: TurnStatus) -> Result<End, Trouble> {
    let outcome = Outcome::without_answer(status);
    draft(job, held, String::new(), outcome, Tried::default()).await
}

/// The contact has changed its mind about being answered: it reads so, once, and from the commit on it counts.
async fn confirm(job: &Job<'_>, held: &Held, opt: Opt) -> Result<End, Trouble> {
    let status = match opt {
        Opt::Out => TurnStatus::OptedOut,
        Opt::In => TurnStatus::OptedIn,
    };
    step!(info, "opt", held.log, { change = opt.as_str(), }, "the contact has changed its mind about being answered");
    let outcome = Outcome {
        opt: Some(opt),
        ..Outcome::without_answer(status)
    };
    draft(job, held, held.bot.opt_text(opt), outcome, Tried::default()).await
}

/// The customer gets the bot's fallback text, once, and the turn is parked.
pub async fn fallback(job: &Job<'_>, held: &Held, tried: Tried) -> Result<End, Trouble> {
    if held.head.opted_out_at.is_some() {
        // The burst could not even be read: a contact that has opted out hears nothing of that.
        return without_reply(job, held, TurnStatus::OptedOut).await;
    }
    step!(warn, "fallback", held.log, {}, "no answer could be made");
    let outcome = Outcome::without_answer(TurnStatus::Failed);
    let text = held.bot.fallback_text().to_owned();
    draft(job, held, text, outcome, tried).await
}

/// K4. What HEAD holds afterwards is what is sent, whoever wrote it.
async fn draft(
    job: &Job<'_>,
    held: &Held,
    text: String,
    outcome: Outcome,
    tried: Tried,
) -> Result<End, Trouble> {
    let id = &job.trigger.conversation;
    let draft = Draft {
        text,
        reply_id: id.reply_id(held.head.burst(), held.head.born_at),
        outcome: Outcome {
            attempts: tried.attempts.clone(),
            spent: held.head.spent.plus(&tried.spent),
            ..outcome
        },
        sends: 1,
    };
    let drafted = insist(job, held, || {
        let now = job.worker.clock.now();
        job.worker.table.draft(id, held.claim.fence, &draft, now)
    });
    let drafted = drafted.await?;
    match drafted {
        Drafted::Stored(head) => {
            step!(info, "drafted", held.log, {}, "stored the draft");
            let stored = head.claim.as_ref().and_then(|claim| claim.draft.clone());
            deliver::deliver(job, held, &head, &stored.unwrap_or(draft)).await
        }
        // A person has taken the conversation: the answer is thrown away.
        Drafted::Paused { until } => release::paused(job, held, until, &tried.thrown_away()).await,
        Drafted::FencedOut => release::fenced_out(job, held, &tried.thrown_away()).await,
    }
}

fn answered(answer: &Answer) -> Outcome {
    Outcome {
        model: Some(answer.model.clone()),
        is_free: answer.is_free,
        ..Outcome::without_answer(TurnStatus::Answered)
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
    use std::time::Duration;

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
