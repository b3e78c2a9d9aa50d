//! How one model is asked for a trial: with the prompt, the key and the breaker that a customer's question would meet.

use std::time::Duration;

use clivy::breakers::{Given, Leave};
use clivy::conversation::bot::{Bot, ModelEntry};
use clivy::conversation::ids::{ConversationId, EpochMs, Owner};
use clivy::conversation::message::{Author, Content, Message, MessageKind};
use clivy::conversation::outcome::Spent;
use clivy::llm::{
    Asker, Asking, Called, ErrorKind, Fitted, LlmError, Provider, Rung, breaker_name, ladder,
};
use clivy::metrics::CallMade;
use clivy::prompt::fit::Parts;
use clivy::prompt::{self, Limits};
use clivy::telemetry::TurnFields;

use super::TrialAnswer;
use crate::Inbox;
use crate::auth::{Agent, Caller, OnBot};
use crate::problem::Problem;
use crate::time::Time;

/// How long the model may take, all its calls together, in milliseconds. API Gateway gives up after 30 s.
const PATIENCE_MS: i64 = 25_000;
/// Less than this is not worth asking for.
const SHORTEST_ASK_MS: i64 = 1_000;
/// Who asks, where a customer would be named: no phone number and no JID is like it.
const NOBODY: &str = "trial";

/// A question, and whom it is put to.
pub struct Question<'a> {
    bot: &'a Bot,
    /// No conversation of the table: it only names who asks.
    id: ConversationId,
    burst: Message,
    rung: Rung,
    limits: Limits,
}

impl<'a> Question<'a> {
    /// The question as a burst of one message, for `model` or the first one that the bot would ask.
    ///
    /// # Errors
    /// None that can happen: a ladder has always one rung.
    pub fn of(
        inbox: &Inbox,
        on: &OnBot<Agent>,
        bot: &'a Bot,
        text: String,
        model: Option<&str>,
    ) -> Result<Self, Problem> {
        let id = on.conversation(NOBODY)?;
        let now = inbox.clock.now();
        let burst = Message {
            mid: id.reply_id(0, None),
            author: Author::Customer,
            content: Content {
                kind: MessageKind::Text,
                text,
            },
            platform_at: now,
            received_at: now,
            delivered: true,
            delivery: None,
        };
        let rung = first_rung(bot, &inbox.settings.model, &burst.content.text, model)
            .ok_or_else(Problem::unavailable)?;
        Ok(Self {
            bot,
            id,
            burst,
            rung,
            limits: Limits::default(),
        })
    }

    /// Asks, and counts what that has cost, whatever came of it.
    ///
    /// # Errors
    /// 409: nobody may be asked now. 502: there is no answer. 503.
    pub async fn answer(&self, inbox: &Inbox, caller: &Caller) -> Result<TrialAnswer, Problem> {
        let given = self.leave(inbox, caller).await?;
        let mut spent = Spent::default();
        let asked = self.ask(inbox, &mut spent).await;
        let failed = asked.as_ref().err().map(|error| error.kind);
        self.settle(inbox, &given, failed, &spent).await;
        match asked {
            Ok(fitted) => Ok(self.shown(fitted, &spent)),
            Err(error) => {
                tracing::warn!(
                    step = "trial_failed",
                    model = self.rung.model,
                    error_class = error.kind.as_str(),
                    %error,
                    "the model gave no answer to a trial"
                );
                Err(refused(&error))
            }
        }
    }

    /// Leave of the provider's breaker (I7): a trial may be its probe, as any call may.
    async fn leave(&self, inbox: &Inbox, caller: &Caller) -> Result<Given, Problem> {
        let name = breaker_name(self.bot, self.rung.provider);
        let now = inbox.clock.now();
        let provider = inbox.breakers.get(&inbox.table, &name, now).await?;
        if provider.is_parked(&self.rung.model, now) {
            let until = provider.parked.get(&self.rung.model).copied();
            return Err(paused(
                "the model's free requests of the day are used up",
                until,
            ));
        }
        let random = getrandom::u64().map_err(|_| Problem::unavailable())?;
        let owner = Owner(format!("{NOBODY}/{}/{random:016x}", caller.key_id));
        // A probe that dies is over when its request is.
        let probe_until = now.plus_ms(PATIENCE_MS + SHORTEST_ASK_MS);
        let leave = inbox
            .breakers
            .leave(&inbox.table, &name, &owner, probe_until, now)
            .await?;
        match leave {
            Leave::Given(given) => Ok(given),
            Leave::NotBefore(until) => Err(paused("the model's provider is paused", Some(until))),
        }
    }

    async fn ask(&self, inbox: &Inbox, spent: &mut Spent) -> Result<Fitted, LlmError> {
        let own = self.bot.openrouter_key.as_deref();
        let client = own.map_or_else(|| inbox.llm.clone(), |key| inbox.llm.with_key(key));
        let asking = Asking {
            client: &client,
            parts: Parts {
                bot: self.bot,
                history: &[],
                burst: std::slice::from_ref(&self.burst),
                limits: &self.limits,
            },
            max_tokens: inbox.settings.ai_max_tokens,
            user: &inbox.pseudonyms.user(&self.id),
            session_id: &inbox.pseudonyms.conversation(&self.id),
            clock: inbox.clock.as_ref(),
            asker: &Until {
                inbox,
                bot: self.bot,
                at: inbox.clock.now().plus_ms(PATIENCE_MS),
            },
            log: &TurnFields {
                conversation: NOBODY.to_owned(),
                turn: NOBODY.to_owned(),
                burst_size: 1,
                ..TurnFields::default()
            },
        };
        asking.rung(&self.rung, spent).await
    }

    /// What was used up goes into the ledger, and the breaker hears of it. The answer is paid for: trouble with either
    /// does not keep it from whoever has asked.
    async fn settle(&self, inbox: &Inbox, given: &Given, failed: Option<ErrorKind>, spent: &Spent) {
        let now = inbox.clock.now();
        let count = inbox.table.count_trial(&self.bot.bot_id, spent, now);
        let cooldown_ms = inbox.settings.breaker_cooldown_ms;
        let tell = inbox
            .breakers
            .tell_of_trial(&inbox.table, given, failed, cooldown_ms, now);
        let (counted, told) = futures_util::join!(count, tell);
        if let Err(error) = counted {
            tracing::error!(
                step = "not_counted",
                %error,
                cost_usd = spent.cost_usd,
                "the calls of a trial are missing from the ledger"
            );
        }
        if let Err(error) = told {
            tracing::warn!(step = "breaker_not_told", %error, "the breaker could not be told");
        }
    }

    fn shown(&self, fitted: Fitted, spent: &Spent) -> TrialAnswer {
        let question = prompt::question(std::slice::from_ref(&self.burst));
        let documents = prompt::documents_for(self.bot, &question, &self.limits, fitted.level);
        TrialAnswer {
            answer: fitted.answer.text,
            model: match fitted.answer.model.as_str() {
                "" => self.rung.model.clone(),
                model => model.to_owned(),
            },
            cost_usd: spent.cost_usd,
            tokens_in: spent.tokens_in,
            tokens_out: spent.tokens_out,
            latency_ms: spent.llm_latency_ms.max(0),
            documents: documents
                .into_iter()
                .map(|document| document.title.clone())
                .collect(),
        }
    }
}

/// `model`, or else the first one that the bot would ask. One of the bot's own ladder keeps its context length.
fn first_rung(
    bot: &Bot,
    default: &ModelEntry,
    question: &str,
    model: Option<&str>,
) -> Option<Rung> {
    let mut ladder = ladder(bot, default, None, question).into_iter();
    let Some(model) = model.map(str::trim) else {
        return ladder.next();
    };
    let known = ladder.find(|rung| rung.model == model);
    Some(known.unwrap_or_else(|| Rung {
        provider: Provider::OpenRouter,
        model: model.to_owned(),
        context_tokens: None,
    }))
}

fn paused(what: &str, until: Option<EpochMs>) -> Problem {
    match until.and_then(|until| serde_json::to_value(Time(until)).ok()) {
        Some(serde_json::Value::String(until)) => {
            Problem::conflict(format!("{what} until {until}"))
        }
        _ => Problem::conflict(what),
    }
}

/// What went wrong, in our own words: what the provider says may quote the key or the text (I11).
fn refused(error: &LlmError) -> Problem {
    Problem::upstream(format!("{}: {error}", error.kind.as_str()))
}

/// All calls of a trial end by then.
struct Until<'a> {
    inbox: &'a Inbox,
    bot: &'a Bot,
    at: EpochMs,
}

impl Until<'_> {
    fn left_ms(&self) -> i64 {
        self.at.since_ms(self.inbox.clock.now())
    }
}

impl Asker for Until<'_> {
    fn limit(&self) -> Duration {
        let ms = self.left_ms().clamp(SHORTEST_ASK_MS, PATIENCE_MS);
        Duration::from_millis(u64::try_from(ms).unwrap_or_default())
    }

    fn has_time(&self) -> bool {
        self.left_ms() >= SHORTEST_ASK_MS
    }

    fn called(&self, call: &Called<'_>) {
        let made = CallMade::of(call, self.bot, NOBODY);
        self.inbox.metrics.emit(self.inbox.clock.now(), &made);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bot(extra: &str) -> Bot {
        let json = format!(
            r#"{{"id": "demo", "owner": "o", "gateway": {{"kind": "wuzapi", "token": "t"}}{extra}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn the_model_given_is_asked_or_the_first_one_the_bot_would_ask() {
        let default = ModelEntry::named("default/model");
        let own = bot(r#", "models": ["a/b", {"name": "c/d", "context_tokens": 4096}]"#);
        let asked = |bot: &Bot, model| first_rung(bot, &default, "Jam buka?", model).unwrap();
        assert_eq!(asked(&bot(""), None).model, "default/model");
        assert_eq!(asked(&own, None).model, "a/b");
        assert_eq!(asked(&own, Some(" x/y ")).model, "x/y");
        assert_eq!(asked(&own, Some("c/d")).context_tokens, Some(4_096));
    }

    #[test]
    fn a_refusal_is_told_in_our_own_words() {
        let problem = refused(&LlmError::of(ErrorKind::InvalidKey));
        assert_eq!(
            problem.detail.as_deref(),
            Some("invalid_key: the API key is not accepted")
        );
    }
}
