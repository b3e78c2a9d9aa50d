//! A chat completion API over HTTP: `POST {base}/chat/completions`, and of OpenRouter also `GET {base}/key` and
//! `GET {base}/credits`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::account::{self, Credits, KeyInfo};
use super::answer::LlmAnswer;
use super::classify::classify;
use super::error::{ErrorKind, LlmError};
use crate::conversation::bot::MaxPrice;
use crate::http::Http;
use crate::prompt::ChatMessage;

/// Which fields and headers an API takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenRouter's: who asks, which providers may answer, and what they may cost.
    OpenRouter,
    /// What every OpenAI-compatible API takes, and nothing else: some refuse fields they do not know.
    OpenAi,
}

/// Where the API is and how we introduce ourselves. Debug prints no key (I11).
#[derive(Clone)]
pub struct LlmSettings {
    /// What the API takes.
    pub dialect: Dialect,
    /// The base address, `https://openrouter.ai/api/v1` for OpenRouter's; a trailing slash does not matter.
    pub base_url: String,
    /// The API key.
    pub api_key: String,
    /// `HTTP-Referer`: whose application this is; sent to OpenRouter only, and not when empty or not fit for a header.
    pub http_referer: String,
    /// `X-Title`: the application's name; sent like `http_referer`.
    pub x_title: String,
}

impl fmt::Debug for LlmSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmSettings")
            .field("dialect", &self.dialect)
            .field("base_url", &self.base_url)
            .field("api_key", &"[redacted]")
            .field("http_referer", &self.http_referer)
            .field("x_title", &self.x_title)
            .finish()
    }
}

/// A client of one account.
#[derive(Clone)]
pub struct LlmClient {
    http: Arc<dyn Http>,
    settings: LlmSettings,
}

impl fmt::Debug for LlmClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmClient")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// One question to a model.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// The prompt.
    pub messages: &'a [ChatMessage],
    /// The answer's length at most, in tokens. Always sent: without it the credits must cover the longest
    /// answer that the model could give.
    pub max_tokens: u32,
    /// A keyed hash of bot and contact: an abuser is blocked alone, not the whole account.
    pub user: &'a str,
    /// A keyed hash of the conversation: its turns go to one provider, whose prompt cache then holds.
    pub session_id: &'a str,
    /// What the answer may cost; only OpenRouter can be told.
    pub max_price: Option<MaxPrice>,
    /// Whether providers may be used that keep and train on prompts; only OpenRouter can be told.
    pub allow_training: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: &'a [ChatMessage],
    max_tokens: u32,
    user: &'a str,
    #[serde(flatten)]
    routing: Option<Routing<'a>>,
}

/// What OpenRouter takes besides.
#[derive(Serialize)]
struct Routing<'a> {
    session_id: &'a str,
    provider: Preferences,
}

#[derive(Serialize)]
struct Preferences {
    data_collection: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_price: Option<MaxPrice>,
}

impl<'a> Body<'a> {
    fn of(ask: &Ask<'a>, dialect: Dialect) -> Self {
        let routing = || Routing {
            session_id: ask.session_id,
            provider: Preferences {
                // Free providers may train on prompts, and these are other people's messages.
                data_collection: if ask.allow_training { "allow" } else { "deny" },
                max_price: ask.max_price.filter(|price| *price != MaxPrice::default()),
            },
        };
        Self {
            model: ask.model,
            messages: ask.messages,
            max_tokens: ask.max_tokens,
            user: ask.user,
            routing: (dialect == Dialect::OpenRouter).then(routing),
        }
    }
}

impl LlmClient {
    /// A client that sends through `http`.
    #[must_use]
    pub fn new(http: Arc<dyn Http>, settings: LlmSettings) -> Self {
        Self { http, settings }
    }

    /// The same client on another account: a bot owner's own key.
    #[must_use]
    pub fn with_key(&self, api_key: &str) -> Self {
        Self {
            http: Arc::clone(&self.http),
            settings: LlmSettings {
                api_key: api_key.to_owned(),
                ..self.settings.clone()
            },
        }
    }

    /// Asks a model, once. Not streamed: OpenRouter then fails over between providers by itself.
    ///
    /// # Errors
    /// Whatever is not a text to send, no answer within `timeout` included; see [`ErrorKind`].
    pub async fn ask(&self, ask: &Ask<'_>, timeout: Duration) -> Result<LlmAnswer, LlmError> {
        let body = Body::of(ask, self.settings.dialect);
        let body = serde_json::to_vec(&body).map_err(|_| LlmError::of(ErrorKind::Misconfigured))?;
        let request = self.request(&Method::POST, "chat/completions", body.into())?;
        let response = self.http.send(request, timeout).await?;
        classify(
            response.status().as_u16(),
            response.headers(),
            response.body(),
        )
    }

    /// The limits of the API key and what it has used. OpenRouter's own.
    ///
    /// # Errors
    /// As [`LlmClient::ask`].
    pub async fn key(&self, timeout: Duration) -> Result<KeyInfo, LlmError> {
        self.get("key", timeout).await
    }

    /// The account's balance. OpenRouter's own, and needs a *management* key as `api_key`; with any other it is 403.
    ///
    /// # Errors
    /// As [`LlmClient::ask`]; [`ErrorKind::Forbidden`] without a management key.
    pub async fn credits(&self, timeout: Duration) -> Result<Credits, LlmError> {
        self.get("credits", timeout).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, timeout: Duration) -> Result<T, LlmError> {
        let request = self.request(&Method::GET, path, Bytes::new())?;
        let response = self.http.send(request, timeout).await?;
        match account::data(response.body()) {
            Some(data) if response.status().is_success() => Ok(data),
            _ => Err(refusal(&response)),
        }
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Bytes>, LlmError> {
        let misconfigured = || LlmError::of(ErrorKind::Misconfigured);
        let uri = format!(
            "{}/{path}",
            self.settings.base_url.trim().trim_end_matches('/')
        );
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .body(body)
            .map_err(|_| misconfigured())?;
        *request.headers_mut() = self.headers().ok_or_else(misconfigured)?;
        if *method == Method::POST {
            request
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }

    fn headers(&self) -> Option<HeaderMap> {
        let settings = &self.settings;
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", settings.api_key.trim())).ok()?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        if settings.dialect == Dialect::OpenAi {
            return Some(headers);
        }
        for (name, value) in [
            ("http-referer", &settings.http_referer),
            ("x-title", &settings.x_title),
        ] {
            // Only a courtesy: a name that is no header value must not keep the customer waiting.
            if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
        Some(headers)
    }
}

/// Why an answer that is not the account's data is none.
fn refusal(response: &Response<Bytes>) -> LlmError {
    let status = response.status().as_u16();
    match classify(status, response.headers(), response.body()) {
        Err(error) => error,
        // A chat's answer where an account was asked for.
        Ok(_) => LlmError {
            status: Some(status),
            ..LlmError::of(ErrorKind::Unreadable)
        },
    }
}
