//! Whose request is it, and may it come in: size, envelope, bot, signature, event. In this order: the
//! envelope names the bot, and only the bot knows the key.

use std::sync::Arc;

use clivy::channel::wuzapi::{self, Envelope, Event};
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::BotId;
use clivy::table::TableError;
use clivy::trace::TraceHeader;
use lambda_http::{Body, Request, RequestExt};
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq;

use crate::{Answer, MAX_BODY_BYTES, Webhook};

/// Where gateways post to; a secret segment may follow.
const PATH: &str = "/webhook/ai";

/// A request that may come in.
pub struct Admitted {
    /// The bot it is for.
    pub bot: Arc<Bot>,
    /// What happened.
    pub event: Event,
    /// The trace that Lambda has begun, or was given.
    pub trace: Option<TraceHeader>,
}

/// Lets a request in, or says why not.
pub async fn admit(webhook: &Webhook, request: Request) -> Result<Admitted, Answer> {
    let secret = secret_segment(request.raw_http_path())?
        .map(|segment| percent_decode_str(segment).collect::<Vec<u8>>());
    if request.method() != http::Method::POST {
        return Err(Answer::WrongMethod);
    }
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let content_type = header("content-type");
    let signature = header("x-hmac-signature");
    let context = request.lambda_context_ref();
    let trace = context.and_then(|context| TraceHeader::parse(context.xray_trace_id.as_deref()?));
    let body = bytes(request.into_body());
    if body.len() > MAX_BODY_BYTES {
        return Err(Answer::TooLarge);
    }
    let envelope = wuzapi::read(content_type.as_deref(), &body)
        .await
        .map_err(|bad| Answer::BadRequest(bad.to_string()))?;
    let bot = find_bot(webhook, &envelope).await?;
    authenticate(
        &bot,
        webhook.allow_open_bots,
        &envelope,
        signature.as_deref(),
        secret.as_deref().unwrap_or_default(),
        &body,
    )?;
    let event = envelope
        .event()
        .map_err(|bad| Answer::BadRequest(bad.to_string()))?;
    Ok(Admitted { bot, event, trace })
}

/// The secret segment of the path, if there is one.
fn secret_segment(path: &str) -> Result<Option<&str>, Answer> {
    let rest = path
        .split_once(PATH)
        .map(|(_stage, rest)| rest)
        .ok_or(Answer::UnknownPath)?;
    match rest.trim_end_matches('/') {
        "" => Ok(None),
        rest => match rest.strip_prefix('/') {
            Some(secret) if !secret.contains('/') => Ok(Some(secret)),
            _ => Err(Answer::UnknownPath),
        },
    }
}

fn bytes(body: Body) -> bytes::Bytes {
    match body {
        Body::Text(text) => text.into(),
        Body::Binary(binary) => binary.into(),
        _ => bytes::Bytes::new(),
    }
}

async fn find_bot(webhook: &Webhook, envelope: &Envelope) -> Result<Arc<Bot>, Answer> {
    let found = match (envelope.instance_name(), envelope.token()) {
        (Some(name), _) => match BotId::new(name) {
            Ok(bot_id) => webhook.bots.get(&bot_id).await,
            Err(invalid) => return Err(Answer::BadRequest(format!("instanceName {invalid}"))),
        },
        (None, Some(token)) => webhook.bots.of_token(token).await,
        (None, None) => {
            return Err(Answer::BadRequest(
                "neither instanceName nor token is there".to_owned(),
            ));
        }
    };
    found
        .map_err(|error| unavailable(&error))?
        .ok_or(Answer::UnknownBot)
}

pub(crate) fn unavailable(error: &TableError) -> Answer {
    tracing::error!(step = "not_stored", %error, "the webhook could not reach the table");
    Answer::Unavailable
}

/// A bot may require a signature, a secret path, or both. One that requires neither is not served to the
/// world.
fn authenticate(
    bot: &Bot,
    allow_open_bots: bool,
    envelope: &Envelope,
    signature: Option<&str>,
    secret: &[u8],
    body: &[u8],
) -> Result<(), Answer> {
    let gateway = &bot.gateway;
    if let Some(key) = &gateway.hmac_key
        && envelope.verify(key, signature, body).is_err()
    {
        return Err(Answer::Unauthorized);
    }
    if let Some(expected) = &gateway.secret_path {
        let equal: bool = expected.as_bytes().ct_eq(secret).into();
        if !equal || expected.is_empty() {
            return Err(Answer::Unauthorized);
        }
    }
    let is_open = gateway.hmac_key.is_none() && gateway.secret_path.is_none();
    if is_open && !allow_open_bots {
        return Err(Answer::Unauthorized);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_the_one_segment_after_the_path_whatever_the_stage() {
        assert_eq!(secret_segment("/webhook/ai"), Ok(None));
        assert_eq!(secret_segment("/webhook/ai/"), Ok(None));
        assert_eq!(secret_segment("/webhook/ai/s3cret"), Ok(Some("s3cret")));
        assert_eq!(
            secret_segment("/prod/webhook/ai/s3cret"),
            Ok(Some("s3cret"))
        );
        for path in ["/", "/webhook", "/webhook/aix", "/webhook/ai/a/b"] {
            assert_eq!(secret_segment(path), Err(Answer::UnknownPath), "{path}");
        }
    }
}
