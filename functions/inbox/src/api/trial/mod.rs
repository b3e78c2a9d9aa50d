//! A question to a bot that no customer has asked: with its settings as they are, or as they might become. Nothing of it is
//! stored but what it has cost.

mod ask;

use std::sync::Arc;

use axum::extract::State;
use clivy::conversation::bot::Bot;
use clivy::conversation::bot_limits::{
    MAX_DOCUMENTS, MAX_MODEL, MAX_SYSTEM_PROMPT, Unfit, at_most, check_document,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::ask::Question;
use super::bots::problems::{BodyProblems, Problems};
use super::bots::settings::unfit;
use super::bots::write::there;
use super::documents::Text;
use crate::Inbox;
use crate::auth::{Agent, OnBot};
use crate::extract::Json;
use crate::problem::Problem;

/// The longest question, in characters.
const MAX_QUESTION: usize = 4_000;
pub fn routes() -> OpenApiRouter<Arc<Inbox>> {
    OpenApiRouter::new().routes(routes!(try_bot))
}

/// A question, and what of the bot is to be tried instead of what is stored.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Trial {
    /// What a customer might ask.
    #[schema(min_length = 1, max_length = 4_000, pattern = "\\S")]
    question: String,
    /// Instructions to try; the bot's own when null.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    system_prompt: Option<String>,
    /// Documents to try; the bot's own when null.
    #[serde(default)]
    #[schema(max_items = 90)]
    documents: Option<Vec<Text>>,
    /// The model to ask; the first one that the bot would ask when null.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, pattern = "\\S")]
    model: Option<String>,
}

/// What the bot would have answered, and what that has cost.
#[derive(Serialize, ToSchema)]
pub struct TrialAnswer {
    /// The text as the customer would read it.
    answer: String,
    /// The model that wrote it.
    model: String,
    /// What the provider charged, in USD.
    cost_usd: f64,
    /// Tokens of the prompt.
    tokens_in: u64,
    /// Tokens of the answer.
    tokens_out: u64,
    /// How long it took, in milliseconds.
    #[schema(minimum = 0)]
    latency_ms: i64,
    /// The titles of the documents that the model saw, the most relevant first.
    documents: Vec<String>,
}

/// Asks a bot a question, with its settings as they are or as they might become. No customer is involved and nothing is
/// stored but the cost, which counts in the bot's usage whatever came of it.
#[utoipa::path(post, path = "/api/bots/{bot}/try", tag = "bots", request_body = Trial,
    params(("bot" = String, Path, description = "The bot's id")),
    responses(
        (status = 200, description = "The answer", body = TrialAnswer),
        (status = 409, description = "The model or its provider is paused", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "The model gave no answer; the detail says why", body = Problem, content_type = "application/problem+json"),
        Problems, BodyProblems,
    ))]
async fn try_bot(
    State(inbox): State<Arc<Inbox>>,
    on: OnBot<Agent>,
    Json(trial): Json<Trial>,
) -> Result<Json<TrialAnswer>, Problem> {
    check(&trial).map_err(|field| unfit(&field))?;
    let bot = inbox
        .table
        .bot(&on.bot_id)
        .await?
        .ok_or_else(Problem::not_found)?;
    // It may have been deleted since the caller was looked at.
    there(&inbox, &on.caller, &on.bot_id).await?;
    let (bot, question, model) = applied(bot, trial);
    let question = Question::of(&inbox, &on, &bot, question, model.as_deref())?;
    question.answer(&inbox, &on.caller).await.map(Json)
}

fn check(trial: &Trial) -> Result<(), Unfit> {
    if trial.question.trim().is_empty() {
        return Err(Unfit::new("question", "is empty"));
    }
    at_most("question", &trial.question, MAX_QUESTION)?;
    if let Some(prompt) = &trial.system_prompt {
        at_most("system_prompt", prompt, MAX_SYSTEM_PROMPT)?;
    }
    if let Some(model) = &trial.model {
        if model.trim().is_empty() {
            return Err(Unfit::new("model", "is empty"));
        }
        at_most("model", model, MAX_MODEL)?;
    }
    let documents = trial.documents.as_deref().unwrap_or_default();
    if documents.len() > MAX_DOCUMENTS {
        let what = format!("has more than {MAX_DOCUMENTS} documents");
        return Err(Unfit::new("documents", what));
    }
    documents.iter().try_for_each(|text| {
        check_document(&text.clone().into())
            .map_err(|inner| Unfit::new(format!("documents: {}", inner.field), inner.what))
    })
}

/// The bot with what is to be tried, the question, and the model to ask.
fn applied(bot: Bot, trial: Trial) -> (Bot, String, Option<String>) {
    let documents = trial
        .documents
        .map(|texts| texts.into_iter().map(Into::into).collect());
    let bot = Bot {
        system_prompt: trial.system_prompt.unwrap_or(bot.system_prompt),
        documents: documents.unwrap_or(bot.documents),
        ..bot
    };
    (bot, trial.question, trial.model)
}
